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
#include <time.h>
#include <unistd.h>

typedef struct parcel_bell {
  _Atomic uint32_t rings; /* futex */
  _Atomic uint32_t sleepers;
} parcel_bell;

/** Seconds of a clock that never goes back: what deadlines are given in. INFINITY: none. */
static inline double parcel__seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/** Tells the processor that a loop does nothing but look. */
static inline void parcel__relax(void)
{
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static inline uint32_t parcel__bell_rings(parcel_bell *bell)
{
  return atomic_load(&bell->rings);
}

/** Wakes all sleepers. Callable in a signal handler. */
static inline void parcel__bell_ring(parcel_bell *bell)
{
  atomic_fetch_add(&bell->rings, 1);
  if (atomic_load(&bell->sleepers) > 0)
    syscall(SYS_futex, &bell->rings, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/** Returns once the bell has rung since `seen` was read, or a signal came, or the deadline is past: then
 *  false.
 *
 *  spins  looks at the bell before sleeping; 0 where CPUs are scarce */
static inline bool parcel__bell_wait(parcel_bell *bell, uint32_t seen, int spins, double deadline)
{
  const double furthest = 1e12;
  const double at = deadline < 0 ? 0 : deadline < furthest ? deadline : furthest;
  const struct timespec time = {.tv_sec = (time_t)at, .tv_nsec = (long)((at - (double)(time_t)at) * 1e9)};
  for (int spin = 0; spin < spins; ++spin) {
    if (atomic_load_explicit(&bell->rings, memory_order_acquire) != seen)
      return true;
    parcel__relax();
  }
  atomic_fetch_add(&bell->sleepers, 1);
  const long error =
      syscall(SYS_futex, &bell->rings, FUTEX_WAIT_BITSET, seen, &time, NULL, FUTEX_BITSET_MATCH_ANY) ? errno
                                                                                                     : 0;
  atomic_fetch_sub(&bell->sleepers, 1);
  return error != ETIMEDOUT;
}

#endif
