/* Loops that are started and left to the pool's own threads: start, wait, finish, cancel. */
#include "pool_fixture.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT = 1000, PATIENCE_SECONDS = 30 };

/* A loop whose bodies wait at a gate. */
typedef struct gated {
  atomic_bool is_open;
  bool is_started; /* not called: its caller must have no part in it */
  pthread_t caller;
  int threads;
  atomic_int begun, visits[COUNT], mistakes;
} gated;

static parcel_status pass_gate(void *ctx, parcel_span positions, int worker)
{
  gated *loop = ctx;
  ++loop->begun;
  if (worker < 0 || worker >= loop->threads)
    ++loop->mistakes;
  if (loop->is_started && pthread_equal(pthread_self(), loop->caller))
    ++loop->mistakes;
  while (!atomic_load(&loop->is_open))
    usleep(100);
  for (parcel_index p = positions.begin; p < positions.end; ++p)
    ++loop->visits[p];
  return PARCEL_OK;
}

static parcel_status fail_at_gate(void *ctx, parcel_span positions, int worker)
{
  const parcel_status status = pass_gate(ctx, positions, worker);
  return status ? status : parcel_fail(PARCEL_KERNEL, "failed at %d", (int)positions.begin);
}

static void start_gated(parcel_pool *pool, parcel_index count, parcel_body body, gated *loop)
{
  loop->is_started = true;
  loop->caller = pthread_self();
  loop->threads = parcel_pool_threads(pool);
  assert_ok(parcel_pool_start(pool, count, 1, body, loop));
}

static void wait_for_begun(const gated *loop, int least)
{
  for (int wait = 0; wait < PATIENCE_SECONDS * 1000 && loop->begun < least; ++wait)
    usleep(1000);
  assert_true(loop->begun >= least);
}

static int visited_once(const gated *loop)
{
  int visited = 0;
  assert_int_equal(loop->mistakes, 0);
  for (int p = 0; p < COUNT; ++p) {
    assert_in_range(loop->visits[p], 0, 1);
    visited += loop->visits[p];
  }
  return visited;
}

static void pool_started_loop_leaves_its_caller_free(void **state)
{
  (void)state;
  for (int s = 0; s < LENGTH(pool_sizes); ++s) {
    parcel_pool *pool = make_pool(pool_sizes[s]);
    for (int loops = 0; loops < 3; ++loops) {
      gated loop = {.is_open = false};
      start_gated(pool, COUNT, pass_gate, &loop);
      wait_for_begun(&loop, pool_sizes[s]);
      assert_false(parcel_pool_wait(pool, 0.01));
      assert_false(parcel_pool_wait(pool, 0));
      assert_int_equal(loop.begun, pool_sizes[s]);
      atomic_store(&loop.is_open, true);
      assert_true(parcel_pool_wait(pool, PATIENCE_SECONDS));
      assert_true(parcel_pool_wait(pool, 0));
      assert_ok(parcel_pool_finish(pool));
      assert_int_equal(visited_once(&loop), COUNT);
    }
    parcel_pool_destroy(&pool);
  }
}

static void pool_started_and_called_loops_alternate(void **state)
{
  (void)state;
  for (int s = 0; s < LENGTH(pool_sizes); ++s) {
    parcel_pool *pool = make_pool(pool_sizes[s]);
    for (int round = 0; round < 200; ++round) {
      gated started = {.is_open = true};
      gated called = {.is_open = true, .threads = pool_sizes[s]};
      start_gated(pool, round % 10, pass_gate, &started);
      assert_ok(parcel_pool_finish(pool));
      assert_int_equal(visited_once(&started), round % 10);
      assert_ok(parcel_pool_for(pool, 20, 3, pass_gate, &called));
      assert_int_equal(visited_once(&called), 20);
    }
    parcel_pool_destroy(&pool);
  }
}

