/** @file
 *  How a sweep fills a trace. Every function takes a trace of NULL, and then does nothing. */
#ifndef PARCEL_TRACE_IMPL_H
#define PARCEL_TRACE_IMPL_H

#include <parcel/trace.h>

/** A block that is done. Times as the sweep's clock tells them. */
typedef struct parcel_trace_event {
  const parcel_block *block;
  parcel_index first, last; /* of its indices, if it has any */
  double begun, computed, written;
} parcel_trace_event;

/** What one worker writes down, on cache lines of its own. */
typedef struct parcel_trace_lane parcel_trace_lane;

/** One rank's trace while it is being made. */
struct parcel_trace {
  parcel_index item_limit;  /* over all workers of all ranks */
  double started;           /* by the sweep's clock */
  int64_t start_time;       /* in seconds since 1970 (UTC) */
  parcel_trace_lane *lanes; /* [threads] */
  int threads;
  parcel_trace_sample *samples; /* [sample_room] */
  parcel_index sample_count, sample_room;
  double sample_every, next_sample; /* seconds; since started */
  parcel_index failure_room;        /* of this rank */
  parcel_profile profile;           /* rank 0: of all ranks, once gathered */
  bool is_gathered;
};

/** Makes room, and forgets what was before.  Errors: MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__trace_begin(parcel_trace *trace, const parcel_world *world,
                                                    int threads);

/** The moment from which on time counts. */
void parcel__trace_start(parcel_trace *trace, double now);

/** Called by the worker itself, after each of its blocks. */
void parcel__trace_block(parcel_trace *trace, int worker, const parcel_trace_event *event);

/** Called by the main thread, as often as it likes. */
void parcel__trace_progress(parcel_trace *trace, double now, parcel_index positions);

/** Makes rank 0's profile, after the last block. Collective; all ranks have a trace, or none.
 *
 *  Errors: MEMORY, MPI: the same on every rank. */
PARCEL_MUST_CHECK parcel_status parcel__trace_gather(parcel_trace *trace, const parcel_world *world,
                                                     parcel_block_grid grid, double elapsed_seconds);

/** This rank's part of the profile, as it goes to rank 0. Arrays belong to the caller.  Errors: MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__trace_collect(const parcel_trace *trace, double elapsed_seconds,
                                                      parcel_profile *out);

/** Adds the moments of other blocks (Chan, Golub and LeVeque, Updating Formulae and a Pairwise Algorithm for
 *  Computing Sample Variances, COMPSTAT 1982). */
void parcel__trace_add_moments(parcel_trace_moments *sum, const parcel_trace_moments *more);

/** Frees a profile's arrays. */
void parcel__profile_release(parcel_profile *profile);

#endif
