/** @file
 *  The batch system's clock: when the job that this program runs in will be ended. */
#ifndef PARCEL_BATCH_H
#define PARCEL_BATCH_H

#include <parcel/world.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A deadline for parcel_sweep_options: seconds from parcel_world_open to the job's end, less a reserve in
 *  which to close the file (5 % of what is left, at most 30 s). 0 outside of jobs, for a job without a time
 *  limit, and, after a warning, where the end cannot be learned. Collective.
 *
 *  Knows Slurm (SLURM_JOB_END_TIME, else `squeue`; of an array the member's own end, of a heterogeneous job
 *  its first part's) and PBS (`qstat -f`). Rank 0 asks, and waits for an answer no longer than 5 s. The
 *  result does not age: ask once.
 *  Errors: MPI. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_batch_deadline(const parcel_world *world, double *out);

#ifdef __cplusplus
}
#endif

#endif
