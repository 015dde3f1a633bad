/* A loop is cut into units, numbered from 0, of one or more calls of the body. Each seat has a run of
 * them that nobody has begun: its worker takes from the front, and whoever has none takes the far half
 * of the fullest seat's. So neighbours stay together, work moves only when somebody is idle, and
 * log2(units) moves are enough for a fair share even where the cost of positions differs much (Blumofe
 * and Leiserson, JACM 46(5), 1999; moving half: Hendler and Shavit, PODC 2002).
 *
 * The leader opens the loop with all units in its own seat and does them, alone if need be: it waits
 * only for workers that have come through the gate. A worker that never gets a CPU costs nothing.
 *
 * A run is one 64-bit word, so that one compare-and-swap moves either end. A word that is the same again
 * (ABA) means the same units, not begun, so that the exchange is right whatever happened in between; and
 * words of another loop are never met, since seats are filled anew only when nobody else is inside.
 *
 * The loop is over when the leader closes the gate: its own seat is empty and nobody else is inside,
 * whose seats were empty when they left. */
#include "pool_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "thread_impl.h"

/* The pool's own choice of a span (grain 0): at most this fraction of a worker's fair share, at most
 * this fraction of what its seat has left, at first this fraction of the most, and from then on what
 * takes about SPAN_NANOSECONDS: long beside the 50 ns it costs to begin a span and look at the clock,
 * short beside any loop that is worth a pool. */
enum { SHARES = 16, TAIL = 4, CAUTION = 8, SPAN_NANOSECONDS = 20000 };

/* Pauses for which the leader waits awake; fewer where it may hold the CPU that the others need. */
enum { LEADER_PATIENCE = 2000, CROWDED_PATIENCE = 100 };

static const uint64_t inside = PARCEL__GATE_OPEN - 1;

/* The pool whose body the calling thread is in: a loop inside a loop of the same pool would wait for
 * itself. */
static _Thread_local const parcel_pool *running;

bool parcel__pool_is_running(const parcel_pool *pool)
{
  return running == pool;
}

/* ---- runs of units ---- */

static uint64_t pack(parcel_span units)
{
  return (uint64_t)units.end << 32 | (uint64_t)units.begin;
}

static parcel_span unpack(uint64_t word)
{
  return (parcel_span){(parcel_index)(word & UINT32_MAX), (parcel_index)(word >> 32)};
}

static parcel_index length(parcel_span units)
{
  return units.end - units.begin;
}

/* Takes units off the front of the worker's own seat: `most`, but fewer near the end, so that others find
 * some. False if there is none. */
static bool take(parcel__seat *own, parcel_index most, parcel_span *out)
{
  uint64_t word = atomic_load(&own->units);
  parcel_span taken;
  parcel_span left;
  do {
    left = unpack(word);
    if (length(left) == 0)
      return false;
    const parcel_index fair = length(left) / TAIL;
    taken = (parcel_span){left.begin, left.begin + (fair < most ? (fair > 0 ? fair : 1) : most)};
    left.begin = taken.end;
  } while (!atomic_compare_exchange_weak(&own->units, &word, pack(left)));
  *out = taken;
  return true;
}

static parcel__seat *fullest(const parcel_pool *pool)
{
  parcel__seat *best = NULL;
  parcel_index most = 0;
  for (int s = 0; s < pool->threads; ++s) {
    const parcel_index units = length(unpack(atomic_load(&pool->seats[s].units)));
    if (units > most) {
      most = units;
      best = &pool->seats[s];
    }
  }
  return best;
}

/* Moves the far half of the fullest seat's units to own, which is empty; the larger half, so a single one,
 * too. False if nobody has any. */
static bool steal(parcel__seat *own)
{
  parcel__seat *victim = NULL;
  while ((victim = fullest(own->pool))) {
    uint64_t word = atomic_load(&victim->units);
    const parcel_span units = unpack(word);
    const parcel_index middle = units.begin + length(units) / 2;
    if (length(units) > 0 &&
        atomic_compare_exchange_strong(&victim->units, &word, pack((parcel_span){units.begin, middle}))) {
      atomic_store(&own->units, pack((parcel_span){middle, units.end}));
      return true;
    }
  }
  return false;
}

