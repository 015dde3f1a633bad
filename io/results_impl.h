/** @file
 *  What the rooms of the results file share: its beginning (results.c, output.c), its earlier blocks
 *  (kept.c), and its end (results_end.c). */
#ifndef PARCEL_RESULTS_IMPL_H
#define PARCEL_RESULTS_IMPL_H

#include <parcel/results.h>

#include "journal_impl.h"
#include "provenance_impl.h"
#include "store_impl.h"
#include "table_impl.h"

/** What there was of the output. */
typedef enum parcel_output_state {
  PARCEL_OUTPUT_NEW,     /* nothing: the .part was made */
  PARCEL_OUTPUT_RESUMED, /* a .part of the same sweep */
  PARCEL_OUTPUT_COMPLETE /* the finished file */
} parcel_output_state;

struct parcel_results {
  parcel_store_site site;
  parcel_store store;
  bool has_store; /* it is open */
  bool replaces;
  bool keeps_failures;
  parcel_output_state state;
  uint64_t *done; /* a bit for each block of the grid that is there; NULL: none is */
  parcel_results_history history;
  parcel_journal journal; /* of this rank's failures */
  parcel_table table;     /* rank 0: where the failures table is */
  bool has_part;          /* rank 0: the .part is new, and ours to remove */
};

/** Rank 0's part of opening an output: finds or makes it. The site's file is named; what only rank 0 knows
 * of
 *  the site (fd, grid, places, seed) is filled in.
 *
 *  Errors: EXISTS, DIFFERS, CORRUPT, SPACE, IO, HDF5, MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__output_open(parcel_results *results,
                                                    const parcel_provenance *provenance,
                                                    const parcel_results_options *options);

/** Finds the blocks that are done and whose bytes are what was written: done, history. The others' entries
 * are
 *  removed from the ledger. Collective.
 *
 *  Errors: IO, MEMORY, MPI, SYSTEM; what options.keep returns. */
PARCEL_MUST_CHECK parcel_status parcel__kept_find(parcel_results *results,
                                                  const parcel_results_options *options);

/** Closes and frees everything of this rank.
 *
 *  keeps  the .part stays for a later run */
void parcel__results_release(parcel_results **results, bool keeps);

#endif
