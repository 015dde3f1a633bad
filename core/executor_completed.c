/* Waiting for many futures: each gets a watch, so that every completion costs the same, however many there
 * are. The order of locks is the executor's mutex, then the parcel_completed's. */
#include "executor_state_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "thread_impl.h"

struct parcel_completed {
  parcel_future *const *futures; /* [count] */
  parcel_index count;
  parcel_index watched;   /* that are not NULL */
  parcel_index told;      /* to the caller */
  parcel_index cursor;    /* futures before it have begun */
  parcel__watch *watches; /* [count] */

  pthread_mutex_t mutex;
  pthread_cond_t arrival;
  parcel_index *order; /* [arrived] indices */
  parcel_index arrived;
};

static parcel_status refuse_callback(void)
{
  return parcel_fail(PARCEL_INVALID, "a then-callback waited for tasks; wait in a task");
}

void parcel__completed_tell(parcel__watch *watch)
{
  parcel_completed *completed = watch->completed;
  pthread_mutex_lock(&completed->mutex);
  watch->completed = NULL;
  completed->order[completed->arrived++] = watch->index;
  pthread_cond_signal(&completed->arrival);
  pthread_mutex_unlock(&completed->mutex);
}

static parcel_status init_arrival(parcel_completed *completed)
{
  pthread_condattr_t monotonic;
  if (pthread_condattr_init(&monotonic) || pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) ||
      pthread_mutex_init(&completed->mutex, NULL) || pthread_cond_init(&completed->arrival, &monotonic))
    return parcel_fail(PARCEL_SYSTEM, "a mutex or condition variable for completions could not be made");
  pthread_condattr_destroy(&monotonic);
  return PARCEL_OK;
}

static void free_memory(parcel_completed *completed)
{
  free(completed->watches);
  free(completed->order);
  free(completed);
}

parcel_status parcel_completed_open(parcel_future *const futures[], parcel_index count,
                                    parcel_completed **out)
{
  if (count < 0)
    return parcel_fail(PARCEL_INVALID, "%" PRId64 " futures to wait for", count);
  parcel_completed *completed = calloc(1, sizeof *completed);
  if (!completed)
    return parcel_fail(PARCEL_MEMORY, "no memory to watch futures");
  *completed = (parcel_completed){.futures = futures, .count = count};
  completed->watches = calloc((size_t)count + 1, sizeof *completed->watches);
  completed->order = calloc((size_t)count + 1, sizeof *completed->order);
  parcel_status status = PARCEL_OK;
  if (!completed->watches || !completed->order)
    status = parcel_fail(PARCEL_MEMORY, "no memory to watch %" PRId64 " futures", count);
  if (status || (status = init_arrival(completed))) {
    free_memory(completed);
    return status;
  }
  for (parcel_index f = 0; f < count; ++f) {
    if (!futures[f])
      continue;
    parcel__watch *watch = &completed->watches[f];
    *watch = (parcel__watch){.completed = completed, .index = f};
    ++completed->watched;
    if (!parcel__task_watch(futures[f], watch))
      parcel__completed_tell(watch);
  }
  *out = completed;
  return PARCEL_OK;
}

/* In a task: runs one that has not begun, since nobody else may be there to do so. */
static bool run_one(parcel_completed *completed)
{
  parcel__seat *seat = parcel__current_seat;
  for (; seat && completed->cursor < completed->count; ++completed->cursor) {
    parcel__task *task = completed->futures[completed->cursor];
    if (task && task->executor == seat->executor && parcel__task_claim(task, 0)) {
      parcel__seat_run(seat, task);
      return true;
    }
  }
  return false;
}

static parcel_status wait_for_arrival(parcel_completed *completed, double timeout_seconds)
{
  const struct timespec deadline = parcel__deadline_in(timeout_seconds);
  int error = 0;
  while (completed->arrived == completed->told && error != ETIMEDOUT) {
    if (timeout_seconds >= 0) {
      error = pthread_cond_timedwait(&completed->arrival, &completed->mutex, &deadline);
      continue;
    }
    pthread_mutex_unlock(&completed->mutex);
    const bool has_run = run_one(completed);
    pthread_mutex_lock(&completed->mutex);
    if (!has_run && completed->arrived == completed->told)
      pthread_cond_wait(&completed->arrival, &completed->mutex);
  }
  if (completed->arrived > completed->told)
    return PARCEL_OK;
  return parcel_fail(PARCEL_TIMEOUT, "none of %" PRId64 " tasks got done within %g s",
                     completed->watched - completed->told, timeout_seconds);
}

parcel_status parcel_completed_next(parcel_completed *completed, double timeout_seconds, parcel_index *which)
{
  const parcel__seat *seat = parcel__current_seat;
  if (completed->told == completed->watched) {
    *which = -1;
    return PARCEL_OK;
  }
  if (seat && parcel__may_not_block(seat->executor))
    return refuse_callback();
  pthread_mutex_lock(&completed->mutex);
  const parcel_status status = wait_for_arrival(completed, timeout_seconds);
  if (!status)
    *which = completed->order[completed->told++];
  pthread_mutex_unlock(&completed->mutex);
  return status;
}

/* False once it was told: its future may be gone. */
static bool is_watched(parcel_completed *completed, parcel_index index)
{
  pthread_mutex_lock(&completed->mutex);
  const bool is_waiting = completed->watches[index].completed;
  pthread_mutex_unlock(&completed->mutex);
  return is_waiting;
}

void parcel_completed_close(parcel_completed **completed)
{
  parcel_completed *closing = *completed;
  if (!closing)
    return;
  for (parcel_index f = 0; f < closing->count; ++f)
    if (is_watched(closing, f))
      parcel__task_unwatch(closing->futures[f], &closing->watches[f]);
  pthread_cond_destroy(&closing->arrival);
  pthread_mutex_destroy(&closing->mutex);
  free_memory(closing);
  *completed = NULL;
}

