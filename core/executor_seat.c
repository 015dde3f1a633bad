/* A thread takes several tasks off the queue at once, so that the mutex is taken once for many short tasks.
 * What it has taken and not begun stays up for stealing, so that no task waits behind a long one while
 * another thread has nothing to do.
 *
 * An idle thread first looks at the queue for a few microseconds without sleeping (one thread at a time, less
 * and less often), or naps while another one does so (one at a time), and then sleeps until it is called. The
 * napping one is why a stream of short tasks does not pay a system call for each that comes: as long as
 * somebody polls, nobody is called.
 *
 * A thread can end inside the user's code (pthread_exit, as an embedded interpreter does at its end). Its
 * tasks then fail, and a new thread takes its seat. What of the user's is to be called then is called in
 * other threads, since a cleanup handler in which pthread_exit is called anew has no defined end. */
#include "executor_state_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "thread_impl.h"

enum { MOST_NAPS = 10 };
static const double spin_seconds = 20e-6;
static const struct timespec nap_time = {.tv_nsec = 50000};

_Thread_local parcel__seat *parcel__current_seat;

const char parcel__thread_ended_text[] =
    "the thread ended inside the task, as by pthread_exit; a task has to return";

/* ---- a thread that ends inside the user's code ---- */

typedef struct apart {
  parcel__seat *seat;
  void (*run)(void *);
  void *argument;
} apart;

static void *run_in_seat(void *argument)
{
  const apart *own = argument;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  parcel__current_seat = own->seat;
  own->run(own->argument);
  return NULL;
}

void parcel__run_apart(void (*run)(void *), void *argument)
{
  apart own = {.seat = parcel__current_seat, .run = run, .argument = argument};
  pthread_t thread;
  if (parcel__thread_start(&thread, run_in_seat, &own))
    run(argument);
  else
    pthread_join(thread, NULL);
}

static void finish_task(void *task)
{
  parcel__task_finish(task, PARCEL_KERNEL, parcel__thread_ended_text);
}

static void fail_task(void *task)
{
  parcel__run_apart(finish_task, task);
}

static parcel_status call_body(parcel__task *task, const parcel_task_context *context)
{
  parcel_status status = PARCEL_OK;
  pthread_cleanup_push(fail_task, task);
  status = task->body(task->argument, context);
  pthread_cleanup_pop(0);
  return status;
}

void parcel__seat_run(parcel__seat *seat, parcel__task *task)
{
  parcel_task_context context = {.worker = seat->worker, .flags = &task->state};
  if (task->timeout_seconds > 0)
    context.deadline_seconds = parcel__now() + task->timeout_seconds;
  parcel_status status = call_body(task, &context);
  if (context.deadline_seconds > 0 && parcel__now() >= context.deadline_seconds)
    status =
        parcel_fail(PARCEL_TIMEOUT, "the task took longer than its limit of %g s", task->timeout_seconds);
  parcel__task_finish(task, status, status ? parcel_last_error() : NULL);
  if (status)
    parcel_fail(PARCEL_OK, "%s", ""); /* not the text of the next failure here that has none */
}

void parcel__seat_forget(parcel__seat *seat, const parcel__task *task)
{
  for (int t = 0; t < seat->given_count; ++t)
    if (seat->given[t] == task)
      seat->given[t] = NULL;
}

