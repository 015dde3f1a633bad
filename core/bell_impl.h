/** @file
 *  A bell: threads, and processes that have its memory in common, sleep until it rings. It carries no
 *  message; what there is to know stands elsewhere, and is written before the bell rings:
 *
 *      for (;;) {
 *        const uint32_t seen = parcel__bell_rings(bell);
 *        if (there is what I wait for)
 *          break;
 *        parcel__bell_wait(bell, seen, spins, deadline);
 *      }
 *
 *  A sleeper that is killed leaves `sleepers` too high, which costs a system call a ring and no more. */
#ifndef PARCEL_BELL_IMPL_H
#define PARCEL_BELL_IMPL_H

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "thread_impl.h"

typedef struct parcel_bell {
  _Atomic uint32_t rings; /* futex */
  _Atomic uint32_t sleepers;
} parcel_bell;

static inline uint32_t parcel__bell_rings(parcel_bell *bell)
{
  return atomic_load(&bell->rings);
}

/** Wakes all sleepers. */
static inline void parcel__bell_ring(parcel_bell *bell)
{
  atomic_fetch_add(&bell->rings, 1);
  if (atomic_load(&bell->sleepers) > 0)
    syscall(SYS_futex, &bell->rings, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/** Returns once the bell has rung since `seen` was read, or a signal came, or the deadline is past: then
 *  false.
 *
 *  deadline  in seconds of parcel__now; INFINITY: none
 *  spins     looks at the bell before sleeping; 0 where CPUs are scarce */
static inline bool parcel__bell_wait(parcel_bell *bell, uint32_t seen, int spins, double deadline)
{
  const double furthest = 1e12;
  const double at = deadline < 0 ? 0 : deadline < furthest ? deadline : furthest;
  const struct timespec time = {.tv_sec = (time_t)at, .tv_nsec = (long)((at - (double)(time_t)at) * 1e9)};
  for (int spin = 0; spin < spins; ++spin) {
    if (atomic_load_explicit(&bell->rings, memory_order_acquire) != seen)
      return true;
    parcel__spin_pause();
  }
  atomic_fetch_add(&bell->sleepers, 1);
  const long error =
      syscall(SYS_futex, &bell->rings, FUTEX_WAIT_BITSET, seen, &time, NULL, FUTEX_BITSET_MATCH_ANY) ? errno
                                                                                                     : 0;
  atomic_fetch_sub(&bell->sleepers, 1);
  return error != ETIMEDOUT;
}

#endif
