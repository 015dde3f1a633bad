/* The queue is a ring of pointers under one mutex; tasks come from slabs that are kept until the end, so that
 * in a steady state nothing is allocated and a stale pointer to a task always points to a task. */
#include "executor_state_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpus_impl.h"
#include "thread_impl.h"

static const double default_idle_seconds = 10;
enum { FIRST_RING = 1024 };

/* ---- the runner that is a thread ---- */

static parcel_status initialize(void *ctx, int worker)
{
  const parcel_executor_options *options = ctx;
  return options->initialize ? options->initialize(options->ctx, worker) : PARCEL_OK;
}

static void finalize(void *ctx, int worker)
{
  const parcel_executor_options *options = ctx;
  if (options->finalize)
    options->finalize(options->ctx, worker);
}

/* ---- creation ---- */

static parcel_status complete_options(const parcel_executor_options *given, int cpus,
                                      parcel_executor_options *out)
{
  parcel_executor_options options = PARCEL_EXECUTOR_OPTIONS_INIT;
  if (given)
    options = *given;
  if (options.threads < 0 || options.least_threads < 0)
    return parcel_fail(PARCEL_INVALID,
                       "an executor of %d to %d threads; use at least 1, or 0 for the default",
                       options.least_threads, options.threads);
  if (!(options.idle_seconds >= 0) || options.capacity < 0)
    return parcel_fail(PARCEL_INVALID,
                       "an executor with idle_seconds %g and capacity %" PRId64 "; neither may be negative",
                       options.idle_seconds, options.capacity);
  if (options.threads == 0)
    options.threads = cpus > options.least_threads ? cpus : options.least_threads;
  if (options.least_threads == 0)
    options.least_threads = options.threads;
  if (options.least_threads > options.threads)
    return parcel_fail(PARCEL_INVALID, "an executor of at least %d and at most %d threads",
                       options.least_threads, options.threads);
  if (options.idle_seconds == 0)
    options.idle_seconds = default_idle_seconds;
  *out = options;
  return PARCEL_OK;
}

static parcel_status init_locks(parcel_executor *executor)
{
  pthread_condattr_t monotonic;
  if (pthread_condattr_init(&monotonic) || pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) ||
      pthread_mutex_init(&executor->mutex, NULL) || pthread_cond_init(&executor->work, &monotonic) ||
      pthread_cond_init(&executor->room, NULL) || pthread_cond_init(&executor->quiet, NULL))
    return parcel_fail(PARCEL_SYSTEM, "an executor's mutex or condition variable could not be made");
  pthread_condattr_destroy(&monotonic);
  return PARCEL_OK;
}

static parcel_status start_threads(parcel_executor *executor)
{
  int error = 0;
  pthread_mutex_lock(&executor->mutex);
  while (!error && executor->live < executor->options.least_threads)
    error = parcel__seat_start(executor);
  const int started = executor->live;
  pthread_mutex_unlock(&executor->mutex);
  if (!error)
    return PARCEL_OK;
  errno = error;
  return parcel_fail(PARCEL_SYSTEM, "thread %d of %d did not start: %m; ask for fewer or raise the limit",
                     started + 1, executor->options.least_threads);
}

/* All of zeros, aligned to cache lines. */
static void *make_lines(size_t size)
{
  void *lines = aligned_alloc(PARCEL__CACHE_LINE, size);
  return lines ? memset(lines, 0, size) : NULL;
}

static void free_memory(parcel_executor *executor)
{
  for (parcel__slab *slab = executor->slabs, *next; slab; slab = next) {
    next = slab->next;
    for (int t = 0; t < PARCEL__SLAB; ++t)
      free(slab->tasks[t].text);
    free(slab);
  }
  free(executor->ring);
  free(executor->seats);
  free(executor);
}

static void end_threads(parcel_executor *executor)
{
  pthread_mutex_lock(&executor->mutex);
  atomic_store(&executor->is_ending, true);
  pthread_cond_broadcast(&executor->work);
  pthread_mutex_unlock(&executor->mutex);
  parcel__seat_join_all(executor);
}

static void destroy_locks(parcel_executor *executor)
{
  pthread_cond_destroy(&executor->quiet);
  pthread_cond_destroy(&executor->room);
  pthread_cond_destroy(&executor->work);
  pthread_mutex_destroy(&executor->mutex);
}

static parcel__runner complete_runner(const parcel__runner *given, parcel_executor *executor)
{
  parcel__runner runner = {
      .ctx = &executor->options, .open = initialize, .close = finalize, .batch = PARCEL__BATCH};
  if (given)
    runner = *given;
  if (runner.batch < 1)
    runner.batch = 1;
  if (runner.batch > PARCEL__BATCH)
    runner.batch = PARCEL__BATCH;
  return runner;
}

