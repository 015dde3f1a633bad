/* What callers see. A loop is led from seat 0: by the caller of parcel_pool_for itself, or, in a loop that is
 * started, by a thread of the pool's that is made when first needed and has no part in others. */
#include <parcel/pool.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpus_impl.h"
#include "pool_impl.h"
#include "thread_impl.h"

/* ---- the threads ---- */

static void name_thread(const parcel__seat *own)
{
  char name[16]; /* all that Linux keeps */
  snprintf(name, sizeof name, "parcel-%u", (unsigned)own->worker % 100000000);
  pthread_setname_np(pthread_self(), name);
}

static void begin_thread(parcel__seat *own)
{
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  name_thread(own);
  if (own->has_predecessor)
    pthread_join(own->predecessor, NULL);
}

static void *run_follower(void *argument);
static void *run_leader(void *argument);

/* The thread ends inside the body: a new one goes on in its seat, and in the loop. Where none starts, the
 * loop fails and the seat stays empty.
 *
 * go_on  what is to be done in this thread then */
static void hand_over(parcel__seat *own, void *(*run)(void *), void (*go_on)(parcel__seat *own))
{
  parcel__pool_fail_span(own);
  own->predecessor = pthread_self();
  own->has_predecessor = true;
  const int error = parcel__thread_start(&own->thread, run, own);
  if (!error)
    return;
  own->thread = own->predecessor;
  own->has_predecessor = false;
  errno = error;
  parcel__pool_outlive(
      own->pool, own->worker,
      parcel_fail(PARCEL_SYSTEM, "a thread ended inside the body, and no other started: %m"));
  own->is_outlived = false;
  go_on(own);
}

static void follow_to_the_end(parcel__seat *own)
{
  parcel__pool_follow_on(own);
  parcel__pool_leave_idle(own->pool);
}

static void follow_on(void *own)
{
  hand_over(own, run_follower, follow_to_the_end);
}

static void *run_follower(void *argument)
{
  parcel__seat *own = argument;
  begin_thread(own);
  pthread_cleanup_push(follow_on, own);
  if (own->has_predecessor) {
    own->has_predecessor = false;
    parcel__pool_follow_on(own);
  } else
    parcel__pool_enter_idle(own->pool);
  while (parcel__pool_await_work(own->pool))
    parcel__pool_follow(own);
  pthread_cleanup_pop(0);
  return NULL;
}

static void lead(parcel__seat *own)
{
  parcel_pool *pool = own->pool;
  parcel__pool_lead(pool);
  ++pool->led;
  atomic_store(&pool->is_over, true);
  parcel__futex_wake(&pool->is_over, 1);
}

static void lead_on(void *own)
{
  hand_over(own, run_leader, lead);
}

static void *run_leader(void *argument)
{
  parcel__seat *own = argument;
  parcel_pool *pool = own->pool;
  begin_thread(own);
  own->has_predecessor = false;
  pthread_cleanup_push(lead_on, own);
  for (;;) {
    while (atomic_load(&pool->starts) == pool->led)
      parcel__futex_wait(&pool->starts, pool->led, NULL);
    if (atomic_load(&pool->is_ending))
      break;
    lead(own);
  }
  pthread_cleanup_pop(0);
  return NULL;
}

static parcel_status start_thread(parcel_pool *pool, int worker)
{
  parcel__seat *own = &pool->seats[worker];
  const int error = parcel__thread_start(&own->thread, worker == 0 ? run_leader : run_follower, own);
  own->has_thread = error == 0;
  if (own->has_thread)
    return PARCEL_OK;
  errno = error;
  return parcel_fail(PARCEL_SYSTEM, "thread %d of %d did not start: %m; ask for fewer or raise the limit",
                     worker + 1, pool->threads);
}

/* ---- the pool ---- */

static parcel_pool *allocate(int threads)
{
  parcel_pool *pool = aligned_alloc(PARCEL__CACHE_LINE, sizeof *pool);
  parcel__seat *seats = aligned_alloc(PARCEL__CACHE_LINE, (size_t)threads * sizeof *seats);
  if (!pool || !seats) {
    free(pool);
    free(seats);
    parcel_fail(PARCEL_MEMORY, "no memory for a pool of %d threads", threads);
    return NULL;
  }
  memset(pool, 0, sizeof *pool);
  memset(seats, 0, (size_t)threads * sizeof *seats);
  for (int worker = 0; worker < threads; ++worker) {
    seats[worker].pool = pool;
    seats[worker].worker = worker;
  }
  pool->seats = seats;
  pool->threads = threads;
  pool->is_over = true;
  return pool;
}

parcel_status parcel_pool_create(const parcel_pool_options *options, parcel_pool **out)
{
  const int wanted = options ? options->threads : 0;
  const bool is_pinned = options && options->pin;
  if (wanted < 0)
    return parcel_fail(PARCEL_INVALID, "a pool of %d threads; use at least 1, or 0 for one per CPU", wanted);
  const int cpus = parcel__cpus_of_process().allowed;
  parcel_pool *pool = allocate(wanted > 0 ? wanted : cpus);
  if (!pool)
    return PARCEL_MEMORY;
  pool->spinners = (pool->threads < cpus ? pool->threads : cpus) - 1;
  parcel_status status = PARCEL_OK;
  for (int worker = is_pinned ? 0 : 1; worker < pool->threads && !status; ++worker)
    status = start_thread(pool, worker);
  if (!status && is_pinned)
    status = parcel__pool_pin(pool);
  if (status)
    parcel_pool_destroy(&pool);
  else
    *out = pool;
  return status;
}

