/** @file
 *  Spools: where compressed blocks wait for the end of the run, beside the .part; FILE.part.spool.RANK, one
 *  for each rank. All records begin at multiples of PARCEL_SPOOL_ALIGNMENT, so that what a killed run left
 *  unwritten costs no record behind it. What a record says of itself is believed only with its checksums,
 *  which the file's seed begins: records of another file do not count.
 *
 *  A block may have several records: one that was damaged is made anew by a later run. Runs on the same file
 *  are numbered, and the record of the latest counts. */
#ifndef PARCEL_SPOOL_IMPL_H
#define PARCEL_SPOOL_IMPL_H

#include <stdatomic.h>
#include <stdint.h>

#include "file_impl.h"

enum { PARCEL_SPOOL_ALIGNMENT = 512 };

/** What a record begins with, as it is in the file (little-endian). */
typedef struct parcel_spool_head {
  uint64_t checksum;       /* XXH3-64 of the rest of the head, with the file's seed */
  uint64_t bytes_checksum; /* of what follows */
  int64_t block;
  int64_t bytes; /* of what follows: each column's size, 8 bytes each, then the columns' chunks */
  int64_t run;   /* 0: the first */
} parcel_spool_head;

/** A rank's own spool, open for appending. */
typedef struct parcel_spool {
  parcel_file file; /* its name as .part */
  int fd;           /* -1: closed */
  uint64_t seed;
  int64_t run;
  _Atomic parcel_index end; /* all before is taken */
} parcel_spool;

/** Opens FILE.part.spool.RANK behind what is in it.  Errors: IO, SPACE, MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__spool_open(const parcel_file *file, int rank, uint64_t seed,
                                                   int64_t run, parcel_spool *out);
void parcel__spool_close(parcel_spool *spool);

/** Appends a block. Any thread.
 *
 *  record  a head, to be filled in, and the `bytes` that follow it
 *  Errors: IO, SPACE. */
PARCEL_MUST_CHECK parcel_status parcel__spool_write(parcel_spool *spool, parcel_index block, void *record,
                                                    parcel_index bytes);

/** Where a block's record is. */
typedef struct parcel_spool_place {
  parcel_index offset;
  int32_t rank; /* whose spool it is in; -1: there is none */
  int32_t run;
} parcel_spool_place;

/** What all spools beside a .part hold. */
typedef struct parcel_spool_index {
  parcel_spool_place *places; /* [blocks] */
  parcel_index blocks;
  int64_t runs; /* so many runs have left records */
} parcel_spool_index;

/** Looks into all spools, reading the heads of their records.  Errors: IO, MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__spool_index_make(const parcel_file *file, uint64_t seed,
                                                         parcel_index blocks, parcel_spool_index *out);
void parcel__spool_index_free(parcel_spool_index *index);

/** Reads a block's record: head and what follows, into record[room]. Any thread.
 *
 *  Errors: CORRUPT (there is none, or it is not what was written); IO; MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__spool_read(const parcel_file *file, uint64_t seed,
                                                   const parcel_spool_index *index, parcel_index block,
                                                   void *record, parcel_index room);

#endif
