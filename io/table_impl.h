/** @file
 *  The failures table of a file. Its room is reserved when the file is made, since nothing may grow later:
 *  three datasets with `room` rows, whose extent is then set to 0 in their headers, and to the number of
 *  failures at the end. So each change is bytes in place, and the file opens at every moment. */
#ifndef PARCEL_TABLE_IMPL_H
#define PARCEL_TABLE_IMPL_H

#include <stdbool.h>

#include <parcel/block.h>
#include <parcel/range.h>

#include "journal_impl.h"

/** Failures that a file has room for unless somebody asks for more. */
enum { PARCEL_TABLE_ROOM = 10000 };

enum { PARCEL_TABLE_COLUMNS = 3 };

/** Where it is in the file, in bytes from its start. */
typedef struct parcel_table {
  parcel_index room, count;                       /* rows */
  parcel_index columns[PARCEL_TABLE_COLUMNS];     /* the values of index, code, message */
  parcel_index extents[PARCEL_TABLE_COLUMNS + 1]; /* the extents of these and, last, of their dimension */
} parcel_table;

/** Finds it in a file that was laid out; a file without room for failures has a table without rows.
 *  Errors: HDF5, CORRUPT, IO. */
PARCEL_MUST_CHECK parcel_status parcel__table_find(const char *path, const parcel_file *file, int fd,
                                                   parcel_table *out);

/** The same in a file that HDF5 has open (an hid_t). */
PARCEL_MUST_CHECK parcel_status parcel__table_find_in(int64_t hdf5, const parcel_file *file, int fd,
                                                      parcel_table *out);

/** Rows that a new file gets: none unless it keeps failures, then `most`; 0: PARCEL_TABLE_ROOM. */
parcel_index parcel__table_room(bool keeps_failures, parcel_index most);

/** Where an index is in the range; -1 if it is not there. */
parcel_index parcel__table_position(parcel_range range, parcel_index index);

/** Sets the number of rows that readers see.  Errors: IO, SPACE. */
PARCEL_MUST_CHECK parcel_status parcel__table_set_count(const parcel_file *file, int fd, parcel_table *table,
                                                        parcel_index count);

/** Fills it with the records, which are in order of position.  Errors: FULL (more than it has room for);
 *  IO, SPACE. */
PARCEL_MUST_CHECK parcel_status parcel__table_write(const parcel_file *file, int fd, parcel_table *table,
                                                    const parcel_failure_records *records);

/** Adds its rows to the records, with block_checksum 0.  Errors: CORRUPT (an index that is not in the
 *  range); IO, MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__table_read(const parcel_file *file, int fd, const parcel_table *table,
                                                   parcel_range range, parcel_block_grid grid,
                                                   parcel_failure_records *records);

#endif
