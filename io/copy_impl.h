/** @file
 *  Copies of files by the kernel, which share the disk's blocks where the file system can. */
#ifndef PARCEL_COPY_IMPL_H
#define PARCEL_COPY_IMPL_H

#include <parcel/base.h>

/** Writes the bytes of the file open as `from` over those of the file open as `to`, from the beginning.
 *
 *  path  of `from`, for what may be wrong
 *  Errors: IO, SPACE. */
PARCEL_MUST_CHECK parcel_status parcel__copy_bytes(const char *path, int from, int to);

#endif
