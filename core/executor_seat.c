/* A thread takes several tasks off the queue at once, so that the mutex is taken once for many short tasks.
 * What it has taken and not begun stays up for stealing, so that no task waits behind a long one while
 * another thread has nothing to do.
 *
 * An idle thread first looks at the queue for a few microseconds without sleeping (one thread at a time, less
 * and less often), or naps while another one does so (one at a time), and then sleeps until it is called. The
 * napping one is why a stream of short tasks does not pay a system call for each that comes: as long as
 * somebody polls, nobody is called. */
#include "executor_state_impl.h"

#include <errno.h>
#include <stdio.h>

#include "thread_impl.h"

enum { MOST_NAPS = 10 };
static const double spin_seconds = 20e-6;
static const struct timespec nap_time = {.tv_nsec = 50000};

_Thread_local parcel__seat *parcel__current_seat;

void parcel__seat_run(parcel__seat *seat, parcel__task *task)
{
  parcel_task_context context = {.worker = seat->worker, .flags = &task->state};
  if (task->timeout_seconds > 0)
    context.deadline_seconds = parcel__now() + task->timeout_seconds;
  parcel_status status = task->body(task->argument, &context);
  if (context.deadline_seconds > 0 && parcel__now() >= context.deadline_seconds)
    status =
        parcel_fail(PARCEL_TIMEOUT, "the task took longer than its limit of %g s", task->timeout_seconds);
  parcel__task_finish(task, status, status ? parcel_last_error() : NULL);
  if (status)
    parcel_fail(PARCEL_OK, "%s", ""); /* not the text of the next failure here that has none */
}

static void run_batch(parcel__seat *seat)
{
  const parcel__runner *runner = &seat->executor->runner;
  parcel__task *tasks[PARCEL__BATCH];
  int count = 0;
  for (int t = 0; t < seat->batch_size; ++t) {
    parcel__task *task = seat->batch[t];
    atomic_store_explicit(&seat->next, t + 1, memory_order_relaxed);
    if (!parcel__task_claim_popped(task))
      continue;
    if (runner->run)
      tasks[count++] = task;
    else
      parcel__seat_run(seat, task);
  }
  if (count > 0)
    runner->run(runner->ctx, seat->worker, tasks, count);
}

/* ---- taking tasks: under the mutex ---- */

/* Hands in what the seat has counted and collected. */
static void settle(parcel__seat *seat)
{
  parcel_executor *executor = seat->executor;
  if (seat->unused) {
    seat->last_unused->next_unused = executor->unused;
    executor->unused = seat->unused;
    seat->unused = NULL;
  }
  executor->ended += seat->ended;
  if (seat->ended > 0 && executor->ended == executor->submitted)
    pthread_cond_broadcast(&executor->quiet);
  seat->ended = 0;
}

static bool can_call(const parcel_executor *executor)
{
  if (executor->pollers > executor->starting)
    return false;
  return executor->sleepers > 0 || (executor->live < executor->options.threads && !executor->cannot_grow);
}

bool parcel__seat_call(parcel_executor *executor, parcel_index waiting)
{
  if (waiting == 0 || !can_call(executor))
    return false;
  if (executor->sleepers > 0) {
    --executor->sleepers;
    ++executor->wakes;
    ++executor->pollers;
    return true;
  }
  if (executor->starting < waiting)
    executor->cannot_grow = parcel__seat_start(executor) != 0;
  return false;
}

/* After taking tasks: those that are left, here or elsewhere, may have counted on this thread. */
static void call_another(const parcel__seat *seat)
{
  parcel_executor *executor = seat->executor;
  if (!can_call(executor))
    return;
  parcel_index waiting = executor->tail - executor->head;
  for (int s = 0; s < executor->options.threads && !executor->runner.run; ++s) {
    const parcel__seat *other = &executor->seats[s];
    waiting += other->batch_size - atomic_load_explicit(&other->next, memory_order_relaxed);
  }
  if (parcel__seat_call(executor, waiting))
    pthread_cond_signal(&executor->work);
}

static bool take_from_queue(parcel__seat *seat)
{
  parcel_executor *executor = seat->executor;
  const int threads = executor->options.threads;
  const parcel_index queued = executor->tail - executor->head;
  parcel_index share = (queued + threads - 1) / threads;
  if (share > executor->runner.batch)
    share = executor->runner.batch;
  for (int t = 0; t < share; ++t)
    seat->batch[t] = executor->ring[(executor->head + t) & (executor->ring_size - 1)];
  seat->batch_size = (int)share;
  atomic_store_explicit(&seat->next, share > 0, memory_order_relaxed); /* the first is begun at once */
  executor->head += share;
  atomic_store_explicit(&executor->queued, queued - share, memory_order_relaxed);
  if (share == 0)
    return false;
  if (executor->blocked_submitters > 0)
    pthread_cond_broadcast(&executor->room);
  call_another(seat);
  return true;
}

static bool steal(parcel__seat *seat)
{
  parcel_executor *executor = seat->executor;
  for (int s = 0; s < executor->options.threads && !executor->runner.run; ++s) {
    const parcel__seat *other = &executor->seats[s];
    for (int t = atomic_load_explicit(&other->next, memory_order_relaxed); t < other->batch_size; ++t)
      if (parcel__task_claim(other->batch[t], 0)) {
        seat->stolen = other->batch[t];
        call_another(seat);
        return true;
      }
  }
  return false;
}

/* ---- nothing to do: under the mutex but while waiting ---- */

