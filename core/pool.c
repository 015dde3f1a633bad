/* One loop at a time: workers take the loop's spans by number off an atomic counter. Counting spans and
 * not positions keeps the counter far from overflow, whatever the grain. The mutex guards the loop's
 * description and the comings and goings of workers; inside a loop a worker touches nothing shared but the
 * counter.
 *
 * Seats: worker 0 is the caller of parcel_pool_for. A loop begun by parcel_pool_start has no such caller,
 * so a thread takes that seat, made at the first such loop. Each thread compares the pool's generation
 * with the last one it saw, so a loop is joined at most once by each, and a thread that wakes up late
 * finds nothing left and leaves again. */
#include <parcel/pool.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpus_impl.h"

enum { CACHE_LINE = 64, SPANS_PER_WORKER = 16 };

typedef struct seat {
  parcel_pool *pool;
  pthread_t thread;
  int worker;
  bool has_thread;
} seat;

struct parcel_pool {
  pthread_mutex_t mutex;
  pthread_cond_t work; /* a loop begins, or the pool ends */
  pthread_cond_t idle; /* the last worker left the loop */
  seat *seats;         /* [threads] */
  int threads;
  uint64_t generation; /* of the loop; odd while one is open */
  int first_seat;      /* of the loop: 1 where the caller is worker 0 */
  int pending;         /* threads that have not yet left the loop */
  bool is_ending;      /* threads return */

  /* The loop: written before the generation changes under the mutex, constant until every worker has left. */
  parcel_body body;
  void *ctx;
  parcel_index count, grain, spans;

  /* The first failure: under the mutex. */
  parcel_status status;
  char error[PARCEL_ERROR_SIZE];

  alignas(CACHE_LINE) _Atomic parcel_index next; /* the next span's number; past `spans` when none is left */
  atomic_bool is_cancelled;                      /* set once per loop: failure or parcel_pool_cancel */
};

/* The pool whose body the calling thread is in: a loop inside a loop of the same pool would wait for
 * itself. */
static _Thread_local const parcel_pool *running;

static void record_failure(parcel_pool *pool, parcel_status status)
{
  pthread_mutex_lock(&pool->mutex);
  if (pool->status == PARCEL_OK) {
    pool->status = status;
    snprintf(pool->error, sizeof pool->error, "%s", parcel_last_error());
  }
  pthread_mutex_unlock(&pool->mutex);
  atomic_store(&pool->is_cancelled, true);
}

static parcel_span nth_span(parcel_index count, parcel_index grain, parcel_index n)
{
  const parcel_index begin = n * grain;
  return (parcel_span){begin, grain < count - begin ? begin + grain : count};
}

static void work(parcel_pool *pool, int worker)
{
  const parcel_pool *outer = running;
  running = pool;
  while (!atomic_load_explicit(&pool->is_cancelled, memory_order_relaxed)) {
    const parcel_index n = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
    if (n >= pool->spans)
      break;
    const parcel_status status = pool->body(pool->ctx, nth_span(pool->count, pool->grain, n), worker);
    if (status)
      record_failure(pool, status);
  }
  running = outer;
}

static void *run_seat(void *argument)
{
  const seat *own = argument;
  parcel_pool *pool = own->pool;
  uint64_t seen = 0;
  char name[16]; /* all that Linux keeps */

  snprintf(name, sizeof name, "parcel-%u", (unsigned)own->worker % 100000000);
  pthread_setname_np(pthread_self(), name);
  pthread_mutex_lock(&pool->mutex);
  for (;;) {
    while (!pool->is_ending && (pool->generation == seen || pool->generation % 2 == 0))
      pthread_cond_wait(&pool->work, &pool->mutex);
    if (pool->is_ending)
      break;
    seen = pool->generation;
    if (own->worker < pool->first_seat)
      continue;
    pthread_mutex_unlock(&pool->mutex);
    work(pool, own->worker);
    pthread_mutex_lock(&pool->mutex);
    if (--pool->pending == 0)
      pthread_cond_signal(&pool->idle);
  }
  pthread_mutex_unlock(&pool->mutex);
  return NULL;
}

