/** @file
 *  A store: how the bytes of blocks get to where they are kept, and back. io/results.c decides what is
 *  written and when; a store only how. There is one for each way (io/store_direct.c is the model), made by
 *  parcel__store_<way>_open.
 *
 *  In the life of a results file, each line on every rank:
 *
 *      open           the .part is there with its whole structure; a resumed one with its earlier blocks
 *      read           resuming: each block that the ledger calls done, to compare its checksum
 *      write, poll    the sweep, block by block
 *      end            the sweep is over
 *      sync           it was a success: what this rank wrote in place is on the disk afterwards
 *      finish         all ranks have synced and the ledger is complete: the .part becomes what is published
 *      close          after the rename, or after a failure
 *
 *  Functions that return a status leave the reason in parcel_last_error(). */
#ifndef PARCEL_STORE_IMPL_H
#define PARCEL_STORE_IMPL_H

#include <parcel/results.h>
#include <parcel/sweep.h>

#include "file_impl.h"
#include "ledger_batch_impl.h"

/** What every store works on. Owned by the results, and valid until the store is closed. */
typedef struct parcel_store_site {
  const parcel_world *world;
  const parcel_sweep *sweep;
  parcel_file file;
  int fd; /* of the .part, open for reading and writing; -1 while closed */
  parcel_block_grid grid;
  parcel_index ledger;   /* where its first entry is, in bytes from the file's start */
  parcel_index *columns; /* [column_count] where each column's first value is, as the schema laid it out */
  uint64_t seed;         /* of the checksums (io/ledger_impl.h) */
  parcel_ledger_batch *batch; /* this rank's entries on their way there; flushed by the results */
  bool is_incoherent;         /* there are several hosts, and they may not see at once what others write */
} parcel_store_site;

/** A plain value; what may be NULL says so. */
typedef struct parcel_store {
  void *ctx;

  /** Keeps a block's values, then its entry (parcel__ledger_batch_add): the entry never stands for values
   *  that were not handed to the system. Called by several worker threads at once; must not call MPI or
   *  HDF5. What a worker cannot do itself it leaves to poll, and waits. */
  parcel_status (*write)(void *ctx, const parcel_block *block, const parcel_ledger_entry *entry);

  /** As parcel_sink.poll: on the main thread, every fraction of a millisecond, must not block.  NULL:
   *  nothing to do. */
  parcel_status (*poll)(void *ctx);

  /** As parcel_sink.end. Collective, main thread.  NULL: nothing to do. */
  parcel_status (*end)(void *ctx, parcel_status outcome);

  /** Fetches a block that is done into columns[c][0 .. positions * width). Several threads at once, any
   *  rank, whoever wrote it. */
  parcel_status (*read)(void *ctx, parcel_index number, void *const columns[]);

  /** Retrying failed indices: keeps the values of the row-th of them, which is at this position. As write.
   *  NULL: a store that does not retry. */
  parcel_status (*write_row)(void *ctx, parcel_index row, parcel_index position, const void *const columns[]);

  /** Retrying: gives a block, with the values that read tells, its entry. As write, after the last row.
   *  NULL: the same. */
  parcel_status (*enter)(void *ctx, const parcel_block *block, const parcel_ledger_entry *entry);

  /** Brings what this rank wrote to the disk, but for what `finish` copies. Main thread, not collective. */
  parcel_status (*sync)(void *ctx);

  /** Makes the .part what it shall be under its final name, but for its status; it is synced again
   *  afterwards. Collective, main thread. A kill at any instant must leave a .part that can be resumed.
   *  NULL: it is so already. */
  parcel_status (*finish)(void *ctx);

  /** Frees ctx. Main thread, not collective. */
  void (*close)(void *ctx);
} parcel_store;

/** Each thread writes its blocks to their places in the .part by itself.  Errors: none. */
PARCEL_MUST_CHECK parcel_status parcel__store_direct_open(const parcel_store_site *site, parcel_store *out);

/** All ranks write together through parallel HDF5, at most round_bytes of a column and a rank in one call; 0:
 *  1 GiB. Collective.
 *  Errors: INVALID (HDF5 is serial), HDF5, MPI, MEMORY; the same on every rank. */
PARCEL_MUST_CHECK parcel_status parcel__store_collective_open(const parcel_store_site *site,
                                                              parcel_index round_bytes, parcel_store *out);

/** What earlier runs have left. */
typedef enum parcel_spool_past {
  PARCEL_SPOOL_NEW,     /* nothing */
  PARCEL_SPOOL_RESUMES, /* spools of the same file */
  PARCEL_SPOOL_RETRIES  /* all chunks, in the .part; only some blocks will be written */
} parcel_spool_past;

/** Each thread packs its blocks into chunks and appends them to its rank's spool (io/spool_impl.h); `finish`
 *  puts them all into the .part. Collective.
 *
 *  Errors: IO, SPACE, MEMORY; the same on every rank. */
PARCEL_MUST_CHECK parcel_status parcel__store_spool_open(const parcel_store_site *site,
                                                         parcel_compression compression,
                                                         parcel_spool_past past, parcel_store *out);

/** Reads a block from its places in the .part: the `read` of every store that keeps values there; ctx is the
 *  site. */
parcel_status parcel__store_read_placed(void *ctx, parcel_index number, void *const columns[]);

#endif
