/** @file
 *  What a check has to say: how bad it is, the fact, and the line that puts it right. */
#ifndef PARCEL_FINDINGS_H
#define PARCEL_FINDINGS_H

#include <parcel/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum parcel_severity {
  PARCEL_FINDING_OK,      /* looked at, and fine */
  PARCEL_FINDING_NOTE,    /* worth knowing */
  PARCEL_FINDING_WARNING, /* a run would be slow, or its result is in danger */
  PARCEL_FINDING_ERROR    /* a run would fail or be wrong */
} parcel_severity;

#define PARCEL_FINDING_TEXT_SIZE 512
#define PARCEL_FINDINGS_MOST     48

typedef struct parcel_finding {
  parcel_severity severity;
  const char *check;                   /* a constant word: "binding" */
  char fact[PARCEL_FINDING_TEXT_SIZE]; /* one line, without a full stop */
  char line[PARCEL_FINDING_TEXT_SIZE]; /* to type, word for word; empty where there is nothing to do */
} parcel_finding;

/** A list that checks add to. Owns nothing: a plain value, all zero when empty. */
typedef struct parcel_findings {
  int count;
  parcel_finding list[PARCEL_FINDINGS_MOST];
} parcel_findings;

/** "ok", "note", "warning", "error". */
PARCEL_API const char *parcel_severity_name(parcel_severity severity);

/** Adds a finding; one too many is left out.
 *
 *  line    NULL where there is nothing to do
 *  format  of the fact, as for printf */
PARCEL_API void parcel_findings_add(parcel_findings *findings, parcel_severity severity, const char *check,
                                    const char *line, const char *format, ...) PARCEL_PRINTF(5, 6);

/** How many there are of this severity. */
PARCEL_API int parcel_findings_count(const parcel_findings *findings, parcel_severity severity);

#ifdef __cplusplus
}
#endif

#endif
