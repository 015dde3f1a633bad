/** @file
 *  Reports: where a sweep's time went, as a page to look at, as JSON for programs (io/report.md says what is
 *  in it), as a trace for Perfetto, and in six lines.
 *
 *      status = parcel_sweep_run(world, &sweep, sink, &options, NULL);        -- with options.trace = trace
 *      status = parcel_results_close(&results, status);
 *      const parcel_report report = {.sweep = &sweep, .trace = trace, .file = "wave.h5", .outcome = status};
 *      status = parcel_report_write(world, &report, "wave.html");
 *
 *  Files are made beside their place and renamed, so a report is whole or absent; one that is replaced hands
 *  on its mode and owner, and a symbolic link is refused. All but parcel_report_print need a library built
 *  with jansson. */
#ifndef PARCEL_REPORT_H
#define PARCEL_REPORT_H

#include <stdio.h>

#include <parcel/sweep.h>
#include <parcel/trace.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a report is about. Owns nothing. The same on every rank, but for the trace, the rank's own. */
typedef struct parcel_report {
  const parcel_sweep *sweep;
  const parcel_trace *trace; /* that the sweep ran with */
  const char *file;          /* of the results; NULL: none */
  const char *resume;        /* by which the command goes on after a stop: "--resume"; NULL: it cannot */
  parcel_status outcome;     /* of the whole run; its text is parcel_last_error() */
} parcel_report;

/** Whether the library was built with jansson, and so writes reports. */
PARCEL_API bool parcel_report_has_json(void);

/** Refuses a name that no report can have, before anything is computed.  Any thread.
 *
 *  Errors: INVALID (neither .json nor .html at its end; a library without jansson). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_report_check(const char *path);

/** Writes the report: .html a page, which opens offline, anything else its figures as JSON. Collective; rank
 *  0 writes.
 *
 *  Returns report->outcome if that is a failure (its text is kept, and a report that cannot be written is a
 *  warning), else how the writing went: IO; MEMORY; MPI; INVALID (no jansson). The same on every rank. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_report_write(const parcel_world *world,
                                                               const parcel_report *report, const char *path);

/** Writes every item of the trace in the Trace Event Format, which Perfetto (ui.perfetto.dev) and Chrome
 *  open: a process per rank, a thread per worker, times in microseconds. Otherwise as parcel_report_write. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_report_write_trace(const parcel_world *world,
                                                                     const parcel_report *report,
                                                                     const char *path);

/** The profile in six lines, with advice. Rank 0; nothing is printed where there is no profile. */
PARCEL_API void parcel_report_print(const parcel_report *report, FILE *out);

#ifdef __cplusplus
}
#endif

#endif
