/* The handlers only set flags, so any thread may run them. Linux gives a signal for the process to the main
 * thread as long as that does not block it, so kernels are left alone. */
#include "signals_impl.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* coreutils' timeout sends its signal to the process, then to its group, of which the process is one. */
static const int64_t same_request_nanoseconds = 100000000;

static parcel_signals caught;

/* One signal. A handler may run on several threads at once. */
typedef struct catch
{
  const int number;
  const bool ends_on_second; /* the second one acts as it did before the first was caught */
  bool is_caught;
  bool was_blocked; /* in the thread that caught it */
  struct sigaction before;
  _Atomic int64_t first; /* when it came first, by CLOCK_MONOTONIC; 0: never */
}
catch;

static catch catches[] = {{.number = SIGINT, .ends_on_second = true},
                          {.number = SIGTERM, .ends_on_second = true},
                          {.number = SIGUSR1},
                          {.number = SIGUSR2}};

enum { CATCHES = sizeof catches / sizeof *catches };

static catch *find(int number)
{
  catch *found = catches;
  while (found->number != number)
    ++found;
  return found;
}

static int64_t now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* What was ignored ends the process all the same: a run that is stuck has no other way out. */
static void act_as_before(const catch *caught_signal)
{
  struct sigaction before = caught_signal->before;
  if (!(before.sa_flags & SA_SIGINFO) && before.sa_handler == SIG_IGN)
    before.sa_handler = SIG_DFL;
  sigaction(caught_signal->number, &before, NULL);
  (void)raise(caught_signal->number); /* delivered when the handler returns */
}

static void stop(int number)
{
  const int error = errno;
  catch *own = find(number);
  int64_t first = 0;
  const bool is_first = atomic_compare_exchange_strong(&own->first, &first, now());
  if (own->ends_on_second && !is_first && now() - first > same_request_nanoseconds)
    act_as_before(own);
  else
    caught.stop = number;
  errno = error;
}

static void inspect(int number)
{
  (void)number;
  caught.inspect = (caught.inspect + 1) % 1000;
}

/* A shell starts what runs in the background with SIGINT ignored: it is meant for others then. */
static bool is_meant_for_others(const catch *caught_signal)
{
  const struct sigaction *before = &caught_signal->before;
  return caught_signal->number == SIGINT && !(before->sa_flags & SA_SIGINFO) && before->sa_handler == SIG_IGN;
}

static parcel_status catch_signal(catch *own, const sigset_t *mask)
{
  struct sigaction action = {.sa_handler = own->number == SIGUSR2 ? inspect : stop, .sa_flags = SA_RESTART};
  sigset_t this;
  sigemptyset(&action.sa_mask);
  sigemptyset(&this);
  sigaddset(&this, own->number);
  if (own->is_caught)
    return PARCEL_OK;
  if (sigaction(own->number, NULL, &own->before) != 0)
    return parcel_fail(PARCEL_SYSTEM, "sigaction for signal %d: %m", own->number);
  if (is_meant_for_others(own))
    return PARCEL_OK;
  own->was_blocked = sigismember(mask, own->number) == 1;
  atomic_store(&own->first, 0);
  if (sigaction(own->number, &action, NULL) != 0)
    return parcel_fail(PARCEL_SYSTEM, "sigaction for signal %d: %m", own->number);
  own->is_caught = true;
  pthread_sigmask(SIG_UNBLOCK, &this, NULL);
  return PARCEL_OK;
}

const parcel_signals *parcel_signals_catch(void)
{
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  for (int c = 0; c < CATCHES; ++c)
    if (catch_signal(&catches[c], &mask)) {
      parcel_signals_release();
      return NULL;
    }
  return &caught;
}

/* An action that somebody else has set meanwhile stays. */
static void release_signal(catch *own)
{
  struct sigaction now_set;
  sigset_t this;
  sigemptyset(&this);
  sigaddset(&this, own->number);
  if (!own->is_caught)
    return;
  if (own->was_blocked)
    pthread_sigmask(SIG_BLOCK, &this, NULL);
  if (sigaction(own->number, NULL, &now_set) == 0 && !(now_set.sa_flags & SA_SIGINFO) &&
      (now_set.sa_handler == stop || now_set.sa_handler == inspect))
    sigaction(own->number, &own->before, NULL);
  own->is_caught = false;
}

void parcel_signals_release(void)
{
  for (int c = 0; c < CATCHES; ++c)
    release_signal(&catches[c]);
  caught = (parcel_signals){0};
}

int parcel__signals_stop(void)
{
  return caught.stop;
}

void parcel__signals_restore_mask(sigset_t *mask)
{
  for (int c = 0; c < CATCHES; ++c)
    if (catches[c].is_caught && catches[c].was_blocked)
      sigaddset(mask, catches[c].number);
}
