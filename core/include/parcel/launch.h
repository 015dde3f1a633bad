/** @file
 *  How a program was launched: binding, threads, limits, clocks and versions of all ranks, judged. */
#ifndef PARCEL_LAUNCH_H
#define PARCEL_LAUNCH_H

#include <parcel/findings.h>
#include <parcel/world.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Judges the launch. Takes some 20 ms, and a message or two between rank 0 and each rank. Collective.
 *
 *  threads   per rank that a sweep would have; 0: parcel_world_cpus
 *  findings  added to on rank 0; elsewhere left alone
 *  Errors:   MPI; MEMORY. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_launch_examine(const parcel_world *world, int threads,
                                                                 parcel_findings *findings);

#ifdef __cplusplus
}
#endif

#endif
