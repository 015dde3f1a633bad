/** @file
 *  What changes in the structure of a file that was laid out: its status, who writes it, and, once it is
 *  finished, its failures. Each change leaves the file readable at every moment. Rank 0, main thread. */
#ifndef PARCEL_STATE_IMPL_H
#define PARCEL_STATE_IMPL_H

#include <parcel/sweep.h>

#include "journal_impl.h"

/** Says that this process goes on with the file: running, no end, its owner. A failures table is emptied:
 *  what it had is in the journals.
 *
 *  fd  of file->part, open for reading and writing
 *  Errors: HDF5, IO, SPACE. */
PARCEL_MUST_CHECK parcel_status parcel__state_begin(const parcel_file *file, int fd);

/** The same under its fresh name for the copy of a finished file, whose failures stay on record. */
PARCEL_MUST_CHECK parcel_status parcel__state_begin_copy(const parcel_file *file, int fd);

/** Says that the file is complete, and which indices failed: the failures table is made or removed, and
 *  columns have a _FillValue only where a value is missing. A file of format 1 becomes one of format 2.
 *
 *  records  in order of position
 *  Errors: HDF5, MEMORY, IO, SPACE. */
PARCEL_MUST_CHECK parcel_status parcel__state_complete(const parcel_file *file, int fd,
                                                       const parcel_sweep *sweep,
                                                       const parcel_failure_records *records);

/** Says that the run has ended early: "stopped" or "failed".  Errors: HDF5, IO, SPACE. */
PARCEL_MUST_CHECK parcel_status parcel__state_end(const parcel_file *file, int fd, const char *outcome);

#endif
