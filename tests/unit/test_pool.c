/* What a loop promises: every position once, the first failure, one caller at a time. Loops that are started
 * and left alone are in test_pool_start.c, the life of the threads is in test_pool_threads.c. */
#include "pool_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { MOST = 1000 };

/* ---- what the bodies of a loop saw: they run in other threads, where cmocka cannot assert ---- */

typedef struct witness {
  parcel_index count, grain;
  int threads;
  bool is_uneven;
  atomic_int visits[MOST];
  atomic_bool is_busy[MOST_WORKERS]; /* by worker */
  atomic_int mistakes;
} witness;

static bool is_cut_rightly(const witness *seen, parcel_span span)
{
  if (span.begin < 0 || span.begin >= span.end || span.end > seen->count)
    return false;
  return seen->grain == 0 ||
         (span.begin % seen->grain == 0 && (span.end - span.begin == seen->grain || span.end == seen->count));
}

static parcel_status visit(void *ctx, parcel_span positions, int worker)
{
  witness *seen = ctx;
  if (!is_cut_rightly(seen, positions) || worker < 0 || worker >= seen->threads) {
    ++seen->mistakes;
    return PARCEL_OK;
  }
  if (atomic_exchange(&seen->is_busy[worker], true))
    ++seen->mistakes;
  for (parcel_index p = positions.begin; p < positions.end; ++p)
    ++seen->visits[p];
  if (seen->is_uneven && positions.begin == 0)
    usleep(2000);
  else if (seen->is_uneven && positions.begin % 3 == 0)
    sched_yield();
  atomic_store(&seen->is_busy[worker], false);
  return PARCEL_OK;
}

static void assert_visited_once(const witness *seen)
{
  assert_int_equal(seen->mistakes, 0);
  for (int p = 0; p < MOST; ++p)
    assert_int_equal(seen->visits[p], p < seen->count);
}

static void check_every_size(parcel_pool *pool)
{
  static const parcel_index counts[] = {0, 1, 2, 97, MOST};
  static const parcel_index grains[] = {0, 1, 7, MOST + 1, INT64_MAX};
  for (int shape = 0; shape < 2 * LENGTH(counts) * LENGTH(grains); ++shape) {
    witness seen = {.count = counts[shape / 2 % LENGTH(counts)],
                    .grain = grains[shape / 2 / LENGTH(counts)],
                    .threads = parcel_pool_threads(pool),
                    .is_uneven = shape % 2 == 1};
    assert_ok(parcel_pool_for(pool, seen.count, seen.grain, visit, &seen));
    assert_visited_once(&seen);
  }
}

static void pool_every_position_visited_once(void **state)
{
  (void)state;
  on_every_pool(check_every_size);
}

static void check_many_loops(parcel_pool *pool)
{
  for (int loop = 0; loop < 2000; ++loop) {
    witness seen = {.count = loop % 5, .grain = 1, .threads = parcel_pool_threads(pool)};
    assert_ok(parcel_pool_for(pool, seen.count, seen.grain, visit, &seen));
    for (int p = 0; p < seen.count; ++p)
      assert_int_equal(seen.visits[p], 1);
  }
}

static void pool_is_reused_for_many_loops(void **state)
{
  (void)state;
  on_every_pool(check_many_loops);
}

static void pool_of_null_is_one_worker(void **state)
{
  (void)state;
  assert_int_equal(parcel_pool_threads(NULL), 1);
}

/* ---- huge counts ---- */

typedef struct tally {
  parcel_index count;
  _Atomic parcel_index positions, ends;
  atomic_int calls, mistakes;
} tally;

static parcel_status add_up(void *ctx, parcel_span positions, int worker)
{
  tally *sum = ctx;
  (void)worker;
  if (positions.begin < 0 || positions.begin >= positions.end || positions.end > sum->count)
    ++sum->mistakes;
  sum->positions += positions.end - positions.begin;
  sum->ends += positions.end == sum->count;
  ++sum->calls;
  return PARCEL_OK;
}

static void check_huge_counts(parcel_pool *pool)
{
  static const struct {
    parcel_index grain;
    int spans; /* 0: the pool's choice */
  } cases[] = {{INT64_MAX, 1}, {INT64_MAX - 1, 2}, {INT64_MAX / 2, 3}, {(parcel_index)1 << 55, 256}, {0, 0}};
  for (int c = 0; c < LENGTH(cases); ++c) {
    tally sum = {.count = INT64_MAX};
    assert_ok(parcel_pool_for(pool, sum.count, cases[c].grain, add_up, &sum));
    assert_int_equal(sum.mistakes, 0);
    assert_int_equal(sum.positions, INT64_MAX);
    assert_int_equal(sum.ends, 1);
    if (cases[c].spans)
      assert_int_equal(sum.calls, cases[c].spans);
    else
      assert_in_range(sum.calls, parcel_pool_threads(pool), 100000);
  }
}

