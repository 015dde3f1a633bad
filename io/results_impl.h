/** @file
 *  What the rooms of the results file share: its beginning (results.c, output.c), its earlier blocks
 *  (kept.c), and its end (results_end.c). */
#ifndef PARCEL_RESULTS_IMPL_H
#define PARCEL_RESULTS_IMPL_H

#include <parcel/results.h>

#include "journal_impl.h"
#include "ledger_relay_impl.h"
#include "provenance_impl.h"
#include "store_impl.h"

/** What there was of the output. */
typedef enum parcel_output_state {
  PARCEL_OUTPUT_NEW,      /* nothing: the .part was made */
  PARCEL_OUTPUT_RESUMED,  /* a .part of the same sweep */
  PARCEL_OUTPUT_COMPLETE, /* the finished file */
  PARCEL_OUTPUT_RETRIED   /* the finished file, whose failed indices are computed again in a copy */
} parcel_output_state;

struct parcel_results {
  parcel_store_site site;
  parcel_store store;
  parcel_compression compression; /* of the columns, where site.grid.exact > 0 */
  bool has_store;                 /* it is open */
  bool replaces;
  bool keeps_failures;
  parcel_status (*keep)(void *ctx, const parcel_block *block); /* of the options, as `observe` */
  void *keep_ctx;
  parcel_status (*observe)(void *ctx, const parcel_block *block);
  void *observe_ctx;
  parcel_output_state state;
  uint64_t *done; /* a bit for each block of the grid that is there; NULL: none is */
  parcel_results_history history;
  parcel_journal journal;        /* of this rank's failures */
  parcel_ledger_batch batch;     /* of this rank's entries */
  parcel_ledger_relay relay;     /* of those to rank 0, where it alone writes them */
  parcel_failure_records failed; /* rank 0, at the end: the indices that failed */
  parcel_index *retried;         /* [history.retried] positions that failed, ascending */
  parcel_block_grid retry_grid;  /* a block for each of them */
  int lock;                      /* rank 0: of the output; -1: it is not held */
  bool has_part;                 /* rank 0: the .part is new, and ours to remove */
  bool is_published;             /* rank 0: the file has its final name */
  bool is_lost;                  /* rank 0: others have removed or replaced the .part */
};

/** Rank 0's part of opening an output: finds or makes it. The site's file is named; what only rank 0 knows of
 *  the site (fd, grid, places, seed) is filled in.
 *
 *  Errors: EXISTS, DIFFERS, CORRUPT, SPACE, IO, HDF5, MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__output_open(parcel_results *results,
                                                    const parcel_provenance *provenance,
                                                    const parcel_results_options *options);

/** Finds the blocks that are done and whose bytes are what was written: done, history. The entries of the
 *  others are removed from the ledger. Collective.
 *
 *  Errors: IO, MEMORY, MPI, SYSTEM; what options.keep and .observe return. */
PARCEL_MUST_CHECK parcel_status parcel__kept_find(parcel_results *results);

/** Shows a block that is in the file to the program (options.observe). Any thread.  Errors: what it
 *  returns. */
PARCEL_MUST_CHECK parcel_status parcel__results_observe(const parcel_results *results,
                                                        const parcel_block *block);

/** Compares the values of all blocks that the ledger calls done with their checksums once more, and removes
 *  the entries of those that others have overwritten. Collective.
 *
 *  Errors: IO (there are some); MEMORY, MPI, SYSTEM. */
PARCEL_MUST_CHECK parcel_status parcel__kept_compare(parcel_results *results);

/** Enters blocks into the ledger anew, with the values that the file has now and the records of their
 *  failures, whose block_checksum is 0. Collective.  Errors: IO, SPACE, MEMORY, SYSTEM. */
PARCEL_MUST_CHECK parcel_status parcel__kept_enter(parcel_results *results, const parcel_index blocks[],
                                                   parcel_index count, const parcel_failure_records *records);

/** Computing failed indices again. Rank 0: a copy of the finished file, which is to take its place, as the
 *  .part. Errors: EXISTS (a .part is there); IO, SPACE, HDF5. */
PARCEL_MUST_CHECK parcel_status parcel__retry_open(parcel_results *results);

/** Fills in which positions failed. Collective.  Errors: IO, CORRUPT, MEMORY, MPI. */
PARCEL_MUST_CHECK parcel_status parcel__retry_share(parcel_results *results);

/** The `write` of the sink: a position at its place. Any thread. */
PARCEL_MUST_CHECK parcel_status parcel__retry_write(void *ctx, const parcel_block *block);

/** After a success: the ledger for the new values, and what failed again. Collective.  Errors: IO, SPACE,
 *  MEMORY, MPI. */
PARCEL_MUST_CHECK parcel_status parcel__retry_end(parcel_results *results);

/** The store of a compressed file whose failed indices are computed again: results->retried need not be there
 *  before the first read.  Collective.  Errors: as parcel_reader_open; IO, SPACE, MEMORY; the same on every
 *  rank. */
PARCEL_MUST_CHECK parcel_status parcel__store_repack_open(const parcel_results *results, parcel_store *out);

/** Closes and frees everything of this rank.
 *
 *  keeps  the .part stays for a later run */
void parcel__results_release(parcel_results **results, bool keeps);

#endif
