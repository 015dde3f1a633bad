/** @file
 *  A sink: where the blocks of a sweep go. The core owns the interface; io implements it for HDF5,
 *  parcel/gather.h for an array in memory, and a program may bring its own. */
#ifndef PARCEL_SINK_H
#define PARCEL_SINK_H

#include <stdbool.h>

#include <parcel/block.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An index that the kernel could not compute. */
typedef struct parcel_failure {
  parcel_index position;           /* 0-based, in the whole range */
  parcel_index index;              /* the value there */
  parcel_status code;              /* KERNEL; CRASHED or TIMEOUT where a process computed */
  char message[PARCEL_ERROR_SIZE]; /* the kernel's reason, one line */
} parcel_failure;

/** A computed block on its way into a sink. Owns nothing: all of it is valid during the call only. */
typedef struct parcel_block {
  parcel_index number;   /* in the sweep's grid */
  parcel_span positions; /* may be empty: in a grid with more blocks than positions */
  const void *const
      *columns; /* [columns of the sweep] values of positions.end - positions.begin positions each */
  const parcel_failure *failures; /* [failure_count] by position; their values in the columns are the fill
                                     values (parcel_column_fill) */
  parcel_index failure_count;     /* 0 unless the sink keeps failures */
  double seconds;                 /* that it took to compute */
} parcel_block;

/** A plain value. Callbacks return PARCEL_OK or a failure with its text, which ends the sweep on every
 *  rank. */
typedef struct parcel_sink {
  void *ctx;

  /** The only grid this sink can place, the same on every rank; NULL: any. */
  const parcel_block_grid *grid;

  /** Blocks that are there already and are not computed: bit b % 64 of word b / 64 stands for block b of
   *  the grid. The same on every rank; NULL: none. */
  const uint64_t *done;

  /** The positions of the range that are to be computed, where it is not all of them: position p of the grid,
   *  whose blocks then hold one position each, stands for positions[p].
   *  [grid->positions] ascending, the same on every rank; NULL: all positions of the range. */
  const parcel_index *positions;

  /** Whether write takes blocks with failures; otherwise a failing kernel always ends the sweep. */
  bool keeps_failures;

  /** Takes one block, in whole. Called once for each block, by several worker threads at once; must not
   *  call MPI. */
  parcel_status (*write)(void *ctx, const parcel_block *block);

  /** Lets the sink communicate while the workers compute; called by the main thread every fraction of a
   *  millisecond until all ranks are done. Must not block on a rank that is computing. NULL: there is
   *  nothing to do. */
  parcel_status (*poll)(void *ctx);

  /** Called by the main thread once after the last block of all ranks. Collective. NULL: there is nothing
   *  to do.
   *  outcome  how the sweep ended, the same on every rank */
  parcel_status (*end)(void *ctx, parcel_status outcome);
} parcel_sink;

/** A sink that forgets what it is given: for benchmarks of everything else. */
PARCEL_API parcel_sink parcel_sink_null(void);

#ifdef __cplusplus
}
#endif

#endif