bool parcel__pool_has_work(parcel_pool *pool)
{
  return parcel__pool_is_open(atomic_load(&pool->gate)) && !atomic_load(&pool->is_cancelled) && fullest(pool);
}

/* ---- positions ---- */

static void record_failure(parcel_pool *pool, parcel_status status)
{
  if (!atomic_exchange(&pool->has_failed, true)) {
    pool->status = status;
    snprintf(pool->error, sizeof pool->error, "%s", parcel_last_error());
  }
  atomic_store(&pool->is_cancelled, true);
}

static bool is_cancelled(parcel_pool *pool)
{
  return atomic_load_explicit(&pool->is_cancelled, memory_order_relaxed);
}

void parcel__pool_outlive(parcel_pool *pool, int worker, parcel_status status)
{
  pool->seats[worker].is_outlived = true;
  if (status)
    record_failure(pool, status);
}

void parcel__pool_fail_span(parcel__seat *own)
{
  running = NULL;
  if (!own->is_outlived)
    record_failure(own->pool, parcel_fail(PARCEL_KERNEL,
                                          "the thread ended inside the body at positions %" PRId64
                                          " to %" PRId64 ", as by pthread_exit; a body has to return",
                                          own->span.begin, own->span.end - 1));
  own->is_outlived = false;
}

static void call_body(parcel_pool *pool, parcel_span units, int worker)
{
  const parcel__loop *loop = &pool->loop;
  const parcel_index end = units.end < loop->units ? units.end * loop->unit : loop->count;
  parcel_span span = {units.begin * loop->unit, units.begin * loop->unit};
  while (span.end < end && !is_cancelled(pool)) {
    span.begin = span.end;
    span.end = loop->grain > 0 && loop->grain < end - span.begin ? span.begin + loop->grain : end;
    pool->seats[worker].span = span;
    const parcel_status status = loop->body(loop->ctx, span, worker);
    if (status)
      record_failure(pool, status);
  }
  if (span.end < end)
    atomic_store(&pool->is_cut, true);
}

static int64_t nanoseconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now); /* read in user space: no system call */
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Units to take next, after `units` took so long: fewer at once if that was too long, more little by
 * little. */
static parcel_index next_pace(parcel_index units, int64_t elapsed, parcel_index most)
{
  parcel_index next = units * 2;
  if (elapsed > SPAN_NANOSECONDS)
    next = (parcel_index)((double)units * SPAN_NANOSECONDS / (double)elapsed);
  return next < 1 ? 1 : next < most ? next : most;
}

static void work_off(parcel__seat *own)
{
  parcel_pool *pool = own->pool;
  const parcel_index most = pool->loop.most;
  parcel_index pace = most / CAUTION + 1;
  parcel_span units;
  int64_t begun = most > 1 ? nanoseconds() : 0;
  while (!is_cancelled(pool) && take(own, pace, &units)) {
    call_body(pool, units, own->worker);
    if (most > 1) {
      const int64_t now = nanoseconds();
      pace = next_pace(length(units), now - begun, most);
      begun = now;
    }
  }
}

static void wake_leader(parcel_pool *pool)
{
  if (!atomic_load(&pool->is_leader_asleep))
    return;
  atomic_store(&pool->is_leader_asleep, false);
  parcel__futex_wake(&pool->is_leader_asleep, 1);
}

/* Finds work for an empty seat, tells others if there is more, and does it. */
static bool work_off_others(parcel__seat *own)
{
  parcel_pool *pool = own->pool;
  if (is_cancelled(pool) || !steal(own))
    return false;
  if (parcel__pool_has_work(pool)) {
    parcel__pool_wake(pool, 2);
    wake_leader(pool);
  }
  work_off(own);
  return true;
}

/* ---- who is in the loop ---- */

