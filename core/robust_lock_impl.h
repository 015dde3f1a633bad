/** @file
 *  A lock as a part of another structure in shared memory. */
#ifndef PARCEL_ROBUST_LOCK_IMPL_H
#define PARCEL_ROBUST_LOCK_IMPL_H

#include <pthread.h>

#include <parcel/lock.h>

struct parcel_lock {
  pthread_mutex_t mutex;
};

/** Errors: SYSTEM. */
parcel_status parcel__lock_init(parcel_lock *lock);

/** parcel_lock_acquire by a caller that does not hold the lock for sure: cannot fail. True if it was
 *  abandoned. */
bool parcel__lock_take(parcel_lock *lock);

#endif
