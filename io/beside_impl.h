/** @file
 *  The files that runs leave beside a .part: their names begin with its own. */
#ifndef PARCEL_BESIDE_IMPL_H
#define PARCEL_BESIDE_IMPL_H

#include "file_impl.h"

/* Their suffixes. */
#define PARCEL_BESIDE_JOURNAL ".failures."
#define PARCEL_BESIDE_SPOOL   ".spool."
#define PARCEL_BESIDE_STATUS  ".status.json"

/** Calls visit for every file beside the .part whose name is the .part's, then suffix, then anything, until
 *  one of the calls fails.
 *
 *  visit  rest: what comes behind the suffix
 *  Errors: IO, MEMORY; what visit returns. */
PARCEL_MUST_CHECK parcel_status parcel__beside_visit(const parcel_file *file, const char *suffix,
                                                     parcel_status (*visit)(void *ctx, char *path,
                                                                            const char *rest),
                                                     void *ctx);

/** Whether there is any of them. */
bool parcel__beside_has_any(const parcel_file *file);

/** Removes them all; what cannot be removed does no harm, since none of it fits another .part. */
void parcel__beside_clear(const parcel_file *file);

#endif
