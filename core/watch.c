#include "watch_impl.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <parcel/world.h>

#include "signals_impl.h"
#include "thread_impl.h"

enum { PARENT, LEFT, RIGHT, LINKS };
enum { ALIVE, LAST }; /* kinds of message */
enum { MOST_TURNS = 20 };

static const double longest_tick_seconds = 0.25;
static const double listening_tick_seconds = 0.02;
static const double seconds_per_turn =
    0.5; /* to say that there is no progress: the ranks find out together */
static const double shortest_pause_seconds = 20e-6;
static const double longest_pause_seconds = 1e-3;
static const double longest_interval_seconds = 1;

typedef struct neighbour {
  int peer; /* MPI_PROC_NULL where the tree ends */
  MPI_Request request;
  double sent; /* parcel__now() of the last message */
} neighbour;

struct parcel_watch {
  double seconds;
  int rank;
  _Atomic(const char *) step; /* NULL: nothing that is watched */
  _Atomic double seen;        /* parcel__now() of the last progress */
  atomic_uint is_ending;
  pthread_t thread, main;

  /* The main thread's. */
  MPI_Comm comm;
  double interval; /* between two messages to a neighbour */
  double told;     /* parcel__now() when others were last heard and told while this rank worked */
  neighbour neighbours[LINKS];
  int kinds[2]; /* what is sent: constants that outlive their messages */
};

/* Of this process: what works long need not know for whom. */
static _Atomic(parcel_watch *) any;

/* ---- the thread ---- */

static bool has_progressed(const parcel_watch *watch, double seen)
{
  return atomic_load(&watch->seen) != seen || !atomic_load(&watch->step);
}

/* Ranks that find out together wait for their turns; the launcher ends them when the first has spoken. False
 * if there is progress after all. */
static bool await_turn(parcel_watch *watch, double seen)
{
  const int turns = watch->rank < MOST_TURNS ? watch->rank : MOST_TURNS;
  const double until = parcel__now() + turns * seconds_per_turn;
  const int stop = parcel__signals_stop();
  while (parcel__now() < until && !atomic_load(&watch->is_ending)) {
    const struct timespec next = parcel__deadline_in(listening_tick_seconds);
    parcel__futex_wait(&watch->is_ending, 0, &next);
    if (parcel__signals_stop() != stop)
      _exit(parcel_status_exit_code(PARCEL_STALLED));
    if (has_progressed(watch, seen))
      return false;
  }
  return !atomic_load(&watch->is_ending) && !has_progressed(watch, seen);
}

/* MPI_Abort is for the main thread, which may never come back. A rank that exits ends the job as well. */
static void end_run(const parcel_watch *watch, const char *step)
{
  char host[HOST_NAME_MAX + 1] = "";
  gethostname(host, sizeof host - 1);
  fprintf(stderr,
          "%s: no progress for %g s on rank %d on %s while %s; the run ends here, and what is done can be "
          "resumed\n",
          program_invocation_short_name, watch->seconds, watch->rank, host, step);
  _exit(parcel_status_exit_code(PARCEL_STALLED));
}

/* A process that was stopped, and goes on, has not been without progress for that long. */
static void *run_watch(void *argument)
{
  parcel_watch *watch = argument;
  const double wanted = watch->seconds / 8;
  const double tick = wanted < longest_tick_seconds ? wanted : longest_tick_seconds;
  double last = parcel__now();
  pthread_setname_np(pthread_self(), "parcel-watch");
  while (!atomic_load(&watch->is_ending)) {
    const struct timespec next = parcel__deadline_in(tick);
    parcel__futex_wait(&watch->is_ending, 0, &next);
    const double now = parcel__now();
    const double seen = atomic_load(&watch->seen);
    const char *step = atomic_load(&watch->step);
    if (now - last > watch->seconds / 2 + longest_tick_seconds)
      atomic_store(&watch->seen, now);
    else if (step && now - seen > watch->seconds && await_turn(watch, seen))
      end_run(watch, step);
    last = parcel__now();
  }
  return NULL;
}

/* It runs nobody's code, so it leaves all signals to others. */
static int start_thread(parcel_watch *watch)
{
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(&watch->thread, NULL, run_watch, watch);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error;
}

/* ---- signs of life ---- */

static void send(parcel_watch *watch, neighbour *to, int kind)
{
  MPI_Isend(&watch->kinds[kind], 1, MPI_INT, to->peer, 0, watch->comm, &to->request);
  to->sent = parcel__now();
}

/* Not to the one it comes from, and not so soon after the last one. */
static void tell_others(parcel_watch *watch, int from)
{
  for (int l = 0; l < LINKS; ++l) {
    neighbour *to = &watch->neighbours[l];
    int is_sent = 0;
    if (to->peer != MPI_PROC_NULL && to->peer != from && parcel__now() - to->sent > watch->interval &&
        MPI_Test(&to->request, &is_sent, MPI_STATUS_IGNORE) == MPI_SUCCESS && is_sent)
      send(watch, to, ALIVE);
  }
}

