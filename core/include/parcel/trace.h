/** @file
 *  Traces: what every worker did, and when, while a sweep ran; and the profile that rank 0 makes of it.
 *
 *      parcel_trace *trace = NULL;
 *      if (!(status = parcel_trace_create(NULL, &trace))) {
 *        options.trace = trace;
 *        status = parcel_sweep_run(world, &sweep, sink, &options, NULL);
 *      }
 *      const parcel_profile *profile = parcel_trace_profile(trace);    -- on rank 0, whatever the status
 *
 *  A worker's time is the sum of four, exactly:
 *
 *      compute   inside the kernel: the useful time
 *      write     inside the sink
 *      handout   between its blocks: taking the next one, waiting for a grant
 *      idle      before its first block and after its last one, until the whole sweep is over
 *
 *  Memory is bounded whatever the number of blocks: a worker keeps a fixed number of items, and when these
 *  are full, neighbours in time are merged, so that sums stay exact while the grain becomes coarser. The
 *  slowest blocks and the histogram are kept apart and do not suffer. */
#ifndef PARCEL_TRACE_H
#define PARCEL_TRACE_H

#include <parcel/sink.h>
#include <parcel/world.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque: one rank's. Used by the main thread, and by a sweep while it runs. */
typedef struct parcel_trace parcel_trace;

typedef struct parcel_trace_options {
  parcel_index
      items; /* to keep in all, over all workers of all ranks; 0: 32768. Each worker keeps 4 at least */
} parcel_trace_options;

#define PARCEL_TRACE_OPTIONS_INIT PARCEL_DEFAULTS

enum {
  PARCEL_TRACE_NAME_SIZE = 64, /* bytes of a host's name, or of a list of CPUs, longer ones are cut */
  PARCEL_TRACE_BINS = 192,     /* of the histogram: 4 for each power of 2, from 2^-30 s on */
  PARCEL_TRACE_SLOWEST = 8,    /* blocks that each rank remembers as its slowest */
  PARCEL_TRACE_FAILURES = 256  /* failures kept in all; each rank may keep 1 */
};

/** Consecutive blocks of one worker: one, or several that were merged. Times in seconds, since the rank
 *  began; end - begin - compute_seconds - write_seconds is handout. */
typedef struct parcel_trace_item {
  parcel_index block;  /* number of the first in the grid */
  parcel_index blocks; /* how many; not always neighbours in the grid */
  double begin, end;
  double compute_seconds, write_seconds;
} parcel_trace_item;

/** How far a rank was at a moment. */
typedef struct parcel_trace_sample {
  double elapsed_seconds;
  parcel_index positions;
} parcel_trace_sample;

typedef struct parcel_trace_worker {
  int rank, thread;
  parcel_index blocks, positions;
  double compute_seconds, write_seconds, handout_seconds, idle_seconds;
  char cpus[PARCEL_TRACE_NAME_SIZE];   /* that its thread may run on, "0-3,8"; "" if it did no block */
  parcel_index first_item, item_count; /* in the profile's items */
} parcel_trace_worker;

typedef struct parcel_trace_rank {
  int rank, threads;
  int64_t process;                         /* its id */
  char host[PARCEL_TRACE_NAME_SIZE];       /* that it ran on */
  parcel_index memory_bytes;               /* the most that was resident */
  double elapsed_seconds;                  /* from its first block to its knowing that all ranks are done */
  parcel_index first_worker;               /* in the profile's workers, of `threads` */
  parcel_index first_sample, sample_count; /* in the profile's samples */
} parcel_trace_rank;

/** One block that took long. */
typedef struct parcel_trace_block {
  parcel_index number;      /* in the grid */
  parcel_index positions;   /* how many */
  parcel_index first, last; /* indices, if there are positions */
  int rank, thread;
  double begin; /* in seconds since the rank began */
  double compute_seconds;
} parcel_trace_block;

/** Time in the kernel per block: the mean, and the sum of squared differences from it. */
typedef struct parcel_trace_moments {
  parcel_index count;
  double mean, squares;
  double least, most;
} parcel_trace_moments;

/** A whole sweep, over all ranks. Valid as long as the trace; arrays are its own. */
typedef struct parcel_profile {
  parcel_block_grid grid;
  int64_t start_time;     /* of rank 0, in seconds since 1970 (UTC) */
  double elapsed_seconds; /* of the longest rank */
  parcel_index positions, blocks, failures;
  double compute_seconds, write_seconds, handout_seconds, idle_seconds; /* summed over all workers */
  parcel_trace_moments block_seconds;
  parcel_index bins[PARCEL_TRACE_BINS]; /* blocks by their time in the kernel: parcel_trace_bin_seconds */
  parcel_trace_rank *ranks;
  parcel_trace_worker *workers; /* by rank, then thread */
  parcel_trace_item *items;     /* by worker, then time */
  parcel_trace_sample *samples; /* by rank, then time */
  parcel_trace_block *slowest;  /* the slowest first; at most PARCEL_TRACE_SLOWEST */
  parcel_failure *kept;         /* failures, by rank; not all, where there are many */
  parcel_index rank_count, worker_count, item_count, sample_count, slowest_count, kept_count;
} parcel_profile;

/** The efficiency of a run and its factors, as the POP project defines and names them (VI-HPS and POP: POP
 *  Standard Metrics for Parallel Performance Analysis, 2016; useful time is time in the kernel). With u the
 *  useful time of a worker, w its time in the sink, T the elapsed time, and U a rank's mean of u:
 *
 *      parallel = load_balance * communication
 *        load_balance  = rank_balance * thread_balance  = average u / largest u
 *          rank_balance   = average u / largest U
 *          thread_balance = largest U / largest u
 *        communication = writing * waiting              = largest u / T
 *          writing        = largest u / largest (u + w)
 *          waiting        = largest (u + w) / T
 *
 *  Each is 1 at best; the products hold exactly, but for rounding. */
typedef struct parcel_efficiency {
  double parallel;
  double load_balance, rank_balance, thread_balance;
  double communication, writing, waiting;
} parcel_efficiency;

/** Makes an empty trace, of this rank.
 *
 *  options  NULL for the defaults
 *  Owns: *out is the caller's, for parcel_trace_free.  Errors: INVALID (items < 0), MEMORY. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_trace_create(const parcel_trace_options *options,
                                                               parcel_trace **out);

/** *trace becomes NULL; NULL is fine. Not while a sweep runs. */
PARCEL_API void parcel_trace_free(parcel_trace **trace);

/** The last sweep that ran with this trace; NULL before one has, on all ranks but 0, and with trace NULL. */
PARCEL_API const parcel_profile *parcel_trace_profile(const parcel_trace *trace);

/** Pure. All factors are 1 where there was nothing to do. */
PARCEL_API parcel_efficiency parcel_profile_efficiency(const parcel_profile *profile);

/** Useful time of a rank's workers on average, and of all workers. Pure. */
PARCEL_API double parcel_profile_rank_useful(const parcel_profile *profile, parcel_index rank);
PARCEL_API double parcel_profile_average_useful(const parcel_profile *profile);

/** Where a bin of the histogram begins, in seconds; it ends where the next begins. The first also holds what
 *  is shorter, the last what is longer. */
PARCEL_API double parcel_trace_bin_seconds(int bin);

#ifdef __cplusplus
}
#endif

#endif
