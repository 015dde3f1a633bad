/** @file
 *  The journal of a rank: indices that failed, on the disk beside the .part before the ledger says that
 *  their block is done; FILE.part.failures.RANK. At the end of a run they go into the file's failures
 *  table, and the journals are removed.
 *
 *  A record counts if the ledger's entry of its block has the checksum that it names. That checksum covers
 *  the block's failures too, so a block whose records are lost or incomplete does not pass and is computed
 *  again. */
#ifndef PARCEL_JOURNAL_IMPL_H
#define PARCEL_JOURNAL_IMPL_H

#include <pthread.h>

#include "ledger_impl.h"

/** As it is in the file, little-endian. */
typedef struct __attribute__((packed)) parcel_failure_record {
  uint64_t checksum;       /* XXH3-64 of all that follows: a torn record is none */
  uint64_t block_checksum; /* of the block's entry in the ledger */
  int64_t block;
  int64_t position;
  parcel_failure_row row;
} parcel_failure_record;

typedef struct parcel_journal {
  char *path;           /* NULL: this rank keeps none */
  int fd;               /* -1 until the first failure */
  pthread_mutex_t lock; /* over fd and what is written through it */
} parcel_journal;

/** Errors: MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__journal_open(const parcel_file *file, int rank, parcel_journal *out);

/** Appends the failures of a block that is about to be entered in the ledger. Any thread.  Errors: IO,
 *  SPACE. */
PARCEL_MUST_CHECK parcel_status parcel__journal_write(parcel_journal *journal, const parcel_block *block,
                                                      uint64_t block_checksum);

/** Brings it to the disk.  Errors: IO, SPACE. */
PARCEL_MUST_CHECK parcel_status parcel__journal_sync(const parcel_journal *journal);
void parcel__journal_close(parcel_journal *journal);

/** A growing array of records. */
typedef struct parcel_failure_records {
  parcel_failure_record *items; /* [count] */
  parcel_index count, room;
} parcel_failure_records;

/** Errors: MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__records_add(parcel_failure_records *records,
                                                    const parcel_failure_record *record);
void parcel__records_free(parcel_failure_records *records);

/** By block, then by the checksum of the block, then by position; each once. */
void parcel__records_sort(parcel_failure_records *records);

/** Adds all records of the journals beside the .part, whoever wrote them.  Errors: IO, MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__journals_read(const parcel_file *file,
                                                      parcel_failure_records *records);

#endif
