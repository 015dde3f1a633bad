/** @file
 *  What the rooms of a report share. */
#ifndef PARCEL_REPORT_IMPL_H
#define PARCEL_REPORT_IMPL_H

#include <stddef.h>

#include <parcel/report.h>

#include "provenance_impl.h"

enum { PARCEL_ADVICE_SIZE = 256, PARCEL_ADVICE_MOST = 4 };

/** Sentences that say what to do next, the most useful one first; at least one. */
typedef struct parcel_advice {
  char sentences[PARCEL_ADVICE_MOST][PARCEL_ADVICE_SIZE];
  int count;
} parcel_advice;

parcel_advice parcel__report_advise(const parcel_profile *profile, const char *schedule);

/** All that a report says, on rank 0. */
typedef struct parcel_report_facts {
  const parcel_report *report;
  const parcel_profile *profile; /* all zero if the sweep never ran */
  const parcel_provenance *provenance;
  const char *message; /* why it failed; "" */
  const char *schedule;
  char *reproduce; /* the command that was run */
  char *go_on;     /* the command that goes on; NULL if there is nothing to go on with */
} parcel_report_facts;

/** A part of a text that is being written.  Returns 0, as jansson wants it, or -1. */
typedef int (*parcel_report_put)(const char *text, size_t size, void *file);

/** Writes the report as one JSON object.  Errors: MEMORY; IO (put failed); INVALID (no jansson). */
PARCEL_MUST_CHECK parcel_status parcel__report_put_json(const parcel_report_facts *facts,
                                                        parcel_report_put put, void *file);

/** Writes the trace, as one JSON object.  Errors: as parcel__report_put_json. */
PARCEL_MUST_CHECK parcel_status parcel__report_put_trace(const parcel_report_facts *facts, FILE *file);

#endif
