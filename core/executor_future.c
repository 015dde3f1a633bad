/* A task's life is one word of bits, so that to start, cancel, end and release it each take one atomic step,
 * and no lock. What only some tasks need goes by the executor's mutex: watches, and failures that nobody has
 * looked at. */
#include "executor_state_impl.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "thread_impl.h"

const char parcel__cancelled_text[] = "the task was cancelled before it began";
static const double spin_seconds = 20e-6;

bool parcel__task_is_cancelled(const parcel__task *task)
{
  return atomic_load_explicit(&task->state, memory_order_acquire) & PARCEL__CANCELLED;
}

bool parcel_task_is_cancelled(const parcel_task_context *context)
{
  return atomic_load_explicit(context->flags, memory_order_acquire) & PARCEL__CANCELLED ||
         (context->deadline_seconds > 0 && parcel__now() >= context->deadline_seconds);
}

int parcel_task_worker(const parcel_task_context *context)
{
  return context->worker;
}

/* ---- memory ---- */

/* A seat collects what it gives back until it has the mutex anyway. */
static void give_back(parcel__task *task)
{
  parcel_executor *executor = task->executor;
  parcel__seat *seat = parcel__seat_in(executor);
  free(task->text);
  task->text = NULL;
  if (seat) {
    task->next_unused = seat->unused;
    if (!seat->unused)
      seat->last_unused = task;
    seat->unused = task;
    return;
  }
  parcel__task *first = atomic_load_explicit(&executor->returned, memory_order_relaxed);
  do
    task->next_unused = first;
  while (!atomic_compare_exchange_weak_explicit(&executor->returned, &first, task, memory_order_release,
                                                memory_order_relaxed));
}

/* ---- who has a task ---- */

bool parcel__task_claim(parcel__task *task, unsigned more_bits)
{
  unsigned state = atomic_load_explicit(&task->state, memory_order_relaxed);
  while (state & PARCEL__QUEUED && !(state & PARCEL__STARTED))
    if (atomic_compare_exchange_weak_explicit(&task->state, &state, state | PARCEL__STARTED | more_bits,
                                              memory_order_acq_rel, memory_order_relaxed))
      return true;
  return false;
}

bool parcel__task_claim_popped(parcel__task *task)
{
  unsigned state = atomic_load_explicit(&task->state, memory_order_relaxed);
  while (!(state & PARCEL__STARTED))
    if (atomic_compare_exchange_weak_explicit(&task->state, &state,
                                              (state & ~(unsigned)PARCEL__QUEUED) | PARCEL__STARTED,
                                              memory_order_acq_rel, memory_order_relaxed))
      return true;
  state = atomic_fetch_and_explicit(&task->state, ~(unsigned)PARCEL__QUEUED, memory_order_acq_rel);
  if (state & PARCEL__DONE && state & PARCEL__RELEASED)
    give_back(task);
  return false;
}

/* ---- the end of a task ---- */

void parcel__executor_note(parcel_executor *executor, parcel_status status, const char *text)
{
  pthread_mutex_lock(&executor->mutex);
  if (executor->failures++ == 0) {
    executor->first_failure = status;
    snprintf(executor->first_text, PARCEL_ERROR_SIZE, "%s", text ? text : parcel_status_text(status));
  }
  pthread_mutex_unlock(&executor->mutex);
}

static const char *text_of(const parcel__task *task)
{
  return task->text ? task->text : parcel_status_text(task->status);
}

bool parcel__task_has_unseen_failure(const parcel__task *task, unsigned state)
{
  return task->status && task->status != PARCEL_CANCELLED && !(state & PARCEL__SEEN);
}

static void count_end(parcel_executor *executor)
{
  parcel__seat *seat = parcel__seat_in(executor);
  if (seat) {
    ++seat->ended;
    return;
  }
  pthread_mutex_lock(&executor->mutex);
  if (++executor->ended == executor->submitted)
    pthread_cond_broadcast(&executor->quiet);
  pthread_mutex_unlock(&executor->mutex);
}

/* ---- then-callbacks ---- */

typedef struct told {
  parcel__watch *next; /* callbacks to come, oldest first */
  parcel_status status;
  char text[PARCEL_ERROR_SIZE];
} told;

static void call_back(parcel__watch *watch, parcel_status status, const char *text)
{
  parcel__seat *seat = parcel__current_seat;
  if (seat)
    ++seat->callbacks;
  if (status)
    parcel_fail(status, "%s", text);
  watch->callback(watch->ctx, status);
  if (seat)
    --seat->callbacks;
}

static void call_back_rest(void *told);

/* A callback in which the thread ends keeps no other from being called. */
static void call_back_all(void *argument)
{
  told *told = argument;
  pthread_cleanup_push(call_back_rest, told);
  while (told->next) {
    parcel__watch watch = *told->next;
    free(told->next);
    told->next = watch.next;
    call_back(&watch, told->status, told->text);
  }
  pthread_cleanup_pop(0);
}

static void call_back_rest(void *told)
{
  parcel__run_apart(call_back_all, told);
}

