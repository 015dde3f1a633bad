#include <parcel/findings.h>

#include <stdarg.h>
#include <stdio.h>

const char *parcel_severity_name(parcel_severity severity)
{
  static const char *const names[] = {"ok", "note", "warning", "error"};
  return names[severity];
}

void parcel_findings_add(parcel_findings *findings, parcel_severity severity, const char *check,
                         const char *line, const char *format, ...)
{
  parcel_finding finding = {.severity = severity, .check = check};
  va_list arguments;
  va_start(arguments, format);
  /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): one line above */
  vsnprintf(finding.fact, sizeof finding.fact, format, arguments);
  va_end(arguments);
  snprintf(finding.line, sizeof finding.line, "%s", line ? line : "");
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