/* Signals are for the main thread, whatever the caller's mask; but for those that the thread itself
 * causes. */
static void block_signals(sigset_t *before)
{
  static const int own[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
  sigset_t others;
  sigfillset(&others);
  for (size_t s = 0; s < sizeof own / sizeof *own; ++s)
    sigdelset(&others, own[s]);
  pthread_sigmask(SIG_SETMASK, &others, before);
}

static parcel_status start_thread(parcel_pool *pool, int worker)
{
  seat *own = &pool->seats[worker];
  sigset_t before;

  *own = (seat){.pool = pool, .worker = worker};
  block_signals(&before);
  const int error = pthread_create(&own->thread, NULL, run_seat, own);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  own->has_thread = error == 0;
  if (own->has_thread)
    return PARCEL_OK;
  errno = error;
  return parcel_fail(PARCEL_SYSTEM, "thread %d of %d did not start: %m; ask for fewer or raise the limit",
                     worker + 1, pool->threads);
}

static parcel_status init_pool(parcel_pool *pool)
{
  pthread_condattr_t monotonic;
  if (pthread_condattr_init(&monotonic) || pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) ||
      pthread_mutex_init(&pool->mutex, NULL) || pthread_cond_init(&pool->work, NULL) ||
      pthread_cond_init(&pool->idle, &monotonic))
    return parcel_fail(PARCEL_SYSTEM, "a pool's mutex or condition variable could not be made");
  pthread_condattr_destroy(&monotonic);
  return PARCEL_OK;
}