int parcel_pool_threads(const parcel_pool *pool)
{
  return pool ? pool->threads : 1;
}

void parcel_pool_destroy(parcel_pool **pool)
{
  parcel_pool *ending = *pool;
  if (!ending)
    return;
  atomic_store(&ending->is_ending, true);
  parcel__pool_wake(ending, ending->threads);
  atomic_fetch_add(&ending->starts, 1);
  parcel__futex_wake(&ending->starts, 1);
  for (int worker = 0; worker < ending->threads; ++worker)
    if (ending->seats[worker].has_thread)
      pthread_join(ending->seats[worker].thread, NULL);
  free(ending->seats);
  free(ending);
  *pool = NULL;
}

/* ---- loops ---- */

static parcel_status check_loop(const parcel_pool *pool, parcel_index count, parcel_index grain)
{
  if (count < 0 || grain < 0)
    return parcel_fail(PARCEL_INVALID,
                       "a loop over %" PRId64 " positions by %" PRId64 "; neither may be negative", count,
                       grain);
  if (pool && parcel__pool_is_running(pool))
    return parcel_fail(PARCEL_INVALID,
                       "a loop's body called a loop on the same pool; use another pool, or NULL");
  return PARCEL_OK;
}

/* From here to give_back() the calling thread alone opens loops. */
static parcel_status take_pool(parcel_pool *pool)
{
  if (atomic_exchange(&pool->is_taken, true))
    return parcel_fail(PARCEL_INVALID, "the pool runs a loop already; one caller at a time");
  return PARCEL_OK;
}

static void give_back(parcel_pool *pool)
{
  atomic_store(&pool->is_taken, false);
}

/* How the loop that is over has ended. */
static parcel_status conclude(parcel_pool *pool)
{
  parcel_status status = PARCEL_OK;
  if (atomic_load(&pool->is_cancelled)) {
    const bool is_left = parcel__pool_clear(pool);
    if (atomic_load(&pool->has_failed))
      status = parcel_fail(pool->status, "%s", pool->error);
    else if (is_left)
      status = parcel_fail(PARCEL_STOPPED, "the loop was cancelled");
  }
  give_back(pool);
  return status;
}

/* The caller's own thread ends inside the body: the others are let out of the loop, and the pool is free. */
static void conclude_alone(void *argument)
{
  parcel_pool *pool = argument;
  parcel__pool_fail_span(&pool->seats[0]);
  parcel__pool_lead(pool);
  (void)conclude(pool);
}

static parcel_status run_serially(parcel_index count, parcel_index grain, parcel_body body, void *ctx)
{
  parcel_status status = PARCEL_OK;
  parcel_span span = {0, 0};
  while (span.end < count && !status) {
    span.begin = span.end;
    span.end = grain > 0 && grain < count - span.begin ? span.begin + grain : count;
    status = body(ctx, span, 0);
  }
  return status;
}

parcel_status parcel_pool_for(parcel_pool *pool, parcel_index count, parcel_index grain, parcel_body body,
                              void *ctx)
{
  parcel_status status = check_loop(pool, count, grain);
  if (status || count == 0)
    return status;
  if (!pool)
    return run_serially(count, grain, body, ctx);
  if ((status = take_pool(pool)))
    return status;
  parcel__pool_open(pool, count, grain, body, ctx);
  parcel__pool_call_one(pool);
  pthread_cleanup_push(conclude_alone, pool);
  parcel__pool_lead(pool);
  pthread_cleanup_pop(0);
  return conclude(pool);
}

parcel_status parcel_pool_start(parcel_pool *pool, parcel_index count, parcel_index grain, parcel_body body,
                                void *ctx)
{
  parcel_status status = check_loop(pool, count, grain);
  if (status || (status = take_pool(pool)))
    return status;
  if (!pool->seats[0].has_thread && (status = start_thread(pool, 0))) {
    give_back(pool);
    return status;
  }
  atomic_store(&pool->is_over, false);
  parcel__pool_open(pool, count, grain, body, ctx);
  parcel__pool_wake(pool, pool->threads);
  atomic_fetch_add(&pool->starts, 1);
  parcel__futex_wake(&pool->starts, 1);
  return PARCEL_OK;
}

bool parcel_pool_wait(parcel_pool *pool, double timeout_seconds)
{
  const struct timespec deadline = parcel__deadline_in(timeout_seconds);
  while (!atomic_load(&pool->is_over))
    if (!parcel__futex_wait(&pool->is_over, false, &deadline))
      break;
  return atomic_load(&pool->is_over);
}

parcel_status parcel_pool_finish(parcel_pool *pool)
{
  while (!atomic_load(&pool->is_over))
    parcel__futex_wait(&pool->is_over, false, NULL);
  return conclude(pool);
}

void parcel_pool_cancel(parcel_pool *pool)
{
  atomic_store(&pool->is_cancelled, true);
}