static parcel_status make_executor(const parcel_executor_options *options, parcel_executor **out)
{
  parcel_executor *executor = make_lines(sizeof *executor);
  if (!executor)
    return parcel_fail(PARCEL_MEMORY, "no memory for an executor");
  executor->options = *options;
  executor->ring_size = FIRST_RING;
  executor->ring = calloc(FIRST_RING, sizeof(parcel__task *));
  executor->seats = make_lines((size_t)options->threads * sizeof *executor->seats);
  parcel_status status = PARCEL_OK;
  if (!executor->ring || !executor->seats)
    status = parcel_fail(PARCEL_MEMORY, "no memory for an executor of %d threads", options->threads);
  if (status || (status = init_locks(executor))) {
    free_memory(executor);
    return status;
  }
  for (int s = 0; s < options->threads; ++s) {
    executor->seats[s].executor = executor;
    executor->seats[s].worker = s;
  }
  *out = executor;
  return PARCEL_OK;
}

parcel_status parcel__executor_create(const parcel_executor_options *given, const parcel__runner *runner,
                                      parcel_executor **out)
{
  const int cpus = parcel__cpus_of_process().allowed;
  parcel_executor_options options = PARCEL_EXECUTOR_OPTIONS_INIT;
  parcel_executor *executor = NULL;
  parcel_status status = complete_options(given, cpus, &options);
  if (!status)
    status = make_executor(&options, &executor);
  if (status)
    return status;
  executor->runner = complete_runner(runner, executor);
  executor->may_spin = cpus > 1;
  status = start_threads(executor);
  if (!status) {
    *out = executor;
    return PARCEL_OK;
  }
  end_threads(executor);
  destroy_locks(executor);
  free_memory(executor);
  return status;
}

parcel_status parcel_executor_create(const parcel_executor_options *options, parcel_executor **out)
{
  return parcel__executor_create(options, NULL, out);
}

int parcel_executor_threads(parcel_executor *executor)
{
  pthread_mutex_lock(&executor->mutex);
  const int live = executor->live;
  pthread_mutex_unlock(&executor->mutex);
  return live;
}

/* ---- submitting: under the mutex ---- */

static parcel_status add_slab(parcel_executor *executor)
{
  parcel__slab *slab = aligned_alloc(PARCEL__CACHE_LINE, sizeof *slab);
  if (!slab)
    return parcel_fail(PARCEL_MEMORY, "no memory for another %d tasks", PARCEL__SLAB);
  memset(slab, 0, sizeof *slab);
  for (int t = 0; t < PARCEL__SLAB; ++t) {
    slab->tasks[t].executor = executor;
    atomic_init(&slab->tasks[t].state, PARCEL__DONE | PARCEL__RELEASED);
  }
  slab->next = executor->slabs;
  executor->slabs = slab;
  executor->slab_used = 0;
  return PARCEL_OK;
}

static parcel_status make_task(parcel_executor *executor, parcel__task **out)
{
  if (!executor->unused)
    executor->unused = atomic_exchange_explicit(&executor->returned, NULL, memory_order_acquire);
  if (executor->unused) {
    *out = executor->unused;
    executor->unused = executor->unused->next_unused;
    return PARCEL_OK;
  }
  if (!executor->slabs || executor->slab_used == PARCEL__SLAB) {
    const parcel_status status = add_slab(executor);
    if (status)
      return status;
  }
  *out = &executor->slabs->tasks[executor->slab_used++];
  return PARCEL_OK;
}

static parcel_status widen_ring(parcel_executor *executor)
{
  const parcel_index queued = executor->tail - executor->head;
  if (queued < executor->ring_size)
    return PARCEL_OK;
  parcel__task **ring = malloc(2 * (size_t)executor->ring_size * sizeof(parcel__task *));
  if (!ring)
    return parcel_fail(PARCEL_MEMORY, "no memory for a queue of more than %" PRId64 " tasks", queued);
  for (parcel_index t = 0; t < queued; ++t)
    ring[t] = executor->ring[(executor->head + t) & (executor->ring_size - 1)];
  free(executor->ring);
  executor->ring = ring;
  executor->ring_size *= 2;
  executor->head = 0;
  executor->tail = queued;
  return PARCEL_OK;
}

/* Waits for room. A task of this executor must not: all threads might wait so; it runs the new task
 * itself. */
static parcel_status find_room(parcel_executor *executor, bool *runs_here)
{
  const parcel_executor_options *options = &executor->options;
  while (!executor->broken && options->capacity > 0 && executor->tail - executor->head >= options->capacity) {
    if (options->refuses_when_full || parcel__may_not_block(executor))
      return parcel_fail(PARCEL_FULL, "%" PRId64 " tasks are queued, and no more may be; submit again later",
                         options->capacity);
    if (parcel__seat_in(executor)) {
      *runs_here = true;
      break;
    }
    ++executor->blocked_submitters;
    pthread_cond_wait(&executor->room, &executor->mutex);
    --executor->blocked_submitters;
  }
  if (!executor->broken)
    return widen_ring(executor);
  executor->is_break_told = true;
  return parcel_fail(executor->broken, "%s", executor->broken_text);
}

