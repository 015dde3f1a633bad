/* A robust mutex (POSIX): the kernel marks it when its owner ends. EINVAL and the like cannot come from a
 * mutex that was made here, so only what the caller can do wrong is checked. */
#include "robust_lock_impl.h"

#include <errno.h>

#include <parcel/shared.h>

parcel_status parcel__lock_init(parcel_lock *lock)
{
  pthread_mutexattr_t attributes;
  if (pthread_mutexattr_init(&attributes) ||
      pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) ||
      pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) ||
      pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK) ||
      pthread_mutex_init(&lock->mutex, &attributes))
    return parcel_fail(PARCEL_SYSTEM, "a lock between processes could not be made");
  pthread_mutexattr_destroy(&attributes);
  return PARCEL_OK;
}

parcel_status parcel_lock_create(parcel_lock **out)
{
  void *memory = NULL;
  parcel_status status = parcel_shared_alloc(sizeof **out, &memory);
  if (status)
    return status;
  if ((status = parcel__lock_init(memory)))
    parcel_shared_free(memory);
  else
    *out = memory;
  return status;
}

/* Returns 0, EOWNERDEAD or EDEADLK. */
static int lock_mutex(pthread_mutex_t *mutex)
{
  const int error = pthread_mutex_lock(mutex);
  if (error == EOWNERDEAD)
    pthread_mutex_consistent(mutex);
  return error;
}

bool parcel__lock_take(parcel_lock *lock)
{
  return lock_mutex(&lock->mutex) == EOWNERDEAD;
}

parcel_status parcel_lock_acquire(parcel_lock *lock, bool *was_abandoned)
{
  const int error = lock_mutex(&lock->mutex);
  if (error == EDEADLK)
    return parcel_fail(PARCEL_INVALID, "this thread holds the lock already, and would wait for itself");
  if (was_abandoned)
    *was_abandoned = error == EOWNERDEAD;
  return PARCEL_OK;
}

void parcel_lock_release(parcel_lock *lock)
{
  pthread_mutex_unlock(&lock->mutex);
}

void parcel_lock_destroy(parcel_lock **lock)
{
  if (*lock)
    pthread_mutex_destroy(&(*lock)->mutex);
  parcel_shared_free(*lock);
  *lock = NULL;
}
