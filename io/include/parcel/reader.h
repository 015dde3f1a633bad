/** @file
 *  Reading a results file back: what is in it, where it comes from, its values, and whether they are still
 *  what was written. A finished file, or a .part at any moment.
 *
 *      parcel_reader *reader = NULL;
 *      parcel_status status = parcel_reader_open("squares.h5", &reader);
 *      if (!status)
 *        status = parcel_reader_values(reader, 0, (parcel_span){0, 5}, values);
 *      parcel_reader_close(&reader);
 *
 *  Everything in the file is checked before it is believed: a damaged file is refused, with a reason, and
 *  never trusted with a size or a place. A finished file is compared with its seal (parcel/results.h) before
 *  HDF5 sees it, so that with the ledger's checksums no changed byte goes unnoticed; one that has only grown
 *  since is read with a warning (parcel_reader_warning). In a .part the seal does
 *  not count.
 *
 *  Memory: O(columns + provenance + failures), never O(n).
 *  Threads: opening and closing are for the main thread, which alone calls HDF5; all the rest may be called
 *  by any thread at once, but where it says otherwise. No MPI. */
#ifndef PARCEL_READER_H
#define PARCEL_READER_H

#include <stdbool.h>

#include <parcel/block.h>
#include <parcel/column.h>
#include <parcel/range.h>
#include <parcel/sink.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque: an open results file. Nothing in it changes by being read. */
typedef struct parcel_reader parcel_reader;

/** Opens a results file, under its final name or as .part.
 *
 *  Owns: *out is the caller's, for parcel_reader_close.
 *  Errors: IO (no such file, no permission); INVALID (no results file of Parcel, or of a later format);
 *  CORRUPT (damaged: what does not fit is named); MEMORY. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_reader_open(const char *path, parcel_reader **out);

/** *reader becomes NULL; NULL is fine. */
PARCEL_API void parcel_reader_close(parcel_reader **reader);

/* ---- what it holds; all texts are the reader's, valid until it is closed,
 *      and UTF-8: a byte that is not UTF-8 in the file is U+FFFD here ---- */

/** The name it was opened by. */
PARCEL_API const char *parcel_reader_path(const parcel_reader *reader);

/** Bytes of the file. */
PARCEL_API parcel_index parcel_reader_bytes(const parcel_reader *reader);

PARCEL_API parcel_range parcel_reader_range(const parcel_reader *reader);
PARCEL_API parcel_block_grid parcel_reader_grid(const parcel_reader *reader);

/** The columns in the order of their creation: [*count]. */
PARCEL_API const parcel_column *parcel_reader_columns(const parcel_reader *reader, int *count);

/** The number of the column of this name; -1 if there is none. */
PARCEL_API int parcel_reader_column(const parcel_reader *reader, const char *name);

/** "running", "complete", "stopped" or "failed". */
PARCEL_API const char *parcel_reader_status(const parcel_reader *reader);

/** What is wrong with a file that can be read all the same; "" if nothing is. A finished file to which
 *  another program has added attributes or datasets is no longer covered by its seal: its values may be
 *  read, and parcel_reader_check_block tells whether they are good. */
PARCEL_API const char *parcel_reader_warning(const parcel_reader *reader);

/** An attribute of the file (title, history, source, Conventions) as text; "" if there is none. */
PARCEL_API const char *parcel_reader_attribute(const parcel_reader *reader, const char *name);

/* ---- where it comes from ---- */

/** One named text of the provenance: command_line, range, kernel, hosts, start_time, ... */
typedef struct parcel_reader_note {
  const char *name;
  const char *text;
} parcel_reader_note;

/** All of them, in the order of their creation: [*count]. */
PARCEL_API const parcel_reader_note *parcel_reader_provenance(const parcel_reader *reader, int *count);

/** The text of this name; "" if there is none. */
PARCEL_API const char *parcel_reader_provenance_of(const parcel_reader *reader, const char *name);

/* ---- the ledger ---- */

/** What the ledger says of one block. */
typedef struct parcel_reader_entry {
  uint64_t checksum; /* of the block's bytes */
  double time;       /* when it was ready, in seconds since 1970 (UTC) */
  int32_t rank;      /* that wrote it */
  int32_t state;     /* 0: missing, 1: done; anything else is damage */
} parcel_reader_entry;

/** Reads the entries of some blocks: out[blocks.end - blocks.begin]. Any thread.
 *
 *  Errors: INVALID (no such blocks); IO. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_reader_entries(const parcel_reader *reader,
                                                                 parcel_span blocks,
                                                                 parcel_reader_entry out[]);

/** Counts the blocks that the ledger says are done. Any thread.  Errors: IO. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_reader_count_done(const parcel_reader *reader,
                                                                    parcel_index *out);

/* ---- values ---- */

/** Reads the values of one column at some positions, in memory's types. What a block that is not done holds
 *  is unspecified. Any thread.
 *
 *  values   room for (positions.end - positions.begin) * parcel_column_bytes
 *  Errors: INVALID (no such column or positions); IO; CORRUPT (a chunk that cannot be decompressed);
 *  MEMORY. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_reader_values(const parcel_reader *reader, int column,
                                                                parcel_span positions, void *values);

/** The same through HDF5, as any other program reads the file. Main thread.
 *
 *  Errors: INVALID (no such column or positions, or HDF5 has no plugin for the compression), CORRUPT (HDF5
 *  refuses). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_reader_values_by_hdf5(const parcel_reader *reader,
                                                                        int column, parcel_span positions,
                                                                        void *values);

/** Reads one block and compares its bytes with a ledger entry. Any thread.
 *
 *  scratch  room for the values of all columns in the block, column after column;
 *           parcel_reader_scratch_bytes() is enough for any block
 *  Errors: CORRUPT (the bytes are not those of the entry; the text names block and indices); INVALID (no such
 *  block); IO; MEMORY. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_reader_check_block(const parcel_reader *reader,
                                                                     parcel_index block,
                                                                     const parcel_reader_entry *entry,
                                                                     void *scratch);

/** Bytes of all columns in the largest block. */
PARCEL_API size_t parcel_reader_scratch_bytes(const parcel_reader *reader);

/* ---- failures ---- */

/** How many indices failed and are on record; of a .part: at the moment when it was opened. */
PARCEL_API parcel_index parcel_reader_failure_count(const parcel_reader *reader);

/** Some of them, by position: out[which.end - which.begin]. Any thread.  Errors: INVALID (no such
 *  failures). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_reader_failures(const parcel_reader *reader,
                                                                  parcel_span which, parcel_failure out[]);

/** Which failures are at some positions, for parcel_reader_failures. Any thread. */
PARCEL_API parcel_span parcel_reader_failures_in(const parcel_reader *reader, parcel_span positions);

#ifdef __cplusplus
}
#endif

#endif