parcel_status parcel_pool_create(const parcel_pool_options *options, parcel_pool **out)
{
  const int wanted = options ? options->threads : 0;
  if (wanted < 0)
    return parcel_fail(PARCEL_INVALID, "a pool of %d threads; use at least 1, or 0 for one per CPU", wanted);
  const int threads = wanted > 0 ? wanted : parcel__cpus_of_process().allowed;
  parcel_pool *pool = aligned_alloc(CACHE_LINE, sizeof *pool);
  seat *seats = calloc((size_t)threads, sizeof *seats);
  if (!pool || !seats) {
    free(pool);
    free(seats);
    return parcel_fail(PARCEL_MEMORY, "no memory for a pool of %d threads", threads);
  }
  memset(pool, 0, sizeof *pool);
  pool->seats = seats;
  pool->threads = threads;
  parcel_status status = init_pool(pool);
  for (int worker = 1; worker < threads && !status; ++worker)
    status = start_thread(pool, worker);
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

static parcel_index choose_grain(parcel_index count, int threads)
{
  const parcel_index grain = count / threads / SPANS_PER_WORKER;
  return grain > 0 ? grain : 1;
}

/* Opens a loop to the workers from first_seat on. */
static parcel_status open_loop(parcel_pool *pool, parcel_index count, parcel_index grain, parcel_body body,
                               void *ctx, int first_seat)
{
  parcel_status status = PARCEL_OK;
  pthread_mutex_lock(&pool->mutex);
  if (pool->generation % 2 == 1)
    status = parcel_fail(PARCEL_INVALID, "the pool runs a loop already; one caller at a time");
  else if (first_seat == 0 && !pool->seats[0].has_thread)
    status = start_thread(pool, 0);
  if (!status) {
    pool->body = body;
    pool->ctx = ctx;
    pool->count = count;
    pool->grain = grain > 0 ? grain : choose_grain(count, pool->threads);
    pool->spans = count / pool->grain + (count % pool->grain != 0);
    pool->status = PARCEL_OK;
    pool->first_seat = first_seat;
    pool->pending = pool->threads - first_seat;
    atomic_store(&pool->next, 0);
    atomic_store(&pool->is_cancelled, false);
    ++pool->generation;
    pthread_cond_broadcast(&pool->work);
  }
  pthread_mutex_unlock(&pool->mutex);
  return status;
}

static parcel_status check_loop(const parcel_pool *pool, parcel_index count, parcel_index grain)
{
  if (count < 0 || grain < 0)
    return parcel_fail(PARCEL_INVALID,
                       "a loop over %" PRId64 " positions by %" PRId64 "; neither may be negative", count,
                       grain);
  if (pool && running == pool)
    return parcel_fail(PARCEL_INVALID,
                       "a loop's body called a loop on the same pool; use another pool, or NULL");
  return PARCEL_OK;
}

static parcel_status run_serially(parcel_index count, parcel_index grain, parcel_body body, void *ctx)
{
  if (grain == 0)
    grain = choose_grain(count, 1);
  parcel_status status = PARCEL_OK;
  for (parcel_index n = 0; n < count / grain + (count % grain != 0) && !status; ++n)
    status = body(ctx, nth_span(count, grain, n), 0);
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
  if ((status = open_loop(pool, count, grain, body, ctx, 1)))
    return status;
  work(pool, 0);
  return parcel_pool_finish(pool);
}

parcel_status parcel_pool_start(parcel_pool *pool, parcel_index count, parcel_index grain, parcel_body body,
                                void *ctx)
{
  const parcel_status status = check_loop(pool, count, grain);
  return status ? status : open_loop(pool, count, grain, body, ctx, 0);
}

static struct timespec deadline_in(double seconds)
{
  const double longest = 1e9;
  struct timespec deadline;
  seconds = !(seconds > 0) ? 0 : seconds < longest ? seconds : longest;
  clock_gettime(CLOCK_MONOTONIC, &deadline);
  const long nanoseconds = deadline.tv_nsec + (long)((seconds - (double)(time_t)seconds) * 1e9);
  deadline.tv_sec += (time_t)seconds + nanoseconds / 1000000000L;
  deadline.tv_nsec = nanoseconds % 1000000000L;
  return deadline;
}

bool parcel_pool_wait(parcel_pool *pool, double timeout_seconds)
{
  const struct timespec deadline = deadline_in(timeout_seconds);
  pthread_mutex_lock(&pool->mutex);
  int error = 0;
  while (pool->pending > 0 && error != ETIMEDOUT)
    error = pthread_cond_timedwait(&pool->idle, &pool->mutex, &deadline);
  const bool is_over = pool->pending == 0;
  pthread_mutex_unlock(&pool->mutex);
  return is_over;
}

parcel_status parcel_pool_finish(parcel_pool *pool)
{
  pthread_mutex_lock(&pool->mutex);
  while (pool->pending > 0)
    pthread_cond_wait(&pool->idle, &pool->mutex);
  parcel_status status = pool->status;
  if (status)
    parcel_fail(status, "%s", pool->error);
  else if (atomic_load(&pool->next) < pool->spans)
    status = parcel_fail(PARCEL_STOPPED, "the loop was cancelled");
  ++pool->generation;
  pthread_mutex_unlock(&pool->mutex);
  return status;
}

void parcel_pool_cancel(parcel_pool *pool)
{
  atomic_store(&pool->is_cancelled, true);
}

void parcel_pool_destroy(parcel_pool **pool)
{
  parcel_pool *ending = *pool;
  if (!ending)
    return;
  pthread_mutex_lock(&ending->mutex);
  ending->is_ending = true;
  pthread_cond_broadcast(&ending->work);
  pthread_mutex_unlock(&ending->mutex);
  for (int worker = 0; worker < ending->threads; ++worker)
    if (ending->seats[worker].has_thread)
      pthread_join(ending->seats[worker].thread, NULL);
  pthread_cond_destroy(&ending->idle);
  pthread_cond_destroy(&ending->work);
  pthread_mutex_destroy(&ending->mutex);
  free(ending->seats);
  free(ending);
  *pool = NULL;
}