static void pool_started_loop_of_nothing_ends_at_once(void **state)
{
  gated loop = {.is_open = true};
  parcel_pool *pool = make_pool(2);
  (void)state;
  start_gated(pool, 0, pass_gate, &loop);
  assert_true(parcel_pool_wait(pool, PATIENCE_SECONDS));
  assert_ok(parcel_pool_finish(pool));
  assert_int_equal(loop.begun, 0);
  parcel_pool_destroy(&pool);
}

static void pool_started_loop_returns_its_failure(void **state)
{
  (void)state;
  for (int s = 0; s < LENGTH(pool_sizes); ++s) {
    gated loop = {.is_open = true};
    parcel_pool *pool = make_pool(pool_sizes[s]);
    start_gated(pool, COUNT, fail_at_gate, &loop);
    assert_refused(parcel_pool_finish(pool), PARCEL_KERNEL, "failed at ");
    assert_in_range(visited_once(&loop), 1, pool_sizes[s]);
    parcel_pool_destroy(&pool);
  }
}

/* ---- cancel ---- */

static void pool_cancelled_with_spans_left_is_stopped(void **state)
{
  (void)state;
  for (int s = 0; s < LENGTH(pool_sizes); ++s) {
    gated loop = {.is_open = false};
    gated next = {.is_open = true};
    parcel_pool *pool = make_pool(pool_sizes[s]);
    start_gated(pool, COUNT, pass_gate, &loop);
    wait_for_begun(&loop, pool_sizes[s]);
    parcel_pool_cancel(pool);
    atomic_store(&loop.is_open, true);
    assert_refused(parcel_pool_finish(pool), PARCEL_STOPPED, "cancelled");
    assert_int_equal(visited_once(&loop), pool_sizes[s]); /* those that had begun, and no other */
    start_gated(pool, COUNT, pass_gate, &next);
    assert_ok(parcel_pool_finish(pool));
    assert_int_equal(visited_once(&next), COUNT);
    parcel_pool_destroy(&pool);
  }
}

static void pool_cancelled_after_its_last_span_is_ok(void **state)
{
  (void)state;
  for (int s = 0; s < LENGTH(pool_sizes); ++s) {
    gated over = {.is_open = true};
    gated last = {.is_open = false};
    parcel_pool *pool = make_pool(pool_sizes[s]);
    start_gated(pool, COUNT, pass_gate, &over);
    assert_true(parcel_pool_wait(pool, PATIENCE_SECONDS));
    parcel_pool_cancel(pool);
    assert_ok(parcel_pool_finish(pool));
    assert_int_equal(visited_once(&over), COUNT);
    start_gated(pool, pool_sizes[s], pass_gate, &last);
    wait_for_begun(&last, pool_sizes[s]);
    parcel_pool_cancel(pool);
    atomic_store(&last.is_open, true);
    assert_ok(parcel_pool_finish(pool));
    assert_int_equal(visited_once(&last), pool_sizes[s]);
    parcel_pool_destroy(&pool);
  }
}

static void pool_cancel_does_not_hide_a_failure(void **state)
{
  gated loop = {.is_open = false};
  parcel_pool *pool = make_pool(2);
  (void)state;
  start_gated(pool, COUNT, fail_at_gate, &loop);
  wait_for_begun(&loop, 2);
  parcel_pool_cancel(pool);
  atomic_store(&loop.is_open, true);
  assert_refused(parcel_pool_finish(pool), PARCEL_KERNEL, "failed at ");
  parcel_pool_destroy(&pool);
}

static void pool_cancel_between_loops_is_forgotten(void **state)
{
  gated loop = {.is_open = true};
  parcel_pool *pool = make_pool(2);
  (void)state;
  parcel_pool_cancel(pool);
  start_gated(pool, COUNT, pass_gate, &loop);
  assert_ok(parcel_pool_finish(pool));
  assert_int_equal(visited_once(&loop), COUNT);
  parcel_pool_destroy(&pool);
}

static parcel_status cancel_at_ten(void *ctx, parcel_span positions, int worker)
{
  (void)worker;
  if (positions.begin == 10)
    parcel_pool_cancel(ctx);
  return PARCEL_OK;
}

