/** @file
 *  What the batch system says of a job's end, apart from MPI. */
#ifndef PARCEL_BATCH_IMPL_H
#define PARCEL_BATCH_IMPL_H

#include <stdbool.h>

#include <parcel/base.h>

/** When this job ends, in seconds since 1970; 0 outside of jobs and for a job without a time limit.
 *
 *  timeout_seconds  for the batch system's answer
 *  Errors: SYSTEM, TIMEOUT: inside a job whose end cannot be learned. */
PARCEL_MUST_CHECK parcel_status parcel__batch_end(double timeout_seconds, double *out);

#endif
