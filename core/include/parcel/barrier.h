/** @file
 *  A barrier between threads and worker processes: each waits until all have come. One that does not come,
 *  because it was killed or is late, breaks the barrier, and the others are told instead of waiting for
 *  ever. */
#ifndef PARCEL_BARRIER_H
#define PARCEL_BARRIER_H

#include <parcel/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque, in shared memory: a worker may be given the pointer. */
typedef struct parcel_barrier parcel_barrier;

/** Makes a barrier for `parties` threads, of whatever processes.
 *
 *  Owns:    *out is the caller's, for parcel_barrier_destroy.
 *  Threads: as parcel_shared_alloc.  Errors: INVALID (parties < 1, in a worker process); MEMORY; SYSTEM. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_barrier_create(int parties, parcel_barrier **out);

/** Waits until all parties have called this, and leaves the barrier ready for the next time.
 *
 *  timeout_seconds  to wait at most; PARCEL_FOREVER: no limit
 *  Errors:  TIMEOUT (the barrier is broken now); CRASHED (it was broken, by another's timeout or by one who
 *           was killed in this function). A broken barrier stays so. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_barrier_wait(parcel_barrier *barrier,
                                                               double timeout_seconds);

/** *barrier becomes NULL; NULL is fine. Nobody may wait at it. */
PARCEL_API void parcel_barrier_destroy(parcel_barrier **barrier);

#ifdef __cplusplus
}
#endif

#endif