static void spin(parcel_executor *executor)
{
  const double end = parcel__now() + spin_seconds;
  int pauses = 1;
  do {
    for (int p = 0; p < pauses; ++p)
      parcel__spin_pause();
    pauses += pauses < 32 ? pauses : 0;
  } while (atomic_load_explicit(&executor->queued, memory_order_relaxed) == 0 &&
           !atomic_load_explicit(&executor->is_ending, memory_order_relaxed) && parcel__now() < end);
}

/* Polls outside the mutex. */
static void poll_queue(parcel__seat *seat, bool *is_somebody)
{
  parcel_executor *executor = seat->executor;
  const bool naps = is_somebody == &executor->has_napper;
  *is_somebody = true;
  ++executor->pollers;
  pthread_mutex_unlock(&executor->mutex);
  if (naps)
    nanosleep(&nap_time, NULL);
  else
    spin(executor);
  pthread_mutex_lock(&executor->mutex);
  --executor->pollers;
  *is_somebody = false;
}

/* False if the thread, one above the least number, was idle for long enough. */
static bool sleep_until_called(parcel__seat *seat)
{
  parcel_executor *executor = seat->executor;
  const struct timespec deadline = parcel__deadline_in(executor->options.idle_seconds);
  int error = 0;
  ++executor->sleepers;
  while (executor->wakes == 0 && !executor->is_ending) {
    if (executor->live <= executor->options.least_threads)
      error = pthread_cond_wait(&executor->work, &executor->mutex);
    else if (error == ETIMEDOUT)
      break;
    else
      error = pthread_cond_timedwait(&executor->work, &executor->mutex, &deadline);
  }
  seat->has_spun = false;
  seat->naps = 0;
  if (executor->wakes == 0) {
    --executor->sleepers;
    return executor->is_ending;
  }
  --executor->wakes;
  --executor->pollers;
  return true;
}

/* False if the thread is to leave; it then is no longer counted. */
static bool idle(parcel__seat *seat)
{
  parcel_executor *executor = seat->executor;
  if (!executor->is_ending && executor->may_spin && !seat->has_spun && !executor->has_spinner) {
    seat->has_spun = true;
    poll_queue(seat, &executor->has_spinner);
  } else if (!executor->is_ending && executor->has_spinner && !executor->has_napper &&
             seat->naps < MOST_NAPS) {
    ++seat->naps;
    poll_queue(seat, &executor->has_napper);
  } else if (executor->is_ending || !sleep_until_called(seat)) {
    --executor->live;
    return false;
  }
  return true;
}

static bool take(parcel__seat *seat)
{
  settle(seat);
  while (!take_from_queue(seat) && !steal(seat))
    if (!idle(seat))
      return false;
  seat->has_spun = false;
  seat->naps = 0;
  return true;
}

/* ---- a thread from start to end ---- */

/* Every task that has not begun gets the failure for its outcome. Under the mutex, which it lets go
 * meanwhile. */
static void break_executor(parcel_executor *executor, parcel_status status)
{
  --executor->live;
  if (executor->broken)
    return;
  executor->broken = status;
  snprintf(executor->broken_text, sizeof executor->broken_text, "%s", parcel_last_error());
  pthread_cond_broadcast(&executor->room);
  parcel__slab *slabs = executor->slabs;
  pthread_mutex_unlock(&executor->mutex);
  const bool is_told = parcel__slabs_end_unstarted(slabs, 0, status, executor->broken_text);
  pthread_mutex_lock(&executor->mutex);
  executor->is_break_told |= is_told;
}

static void *run_seat(void *argument)
{
  parcel__seat *seat = argument;
  parcel_executor *executor = seat->executor;
  const parcel__runner *runner = &executor->runner;
  char name[16]; /* all that Linux keeps */

  parcel__current_seat = seat;
  snprintf(name, sizeof name, "task-%u", (unsigned)seat->worker % 100000000);
  pthread_setname_np(pthread_self(), name);
  const parcel_status status = runner->open ? runner->open(runner->ctx, seat->worker) : PARCEL_OK;
  pthread_mutex_lock(&executor->mutex);
  --executor->starting;
  --executor->pollers;
  if (status) {
    break_executor(executor, status);
  } else {
    while (take(seat)) {
      pthread_mutex_unlock(&executor->mutex);
      if (seat->stolen)
        parcel__seat_run(seat, seat->stolen);
      else
        run_batch(seat);
      seat->stolen = NULL;
      pthread_mutex_lock(&executor->mutex);
    }
    pthread_mutex_unlock(&executor->mutex);
    if (runner->close)
      runner->close(runner->ctx, seat->worker);
    pthread_mutex_lock(&executor->mutex);
  }
  settle(seat);
  executor->cannot_grow = false;
  seat->is_taken = false;
  pthread_mutex_unlock(&executor->mutex);
  return NULL;
}

int parcel__seat_start(parcel_executor *executor)
{
  parcel__seat *seat = executor->seats;
  while (seat < executor->seats + executor->options.threads && seat->is_taken)
    ++seat;
  if (seat == executor->seats + executor->options.threads)
    return 0; /* a thread is just leaving; those that stay will do */
  if (seat->has_thread)
    pthread_join(seat->thread, NULL);
  const int error = parcel__thread_start(&seat->thread, run_seat, seat);
  seat->has_thread = seat->is_taken = error == 0;
  executor->live += error == 0;
  executor->starting += error == 0;
  executor->pollers += error == 0;
  return error;
}

void parcel__seat_join_all(parcel_executor *executor)
{
  for (int s = 0; s < executor->options.threads; ++s)
    if (executor->seats[s].has_thread)
      pthread_join(executor->seats[s].thread, NULL);
}
