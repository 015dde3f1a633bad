/** @file
 *  The files that runs leave beside a .part: their names begin with its own. */
#ifndef PARCEL_BESIDE_IMPL_H
#define PARCEL_BESIDE_IMPL_H

#include "file_impl.h"

/** Calls visit for every file beside the .part whose name is the .part's, then suffix, then anything, until
 *  one of the calls fails.
 *
 *  visit  rest: what comes behind the suffix
 *  Errors: IO, MEMORY; what visit returns. */
PARCEL_MUST_CHECK parcel_status parcel__beside_visit(const parcel_file *file, const char *suffix,
                                                     parcel_status (*visit)(void *ctx, char *path,
                                                                            const char *rest),
                                                     void *ctx);

/** A visit that removes the file, if it can. */
parcel_status parcel__beside_remove(void *ctx, char *path, const char *rest);

#endif
