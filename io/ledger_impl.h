/** @file
 *  The ledger: one entry per block, written in place after the block's bytes. */
#ifndef PARCEL_LEDGER_IMPL_H
#define PARCEL_LEDGER_IMPL_H

#include "file_impl.h"

#include <parcel/sink.h>
#include <parcel/sweep.h>

typedef enum parcel_block_state { PARCEL_BLOCK_MISSING = 0, PARCEL_BLOCK_DONE = 1 } parcel_block_state;

/** An entry as it is in the file (little-endian): `ledger_entry` of the schema. */
typedef struct parcel_ledger_entry {
  uint64_t
      checksum; /* XXH3-64 of the last column's bytes, seeded with that of the one before; the first with 0 */
  double time;  /* when the block was ready, in seconds since 1970 (UTC) */
  int32_t rank; /* that wrote it */
  int32_t state; /* parcel_block_state */
} parcel_ledger_entry;

/** The entry for a block that `rank` is about to write, bytes first. Any thread. */
parcel_ledger_entry parcel__ledger_entry(const parcel_sweep *sweep, const parcel_block *block, int rank);

/** Counts the blocks that are done in a ledger of `blocks` entries at `offset`.  Errors: IO. */
PARCEL_MUST_CHECK parcel_status parcel__ledger_count(const parcel_file *file, int fd, parcel_index offset,
                                                     parcel_index blocks, parcel_index *out);

#endif
