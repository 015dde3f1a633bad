#include "thread_impl.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "signals_impl.h"

static const double longest_seconds = 1e9;

/* Of addresses only: pages are there once they are touched. */
static const size_t stack_bytes_if_unlimited = (size_t)64 << 20;

/* glibc gives threads a stack of the size that RLIMIT_STACK had when the program started, but only 2 MiB if
 * there was no limit, which is where people need more. */
static bool is_stack_unlimited(void)
{
  struct rlimit limit;
  return getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY;
}

/* Where so many addresses are refused, the default has to do. */
static int create(pthread_t *thread, void *(*run)(void *), void *argument)
{
  pthread_attr_t attributes;
  int error = EAGAIN;
  if (is_stack_unlimited() && pthread_attr_init(&attributes) == 0) {
    if (pthread_attr_setstacksize(&attributes, stack_bytes_if_unlimited) == 0)
      error = pthread_create(thread, &attributes, run, argument);
    pthread_attr_destroy(&attributes);
    if (error == 0)
      return 0;
  }
  return pthread_create(thread, NULL, run, argument);
}

/* A thread inherits the mask of the one that makes it. */
int parcel__thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
  sigset_t before;
  sigset_t inherited;
  pthread_sigmask(SIG_SETMASK, NULL, &before);
  inherited = before;
  parcel__signals_restore_mask(&inherited);
  pthread_sigmask(SIG_SETMASK, &inherited, NULL);
  const int error = create(thread, run, argument);
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