parcel_status parcel_future_wait_any(parcel_future *const futures[], parcel_index count,
                                     double timeout_seconds, parcel_index *which)
{
  parcel_completed *completed = NULL;
  parcel_index first = -1;
  for (parcel_index f = 0; f < count; ++f)
    if (futures[f] && parcel_future_is_done(futures[f])) {
      *which = f;
      return PARCEL_OK;
    }
  parcel_status status = parcel_completed_open(futures, count, &completed);
  if (status)
    return status;
  status = parcel_completed_next(completed, timeout_seconds, &first);
  parcel_completed_close(&completed);
  if (!status && first < 0)
    return parcel_fail(PARCEL_INVALID, "none of %" PRId64 " futures to wait for is one", count);
  if (!status)
    *which = first;
  return status;
}

/* Backwards, since the last one is likely the last to get done: the others then need no sleep. */
parcel_status parcel_future_wait_all(parcel_future *const futures[], parcel_index count)
{
  for (parcel_index f = count; f-- > 0;)
    if (!parcel_future_is_done(futures[f])) {
      if (parcel__may_not_block(futures[f]->executor))
        return refuse_callback();
      parcel__task_block(futures[f], NULL);
    }
  for (parcel_index f = 0; f < count; ++f)
    if (futures[f]->status)
      return parcel_future_wait(futures[f]);
  return PARCEL_OK;
}

/* ---- map ---- */

static void open_map(parcel_executor *executor, parcel__map *map)
{
  pthread_mutex_lock(&executor->mutex);
  map->next = executor->maps;
  executor->maps = map;
  pthread_mutex_unlock(&executor->mutex);
}

static void close_map(parcel_executor *executor, const parcel__map *map)
{
  pthread_mutex_lock(&executor->mutex);
  parcel__map **link = &executor->maps;
  while (*link != map)
    link = &(*link)->next;
  *link = map->next;
  pthread_mutex_unlock(&executor->mutex);
}

/* The map of a task, if it is the first of it to fail, and how many of the map's tasks are submitted. */
static parcel__map *find_map(const parcel__task *task, parcel_index *submitted)
{
  parcel_executor *executor = task->executor;
  parcel__map *found = NULL;
  pthread_mutex_lock(&executor->mutex);
  for (parcel__map *map = executor->maps; map && !found; map = map->next) {
    bool is_in = false;
    if (atomic_load(&map->has_failed))
      continue;
    for (*submitted = 0; *submitted < map->count && map->futures[*submitted]; ++*submitted)
      is_in |= map->futures[*submitted] == task;
    if (is_in)
      found = map;
  }
  if (found)
    atomic_store(&found->has_failed, true);
  pthread_mutex_unlock(&executor->mutex);
  return found;
}

/* The map waits for the task that is failing, so it stays until this returns. What is submitted meanwhile
 * is cancelled by who submits it. */
void parcel__map_fail(parcel__task *task)
{
  parcel_index submitted = 0;
  const parcel__map *map = find_map(task, &submitted);
  for (parcel_index f = 0; map && f < submitted; ++f)
    if (map->futures[f] != task)
      parcel_future_cancel(map->futures[f]);
}

/* The first failure by index; a cancelled task counts only where no other has failed.
 *
 * text  [PARCEL_ERROR_SIZE] its words */
static parcel_status await_map(const parcel__map *map, parcel_index submitted, char *text)
{
  parcel_status status = PARCEL_OK;
  for (parcel_index f = 0; f < submitted; ++f) {
    const parcel_status own = parcel_future_wait(map->futures[f]);
    if (own && (!status || (status == PARCEL_CANCELLED && own != PARCEL_CANCELLED))) {
      status = own;
      snprintf(text, PARCEL_ERROR_SIZE, "%s", parcel_last_error());
    }
  }
  return status;
}

parcel_status parcel_executor_map(parcel_executor *executor, parcel_task_body body, void *arguments,
                                  size_t stride, parcel_index count, const parcel_submit_options *options)
{
  if (count < 0)
    return parcel_fail(PARCEL_INVALID, "%" PRId64 " arguments to map", count);
  if (parcel__may_not_block(executor))
    return refuse_callback();
  parcel__map map = {.futures = calloc((size_t)count + 1, sizeof(parcel_future *)), .count = count};
  if (!map.futures)
    return parcel_fail(PARCEL_MEMORY, "no memory to map %" PRId64 " arguments", count);
  char text[PARCEL_ERROR_SIZE] = "";
  parcel_status status = PARCEL_OK;
  parcel_index submitted = 0;
  open_map(executor, &map);
  while (submitted < count && !status && !atomic_load(&map.has_failed)) {
    status = parcel_executor_submit(executor, body, (char *)arguments + (size_t)submitted * stride, options,
                                    &map.futures[submitted]);
    submitted += !status;
  }
  if (status)
    snprintf(text, sizeof text, "%s", parcel_last_error());
  for (parcel_index f = 0; f < submitted && (status || atomic_load(&map.has_failed)); ++f)
    parcel_future_cancel(map.futures[f]);
  char words[PARCEL_ERROR_SIZE] = "";
  const parcel_status failure = await_map(&map, submitted, words);
  close_map(executor, &map);
  for (parcel_index f = 0; f < submitted; ++f)
    parcel_future_release(&map.futures[f]);
  free(map.futures);
  if (status)
    return parcel_fail(status, "%s", text);
  return failure ? parcel_fail(failure, "%s", words) : PARCEL_OK;
}