static void pool_cancelled_by_its_body_is_stopped(void **state)
{
  parcel_pool *pool = make_pool(1);
  (void)state;
  assert_ok(parcel_pool_start(pool, COUNT, 1, cancel_at_ten, pool));
  assert_refused(parcel_pool_finish(pool), PARCEL_STOPPED, "cancelled");
  assert_ok(parcel_pool_start(pool, 11, 1, cancel_at_ten, pool));
  assert_ok(parcel_pool_finish(pool));
  parcel_pool_destroy(&pool);
}

/* ---- a second caller ---- */

typedef struct second_caller {
  parcel_pool *pool;
  parcel_status called, started;
} second_caller;

static void *call_busy_pool(void *argument)
{
  second_caller *own = argument;
  gated loop = {.is_open = true};
  own->called = parcel_pool_for(own->pool, 5, 1, pass_gate, &loop);
  own->started = parcel_pool_start(own->pool, 5, 1, pass_gate, &loop);
  return NULL;
}

static void assert_second_caller_refused(parcel_pool *pool)
{
  second_caller second = {.pool = pool};
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, call_busy_pool, &second), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(second.called, PARCEL_INVALID);
  assert_int_equal(second.started, PARCEL_INVALID);
}

static void pool_second_caller_of_a_started_loop_is_refused(void **state)
{
  (void)state;
  for (int s = 0; s < LENGTH(pool_sizes); ++s) {
    gated loop = {.is_open = false};
    gated other = {.is_open = true};
    parcel_pool *pool = make_pool(pool_sizes[s]);
    start_gated(pool, COUNT, pass_gate, &loop);
    assert_refused(parcel_pool_for(pool, 5, 1, pass_gate, &other), PARCEL_INVALID, "one caller at a time");
    assert_refused(parcel_pool_start(pool, 5, 1, pass_gate, &other), PARCEL_INVALID, "one caller at a time");
    assert_second_caller_refused(pool);
    atomic_store(&loop.is_open, true);
    assert_true(parcel_pool_wait(pool, PATIENCE_SECONDS));
    assert_refused(parcel_pool_for(pool, 5, 1, pass_gate, &other), PARCEL_INVALID, "one caller at a time");
    assert_ok(parcel_pool_finish(pool));
    assert_int_equal(visited_once(&loop), COUNT);
    assert_int_equal(other.begun, 0);
    parcel_pool_destroy(&pool);
  }
}

typedef struct blocked_caller {
  parcel_pool *pool;
  gated loop;
  parcel_status status;
} blocked_caller;

static void *call_and_block(void *argument)
{
  blocked_caller *own = argument;
  own->status = parcel_pool_for(own->pool, COUNT, 1, pass_gate, &own->loop);
  return NULL;
}

static void pool_second_caller_of_a_called_loop_is_refused(void **state)
{
  (void)state;
  for (int s = 0; s < LENGTH(pool_sizes); ++s) {
    blocked_caller first = {.pool = make_pool(pool_sizes[s]), .loop = {.threads = pool_sizes[s]}};
    gated other = {.is_open = true};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, call_and_block, &first), 0);
    wait_for_begun(&first.loop, pool_sizes[s]);
    assert_refused(parcel_pool_for(first.pool, 5, 1, pass_gate, &other), PARCEL_INVALID, "one caller");
    assert_refused(parcel_pool_start(first.pool, 5, 1, pass_gate, &other), PARCEL_INVALID, "one caller");
    atomic_store(&first.loop.is_open, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(first.status, PARCEL_OK);
    assert_int_equal(visited_once(&first.loop), COUNT);
    assert_int_equal(other.begun, 0);
    parcel_pool_destroy(&first.pool);
  }
}

typedef struct starter {
  parcel_pool *pool;
  pthread_barrier_t *line;
  bool is_served, is_refused;
} starter;

static void *start_at_once(void *argument)
{
  starter *own = argument;
  gated loop = {.is_open = true, .threads = 2};
  pthread_barrier_wait(own->line);
  const parcel_status status = parcel_pool_start(own->pool, 10, 1, pass_gate, &loop);
  own->is_refused = status == PARCEL_INVALID && loop.begun == 0;
  own->is_served = status == PARCEL_OK && parcel_pool_finish(own->pool) == PARCEL_OK && loop.begun == 10;
  return NULL;
}

