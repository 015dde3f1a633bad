#include <parcel/findings.h>

#include <stdarg.h>
#include <stdio.h>

#include "text_impl.h"

const char *parcel_severity_name(parcel_severity severity)
{
  static const char *const names[] = {"ok", "note", "warning", "error"};
  return names[severity];
}

void parcel_findings_add(parcel_findings *findings, parcel_severity severity, const char *check,
                         const char *line, const char *format, ...)
{
  parcel_finding finding = {.severity = severity, .check = check};
  char fact[PARCEL_FINDING_TEXT_SIZE + 3]; /* the rest of a character that only the copy cuts */
  va_list arguments;
  va_start(arguments, format);
  /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): one line above */
  vsnprintf(fact, sizeof fact, format, arguments);
  va_end(arguments);
  parcel__text_copy(finding.fact, sizeof finding.fact, fact);
  parcel__text_line(finding.fact);
  parcel__text_copy(finding.line, sizeof finding.line, line ? line : "");
  if (findings->count < PARCEL_FINDINGS_MOST)
    findings->list[findings->count++] = finding;
}

int parcel_findings_count(const parcel_findings *findings, parcel_severity severity)
{
  int count = 0;
  for (int f = 0; f < findings->count; ++f)
    count += findings->list[f].severity == severity;
  return count;
}