static void pool_counts_next_to_int64_max_do_not_overflow(void **state)
{
  (void)state;
  on_every_pool(check_huge_counts);
}

static void check_negative(parcel_pool *pool)
{
  tally sum = {.count = 0};
  assert_refused(parcel_pool_for(pool, -1, 1, add_up, &sum), PARCEL_INVALID, "-1 positions");
  assert_refused(parcel_pool_for(pool, 1, -1, add_up, &sum), PARCEL_INVALID, "by -1");
  if (pool) {
    assert_refused(parcel_pool_start(pool, -1, 1, add_up, &sum), PARCEL_INVALID, "-1 positions");
    assert_refused(parcel_pool_start(pool, 1, -1, add_up, &sum), PARCEL_INVALID, "by -1");
  }
  assert_int_equal(sum.calls, 0);
}

static void pool_negative_sizes_are_refused(void **state)
{
  (void)state;
  on_every_pool(check_negative);
}

/* ---- failures ---- */

typedef struct failing {
  parcel_index at; /* the position that fails at once; all others take a millisecond */
  atomic_int calls;
} failing;

static parcel_status fail_there(void *ctx, parcel_span positions, int worker)
{
  failing *loop = ctx;
  ++loop->calls;
  if (positions.begin == loop->at)
    return parcel_fail(PARCEL_KERNEL, "no root at %d by worker %d", (int)loop->at, worker);
  usleep(1000);
  return PARCEL_OK;
}

static void check_failure(parcel_pool *pool)
{
  failing loop = {.at = 3};
  witness after = {.count = MOST, .grain = 7, .threads = parcel_pool_threads(pool)};
  assert_refused(parcel_pool_for(pool, MOST, 1, fail_there, &loop), PARCEL_KERNEL, "no root at 3 by worker");
  if (parcel_pool_threads(pool) == 1)
    assert_int_equal(loop.calls, loop.at + 1);
  else
    assert_in_range(loop.calls, 1, MOST - 1);
  assert_ok(parcel_pool_for(pool, after.count, after.grain, visit, &after));
  assert_visited_once(&after);
}

static void pool_failure_is_returned_and_starts_no_new_span(void **state)
{
  (void)state;
  on_every_pool(check_failure);
}

typedef struct race_to_fail {
  int threads;
  atomic_int begun, late;
  atomic_bool is_first_out;
} race_to_fail;

/* Position 0 fails when every worker is in a body, the others clearly later. */
static parcel_status fail_in_turn(void *ctx, parcel_span positions, int worker)
{
  race_to_fail *race = ctx;
  (void)worker;
  ++race->begun;
  if (positions.begin == 0) {
    while (race->begun < race->threads)
      usleep(100);
    atomic_store(&race->is_first_out, true);
    return parcel_fail(PARCEL_IO, "the first");
  }
  while (!atomic_load(&race->is_first_out))
    usleep(100);
  usleep(50000);
  ++race->late;
  return parcel_fail(PARCEL_KERNEL, "a later one");
}

static void check_first_failure(parcel_pool *pool)
{
  race_to_fail race = {.threads = parcel_pool_threads(pool)};
  assert_refused(parcel_pool_for(pool, MOST, 1, fail_in_turn, &race), PARCEL_IO, "the first");
  assert_int_equal(race.late, race.threads - 1); /* those that had begun, and no other */
}

static void pool_first_failure_is_returned(void **state)
{
  (void)state;
  on_every_pool(check_first_failure);
}

/* ---- loops inside loops ---- */

typedef struct nested {
  parcel_pool *inner;
  tally sum;
} nested;

static parcel_status call_inner(void *ctx, parcel_span positions, int worker)
{
  nested *loop = ctx;
  (void)positions;
  (void)worker;
  return parcel_pool_for(loop->inner, loop->sum.count, 7, add_up, &loop->sum);
}

static parcel_status start_inner(void *ctx, parcel_span positions, int worker)
{
  nested *loop = ctx;
  (void)positions;
  (void)worker;
  return parcel_pool_start(loop->inner, loop->sum.count, 7, add_up, &loop->sum);
}

