/** @file
 *  The failures table of a file: the group /parcel/failures with the datasets index, code and message, of as
 *  many rows as indices have failed. While a file is being made the group is empty, and the failures are in
 *  the journals beside it (journal_impl.h); a finished file without failures does not have the group. Rank 0,
 *  main thread. */
#ifndef PARCEL_TABLE_IMPL_H
#define PARCEL_TABLE_IMPL_H

#include <hdf5.h>
#include <stdbool.h>

#include "journal_impl.h"

/** Makes the empty group in a file that is being laid out. False on failure, with the reason. */
bool parcel__table_reserve(hid_t parcel);

/** Puts a table with these records in the place of what is there. A kill or a power cut at any moment leaves
 *  the file readable, with the old table or the new one.
 *
 *  hdf5     the file as HDF5 has it open; file and fd are the same, for syncing
 *  records  in order of position; NULL: the group becomes empty
 *  Errors: HDF5, MEMORY, IO, SPACE. */
PARCEL_MUST_CHECK parcel_status parcel__table_replace(hid_t hdf5, const parcel_file *file, int fd,
                                                      const parcel_failure_records *records);

/** Removes the group from a file in which no index has failed.  Errors: HDF5. */
PARCEL_MUST_CHECK parcel_status parcel__table_remove(hid_t hdf5);

#endif
