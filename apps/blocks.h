/** @file
 *  Blocks of a results file, checked by all ranks and threads: what `verify` tells, and `merge` asks
 *  first. */
#ifndef PARCEL_APPS_BLOCKS_H
#define PARCEL_APPS_BLOCKS_H

#include <stdbool.h>

#include <parcel/reader.h>
#include <parcel/world.h>

typedef enum blocks_verdict {
  BLOCKS_GOOD,
  BLOCKS_MISSING,    /* not done, as the ledger says */
  BLOCKS_DAMAGED,    /* its bytes are not what was written */
  BLOCKS_UNREADABLE, /* the system cannot read it */
  BLOCKS_STRANGE,    /* HDF5 reads other values than are there */
  BLOCKS_VERDICTS
} blocks_verdict;

/** Adjacent blocks of one verdict, none of them good. */
typedef struct blocks_run {
  parcel_index first, last;
  parcel_index verdict;
} blocks_run;

enum { BLOCKS_RUNS = 100 };

typedef struct blocks_report {
  parcel_index blocks;
  parcel_index counts[BLOCKS_VERDICTS];
  parcel_index bytes; /* of values that were read */
  double seconds;
  blocks_run runs[BLOCKS_RUNS]; /* on rank 0: the first ones, in order */
  int run_count;
  bool has_more_runs;
} blocks_report;

/** Checks every block. Collective.
 *
 *  threads   per rank; 0: as many as the rank has CPUs
 *  is_deep   HDF5, too, reads every value
 *  Errors: MEMORY, SYSTEM (threads), MPI; no verdict on a block is one. */
PARCEL_MUST_CHECK parcel_status blocks_check(const parcel_world *world, const parcel_reader *reader,
                                             int threads, bool is_deep, blocks_report *out);

/** "damaged" and the like. */
const char *blocks_verdict_name(parcel_index verdict);

#endif
