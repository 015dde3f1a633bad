/** @file
 *  How a run comes to its .part: one that is there already, or a new one. Rank 0 only. */
#ifndef PARCEL_CLAIM_IMPL_H
#define PARCEL_CLAIM_IMPL_H

#include "file_impl.h"

/** Refuses an output that cannot or must not be made: a folder, a link, an existing file that must not be
 *  replaced.  Errors: EXISTS, IO. */
PARCEL_MUST_CHECK parcel_status parcel__claim_check(const parcel_file *file, bool replaces);

/** Refuses a .part that cannot or must not be replaced. The lock is held.  Errors: EXISTS, IO. */
PARCEL_MUST_CHECK parcel_status parcel__claim_check_part(const parcel_file *file, bool replaces);

/** Makes an empty file with room for `bytes` under its fresh name, as private as a finished file that is
 *  there. An existing .part is removed if it is to be replaced, and what runs have left beside it. The room
 *  is reserved where the file system can do so cheaply. The lock is held.
 *
 *  Owns: *out is the caller's, for close.
 *  Errors: SPACE (the limit on the size of files included), IO; no file is left then. */
PARCEL_MUST_CHECK parcel_status parcel__claim_make(const parcel_file *file, bool replaces, parcel_index bytes,
                                                   int *out);

/** Makes the fresh file, which has its whole structure now, the .part. Its room is reserved again, as long
 *  as it has become, and all of it is brought to the disk first: after a power cut the .part still opens, and
 *  other hosts see it.  Errors: EXISTS (somebody has made one); SPACE, IO. */
PARCEL_MUST_CHECK parcel_status parcel__claim_show(const parcel_file *file, int fd);

/** Removes what a run has left beside a .part that is gone. The lock is held. */
void parcel__claim_clear(const parcel_file *file);

#endif
