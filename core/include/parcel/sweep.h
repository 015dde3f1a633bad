/** @file
 *  The sweep: a kernel run over every position of a range, on every thread of every rank, into a sink. */
#ifndef PARCEL_SWEEP_H
#define PARCEL_SWEEP_H

#include <stdbool.h>

#include <parcel/column.h>
#include <parcel/pool.h>
#include <parcel/progress.h>
#include <parcel/range.h>
#include <parcel/signals.h>
#include <parcel/sink.h>
#include <parcel/trace.h>
#include <parcel/world.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a kernel is asked for: the values first, first + step, ..., `count` of them, at least one. */
typedef struct parcel_slice {
  parcel_index first;
  parcel_index step;
  parcel_index count;
  parcel_index position; /* of the first value in the whole range, 0-based */
} parcel_slice;

/** The user's function: fills columns[c][0 .. count * width) for the slice, all of it, from the slice
 *  alone.
 *
 *  columns  [columns of the sweep] each aligned to 64 bytes where the slice is a whole block
 *  Threads: called by several at once, with slices that do not overlap; must not call MPI, HDF5 or the
 *  sweep.
 *  Returns PARCEL_OK, or a failure after parcel_fail has said why. It is then called again for parts of
 *  the slice, to find the first index that fails; so the same slice must give the same result. A kernel that
 *  ends its thread (pthread_exit) has failed, and is called in a thread of its own from then on. */
typedef parcel_status (*parcel_kernel)(void *ctx, const parcel_slice *slice, void *const columns[]);

/** X(NAME, text): how the blocks of a sweep are shared out. Append only.
 *
 *    steal      every rank begins with its part; one that runs dry takes the far half of another's rest
 *    static     every rank does its part
 *    dynamic    block by block, off a counter of all
 *    guided     in runs of blocks, the remaining ones divided by the workers
 *    factoring  in rounds of equal runs, one for each worker, of half the remaining blocks */
#define PARCEL_SWEEP_SCHEDULE_MAP(X)                                                                         \
  X(STEAL, "steal")                                                                                          \
  X(STATIC, "static")                                                                                        \
  X(DYNAMIC, "dynamic")                                                                                      \
  X(GUIDED, "guided")                                                                                        \
  X(FACTORING, "factoring")

typedef enum parcel_sweep_schedule {
#define PARCEL_SWEEP_SCHEDULE_ENUM(name, text) PARCEL_SWEEP_##name,
  PARCEL_SWEEP_SCHEDULE_MAP(PARCEL_SWEEP_SCHEDULE_ENUM)
#undef PARCEL_SWEEP_SCHEDULE_ENUM
} parcel_sweep_schedule;

/** "steal" for PARCEL_SWEEP_STEAL. Static storage; any thread. */
PARCEL_API const char *parcel_sweep_schedule_name(parcel_sweep_schedule schedule);

/** Reads a name.  Errors: INVALID (the text lists what there is). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_sweep_schedule_parse(const char *text,
                                                                       parcel_sweep_schedule *out);

/** Kernel x range x columns, and how finely it is cut. Owns nothing; must be the same on every rank. */
typedef struct parcel_sweep {
  const char *name;    /* of the kernel, for messages and provenance */
  const char *version; /* of the kernel: change it when its results change; NULL: "1" */
  parcel_range range;
  const parcel_column *columns; /* [column_count] */
  int column_count;
  parcel_kernel kernel;
  void *ctx;                      /* handed to the kernel */
  int threads;                    /* per rank; 0: parcel_world_cpus */
  parcel_index block;             /* positions per block at most; 0: chosen from size, ranks and threads */
  const char *parameters;         /* what else the results depend on, in words; NULL: nothing */
  parcel_sweep_schedule schedule; /* of the blocks over ranks and threads */
} parcel_sweep;

/** What becomes of a sweep whose kernel fails at an index. */
typedef enum parcel_on_error {
  PARCEL_ON_ERROR_STOP,  /* it ends, as failed */
  PARCEL_ON_ERROR_RECORD /* the failure goes on record (a sink that keeps failures), the rest goes on */
} parcel_on_error;

