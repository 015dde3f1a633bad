/** @file
 *  What the thread modules share: threads with the user's signal mask, futexes, deadlines. */
#ifndef PARCEL_THREAD_IMPL_H
#define PARCEL_THREAD_IMPL_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include <parcel/base.h>

/** Starts a thread that runs the user's code: with the signal mask of the calling thread, as it was before
 *  parcel_signals_catch, so that what the code starts finds signals as the user left them. Signals for the
 *  process go to the main thread as long as it does not block them. Its stack is as large as RLIMIT_STACK
 *  says, and 64 MiB where that sets no limit.
 *
 *  Returns 0 or the error number of pthread_create. */
int parcel__thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

/** Sleeps until parcel__futex_wake(word), if *word still is `expected`; wakes for no reason, too. False once
 *  the deadline has passed. Threads of this process only.
 *
 *  deadline  by CLOCK_MONOTONIC; NULL: none */
bool parcel__futex_wait(atomic_uint *word, unsigned expected, const struct timespec *deadline);

/** Wakes up to `count` sleepers. */
void parcel__futex_wake(atomic_uint *word, int count);

/** The time by CLOCK_MONOTONIC in so many seconds; from now for what is negative or not a number, in 30 years
 *  at most. */
struct timespec parcel__deadline_in(double seconds);

/** The time by CLOCK_MONOTONIC in seconds. */
double parcel__now(void);

/** Tells the CPU that this thread is spinning. */
static inline void parcel__spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#endif