static void check_nested(parcel_pool *pool)
{
  parcel_pool *other = make_pool(3);
  nested serial = {.inner = NULL, .sum = {.count = 100}};
  nested parallel = {.inner = other, .sum = {.count = 100}};
  assert_ok(parcel_pool_for(pool, 1, 1, call_inner, &serial));
  assert_int_equal(serial.sum.positions, 100);
  assert_ok(parcel_pool_for(pool, 1, 1, call_inner, &parallel));
  assert_int_equal(parallel.sum.positions, 100);
  parcel_pool_destroy(&other);
}

static void pool_loop_inside_a_loop_of_another_pool_works(void **state)
{
  (void)state;
  on_every_pool(check_nested);
}

static void check_nested_on_same(parcel_pool *pool)
{
  nested loop = {.inner = pool, .sum = {.count = 100}};
  if (!pool)
    return;
  assert_refused(parcel_pool_for(pool, 5, 1, call_inner, &loop), PARCEL_INVALID, "same pool");
  assert_refused(parcel_pool_for(pool, 5, 1, start_inner, &loop), PARCEL_INVALID, "same pool");
  assert_ok(parcel_pool_start(pool, 5, 1, call_inner, &loop));
  assert_refused(parcel_pool_finish(pool), PARCEL_INVALID, "same pool");
  assert_int_equal(loop.sum.calls, 0);
  witness after = {.count = MOST, .grain = 7, .threads = parcel_pool_threads(pool)};
  assert_ok(parcel_pool_for(pool, after.count, after.grain, visit, &after));
  assert_visited_once(&after);
}

static void pool_loop_inside_a_loop_of_the_same_pool_is_refused(void **state)
{
  (void)state;
  on_every_pool(check_nested_on_same);
}

typedef struct detour {
  parcel_pool *by_way_of;
  nested back;
} detour;

static parcel_status call_back(void *ctx, parcel_span positions, int worker)
{
  detour *way = ctx;
  (void)positions;
  (void)worker;
  return parcel_pool_for(way->by_way_of, 1, 1, call_inner, &way->back);
}

static void check_detour(parcel_pool *pool)
{
  parcel_pool *other = make_pool(2);
  detour way = {.by_way_of = other, .back = {.inner = pool, .sum = {.count = 100}}};
  if (pool)
    assert_refused(parcel_pool_for(pool, 1, 1, call_back, &way), PARCEL_INVALID, "the pool");
  else
    assert_ok(parcel_pool_for(pool, 1, 1, call_back, &way));
  parcel_pool_destroy(&other);
}

static void pool_loop_on_the_same_pool_by_a_detour_is_refused(void **state)
{
  (void)state;
  on_every_pool(check_detour);
}

/* ---- several callers ---- */

typedef struct caller {
  parcel_pool *pool;
  int done, refused, wrong;
} caller;

static void *call_again_and_again(void *argument)
{
  caller *own = argument;
  for (int loop = 0; loop < 300; ++loop) {
    tally sum = {.count = 100};
    const parcel_status status = parcel_pool_for(own->pool, sum.count, 9, add_up, &sum);
    own->done += status == PARCEL_OK && sum.positions == 100;
    own->refused += status == PARCEL_INVALID && sum.positions == 0;
  }
  own->wrong = 300 - own->done - own->refused;
  return NULL;
}

static void pool_callers_at_once_are_served_whole_or_refused(void **state)
{
  parcel_pool *pool = make_pool(2);
  caller callers[3] = {{.pool = pool}, {.pool = pool}, {.pool = pool}};
  pthread_t threads[3];
  int done = 0;
  (void)state;
  for (int c = 0; c < 3; ++c)
    assert_int_equal(pthread_create(&threads[c], NULL, call_again_and_again, &callers[c]), 0);
  for (int c = 0; c < 3; ++c) {
    assert_int_equal(pthread_join(threads[c], NULL), 0);
    assert_int_equal(callers[c].wrong, 0);
    done += callers[c].done;
  }
  assert_true(done > 0);
  parcel_pool_destroy(&pool);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(pool_every_position_visited_once),
      cmocka_unit_test(pool_is_reused_for_many_loops),
      cmocka_unit_test(pool_of_null_is_one_worker),
      cmocka_unit_test(pool_counts_next_to_int64_max_do_not_overflow),
      cmocka_unit_test(pool_negative_sizes_are_refused),
      cmocka_unit_test(pool_failure_is_returned_and_starts_no_new_span),
      cmocka_unit_test(pool_first_failure_is_returned),
      cmocka_unit_test(pool_loop_inside_a_loop_of_another_pool_works),
      cmocka_unit_test(pool_loop_inside_a_loop_of_the_same_pool_is_refused),
      cmocka_unit_test(pool_loop_on_the_same_pool_by_a_detour_is_refused),
      cmocka_unit_test(pool_callers_at_once_are_served_whole_or_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
