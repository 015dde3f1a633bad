/* The last to come opens a new round and rings. One who was killed while he held the lock may have been
 * counted or not: the barrier counts as broken then. One who is killed while he waits was counted; it is
 * his next round that he does not come to. */
#include <parcel/barrier.h>

#include <parcel/shared.h>

#include "bell_impl.h"
#include "robust_lock_impl.h"

struct parcel_barrier {
  parcel_lock lock;
  parcel_bell opened;

  /* Under the lock. */
  int parties, arrived;
  uint32_t round;
  bool is_broken; /* for ever */
};

static const double longest_sleep_seconds = 0.1; /* who was to ring may have been killed */

parcel_status parcel_barrier_create(int parties, parcel_barrier **out)
{
  void *memory = NULL;
  if (parties < 1)
    return parcel_fail(PARCEL_INVALID, "a barrier for %d parties", parties);
  parcel_status status = parcel_shared_alloc(sizeof **out, &memory);
  if (status)
    return status;
  parcel_barrier *barrier = memory;
  barrier->parties = parties;
  if ((status = parcel__lock_init(&barrier->lock)))
    parcel_shared_free(barrier);
  else
    *out = barrier;
  return status;
}

static void enter(parcel_barrier *barrier)
{
  if (parcel__lock_take(&barrier->lock))
    barrier->is_broken = true;
}

/* Returns the round that the caller waits for the end of. */
static uint32_t arrive(parcel_barrier *barrier)
{
  enter(barrier);
  const uint32_t round = barrier->round;
  const bool is_last = !barrier->is_broken && ++barrier->arrived == barrier->parties;
  if (is_last) {
    barrier->arrived = 0;
    ++barrier->round;
  }
  parcel_lock_release(&barrier->lock);
  if (is_last)
    parcel__bell_ring(&barrier->opened);
  return round;
}

/* How the round went; TIMEOUT, without words, while it goes on. A caller that is late ends it. */
static parcel_status look(parcel_barrier *barrier, uint32_t round, bool is_late)
{
  parcel_status status = PARCEL_OK;
  enter(barrier);
  if (barrier->round == round) {
    status = barrier->is_broken ? PARCEL_CRASHED : PARCEL_TIMEOUT;
    barrier->is_broken = barrier->is_broken || is_late;
  }
  parcel_lock_release(&barrier->lock);
  return status;
}

parcel_status parcel_barrier_wait(parcel_barrier *barrier, double timeout_seconds)
{
  const double deadline = timeout_seconds < 0 ? INFINITY : parcel__now() + timeout_seconds;
  const uint32_t round = arrive(barrier);
  for (;;) {
    const uint32_t seen = parcel__bell_rings(&barrier->opened);
    const double now = parcel__now();
    const double again = now + longest_sleep_seconds;
    const parcel_status status = look(barrier, round, now >= deadline);
    if (!status)
      return PARCEL_OK;
    if (status == PARCEL_CRASHED)
      return parcel_fail(status, "the barrier is broken: one of its %d parties was late or was killed",
                         barrier->parties);
    if (now >= deadline) {
      parcel__bell_ring(&barrier->opened);
      return parcel_fail(status, "not all of %d parties came within %g s", barrier->parties, timeout_seconds);
    }
    parcel__bell_wait(&barrier->opened, seen, 0, deadline < again ? deadline : again);
  }
}

void parcel_barrier_destroy(parcel_barrier **barrier)
{
  if (*barrier)
    pthread_mutex_destroy(&(*barrier)->lock.mutex);
  parcel_shared_free(*barrier);
  *barrier = NULL;
}
