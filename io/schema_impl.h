/** @file
 *  The HDF5 side of a results file: its structure, made once; state_impl.h has what changes when it
 *  ends. One rank only; the process's HDF5 error printing is left as it was. */
#ifndef PARCEL_SCHEMA_IMPL_H
#define PARCEL_SCHEMA_IMPL_H

#include <hdf5.h>

#include <parcel/results.h>

#include "provenance_impl.h"

/** The type of a column's values as they are in the file. HDF5 owns it; negative for what is no type. */
hid_t parcel__schema_type(parcel_type type);

/** Adds the attribute _FillValue: what a column holds where a value is missing. False on failure. */
bool parcel__schema_add_fill_value(hid_t dataset, const parcel_column *column);

/** The layout that is described in parcel/results.h. Format 1, of Parcel 0.1, had a failures table in every
 *  file and kept it by changing HDF5's headers. */
enum { PARCEL_SCHEMA_FORMAT = 2 };

/** What the structure is made from. */
typedef struct parcel_schema {
  const parcel_sweep *sweep;
  parcel_block_grid grid;
  uint64_t seed;                  /* of the checksums */
  parcel_compression compression; /* if any, grid.exact is the positions of a chunk */
  const char *title;
  const parcel_provenance *provenance;
} parcel_schema;

/** Lays out an existing file, open as fd, whose bytes do not count: everything but the results is in it
 *  afterwards, and room for those is made.
 *
 *  ledger    where its first entry is, in bytes from the file's start
 *  columns   [column_count] where each column's first value is; 0 for compressed ones, which have no place
 *  Errors: HDF5, IO, SPACE. */
PARCEL_MUST_CHECK parcel_status parcel__schema_create(const char *path, int fd, const parcel_schema *schema,
                                                      parcel_index *ledger, parcel_index columns[]);

/** Bytes the file will have, but for compressed values, and some more for its structure; INT64_MAX if that is
 *  beyond counting. */
parcel_index parcel__schema_bytes(const parcel_schema *schema);

#endif
