/** @file
 *  Where results are to go: whether every rank can write there, and reads what the others have written. */
#ifndef PARCEL_PLACE_H
#define PARCEL_PLACE_H

#include <parcel/findings.h>
#include <parcel/world.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Judges the folder of an output file: file system, space, locking, a round trip of bytes between all ranks
 *  through a small file that is removed again, and HDF5. Collective.
 *
 *  path      of the results file; it is not touched
 *  findings  added to on rank 0; elsewhere left alone
 *  Errors:   MPI; MEMORY. What is wrong with the place is a finding. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_place_examine(const parcel_world *world, const char *path,
                                                                parcel_findings *findings);

#ifdef __cplusplus
}
#endif

#endif