/* Of a list that is newest first: tells each parcel_completed, and returns the then-callbacks, oldest
 * first. */
static parcel__watch *tell_completed(parcel__watch *watch)
{
  parcel__watch *callbacks = NULL;
  for (parcel__watch *next; watch; watch = next) {
    next = watch->next;
    if (watch->callback) {
      watch->next = callbacks;
      callbacks = watch;
    } else {
      parcel__completed_tell(watch);
    }
  }
  return callbacks;
}

static void end_task(parcel__task *task, parcel_executor *executor, unsigned before)
{
  if (before & PARCEL__RELEASED && !(before & PARCEL__QUEUED))
    give_back(task);
  count_end(executor);
}

typedef struct ended {
  parcel__task *task;
  parcel_executor *executor;
  unsigned before;
} ended;

static void end_told_task(void *argument)
{
  const ended *ended = argument;
  end_task(ended->task, ended->executor, ended->before);
}

/* Whoever sees DONE may release the task: its watches come off before, and nothing of it is touched after but
 * what is the last one's to do. */
static void set_done_of_watched(parcel__task *task, parcel_executor *executor)
{
  told told = {.status = task->status};
  ended ended = {.task = task, .executor = executor};
  snprintf(told.text, sizeof told.text, "%s", text_of(task));
  pthread_mutex_lock(&executor->mutex);
  parcel__watch *watches = task->watches;
  task->watches = NULL;
  ended.before = atomic_fetch_or_explicit(&task->state, PARCEL__DONE, memory_order_acq_rel);
  told.next = tell_completed(watches);
  pthread_mutex_unlock(&executor->mutex);
  if (ended.before & PARCEL__WAITED)
    parcel__futex_wake(&task->state, INT_MAX);
  pthread_cleanup_push(end_told_task, &ended);
  call_back_all(&told);
  pthread_cleanup_pop(1);
}

/* A failure of a task that no future refers to is noted before the task is over, so that who waits for the
 * executor finds it. A watched task needs no such care: its callback looks at it, or its future is kept. */
static void set_done(parcel__task *task, parcel_executor *executor)
{
  unsigned bits = PARCEL__DONE;
  unsigned state = atomic_load_explicit(&task->state, memory_order_acquire);
  while (!(state & PARCEL__WATCHED)) {
    if (state & PARCEL__RELEASED && parcel__task_has_unseen_failure(task, state | bits)) {
      parcel__executor_note(executor, task->status, task->text);
      bits |= PARCEL__SEEN;
    }
    if (atomic_compare_exchange_weak_explicit(&task->state, &state, state | bits, memory_order_acq_rel,
                                              memory_order_acquire)) {
      if (state & PARCEL__WAITED)
        parcel__futex_wake(&task->state, INT_MAX);
      end_task(task, executor, state);
      return;
    }
  }
  set_done_of_watched(task, executor);
}

void parcel__task_finish(parcel__task *task, parcel_status status, const char *text)
{
  parcel_executor *executor = task->executor;
  parcel__seat *seat = executor->runner.run ? parcel__seat_in(executor) : NULL;
  if (seat)
    parcel__seat_forget(seat, task);
  if (status && status != PARCEL_CANCELLED)
    parcel__map_fail(task);
  task->status = status;
  if (status && text && *text)
    task->text = strdup(text);
  set_done(task, executor);
}

bool parcel__slabs_end_unstarted(parcel__slab *slabs, unsigned bits, parcel_status status, const char *text)
{
  bool is_any = false;
  for (parcel__slab *slab = slabs; slab; slab = slab->next) {
    for (int t = 0; t < PARCEL__SLAB; ++t) {
      if (!parcel__task_claim(&slab->tasks[t], bits))
        continue;
      parcel__task_finish(&slab->tasks[t], status, text);
      is_any = true;
    }
  }
  return is_any;
}

/* ---- what a future can be asked ---- */

static bool is_done(const parcel__task *task)
{
  return atomic_load_explicit(&task->state, memory_order_acquire) & PARCEL__DONE;
}

bool parcel_future_is_done(const parcel_future *future)
{
  return is_done(future);
}

static parcel_status look_at(parcel__task *task)
{
  if (task->status == PARCEL_OK)
    return PARCEL_OK;
  atomic_fetch_or_explicit(&task->state, PARCEL__SEEN, memory_order_relaxed);
  return parcel_fail(task->status, "%s", text_of(task));
}

/* Looks less and less often, so that the thread that works is not disturbed. */
static bool spin_until_done(const parcel__task *task)
{
  const double end = parcel__now() + spin_seconds;
  int pauses = 1;
  do {
    for (int p = 0; p < pauses; ++p)
      parcel__spin_pause();
    if (is_done(task))
      return true;
    pauses += pauses < 32 ? pauses : 0;
  } while (parcel__now() < end);
  return false;
}

