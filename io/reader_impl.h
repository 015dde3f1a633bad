/** @file
 *  What the rooms of the reader share. */
#ifndef PARCEL_READER_IMPL_H
#define PARCEL_READER_IMPL_H

#include <hdf5.h>

#include <parcel/reader.h>

#include "coder_impl.h"
#include "ledger_impl.h"

/** Where a compressed block of one column is. */
typedef struct parcel_reader_chunk {
  parcel_index offset; /* in bytes from the file's start; 0: it is not there, the file being unfinished */
  parcel_index bytes;
} parcel_reader_chunk;

/** Where the values of one column are. */
typedef struct parcel_reader_place {
  parcel_index offset; /* of its first value, in bytes from the file's start; 0 where there are none */
  parcel_reader_chunk *chunks; /* [blocks] of a compressed file; else NULL */
} parcel_reader_place;

enum { PARCEL_READER_DIMENSIONS = 2 };

/** The extent of a dataset. */
typedef struct parcel_reader_shape {
  int rank;
  hsize_t extent[PARCEL_READER_DIMENSIONS];
} parcel_reader_shape;

enum { PARCEL_FAILURE_COLUMNS = 3 };

/** Where the failures table is: the values of index, code and message, in bytes from the file's start. */
typedef struct parcel_reader_table {
  parcel_index count; /* rows */
  parcel_index columns[PARCEL_FAILURE_COLUMNS];
} parcel_reader_table;

/** A row of the failures table. */
typedef struct parcel_reader_failure {
  parcel_index position;
  int32_t code;
  char message[PARCEL_FAILURE_MESSAGE_SIZE]; /* with its closing zero */
} parcel_reader_failure;

struct parcel_reader {
  parcel_file file; /* under the name it was opened by: .part; no .path */
  int fd;
  parcel_index bytes; /* of the file */
  hid_t hdf5;         /* the same file as HDF5 sees it */
  int format;         /* 1 or 2 */

  parcel_range range;
  parcel_block_grid grid;
  parcel_column *columns;      /* [column_count], with their texts */
  parcel_reader_place *places; /* [column_count] */
  int column_count;
  parcel_compression compression;
  parcel_coders *coders; /* NULL unless it is compressed */
  uint64_t seed;         /* of the checksums */
  parcel_index ledger;   /* where its first entry is, in bytes from the file's start */
  parcel_index seal;     /* where the seal is, and of how many 64-bit words */
  parcel_index seal_words;
  parcel_reader_failure *failures; /* [failure_count] by position */
  parcel_index failure_count;

  char *status;
  char *warning;                  /* NULL: none */
  parcel_index sealed;            /* bytes that it had when it was finished; 0: no seal */
  parcel_reader_note *attributes; /* [attribute_count] the file's own texts */
  int attribute_count;
  parcel_reader_note *provenance; /* [provenance_count] */
  int provenance_count;
};

/** Reads all of the structure through HDF5 and checks it; what was read is in *reader after failure too.
 *
 *  reader  its file, fd and bytes are there
 *  Errors: INVALID, CORRUPT, MEMORY as parcel_reader_open. */
PARCEL_MUST_CHECK parcel_status parcel__reader_load(parcel_reader *reader);

/** Reads values as parcel_reader_values, through HDF5; column and positions are there.  Errors: CORRUPT. */
PARCEL_MUST_CHECK parcel_status parcel__reader_read_by_hdf5(const parcel_reader *reader, int column,
                                                            parcel_span positions, void *values);

/** Where the values of a contiguous dataset are, `bytes` of them, which is in the file. False on failure. */
bool parcel__reader_place(const parcel_reader *reader, hid_t dataset, const char *name, parcel_index bytes,
                          parcel_index *out);

/** The extent of a dataset of one or two dimensions. False on failure. */
bool parcel__reader_shape(hid_t dataset, const char *name, parcel_reader_shape *out);

/** Finds the chunks of a column, whose type and width are known. False on failure. */
bool parcel__reader_load_chunks(parcel_reader *reader, hid_t dataset, const parcel_column *column,
                                parcel_reader_place *place);

/** Makes what reading compressed values needs, once the columns are known.  Errors: MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__reader_open_coders(parcel_reader *reader);
void parcel__reader_close_coders(parcel_reader *reader);

/** Reads values as parcel_reader_values of a compressed file; column and positions are there. */
PARCEL_MUST_CHECK parcel_status parcel__reader_read_chunks(const parcel_reader *reader, int column,
                                                           parcel_span positions, void *values);

/** Is it a .part? While it may still change, nothing but its status tells how far it is. */
bool parcel__reader_is_of_part(const parcel_reader *reader);

/** Reads the failures table; range, grid and format are there. A .part, whose run may have been ended as it
 *  made the table, has no rows if they are not consistent. False on failure.
 *
 *  parcel  the group /parcel */
bool parcel__reader_load_failures(parcel_reader *reader, hid_t parcel);

/** Finds the failures table of a file of format 1, without HDF5 opening its datasets.  Errors: HDF5, CORRUPT,
 *  IO. */
PARCEL_MUST_CHECK parcel_status parcel__reader_find_old_table(const parcel_reader *reader, hid_t parcel,
                                                              parcel_reader_table *out);

/** As parcel_reader_failures, with the messages byte by byte as they are in the file, for the checksums. */
PARCEL_MUST_CHECK parcel_status parcel__reader_failure_rows(const parcel_reader *reader, parcel_span which,
                                                            parcel_failure out[]);

/** Adds what the journals beside a .part have on record of its present blocks.  Errors: IO, MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__reader_add_journals(parcel_reader *reader);

#endif
