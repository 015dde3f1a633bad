/** @file
 *  A sweep whose results end as plain arrays in the memory of one rank. */
#ifndef PARCEL_GATHER_H
#define PARCEL_GATHER_H

#include <parcel/sweep.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Runs the sweep and puts every value in its place in the root's arrays. Collective; otherwise as
 *  parcel_sweep_run.
 *
 *  root     the rank that receives, the same on every rank
 *  arrays   on root: [column_count] of range.count x width values each, the caller's; elsewhere not looked
 *  at
 *  Memory:  on other ranks nothing beyond the sweep's own buffers: a block is kept until it has been sent.
 *  Errors:  INVALID (root is no rank); MPI; as parcel_sweep_run. On failure the arrays hold some of the
 *  blocks. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_sweep_gather(const parcel_world *world,
                                                               const parcel_sweep *sweep, int root,
                                                               void *const arrays[],
                                                               const parcel_sweep_options *options,
                                                               parcel_sweep_report *report);

#ifdef __cplusplus
}
#endif

#endif
