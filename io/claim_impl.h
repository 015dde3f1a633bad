/** @file
 *  How a run comes to its .part: one that is there already, or a new one. Rank 0 only. */
#ifndef PARCEL_CLAIM_IMPL_H
#define PARCEL_CLAIM_IMPL_H

#include "file_impl.h"

/** Refuses an output that cannot or must not be made: a folder, an existing file or .part that must not be
 *  replaced, a .part that another run is writing.  Errors: EXISTS, IO. */
PARCEL_MUST_CHECK parcel_status parcel__claim_check(const parcel_file *file, bool replaces);

/** Makes an empty file with room for `bytes` under its fresh name, and locks it. What a run that was killed
 *  has left there is used again; an existing .part is removed if it is to be replaced. The room is reserved
 *  where the file system can do so cheaply, before HDF5, which is lost when it runs out of room, truncates
 *  the file.
 *
 *  Owns: *out, the lock, is the caller's, for close.
 *  Errors: EXISTS (another run is making it at this moment); SPACE, IO; no file is left then. */
PARCEL_MUST_CHECK parcel_status parcel__claim_make(const parcel_file *file, bool replaces, parcel_index bytes,
                                                   int *out);

/** Makes the fresh file, which has its whole structure now, the .part. Its room is reserved again, as long
 *  as it has become, and all of it is brought to the disk first: after a power cut the .part still opens, and
 *  other hosts see it.  Errors: EXISTS (another run was faster); SPACE, IO. */
PARCEL_MUST_CHECK parcel_status parcel__claim_show(const parcel_file *file, int fd);

/** Removes what a run has left beside a .part that is gone, unless another one is there or being made. */
void parcel__claim_clear(const parcel_file *file);

#endif