/** How to run it, this time. */
typedef struct parcel_sweep_options {
  /** To run on instead of one made for this sweep; its threads then count. NULL: make one. */
  parcel_pool *pool;

  /** Called on rank 0's main thread some ten times a second. NULL: nobody looks. */
  parcel_progress_show show;
  void *show_ctx;

  /** Asked all the time, on every rank. NULL: nobody asks for anything. */
  const parcel_signals *signals;

  /** Counted from parcel_world_open: no block is begun that may not end in time, going by the longest one
   *  so far; the sweep then ends as STOPPED. 0: none. */
  double deadline_seconds;

  /** The sweep ends as STOPPED once a file of this name is there, seen from the working folder at its start.
   *  NULL: none. */
  const char *halt_file;

  /** A rank without any progress for so long ends the program by MPI_Abort, after every rank has printed
   *  what its workers do: a kernel that hangs cannot be ended otherwise. A main thread that is stuck itself,
   *  in MPI or in a sink, is ended by a thread of its own (parcel_world_set_stall_seconds, which does the
   *  same before and after the sweep). 0: never. */
  double stall_seconds;

  /** Each thread hands its slices to a worker process of its own (parcel/workers.h; parcel_workers_prepare
   *  must have been called): a crash in a kernel is then a failure like any other, with the signal's name.
   *  The sweep's ctx, and what it points to, is in shared memory (parcel_shared_alloc) or unchanged since
   *  parcel_workers_prepare. */
  bool in_processes;

  /** With in_processes: a slice that takes longer fails as TIMEOUT. 0: none does. */
  double slice_seconds;

  /** RECORD needs a sink that keeps failures. */
  parcel_on_error on_error;

  /** On record; one more ends the sweep as failed. 0: no limit. */
  parcel_index max_failures;
  parcel_trace *trace; /* notes what every worker does: one on every rank, or on none. NULL: none */

  /** The kernel waits more than it computes (for a network, another program): nobody warns of more threads
   *  than CPUs. */
  bool threads_wait;
} parcel_sweep_options;

#define PARCEL_SWEEP_OPTIONS_INIT PARCEL_DEFAULTS

/** What a sweep took, summed over all ranks; the same on every rank. */
typedef struct parcel_sweep_report {
  parcel_index positions; /* computed and written */
  parcel_index blocks;    /* computed and written */
  parcel_index failures;  /* indices among the positions that failed and are on record */
  parcel_index workers;   /* threads of all ranks */
  double elapsed_seconds; /* of the longest rank, from its first block to its knowing that all are done */
  double compute_seconds; /* inside the kernel, summed over all workers */
  double write_seconds;   /* inside the sink, summed over all workers */
  double busiest_seconds; /* the same two together, of the busiest worker */
} parcel_sweep_report;

/** Bytes of all columns that a block aims at where positions abound: it is computed, summed and written out
 *  of an L2 cache of 1 MiB, which holds more than the block. */
#define PARCEL_BLOCK_BYTES ((parcel_index)768 * 1024)

/** The grid the sweep is cut into: a part for each rank, blocks of at most sweep->block positions, or
 *  chosen so that each worker has several and none is above PARCEL_BLOCK_BYTES. Rank 0's answer, on every
 *  rank. Collective.
 *
 *  Errors: INVALID (a sweep without kernel, name or columns); RANGE (more blocks than 64 bits can count);
 *  MEMORY (a block for each thread of a host is more than it has). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_sweep_grid(const parcel_world *world,
                                                             const parcel_sweep *sweep,
                                                             parcel_block_grid *out);

/** Runs the sweep. Same as
 *
 *      for each block b of the grid:  kernel(ctx, slice of b, columns);  sink.write(columns of b);
 *
 *  with the blocks divided over the ranks and, within a rank, over its threads. Collective over the world.
 *  Between its first and last block ranks exchange messages only. The first failure (of a kernel, of a
 *  sink) stops the run within one block on every rank; every rank then returns that failure, with a text
 *  that names rank, index and cause.
 *
 *  options  NULL for the defaults
 *  report   NULL if nobody asks; filled on every rank when the sweep was complete
 *  Memory:  threads x the bytes of the largest block, per rank; checked beforehand.
 *  Errors:  INVALID, RANGE as parcel_sweep_grid; KERNEL; STOPPED; MEMORY; SYSTEM (threads); what the sink
 *  returns. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_sweep_run(const parcel_world *world,
                                                            const parcel_sweep *sweep, parcel_sink sink,
                                                            const parcel_sweep_options *options,
                                                            parcel_sweep_report *report);

#ifdef __cplusplus
}
#endif

#endif
