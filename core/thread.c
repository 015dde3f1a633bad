#include "thread_impl.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "signals_impl.h"

static const double longest_seconds = 1e9;

/* A thread inherits the mask of the one that makes it. */
int parcel__thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
  sigset_t before;
  sigset_t inherited;
  pthread_sigmask(SIG_SETMASK, NULL, &before);
  inherited = before;
  parcel__signals_restore_mask(&inherited);
  pthread_sigmask(SIG_SETMASK, &inherited, NULL);
  const int error = pthread_create(thread, NULL, run, argument);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error;
}

bool parcel__futex_wait(atomic_uint *word, unsigned expected, const struct timespec *deadline)
{
  const long slept = syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected, deadline, NULL,
                             FUTEX_BITSET_MATCH_ANY); /* unlike FUTEX_WAIT takes an absolute time */
  return slept == 0 || errno != ETIMEDOUT;
}

void parcel__futex_wake(atomic_uint *word, int count)
{
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

struct timespec parcel__deadline_in(double seconds)
{
  const long second = 1000000000L; /* in nanoseconds */
  struct timespec deadline;
  seconds = !(seconds > 0) ? 0 : seconds < longest_seconds ? seconds : longest_seconds;
  clock_gettime(CLOCK_MONOTONIC, &deadline);
  const long nanoseconds = deadline.tv_nsec + (long)((seconds - (double)(time_t)seconds) * 1e9);
  deadline.tv_sec += (time_t)seconds + nanoseconds / second;
  deadline.tv_nsec = nanoseconds % second;
  return deadline;
}

double parcel__now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}