/* Puts it into the queue; true if a thread is to be signalled. */
static bool put(parcel_executor *executor, parcel__task *task)
{
  executor->ring[executor->tail++ & (executor->ring_size - 1)] = task;
  const parcel_index queued = executor->tail - executor->head;
  atomic_store_explicit(&executor->queued, queued, memory_order_relaxed);
  return parcel__seat_call(executor, queued);
}

parcel_status parcel_executor_submit(parcel_executor *executor, parcel_task_body body, void *argument,
                                     const parcel_submit_options *options, parcel_future **out)
{
  static const parcel_submit_options defaults = PARCEL_SUBMIT_OPTIONS_INIT;
  bool runs_here = false;
  bool must_signal = false;
  parcel__task *task = NULL;
  if (!options)
    options = &defaults;
  if (!(options->timeout_seconds >= 0))
    return parcel_fail(PARCEL_INVALID, "a task with a limit of %g s; use a positive one, or 0 for none",
                       options->timeout_seconds);
  pthread_mutex_lock(&executor->mutex);
  parcel_status status = find_room(executor, &runs_here);
  if (!status)
    status = make_task(executor, &task);
  if (!status) {
    task->body = body;
    task->argument = argument;
    task->argument_bytes = options->argument_bytes;
    task->timeout_seconds = options->timeout_seconds;
    task->watches = NULL;
    atomic_store_explicit(&task->state,
                          (runs_here ? PARCEL__STARTED : PARCEL__QUEUED) | (out ? 0U : PARCEL__RELEASED),
                          memory_order_release);
    if (out)
      *out = task;
    ++executor->submitted;
    must_signal = !runs_here && put(executor, task);
  }
  pthread_mutex_unlock(&executor->mutex);
  if (must_signal)
    pthread_cond_signal(&executor->work);
  if (!status && runs_here)
    parcel__seat_run(parcel__current_seat, task);
  return status;
}

/* ---- the end ---- */

/* Returns what nobody has looked at, and forgets it. */
static parcel_status report(parcel_executor *executor)
{
  const parcel_index failures = executor->failures;
  executor->failures = 0;
  if (failures == 0)
    return PARCEL_OK;
  if (failures == 1)
    return parcel_fail(executor->first_failure, "%s", executor->first_text);
  return parcel_fail(executor->first_failure, "%" PRId64 " tasks failed; the first: %s", failures,
                     executor->first_text);
}

static void wait_until_quiet(parcel_executor *executor)
{
  while (executor->ended < executor->submitted)
    pthread_cond_wait(&executor->quiet, &executor->mutex);
}

parcel_status parcel_executor_wait(parcel_executor *executor)
{
  if (parcel__seat_in(executor))
    return parcel_fail(PARCEL_INVALID,
                       "a task waited for its whole executor, itself included; wait for futures");
  pthread_mutex_lock(&executor->mutex);
  wait_until_quiet(executor);
  const parcel_status status = report(executor);
  pthread_mutex_unlock(&executor->mutex);
  return status;
}

/* Those that have not begun come first: the end of a running one makes room for them. */
void parcel_executor_cancel(parcel_executor *executor)
{
  pthread_mutex_lock(&executor->mutex);
  parcel__slab *slabs = executor->slabs;
  pthread_mutex_unlock(&executor->mutex);
  parcel__slabs_end_unstarted(slabs, PARCEL__CANCELLED, PARCEL_CANCELLED, parcel__cancelled_text);
  for (parcel__slab *slab = slabs; slab; slab = slab->next)
    for (int t = 0; t < PARCEL__SLAB; ++t)
      parcel_future_cancel(&slab->tasks[t]);
}

/* The threads have ended: tasks that were never released are as they ended. */
static void note_kept_failures(parcel_executor *executor)
{
  for (parcel__slab *slab = executor->slabs; slab; slab = slab->next) {
    for (int t = 0; t < PARCEL__SLAB; ++t) {
      const parcel__task *task = &slab->tasks[t];
      const unsigned state = atomic_load_explicit(&task->state, memory_order_relaxed);
      if (!(state & PARCEL__RELEASED) && parcel__task_has_unseen_failure(task, state))
        parcel__executor_note(executor, task->status, task->text);
    }
  }
  if (executor->broken && !executor->is_break_told)
    parcel__executor_note(executor, executor->broken, executor->broken_text);
}

parcel_status parcel_executor_destroy(parcel_executor **executor)
{
  parcel_executor *ending = *executor;
  if (!ending)
    return PARCEL_OK;
  if (parcel__seat_in(ending))
    return parcel_fail(PARCEL_INVALID, "a task destroyed its own executor; let who created it do so");
  pthread_mutex_lock(&ending->mutex);
  wait_until_quiet(ending);
  pthread_mutex_unlock(&ending->mutex);
  end_threads(ending);
  note_kept_failures(ending);
  const parcel_status status = report(ending);
  destroy_locks(ending);
  free_memory(ending);
  *executor = NULL;
  return status;
}
