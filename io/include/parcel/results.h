/** @file
 *  The results file: one HDF5 file that is complete under its name, or absent.
 *
 *  Layout, for a sweep over n positions (readable by h5py, ncdump, xarray and h5dump without a plugin):
 *
 *      /                   attributes title, history, source, Conventions, parcel_format, status, first,
 *      step
 *      /index              the dimension: n entries, no values stored; position p stands for first + p *
 *      step
 *      /COLUMN             one dataset per column, (n) or (n, width); attributes units, long_name
 *      /width_K            the second dimension of columns of width K
 *      /parcel             attributes positions, parts, blocks_per_part (the block grid), seed
 *      /parcel/seal        what makes every byte of a finished file count; in a .part it means nothing
 *      /parcel/seal_word   the dimension of the seal
 *      /parcel/block       the dimension of the ledger
 *      /parcel/ledger      per block: checksum, time, rank, state
 *      /parcel/failures    index, code, message (characters) of each failed index, along the dimension
 *                          failure; only where an index has failed
 *      /parcel/provenance  command_line, range, kernel, versions, hosts, ..., each a string
 *
 *  The seal is 64-bit numbers: the bytes "PARSEAL1"; how many numbers there are; their own XXH3-64, taken
 *  with this number as 0; the bytes of the file; the XXH3-64 of all bytes of the file in order, but for the
 *  seal itself and for the extents that follow: their number, and offset and length of each, ascending.
 *  These are the columns' values, which the ledger's checksums cover. A compressed file has none.
 *
 *  The columns of a compressed file are in chunks, shuffled and deflated; a chunk is a block. /parcel has a
 *  further attribute, exact, the positions of each block but the last; the padding of the last chunk is
 *  zeros.
 *
 *  A ledger entry's checksum is XXH3-64 over the block's bytes in the first column (with the file's seed,
 *  a random number, + the block's number as its seed, modulo 2^64), then, with that as the seed, over those
 *  in the second, and so on in the order of creation; then in the same way over each failed index of the
 *  block, in order: index (8 bytes, little-endian), code (4), message (256, padded with zeros). So it says
 *  which block of which file it is. Its time is seconds since 1970 (UTC); its state 0 (missing) or 1 (the
 *  block's bytes were written before the entry). */
#ifndef PARCEL_RESULTS_H
#define PARCEL_RESULTS_H

#include <parcel/sweep.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque; used by a rank's main thread only. */
typedef struct parcel_results parcel_results;

/** How bytes get into the file. The file is the same. */
typedef enum parcel_io_mode {
  PARCEL_IO_AUTO,      /* collective, with a notice, where several hosts write on NFS or
                          another file system not known to be coherent; else direct */
  PARCEL_IO_DIRECT,    /* each thread writes its blocks to their places by itself */
  PARCEL_IO_COLLECTIVE /* for file systems where hosts do not see at once what others wrote: through parallel
                          HDF5, which is slower; compressed columns as ever, but rank 0 writes the ledger of
                          all */
} parcel_io_mode;

/** Reads "auto", "direct" or "collective".  Errors: INVALID (the text lists what there is). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_io_mode_parse(const char *text, parcel_io_mode *out);

/** How columns are compressed, by the worker threads: the bytes of the values are shuffled, then packed.
 *  Append only.
 *
 *    deflate  every HDF5 library reads it
 *    zstd     faster, and smaller; whoever reads it needs HDF5's plugin for zstd (filter 32015) */
typedef enum parcel_compression_kind {
  PARCEL_COMPRESSION_NONE,
  PARCEL_COMPRESSION_DEFLATE,
  PARCEL_COMPRESSION_ZSTD
} parcel_compression_kind;

typedef struct parcel_compression {
  parcel_compression_kind kind;
  int level; /* 1 (fastest) to 9 (smallest), of zstd to 19 */
} parcel_compression;

