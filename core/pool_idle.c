/* An idle thread first looks for work itself (it "watches"), since a loop that follows soon is then joined in
 * a fraction of a microsecond, and sleeps when it has looked in vain for some 50 of them. No more threads
 * watch than there are CPUs for.
 *
 * Waking costs microseconds, so the caller of a loop wakes at most one thread, and none while anybody
 * watches; who joins a loop wakes two more while there is work left. So there is always an awake thread that
 * will see the work, unless all are busy with it, and a loop that is over at once costs nobody a system call.
 *
 * The proof that no work is overlooked: who makes work visible does so before it reads `idle`; who goes to
 * sleep says so in `idle` before it looks for work the last time; and all four are sequentially consistent.
 * So one of the two sees the other. */
#include "pool_impl.h"

#include "thread_impl.h"

/* In pauses of the CPU, of 20 to 40 ns each. Between two looks there are some, which leaves the cache
 * lines to those who work on them. A loop that is seen open is looked at again after a hesitation, a
 * longer one if joining it means waking others: the shortest loops are over by then, and best left to
 * their caller. */
enum { PATIENCE = 2000, PAUSES = 4, HESITATION = 12, LONG_HESITATION = 40 };

/* `idle`: the number of watching threads in the low half, of sleeping ones in the high half. A sleeper
 * that is told to wake up counts as watching from then on, not only when it gets a CPU. */
static const uint64_t one_watcher = 1;
static const uint64_t one_sleeper = (uint64_t)1 << 32;

static int watchers(uint64_t idle)
{
  return (int)(idle & UINT32_MAX);
}

static int sleepers(uint64_t idle)
{
  return (int)(idle >> 32);
}

static void pause_for(int pauses)
{
  for (int p = 0; p < pauses; ++p)
    parcel__spin_pause();
}

void parcel__pool_enter_idle(parcel_pool *pool)
{
  atomic_fetch_add(&pool->idle, one_watcher);
}

void parcel__pool_leave_idle(parcel_pool *pool)
{
  atomic_fetch_sub(&pool->idle, one_watcher);
}

/* Turns up to `most` sleepers into watchers, by the books; returns how many. */
static int take_sleepers(parcel_pool *pool, int most)
{
  uint64_t idle = atomic_load(&pool->idle);
  int taken = 0;
  do {
    taken = sleepers(idle) < most ? sleepers(idle) : most;
  } while (taken > 0 && !atomic_compare_exchange_weak(&pool->idle, &idle,
                                                      idle - (uint64_t)taken * (one_sleeper - one_watcher)));
  return taken;
}

void parcel__pool_wake(parcel_pool *pool, int most)
{
  const int taken = take_sleepers(pool, most);
  if (taken == 0)
    return;
  atomic_fetch_add(&pool->permits, (unsigned)taken);
  parcel__futex_wake(&pool->permits, taken);
}

void parcel__pool_call_one(parcel_pool *pool)
{
  const uint64_t idle = atomic_load(&pool->idle);
  if (watchers(idle) == 0 && sleepers(idle) > 0)
    parcel__pool_wake(pool, 1);
}

static void await_permit(parcel_pool *pool)
{
  unsigned permits = atomic_load(&pool->permits);
  for (;;) {
    if (permits > 0 && atomic_compare_exchange_weak(&pool->permits, &permits, permits - 1))
      return;
    if (permits == 0) {
      parcel__futex_wait(&pool->permits, 0, NULL);
      permits = atomic_load(&pool->permits);
    }
  }
}

static void fall_asleep(parcel_pool *pool)
{
  atomic_fetch_add(&pool->idle, one_sleeper - one_watcher);
  const bool is_needed = parcel__pool_has_work(pool) || atomic_load(&pool->is_ending);
  if (!is_needed || take_sleepers(pool, 1) == 0) /* with no sleeper left, one permit is this thread's */
    await_permit(pool);
}

/* How long to hesitate before the loop that is open is joined. */
static int hesitation(parcel_pool *pool)
{
  return sleepers(atomic_load(&pool->idle)) > 0 ? LONG_HESITATION : HESITATION;
}

bool parcel__pool_await_work(parcel_pool *pool)
{
  uint64_t seen = atomic_load(&pool->gate);
  int waited = 0;
  while (!atomic_load(&pool->is_ending)) {
    const uint64_t gate = atomic_load(&pool->gate);
    const int pauses = parcel__pool_is_open(gate) ? hesitation(pool) : PAUSES;
    pause_for(pauses);
    if (parcel__pool_is_open(gate) && parcel__pool_is_same_loop(gate, atomic_load(&pool->gate)) &&
        parcel__pool_has_work(pool))
      return true;
    waited = parcel__pool_is_same_loop(gate, seen) ? waited + pauses : 0;
    seen = gate;
    if (waited >= PATIENCE || watchers(atomic_load(&pool->idle)) > pool->spinners) {
      fall_asleep(pool);
      waited = 0;
    }
  }
  return false;
}
