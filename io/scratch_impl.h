/** @file
 *  A file without a name that all ranks write and read. */
#ifndef PARCEL_SCRATCH_IMPL_H
#define PARCEL_SCRATCH_IMPL_H

#include <parcel/world.h>

#include "file_impl.h"

/** Makes it on the disk of `path`. Until all ranks have it open its name is path, a dot, and digits that
 *  nobody can guess. Collective.
 *
 *  path  this rank's name for a file that all ranks share
 *  file  its .part is that name then, for messages
 *  Owns: *file is the caller's, for parcel__file_free, and *out, for close; both on success only.
 *  Errors: IO, SPACE, MEMORY, SYSTEM, MPI; the same on every rank. */
PARCEL_MUST_CHECK parcel_status parcel__scratch_open(const parcel_world *world, const char *path,
                                                     parcel_file *file, int *out);

#endif