/* From the first on that is not begun. */
static void run_batch(parcel__seat *seat, int first)
{
  const parcel__runner *runner = &seat->executor->runner;
  parcel__task *tasks[PARCEL__BATCH];
  int count = 0;
  for (int t = first; t < seat->batch_size; ++t) {
    parcel__task *task = seat->batch[t];
    atomic_store_explicit(&seat->next, t + 1, memory_order_relaxed);
    if (!parcel__task_claim_popped(task))
      continue;
    if (runner->run)
      tasks[count++] = task;
    else
      parcel__seat_run(seat, task);
  }
  if (count == 0)
    return;
  memcpy(seat->given, tasks, (size_t)count * sizeof(parcel__task *));
  seat->given_count = count;
  runner->run(runner->ctx, seat->worker, tasks, count);
  seat->given_count = 0;
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

/* Under the mutex. */
static void leave_seat(parcel__seat *seat)
{
  settle(seat);
  seat->executor->cannot_grow = false;
  seat->is_taken = false;
}

static void serve(parcel__seat *seat)
{
  parcel_executor *executor = seat->executor;
  const parcel__runner *runner = &executor->runner;
  run_batch(seat, atomic_load_explicit(&seat->next, memory_order_relaxed)); /* what a predecessor has left */
  pthread_mutex_lock(&executor->mutex);
  while (take(seat)) {
    pthread_mutex_unlock(&executor->mutex);
    if (seat->stolen)
      parcel__seat_run(seat, seat->stolen);
    else
      run_batch(seat, 0);
    seat->stolen = NULL;
    pthread_mutex_lock(&executor->mutex);
  }
  pthread_mutex_unlock(&executor->mutex);
  seat->stage = PARCEL__FINALIZES;
  if (runner->close)
    runner->close(runner->ctx, seat->worker);
  pthread_mutex_lock(&executor->mutex);
}

static void leave_early(void *argument);

static void *run_seat(void *argument)
{
  parcel__seat *seat = argument;
  parcel_executor *executor = seat->executor;
  const parcel__runner *runner = &executor->runner;
  char name[16]; /* all that Linux keeps */

  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  if (seat->has_predecessor)
    pthread_join(seat->predecessor, NULL);
  seat->has_predecessor = false;
  parcel__current_seat = seat;
  snprintf(name, sizeof name, "task-%u", (unsigned)seat->worker % 100000000);
  pthread_setname_np(pthread_self(), name);
  pthread_cleanup_push(leave_early, seat);
  seat->stage = PARCEL__INITIALIZES;
  if (seat->must_close && runner->close)
    runner->close(runner->ctx, seat->worker);
  seat->must_close = false;
  const parcel_status status = runner->open ? runner->open(runner->ctx, seat->worker) : PARCEL_OK;
  pthread_mutex_lock(&executor->mutex);
  seat->stage = PARCEL__RUNS_TASKS;
  --executor->starting;
  --executor->pollers;
  if (status) {
    break_executor(executor, status);
  } else {
    pthread_mutex_unlock(&executor->mutex);
    serve(seat);
  }
  leave_seat(seat);
  pthread_mutex_unlock(&executor->mutex);
  pthread_cleanup_pop(0);
  return NULL;
}

/* Returns an error number. Under the mutex. */
static int start_thread(parcel__seat *seat)
{
  parcel_executor *executor = seat->executor;
  const int error = parcel__thread_start(&seat->thread, run_seat, seat);
  executor->starting += error == 0;
  executor->pollers += error == 0;
  return error;
}

/* Another thread goes on in the seat of the one that is ending. Where none starts, those that are left do its
 * work; where none is left, nobody can. Under the mutex. */
static void hand_over(parcel__seat *seat)
{
  parcel_executor *executor = seat->executor;
  seat->predecessor = pthread_self();
  seat->has_predecessor = true;
  const int error = start_thread(seat);
  if (!error)
    return;
  seat->thread = seat->predecessor;
  seat->has_predecessor = false;
  if (executor->live > 1) {
    --executor->live;
  } else {
    errno = error;
    break_executor(executor, parcel_fail(PARCEL_SYSTEM, "the executor's last thread ended inside a task, and "
                                                        "another did not start: %m"));
  }
  leave_seat(seat);
}

static void finish_given(void *argument)
{
  parcel__seat *seat = argument;
  for (int t = 0; t < seat->given_count; ++t)
    if (seat->given[t])
      finish_task(seat->given[t]);
  seat->given_count = 0;
}

static void end_in_tasks(parcel__seat *seat)
{
  parcel_executor *executor = seat->executor;
  if (seat->given_count > 0)
    parcel__run_apart(finish_given, seat);
  seat->stolen = NULL;
  seat->callbacks = 0;
  seat->must_close = true;
  pthread_mutex_lock(&executor->mutex);
  settle(seat);
  hand_over(seat);
  pthread_mutex_unlock(&executor->mutex);
}

static void end_in_initializer(void *argument)
{
  parcel__seat *seat = argument;
  parcel_executor *executor = seat->executor;
  pthread_mutex_lock(&executor->mutex);
  --executor->starting;
  --executor->pollers;
  break_executor(executor, parcel_fail(PARCEL_KERNEL, "a thread of the executor ended inside its initializer "
                                                      "or finalizer, as by pthread_exit"));
  leave_seat(seat);
  pthread_mutex_unlock(&executor->mutex);
}

static void end_in_finalizer(parcel__seat *seat)
{
  parcel_executor *executor = seat->executor;
  pthread_mutex_lock(&executor->mutex);
  leave_seat(seat);
  pthread_mutex_unlock(&executor->mutex);
}

static void leave_early(void *argument)
{
  parcel__seat *seat = argument;
  switch (seat->stage) {
  case PARCEL__INITIALIZES: parcel__run_apart(end_in_initializer, seat); break;
  case PARCEL__RUNS_TASKS: end_in_tasks(seat); break;
  case PARCEL__FINALIZES: end_in_finalizer(seat); break;
  }
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
  const int error = start_thread(seat);
  seat->has_thread = seat->is_taken = error == 0;
  executor->live += error == 0;
  return error;
}

void parcel__seat_join_all(parcel_executor *executor)
{
  for (int s = 0; s < executor->options.threads; ++s)
    if (executor->seats[s].has_thread)
      pthread_join(executor->seats[s].thread, NULL);
}