static parcel__loop cut(const parcel_pool *pool, parcel_index count, parcel_index grain, parcel_body body,
                        void *ctx)
{
  parcel__loop loop = {.body = body, .ctx = ctx, .count = count, .grain = grain, .most = 1};
  const parcel_index span = grain > 0 ? grain : 1;
  const parcel_index spans = count / span + (count % span != 0);
  loop.unit = span * (spans / UINT32_MAX + 1);
  loop.units = count / loop.unit + (count % loop.unit != 0);
  if (grain == 0 && loop.units / pool->threads / SHARES > 1)
    loop.most = loop.units / pool->threads / SHARES;
  return loop;
}

void parcel__pool_open(parcel_pool *pool, parcel_index count, parcel_index grain, parcel_body body, void *ctx)
{
  const uint64_t last = atomic_load(&pool->gate) / PARCEL__GATE_NUMBER;
  pool->loop = cut(pool, count, grain, body, ctx);
  if (atomic_load(&pool->is_cancelled)) {
    atomic_store(&pool->is_cut, false);
    atomic_store(&pool->has_failed, false);
    atomic_store(&pool->is_cancelled, false);
  }
  atomic_store(&pool->seats[0].units, pack((parcel_span){0, pool->loop.units}));
  atomic_store(&pool->gate, (last + 1) * PARCEL__GATE_NUMBER | PARCEL__GATE_OPEN);
}

bool parcel__pool_clear(parcel_pool *pool)
{
  bool is_left = atomic_load(&pool->is_cut);
  for (int s = 0; s < pool->threads; ++s)
    is_left |= length(unpack(atomic_exchange(&pool->seats[s].units, 0))) > 0;
  return is_left;
}

static bool close_gate(parcel_pool *pool)
{
  uint64_t empty = atomic_load(&pool->gate) & ~inside;
  return atomic_compare_exchange_strong(&pool->gate, &empty, empty & ~PARCEL__GATE_OPEN);
}

/* Fails only if the loop is over. */
static bool join(parcel_pool *pool)
{
  uint64_t gate = atomic_load(&pool->gate);
  while (parcel__pool_is_open(gate))
    if (atomic_compare_exchange_weak(&pool->gate, &gate, gate + 1))
      return true;
  return false;
}

static void leave(parcel_pool *pool)
{
  const uint64_t gate = atomic_fetch_sub(&pool->gate, 1);
  if ((gate & inside) == 1)
    wake_leader(pool);
}

/* Whether the leader has a reason to do anything but wait. */
static bool is_needed(parcel_pool *pool)
{
  return (atomic_load(&pool->gate) & inside) == 0 || parcel__pool_has_work(pool);
}

/* The leader has nothing to do while others are busy: it looks for a while, then sleeps until all have left
 * or there is work again, which was on its way between two seats. */
static void rest(parcel_pool *pool)
{
  const int patience = pool->spinners < pool->threads - 1 ? CROWDED_PATIENCE : LEADER_PATIENCE;
  for (int p = 0; p < patience; ++p) {
    if (is_needed(pool))
      return;
    parcel__spin_pause();
  }
  atomic_store(&pool->is_leader_asleep, true);
  while (!is_needed(pool) && atomic_load(&pool->is_leader_asleep))
    parcel__futex_wait(&pool->is_leader_asleep, true, NULL);
  atomic_store(&pool->is_leader_asleep, false);
}

void parcel__pool_lead(parcel_pool *pool)
{
  parcel__seat *own = &pool->seats[0];
  const parcel_pool *outer = running;
  running = pool;
  work_off(own);
  while (!close_gate(pool))
    if (!work_off_others(own))
      rest(pool);
  running = outer;
}

void parcel__pool_follow(parcel__seat *own)
{
  parcel_pool *pool = own->pool;
  if (!join(pool))
    return;
  parcel__pool_leave_idle(pool);
  parcel__pool_follow_on(own);
}

void parcel__pool_follow_on(parcel__seat *own)
{
  parcel_pool *pool = own->pool;
  running = pool;
  work_off(own);
  while (work_off_others(own))
    continue;
  running = NULL;
  parcel__pool_enter_idle(pool);
  leave(pool);
}
