/** @file
 *  The ledger: one entry per block, written in place after the block's bytes.
 *
 *  A checksum covers what the block holds and which block of which file it is, so that bytes of another
 *  block, or an entry of an earlier file on the same disk blocks, cannot pass. */
#ifndef PARCEL_LEDGER_IMPL_H
#define PARCEL_LEDGER_IMPL_H

#include "file_impl.h"

#include <parcel/sink.h>
#include <parcel/sweep.h>

typedef enum parcel_block_state { PARCEL_BLOCK_MISSING = 0, PARCEL_BLOCK_DONE = 1 } parcel_block_state;

/** An entry as it is in the file (little-endian): `ledger_entry` of the schema. */
typedef struct parcel_ledger_entry {
  uint64_t checksum; /* parcel__ledger_checksum */
  double time;       /* when the block was ready, in seconds since 1970 (UTC) */
  int32_t rank;      /* that wrote it */
  int32_t state;     /* parcel_block_state */
} parcel_ledger_entry;

enum { PARCEL_FAILURE_MESSAGE_SIZE = 256 };

/** A failed index as the failures table has it, and as the checksum of its block covers it: index (8 bytes,
 *  little-endian), code (4), message (256, padded with zeros), one after the other. */
typedef struct __attribute__((packed)) parcel_failure_row {
  int64_t index;
  int32_t code;
  char message[PARCEL_FAILURE_MESSAGE_SIZE];
} parcel_failure_row;

parcel_failure_row parcel__failure_row(const parcel_failure *failure);

/** XXH3-64 over the block's values of the first column with the seed `seed` + block number; over those of
 *  the second with that checksum as the seed, and so on; then over the row of each failure in the same
 *  way. Any thread. */
uint64_t parcel__ledger_checksum(const parcel_sweep *sweep, uint64_t seed, const parcel_block *block);

/** The last step of it: from the checksum of a block's values to that of the block. */
uint64_t parcel__ledger_add_failures(uint64_t checksum, const parcel_failure failures[], parcel_index count);

/** The entry for a block that `rank` is about to write, bytes first. Any thread. */
parcel_ledger_entry parcel__ledger_entry(const parcel_sweep *sweep, uint64_t seed, const parcel_block *block,
                                         int rank);

/** Writes entries[blocks.end - blocks.begin] in place, in a ledger at `offset`; all of one state. Any
 *  thread.  Errors: IO, SPACE. */
PARCEL_MUST_CHECK parcel_status parcel__ledger_write(const parcel_file *file, int fd, parcel_index offset,
                                                     parcel_span blocks, const parcel_ledger_entry entries[]);

/** Reads entries[blocks.end - blocks.begin].  Errors: IO. Any thread. */
PARCEL_MUST_CHECK parcel_status parcel__ledger_read(const parcel_file *file, int fd, parcel_index offset,
                                                    parcel_span blocks, parcel_ledger_entry entries[]);

/** Counts the blocks that are done in a ledger of `blocks` entries at `offset`.  Errors: IO. */
PARCEL_MUST_CHECK parcel_status parcel__ledger_count(const parcel_file *file, int fd, parcel_index offset,
                                                     parcel_index blocks, parcel_index *out);

#endif