bool parcel__task_block(parcel__task *task, const struct timespec *deadline)
{
  parcel_executor *executor = task->executor;
  parcel__seat *seat = parcel__seat_in(executor);
  if (is_done(task))
    return true;
  if (seat && !deadline && parcel__task_claim(task, 0)) {
    parcel__seat_run(seat, task);
    return true;
  }
  if (executor->may_spin && spin_until_done(task))
    return true;
  unsigned state = atomic_load_explicit(&task->state, memory_order_acquire);
  while (!(state & PARCEL__DONE)) {
    if (!(state & PARCEL__WAITED) &&
        !atomic_compare_exchange_weak_explicit(&task->state, &state, state | PARCEL__WAITED,
                                               memory_order_acquire, memory_order_acquire))
      continue;
    if (!parcel__futex_wait(&task->state, state | PARCEL__WAITED, deadline))
      return is_done(task);
    state = atomic_load_explicit(&task->state, memory_order_acquire);
  }
  return true;
}

bool parcel__may_not_block(const parcel_executor *executor)
{
  const parcel__seat *seat = parcel__seat_in(executor);
  return seat && (seat->callbacks > 0 || executor->runner.run);
}

parcel_status parcel_future_wait_for(parcel_future *future, double timeout_seconds)
{
  if (is_done(future))
    return look_at(future);
  if (timeout_seconds != 0 && parcel__may_not_block(future->executor))
    return parcel_fail(PARCEL_INVALID,
                       "a then-callback waited for a task of its own executor; wait in a task");
  if (timeout_seconds < 0 && parcel__task_block(future, NULL))
    return look_at(future);
  const struct timespec deadline = parcel__deadline_in(timeout_seconds);
  if (timeout_seconds > 0 && parcel__task_block(future, &deadline))
    return look_at(future);
  return parcel_fail(PARCEL_TIMEOUT, "the task is not over after %g s", timeout_seconds);
}

parcel_status parcel_future_wait(parcel_future *future)
{
  return parcel_future_wait_for(future, PARCEL_FOREVER);
}

bool parcel_future_cancel(parcel_future *future)
{
  if (parcel__task_claim(future, PARCEL__CANCELLED)) {
    parcel__task_finish(future, PARCEL_CANCELLED, parcel__cancelled_text);
    return true;
  }
  unsigned state = atomic_load_explicit(&future->state, memory_order_relaxed);
  while (!(state & PARCEL__DONE) &&
         !atomic_compare_exchange_weak_explicit(&future->state, &state, state | PARCEL__CANCELLED,
                                                memory_order_release, memory_order_relaxed))
    continue;
  return false;
}

void parcel_future_release(parcel_future **future)
{
  parcel__task *task = *future;
  if (!task)
    return;
  *future = NULL;
  unsigned bits = PARCEL__RELEASED;
  unsigned state = atomic_load_explicit(&task->state, memory_order_acquire);
  do
    if (state & PARCEL__DONE && parcel__task_has_unseen_failure(task, state | bits)) {
      parcel__executor_note(task->executor, task->status, task->text);
      bits |= PARCEL__SEEN;
    }
  while (!atomic_compare_exchange_weak_explicit(&task->state, &state, state | bits, memory_order_acq_rel,
                                                memory_order_acquire));
  if (state & PARCEL__DONE && !(state & PARCEL__QUEUED))
    give_back(task);
}

/* ---- watches ---- */

bool parcel__task_watch(parcel__task *task, parcel__watch *watch)
{
  const unsigned bits = PARCEL__WATCHED | (watch->callback ? PARCEL__SEEN : 0);
  pthread_mutex_lock(&task->executor->mutex);
  unsigned state = atomic_load_explicit(&task->state, memory_order_acquire);
  parcel__watch *others = task->watches;
  watch->next = others;
  task->watches = watch; /* nobody looks before WATCHED */
  while (!(state & PARCEL__DONE) &&
         !atomic_compare_exchange_weak_explicit(&task->state, &state, state | bits, memory_order_acq_rel,
                                                memory_order_acquire))
    continue;
  if (state & PARCEL__DONE)
    task->watches = others;
  pthread_mutex_unlock(&task->executor->mutex);
  return !(state & PARCEL__DONE);
}

void parcel__task_unwatch(parcel__task *task, const parcel__watch *watch)
{
  pthread_mutex_lock(&task->executor->mutex);
  parcel__watch **link = &task->watches;
  while (*link && *link != watch)
    link = &(*link)->next;
  if (*link)
    *link = watch->next;
  pthread_mutex_unlock(&task->executor->mutex);
}

parcel_status parcel_future_then(parcel_future *future, void (*callback)(void *ctx, parcel_status status),
                                 void *ctx)
{
  parcel__watch *watch = malloc(sizeof *watch);
  if (!watch)
    return parcel_fail(PARCEL_MEMORY, "no memory for a task's callback");
  *watch = (parcel__watch){.callback = callback, .ctx = ctx};
  if (!parcel__task_watch(future, watch)) {
    told told = {.next = watch, .status = look_at(future)};
    watch->next = NULL;
    snprintf(told.text, sizeof told.text, "%s", parcel_last_error());
    call_back_all(&told);
  }
  return PARCEL_OK;
}