static void hear(parcel_watch *watch)
{
  int has_message = 1;
  while (has_message) {
    MPI_Status envelope;
    int kind = ALIVE;
    if (MPI_Iprobe(MPI_ANY_SOURCE, 0, watch->comm, &has_message, &envelope) != MPI_SUCCESS || !has_message)
      return;
    MPI_Recv(&kind, 1, MPI_INT, envelope.MPI_SOURCE, 0, watch->comm, MPI_STATUS_IGNORE);
    parcel__watch_touch(watch);
    tell_others(watch, envelope.MPI_SOURCE);
  }
}

int parcel__watch_wait(parcel_watch *watch, MPI_Request *request)
{
  double pause = shortest_pause_seconds;
  int is_over = 0;
  for (;;) {
    const int code = MPI_Test(request, &is_over, MPI_STATUS_IGNORE);
    if (code != MPI_SUCCESS || is_over) {
      parcel__watch_touch(watch);
      return code;
    }
    hear(watch);
    nanosleep(&(struct timespec){.tv_nsec = (long)(pause * 1e9)}, NULL);
    pause = pause * 2 < longest_pause_seconds ? pause * 2 : longest_pause_seconds;
  }
}

/* Messages between two ranks keep their order, so nothing comes after the last one. */
void parcel__watch_drain(parcel_watch *watch)
{
  for (int l = 0; l < LINKS; ++l) {
    MPI_Wait(&watch->neighbours[l].request, MPI_STATUS_IGNORE);
    send(watch, &watch->neighbours[l], LAST);
  }
  for (int l = 0; l < LINKS; ++l)
    for (int kind = ALIVE; watch->neighbours[l].peer != MPI_PROC_NULL && kind != LAST;)
      if (MPI_Recv(&kind, 1, MPI_INT, watch->neighbours[l].peer, 0, watch->comm, MPI_STATUS_IGNORE))
        break;
  for (int l = 0; l < LINKS; ++l)
    MPI_Wait(&watch->neighbours[l].request, MPI_STATUS_IGNORE);
  watch->comm = MPI_COMM_NULL;
}

/* ---- steps ---- */

const char *parcel__watch_step(parcel_watch *watch, const char *step)
{
  if (!watch)
    return NULL;
  parcel__watch_touch(watch);
  return atomic_exchange(&watch->step, step);
}

bool parcel__watch_is_shared(const parcel_watch *watch)
{
  return watch && watch->comm != MPI_COMM_NULL;
}

void parcel__watch_touch(parcel_watch *watch)
{
  if (watch)
    atomic_store_explicit(&watch->seen, parcel__now(), memory_order_relaxed);
}

void parcel_world_touch(void)
{
  parcel_watch *watch = atomic_load(&any);
  parcel__watch_touch(watch);
  if (watch && pthread_equal(pthread_self(), watch->main) && parcel__watch_is_shared(watch) &&
      parcel__now() - watch->told > watch->interval / 4) {
    watch->told = parcel__now();
    hear(watch);
    tell_others(watch, MPI_PROC_NULL);
  }
}

parcel_status parcel_signals_check(const char *doing)
{
  const int number = parcel__signals_stop();
  parcel_world_touch();
  if (number == 0)
    return PARCEL_OK;
  const char *name = sigabbrev_np(number);
  return parcel_fail(PARCEL_STOPPED, "stopped early by SIG%s while %s", name ? name : "?", doing);
}

/* ---- opening and closing ---- */

static void make_links(parcel_watch *watch)
{
  int size = 1;
  if (watch->comm != MPI_COMM_NULL)
    MPI_Comm_size(watch->comm, &size);
  for (int l = 0; l < LINKS; ++l)
    watch->neighbours[l] = (neighbour){.peer = MPI_PROC_NULL, .request = MPI_REQUEST_NULL};
  if (watch->rank > 0 && size > 1)
    watch->neighbours[PARENT].peer = (watch->rank - 1) / 2;
  for (int side = 0; side < 2; ++side)
    if (watch->rank < (size - side) / 2 && 2 * watch->rank + 1 + side < size)
      watch->neighbours[LEFT + side].peer = 2 * watch->rank + 1 + side;
}

parcel_status parcel__watch_open(MPI_Comm comm, int rank, double seconds, parcel_watch **out)
{
  parcel_watch *watch = calloc(1, sizeof *watch);
  if (!watch)
    return parcel_fail(PARCEL_MEMORY, "no memory to watch over the run");
  watch->seconds = seconds;
  watch->interval = seconds / 8 < longest_interval_seconds ? seconds / 8 : longest_interval_seconds;
  watch->rank = rank;
  watch->comm = comm;
  watch->main = pthread_self();
  watch->kinds[LAST] = LAST;
  make_links(watch);
  parcel__watch_touch(watch);
  const int error = start_thread(watch);
  if (error) {
    free(watch);
    errno = error;
    return parcel_fail(PARCEL_SYSTEM, "the thread that watches over the run did not start: %m");
  }
  atomic_store(&any, watch);
  *out = watch;
  return PARCEL_OK;
}

void parcel__watch_close(parcel_watch **watch)
{
  parcel_watch *ending = *watch;
  if (!ending)
    return;
  atomic_store(&any, NULL);
  atomic_store(&ending->is_ending, 1);
  parcel__futex_wake(&ending->is_ending, 1);
  pthread_join(ending->thread, NULL);
  free(ending);
  *watch = NULL;
}