static void pool_starters_at_once_are_served_whole_or_refused(void **state)
{
  pthread_barrier_t line;
  (void)state;
  assert_int_equal(pthread_barrier_init(&line, NULL, 2), 0);
  for (int round = 0; round < 200; ++round) {
    parcel_pool *pool = make_pool(2);
    starter starters[2] = {{.pool = pool, .line = &line}, {.pool = pool, .line = &line}};
    pthread_t threads[2];
    for (int s = 0; s < 2; ++s)
      assert_int_equal(pthread_create(&threads[s], NULL, start_at_once, &starters[s]), 0);
    for (int s = 0; s < 2; ++s) {
      assert_int_equal(pthread_join(threads[s], NULL), 0);
      assert_true(starters[s].is_served || starters[s].is_refused);
    }
    assert_true(starters[0].is_served || starters[1].is_served);
    parcel_pool_destroy(&pool);
  }
  pthread_barrier_destroy(&line);
}

/* ---- odd timeouts ---- */

enum { SAID_OVER, SAID_RUNNING, NEVER_RETURNED, BROKEN };

/* In a child, which an alarm ends: a wait that hangs must not take the other tests with it. */
static int wait_in_child(double timeout_seconds, bool is_open)
{
  int how = 0;
  const pid_t child = fork();
  if (child == 0) {
    const parcel_pool_options options = {.threads = 2};
    parcel_pool *pool = NULL;
    gated loop = {.is_open = is_open, .threads = 2};
    alarm(3);
    if (parcel_pool_create(&options, &pool) || parcel_pool_start(pool, COUNT, 1, pass_gate, &loop))
      _exit(BROKEN);
    _exit(parcel_pool_wait(pool, timeout_seconds) ? SAID_OVER : SAID_RUNNING);
  }
  if (child < 0 || waitpid(child, &how, 0) != child)
    return BROKEN;
  return WIFEXITED(how) ? WEXITSTATUS(how) : NEVER_RETURNED;
}

static void pool_wait_of_negative_time_returns_at_once(void **state)
{
  (void)state;
  assert_int_equal(wait_in_child(-0.999999999, false), SAID_RUNNING);
  assert_int_equal(wait_in_child(-1.5, false), SAID_RUNNING);
  assert_int_equal(wait_in_child(-1e300, false), SAID_RUNNING);
}

static void pool_wait_of_endless_time_returns_when_the_loop_is_over(void **state)
{
  (void)state;
  assert_int_equal(wait_in_child(1e9, true), SAID_OVER);
  assert_int_equal(wait_in_child(1e300, true), SAID_OVER);
  assert_int_equal(wait_in_child(INFINITY, true), SAID_OVER);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(pool_started_loop_leaves_its_caller_free),
      cmocka_unit_test(pool_started_and_called_loops_alternate),
      cmocka_unit_test(pool_started_loop_of_nothing_ends_at_once),
      cmocka_unit_test(pool_started_loop_returns_its_failure),
      cmocka_unit_test(pool_cancelled_with_spans_left_is_stopped),
      cmocka_unit_test(pool_cancelled_after_its_last_span_is_ok),
      cmocka_unit_test(pool_cancel_does_not_hide_a_failure),
      cmocka_unit_test(pool_cancel_between_loops_is_forgotten),
      cmocka_unit_test(pool_cancelled_by_its_body_is_stopped),
      cmocka_unit_test(pool_second_caller_of_a_started_loop_is_refused),
      cmocka_unit_test(pool_second_caller_of_a_called_loop_is_refused),
      cmocka_unit_test(pool_starters_at_once_are_served_whole_or_refused),
      cmocka_unit_test(pool_wait_of_negative_time_returns_at_once),
      cmocka_unit_test(pool_wait_of_endless_time_returns_when_the_loop_is_over),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
