/* That work finds every idle thread, sleeping ones included, that idle threads cost nothing, and what
 * the pool makes of grain 0. */
#include "pool_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

enum { COUNT = 997 };

/* ---- uneven bodies ---- */

typedef struct lopsided {
  parcel_index slow; /* the position that ends when all others are done */
  atomic_int done;
} lopsided;

static parcel_status wait_for_others(void *ctx, parcel_span positions, int worker)
{
  lopsided *loop = ctx;
  (void)worker;
  while (positions.begin == loop->slow && loop->done < COUNT - 1)
    usleep(100);
  ++loop->done;
  return PARCEL_OK;
}

static void pool_what_a_busy_worker_has_left_is_done_by_others(void **state)
{
  static const parcel_index slow[] = {0, 1, COUNT / 2, COUNT - 1};
  (void)state;
  for (int c = 0; c < 2 * LENGTH(slow); ++c) {
    parcel_pool *pool = make_pool(c % 2 ? MOST_WORKERS : 2);
    lopsided called = {.slow = slow[c / 2]};
    lopsided started = {.slow = slow[c / 2]};
    assert_ok(parcel_pool_for(pool, COUNT, 1, wait_for_others, &called));
    assert_ok(parcel_pool_start(pool, COUNT, 1, wait_for_others, &started));
    assert_ok(parcel_pool_finish(pool));
    assert_int_equal(called.done, COUNT);
    assert_int_equal(started.done, COUNT);
    parcel_pool_destroy(&pool);
  }
}

/* ---- waking ---- */

typedef struct meeting {
  int threads;
  atomic_int present;
} meeting;

/* Ends when every worker is in a body. */
static parcel_status meet(void *ctx, parcel_span positions, int worker)
{
  meeting *all = ctx;
  (void)positions;
  (void)worker;
  ++all->present;
  while (all->present < all->threads)
    usleep(20);
  return PARCEL_OK;
}

static parcel_status hold_meeting(parcel_pool *pool, bool is_started)
{
  meeting all = {.threads = parcel_pool_threads(pool)};
  if (!is_started)
    return parcel_pool_for(pool, all.threads, 1, meet, &all);
  const parcel_status status = parcel_pool_start(pool, all.threads, 1, meet, &all);
  return status ? status : parcel_pool_finish(pool);
}

/* The pauses are about as long as a thread looks for work before it sleeps, where a call could get lost. */
static void pool_work_reaches_threads_that_are_about_to_sleep(void **state)
{
  uint64_t random = 1;
  (void)state;
  for (int p = 0; p < LENGTH(pool_sizes); ++p) {
    parcel_pool *pool = make_pool(pool_sizes[p]);
    for (int round = 0; round < 1000; ++round) {
      usleep((useconds_t)random_below(&random, 200));
      assert_ok(hold_meeting(pool, round % 4 == 0));
    }
    parcel_pool_destroy(&pool);
  }
}

static double cpu_seconds(void)
{
  struct rusage used;
  assert_int_equal(getrusage(RUSAGE_SELF, &used), 0);
  return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static void pool_idle_threads_sleep(void **state)
{
  (void)state;
  for (int p = 0; p < LENGTH(pool_sizes); ++p) {
    parcel_pool *pool = make_pool(pool_sizes[p]);
    assert_ok(hold_meeting(pool, false));
    assert_ok(hold_meeting(pool, true));
    usleep(20000);
    const double before = cpu_seconds();
    usleep(200000);
    assert_true(cpu_seconds() - before < 0.02);
    parcel_pool_destroy(&pool);
  }
}

static parcel_status sleep_on_first(void *ctx, parcel_span positions, int worker)
{
  (void)ctx;
  (void)worker;
  if (positions.begin == 0)
    usleep(200000);
  return PARCEL_OK;
}

static void pool_threads_without_work_sleep_while_others_are_busy(void **state)
{
  (void)state;
  for (int p = 0; p < LENGTH(pool_sizes); ++p) {
    parcel_pool *pool = make_pool(pool_sizes[p]);
    const double before = cpu_seconds();
    assert_ok(parcel_pool_for(pool, COUNT, 1, sleep_on_first, NULL));
    assert_ok(parcel_pool_start(pool, COUNT, 1, sleep_on_first, NULL));
    assert_ok(parcel_pool_finish(pool));
    assert_true(cpu_seconds() - before < 0.1);
    parcel_pool_destroy(&pool);
  }
}

/* ---- grain 0 ---- */

typedef struct tally {
  useconds_t pause; /* per position */
  atomic_int calls, positions;
} tally;

static parcel_status take_time(void *ctx, parcel_span positions, int worker)
{
  tally *sum = ctx;
  const int length = (int)(positions.end - positions.begin);
  (void)worker;
  if (sum->pause > 0)
    usleep(sum->pause * (useconds_t)length);
  sum->positions += length;
  ++sum->calls;
  return PARCEL_OK;
}

static void pool_own_choice_gives_tiny_bodies_long_spans_and_long_bodies_short_ones(void **state)
{
  (void)state;
  for (int p = 0; p < LENGTH(pool_sizes); ++p) {
    parcel_pool *pool = make_pool(pool_sizes[p]);
    tally tiny = {.pause = 0};
    tally longer = {.pause = 200};
    assert_ok(parcel_pool_for(pool, 1000000, 0, take_time, &tiny));
    assert_ok(parcel_pool_for(pool, COUNT, 0, take_time, &longer));
    assert_int_equal(tiny.positions, 1000000);
    assert_in_range(tiny.calls, 16, 100000);
    assert_int_equal(longer.positions, COUNT);
    assert_in_range(longer.calls, COUNT / 2, COUNT);
    parcel_pool_destroy(&pool);
  }
}

/* ---- cancel ---- */

typedef struct cancelling {
  parcel_pool *pool;
  atomic_int calls;
} cancelling;

static parcel_status cancel_at_ten(void *ctx, parcel_span positions, int worker)
{
  cancelling *loop = ctx;
  (void)positions;
  (void)worker;
  if (++loop->calls == 10)
    parcel_pool_cancel(loop->pool);
  return PARCEL_OK;
}

static void pool_called_loop_is_cancelled_and_the_next_one_is_whole(void **state)
{
  (void)state;
  for (int c = 0; c < 200 * LENGTH(pool_sizes); ++c) {
    static parcel_pool *pool;
    const int round = c % 200;
    tally next = {.pause = 0};
    if (round == 0)
      pool = make_pool(pool_sizes[c / 200]);
    cancelling loop = {.pool = pool};
    assert_refused(parcel_pool_for(pool, 1 << 20, 1, cancel_at_ten, &loop), PARCEL_STOPPED, "cancelled");
    assert_in_range(loop.calls, 10, (1 << 20) - 1);
    assert_ok(parcel_pool_for(pool, COUNT, round % 3, take_time, &next));
    assert_int_equal(next.positions, COUNT);
    if (round == 199)
      parcel_pool_destroy(&pool);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(pool_what_a_busy_worker_has_left_is_done_by_others),
      cmocka_unit_test(pool_work_reaches_threads_that_are_about_to_sleep),
      cmocka_unit_test(pool_idle_threads_sleep),
      cmocka_unit_test(pool_threads_without_work_sleep_while_others_are_busy),
      cmocka_unit_test(pool_own_choice_gives_tiny_bodies_long_spans_and_long_bodies_short_ones),
      cmocka_unit_test(pool_called_loop_is_cancelled_and_the_next_one_is_whole),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