/** Reads "none", "deflate" (level 4), "zstd" (level 3), or these with ",LEVEL".
 *  Errors: INVALID (the text says what there is, or that it was built without the library). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_compression_parse(const char *text,
                                                                    parcel_compression *out);

typedef struct parcel_results_options {
  bool replaces;     /* an existing file is replaced, in the moment the new one is complete */
  const char *title; /* NULL: "KERNEL of RANGE" */
  parcel_io_mode io;
  parcel_index round_bytes; /* of a column, by a rank in one collective write; 0: 1 GiB */

  /** Goes on with what there is: a PATH.part of the same sweep, whose blocks are kept if their bytes are
   *  still what was written, or a complete PATH, which is left alone unless `replaces`. Starts afresh if
   *  there is neither. The block grid is then that of the file. */
  bool resumes;

  /** Indices that fail go on record (parcel_sink.keeps_failures); if any does, the columns have a
   *  _FillValue. */
  bool keeps_failures;
  parcel_index max_failures; /* ignored: a file has room for any number; the sweep has the limit */

  /** Computes exactly the indices again that failed in the complete file PATH, which is replaced in the
   *  moment that all of them have been tried; then updates its values, checksums and failures table.
   *  `resumes` and `replaces` do not matter. */
  bool retries;

  /** Called for every block that is kept from an earlier run, with its values. Threads: several at once; must
   *  not call MPI or HDF5.  NULL: not called. */
  parcel_status (*keep)(void *ctx, const parcel_block *block);
  void *keep_ctx;

  /** Columns in compressed chunks, each a block, which all hold equally many positions then, but for the
   *  last. Until the end of the run they are in PATH.part.spool.RANK, one file for each rank, and PATH.part
   *  has their checksums. A file that is resumed must have the same compression; `retries` keep that of the
   *  file. */
  parcel_compression compression;

  /** Called once for every block whose values are in the file, with these values: for each that is kept
   *  from an earlier run, and for each that was written. What is added up here counts every position once,
   *  however often its slice was computed. Not called for the indices that are computed again with `retries`.
   *  Threads: several at once; must not call MPI or HDF5.  NULL: not called. */
  parcel_status (*observe)(void *ctx, const parcel_block *block);
  void *observe_ctx;
} parcel_results_options;

#define PARCEL_RESULTS_OPTIONS_INIT PARCEL_DEFAULTS

/** Creates PATH.part with its whole structure and room for every result. Collective.
 *
 *  world, sweep   outlive the results
 *  options        NULL for the defaults
 *  Owns: *out is the caller's, for parcel_results_close.
 *  path  resolved at once: where the process goes later does not matter. A symbolic link is refused:
 *        name its target; links to folders are followed. PATH.part.lock is locked until the results are
 *        closed. A file that is replaced hands on its mode, and its owner and group where the system allows
 *        it.
 *  Errors: EXISTS (PATH or PATH.part, unless options.replaces; a symbolic link; another run is making it);
 *  INVALID (a name so long that what lies beside it cannot be made); IO (no such folder, no permission, PATH
 *  is a folder); SPACE (the disk cannot hold the file); HDF5; as parcel_sweep_grid. The same on every rank,
 *  and nothing is left. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_results_create(const parcel_world *world,
                                                                 const parcel_sweep *sweep, const char *path,
                                                                 const parcel_results_options *options,
                                                                 parcel_results **out);

/** What an earlier run has left, in blocks of the grid. */
typedef struct parcel_results_history {
  bool is_complete;      /* the finished file was there: nothing is left to do */
  parcel_index kept;     /* their bytes are what was written */
  parcel_index missing;  /* not done before */
  parcel_index damaged;  /* done, but their bytes are not what was written */
  parcel_index failures; /* indices on record in the blocks that are kept */
  parcel_index retried;  /* indices that failed and are computed again */
} parcel_results_history;

/** All zeros where nothing was resumed. The same on every rank. */
PARCEL_API parcel_results_history parcel_results_get_history(const parcel_results *results);

/** Where parcel_sweep_run puts the blocks. Valid until parcel_results_close. */
PARCEL_API parcel_sink parcel_results_sink(parcel_results *results);

/** Ends the file. Collective. With outcome PARCEL_OK: checks that every block is in the ledger, brings all
 *  bytes to the disk, marks the file complete and renames PATH.part to PATH. Otherwise PATH.part stays,
 *  marked stopped or failed; it is removed if a failure left no finished block in it. If PATH.part was
 *  removed or replaced by others meanwhile, nothing is published, and what has its name now is left alone.
 *
 *  outcome   how the work ended, the same on every rank; with *results NULL it is only returned
 *  Returns outcome if that is a failure (its text is kept), else how the closing went. *results becomes
 *  NULL. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_results_close(parcel_results **results,
                                                                parcel_status outcome);

#ifdef __cplusplus
}
#endif

#endif
