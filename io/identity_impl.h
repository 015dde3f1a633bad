/** @file
 *  What must be the same for two runs to work on one file, as text: one line "name\tvalue" for each
 *  term. */
#ifndef PARCEL_IDENTITY_IMPL_H
#define PARCEL_IDENTITY_IMPL_H

#include <parcel/reader.h>
#include <parcel/sweep.h>

/** All that the results depend on: range, kernel and its version, parameters, columns.
 *  Owns: *out is the caller's, for free.  Errors: MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__identity_of_sweep(const parcel_sweep *sweep, char **out);
PARCEL_MUST_CHECK parcel_status parcel__identity_of_file(const parcel_reader *reader, char **out);

/** Refuses a file whose identity is not the sweep's: each term that differs is named, with both values.
 *  Errors: DIFFERS; MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__identity_check(const parcel_reader *reader,
                                                       const parcel_sweep *sweep);

/** Refuses a world in which a rank was started with other arguments than rank 0, or is another build; the
 *  first such rank is named, with what differs. Collective.
 *
 *  path  of the output
 *  more  further lines that all ranks must agree on
 *  Errors: INVALID; MEMORY; MPI. */
PARCEL_MUST_CHECK parcel_status parcel__identity_agree(const parcel_world *world, const parcel_sweep *sweep,
                                                       const char *path, const char *more);

#endif
