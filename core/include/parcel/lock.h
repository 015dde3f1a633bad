/** @file
 *  A lock between threads and worker processes that outlives its owners: one who is killed while he holds
 *  it does not hang the rest, and the next is told.
 *
 *      bool was_abandoned = false;
 *      if (!(status = parcel_lock_acquire(lock, &was_abandoned))) {
 *        if (was_abandoned)
 *          ... mend what the lock guards: its last owner may have stopped half way ...
 *        ...
 *        parcel_lock_release(lock);
 *      } */
#ifndef PARCEL_LOCK_H
#define PARCEL_LOCK_H

#include <stdbool.h>

#include <parcel/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque, in shared memory: a worker may be given the pointer. */
typedef struct parcel_lock parcel_lock;

/** Makes a lock that nobody holds.
 *
 *  Owns:    *out is the caller's, for parcel_lock_destroy.
 *  Threads: as parcel_shared_alloc.  Errors: MEMORY; SYSTEM; INVALID (in a worker process). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_lock_create(parcel_lock **out);

/** Waits until nobody else holds the lock, and takes it.
 *
 *  was_abandoned  true if its last owner, thread or process, ended without parcel_lock_release. NULL: all
 *                 the same to you
 *  Threads: any, of any process that has it.
 *  Errors:  INVALID (the caller holds it already). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_lock_acquire(parcel_lock *lock, bool *was_abandoned);

/** Gives the lock to the next. By the thread that acquired it; nothing happens otherwise. */
PARCEL_API void parcel_lock_release(parcel_lock *lock);

/** *lock becomes NULL; NULL is fine. Nobody may hold it or wait for it. */
PARCEL_API void parcel_lock_destroy(parcel_lock **lock);

#ifdef __cplusplus
}
#endif

#endif
