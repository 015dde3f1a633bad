/* What a future promises: cancelling, limits of time, waiting for one of many, callbacks, and that no failure
 * is lost. */
#include "executor_test.h"

enum { MANY = 200 };

/* Holds every thread of the executor, so that nothing else begins. */
static void close_all(parcel_executor *executor, int threads, gate *door)
{
  for (int t = 0; t < threads; ++t) {
    assert_ok(parcel_executor_submit(executor, pass_gate, door, NULL, NULL));
    wait_until_entered(door, t + 1);
  }
}

/* ---- cancelling ---- */

static void check_cancel_before_start(parcel_executor *executor, int threads)
{
  gate door = {0};
  atomic_int calls = 0;
  parcel_future *futures[MANY];
  close_all(executor, threads, &door);
  for (int f = 0; f < MANY; ++f)
    futures[f] = submit(executor, count_call, &calls);
  for (int f = 0; f < MANY; f += 2) {
    assert_true(parcel_future_cancel(futures[f]));
    assert_true(parcel_future_is_done(futures[f]));
    assert_false(parcel_future_cancel(futures[f]));
  }
  for (int f = 0; f < MANY; f += 2)
    assert_refused(outcome(futures[f]), PARCEL_CANCELLED, "cancelled before it began");
  door.is_open = true;
  for (int f = 1; f < MANY; f += 2)
    assert_ok(outcome(futures[f]));
  assert_int_equal(calls, MANY / 2);
}

static void future_cancelled_before_its_start_never_runs(void **state)
{
  (void)state;
  on_every_executor(check_cancel_before_start);
}

static void check_cancel_of_started(parcel_executor *executor, int threads)
{
  atomic_int started = 0;
  (void)threads;
  parcel_future *future = submit(executor, wait_for_token, &started);
  while (started == 0)
    usleep(100);
  assert_false(parcel_future_cancel(future));
  assert_refused(outcome(future), PARCEL_STOPPED, "told to stop");
  assert_int_equal(started, 1);
}

static void future_cancelled_after_its_start_is_told_by_its_token(void **state)
{
  (void)state;
  on_every_executor(check_cancel_of_started);
}

static void check_cancel_all(parcel_executor *executor, int threads)
{
  atomic_int started = 0;
  atomic_int calls = 0;
  parcel_future *running[MOST_WORKERS];
  parcel_future *queued[MANY];
  for (int t = 0; t < threads; ++t)
    running[t] = submit(executor, wait_for_token, &started);
  while (started < threads)
    usleep(100);
  for (int f = 0; f < MANY; ++f)
    queued[f] = submit(executor, count_call, &calls);
  parcel_executor_cancel(executor);
  for (int t = 0; t < threads; ++t)
    assert_refused(outcome(running[t]), PARCEL_STOPPED, "told to stop");
  for (int f = 0; f < MANY; ++f)
    assert_refused(outcome(queued[f]), PARCEL_CANCELLED, "before it began");
  assert_int_equal(calls, 0);
  assert_ok(outcome(submit(executor, count_call, &calls)));
  assert_int_equal(calls, 1);
}

static void executor_cancel_ends_all_and_takes_new_ones(void **state)
{
  (void)state;
  on_every_executor(check_cancel_all);
}

static void check_cancel_race(parcel_executor *executor, int threads)
{
  atomic_int calls = 0;
  int cancelled = 0;
  (void)threads;
  for (int f = 0; f < 20000; ++f) {
    parcel_future *future = submit(executor, count_call, &calls);
    const bool never_runs = parcel_future_cancel(future);
    cancelled += never_runs;
    assert_int_equal(outcome(future), never_runs ? PARCEL_CANCELLED : PARCEL_OK);
  }
  assert_ok(parcel_executor_wait(executor));
  assert_int_equal(calls + cancelled, 20000);
}

static void future_cancelled_while_it_starts_either_runs_or_not(void **state)
{
  (void)state;
  on_every_executor(check_cancel_race);
}

/* ---- limits of time ---- */

static parcel_status take_its_time(void *argument, const parcel_task_context *context)
{
  (void)context;
  usleep(*(const useconds_t *)argument);
  return PARCEL_OK;
}

static void check_task_limit(parcel_executor *executor, int threads)
{
  const parcel_submit_options short_limit = {.timeout_seconds = 0.01};
  const parcel_submit_options long_limit = {.timeout_seconds = 60};
  useconds_t time = 30000;
  atomic_int started = 0;
  parcel_future *futures[3];
  (void)threads;
  assert_ok(parcel_executor_submit(executor, wait_for_token, &started, &short_limit, &futures[0]));
  assert_ok(parcel_executor_submit(executor, take_its_time, &time, &short_limit, &futures[1]));
  assert_ok(parcel_executor_submit(executor, take_its_time, &time, &long_limit, &futures[2]));
  assert_refused(outcome(futures[0]), PARCEL_TIMEOUT, "longer than its limit of 0.01 s");
  assert_refused(outcome(futures[1]), PARCEL_TIMEOUT, "longer than its limit of 0.01 s");
  assert_ok(outcome(futures[2]));
}

static void task_beyond_its_limit_is_told_and_fails(void **state)
{
  (void)state;
  on_every_executor(check_task_limit);
}

static void check_wait_limit(parcel_executor *executor, int threads)
{
  gate door = {0};
  parcel_index which = 7;
  (void)threads;
  parcel_future *future = submit(executor, pass_gate, &door);
  assert_refused(parcel_future_wait_for(future, 0), PARCEL_TIMEOUT, "not over after 0 s");
  const double begin = seconds_now();
  assert_refused(parcel_future_wait_for(future, 0.05), PARCEL_TIMEOUT, "not over after 0.05 s");
  assert_refused(parcel_future_wait_any(&future, 1, 0.05, &which), PARCEL_TIMEOUT, "none of 1");
  assert_true(seconds_now() - begin >= 0.1);
  assert_int_equal(which, 7);
  assert_false(parcel_future_is_done(future));
  door.is_open = true;
  assert_ok(parcel_future_wait_for(future, 60));
  assert_ok(parcel_future_wait_for(future, 0));
  parcel_future_release(&future);
}

static void future_wait_with_a_limit_returns_in_time(void **state)
{
  (void)state;
  on_every_executor(check_wait_limit);
}

static void submit_with_a_negative_limit_is_refused(void **state)
{
  const parcel_submit_options options = {.timeout_seconds = -1};
  parcel_executor *executor = make_executor(1);
  parcel_future *future = NULL;
  (void)state;
  assert_refused(parcel_executor_submit(executor, count_call, NULL, &options, &future), PARCEL_INVALID,
                 "limit of -1 s");
  assert_null(future);
  assert_ok(parcel_executor_destroy(&executor));
}

/* ---- one of many ---- */

static void check_order(parcel_executor *executor, int threads)
{
  gate doors[MOST_WORKERS] = {0};
  parcel_future *futures[MOST_WORKERS + 1] = {NULL};
  parcel_completed *completed = NULL;
  parcel_index which = 0;
  for (int f = 0; f < threads; ++f)
    futures[f] = submit(executor, pass_gate, &doors[f]);
  assert_ok(parcel_completed_open(futures, threads + 1, &completed));
  assert_refused(parcel_completed_next(completed, 0.01, &which), PARCEL_TIMEOUT, "within 0.01 s");
  for (int f = threads - 1; f >= 0; --f) {
    doors[f].is_open = true;
    assert_ok(parcel_completed_next(completed, f % 2 ? 60 : PARCEL_FOREVER, &which));
    assert_int_equal(which, f);
    assert_true(parcel_future_is_done(futures[f]));
    assert_ok(outcome(futures[f]));
  }
  assert_ok(parcel_completed_next(completed, PARCEL_FOREVER, &which));
  assert_int_equal(which, -1);
  parcel_completed_close(&completed);
  assert_null(completed);
  parcel_completed_close(&completed);
}

static void completed_tells_futures_in_the_order_in_which_they_end(void **state)
{
  (void)state;
  on_every_executor(check_order);
}

static void check_completed_each_once(parcel_executor *executor, int threads)
{
  atomic_int calls = 0;
  bool is_told[MANY] = {false};
  parcel_future *futures[MANY];
  parcel_completed *completed = NULL;
  parcel_index which = 0;
  (void)threads;
  for (int f = 0; f < MANY; ++f)
    futures[f] = submit(executor, count_call, &calls);
  assert_ok(parcel_completed_open(futures, MANY, &completed));
  for (int f = 0; f < MANY; ++f) {
    assert_ok(parcel_completed_next(completed, PARCEL_FOREVER, &which));
    assert_in_range(which, 0, MANY - 1);
    assert_false(is_told[which]);
    is_told[which] = true;
    parcel_future_release(&futures[which]);
    assert_ok(parcel_executor_submit(executor, count_call, &calls, NULL, NULL)); /* uses its memory again */
  }
  parcel_completed_close(&completed);
  assert_ok(parcel_executor_wait(executor));
  assert_int_equal(calls, 2 * MANY);
}

static void completed_tells_each_future_once(void **state)
{
  (void)state;
  on_every_executor(check_completed_each_once);
}

static void check_any(parcel_executor *executor, int threads)
{
  gate doors[MOST_WORKERS] = {0};
  parcel_future *futures[MOST_WORKERS] = {NULL};
  parcel_index which = -1;
  for (int f = 0; f < threads; ++f)
    futures[f] = submit(executor, pass_gate, &doors[f]);
  for (int round = 0; round < threads; ++round) {
    const int next = (threads / 2 + round) % threads; /* from the middle on */
    doors[next].is_open = true;
    assert_ok(parcel_future_wait_any(futures, threads, PARCEL_FOREVER, &which));
    assert_int_equal(which, next);
    assert_ok(parcel_future_wait_any(futures, threads, 0, &which));
    assert_int_equal(which, next);
    assert_ok(outcome(futures[next]));
    futures[next] = NULL;
  }
  assert_refused(parcel_future_wait_any(futures, threads, PARCEL_FOREVER, &which), PARCEL_INVALID, "none of");
}

static void future_wait_any_returns_one_that_is_over(void **state)
{
  (void)state;
  on_every_executor(check_any);
}

static void future_wait_any_leaves_no_trace_in_futures_that_go_on(void **state)
{
  gate door = {0};
  atomic_int calls = 0;
  parcel_executor *executor = make_executor(2);
  parcel_future *futures[2] = {submit(executor, pass_gate, &door), NULL};
  parcel_index which = 0;
  (void)state;
  for (int round = 0; round < 1000; ++round) {
    futures[1] = submit(executor, count_call, &calls);
    assert_ok(parcel_future_wait_any(futures, 2, PARCEL_FOREVER, &which));
    assert_int_equal(which, 1);
    parcel_future_release(&futures[1]);
  }
  door.is_open = true;
  assert_ok(outcome(futures[0]));
  assert_ok(parcel_executor_destroy(&executor));
}

static void check_wait_all(parcel_executor *executor, int threads)
{
  int numbers[MANY];
  parcel_future *futures[MANY];
  atomic_int calls = 0;
  (void)threads;
  for (int f = 0; f < MANY; ++f) {
    numbers[f] = f;
    futures[f] = f == 60 || f == 150 ? submit(executor, fail_with_number, &numbers[f])
                                     : submit(executor, count_call, &calls);
  }
  assert_refused(parcel_future_wait_all(futures, MANY), PARCEL_KERNEL, "number 60 is bad");
  assert_int_equal(calls, MANY - 2);
  assert_ok(parcel_future_wait_all(futures, 60));
  for (int f = 0; f < MANY; ++f)
    parcel_future_release(&futures[f]);
  assert_refused(parcel_executor_wait(executor), PARCEL_KERNEL, "number 150 is bad");
}

static void future_wait_all_returns_the_first_failure_by_index(void **state)
{
  (void)state;
  on_every_executor(check_wait_all);
}

typedef struct gatherer {
  parcel_executor *executor;
  atomic_int calls;
} gatherer;

static parcel_status gather_inside(void *argument, const parcel_task_context *context)
{
  gatherer *own = argument;
  parcel_future *futures[10] = {NULL};
  parcel_completed *completed = NULL;
  parcel_index which = 0;
  (void)context;
  for (int f = 0; f < LENGTH(futures); ++f)
    if (parcel_executor_submit(own->executor, count_call, &own->calls, NULL, &futures[f]))
      return PARCEL_MEMORY;
  parcel_status status = parcel_future_wait_any(futures, LENGTH(futures), PARCEL_FOREVER, &which);
  if (!status)
    status = parcel_completed_open(futures, LENGTH(futures), &completed);
  for (int f = 0; f < LENGTH(futures) && !status; ++f)
    status = parcel_completed_next(completed, PARCEL_FOREVER, &which);
  parcel_completed_close(&completed);
  if (!status)
    status = parcel_future_wait_all(futures, LENGTH(futures));
  for (int f = 0; f < LENGTH(futures); ++f)
    parcel_future_release(&futures[f]);
  return status;
}

static void check_gather_inside(parcel_executor *executor, int threads)
{
  gatherer own = {.executor = executor};
  parcel_future *futures[20];
  (void)threads;
  for (int f = 0; f < LENGTH(futures); ++f)
    futures[f] = submit(executor, gather_inside, &own);
  for (int f = 0; f < LENGTH(futures); ++f)
    assert_ok(outcome(futures[f]));
  assert_int_equal(own.calls, 10 * LENGTH(futures));
}

static void task_may_wait_for_many(void **state)
{
  (void)state;
  on_every_executor(check_gather_inside);
}

/* ---- callbacks ---- */

typedef struct called {
  atomic_int times;
  parcel_status status;
  char text[PARCEL_ERROR_SIZE];
  parcel_future *other; /* to wait for, which is refused */
  parcel_status waited;
} called;

static void note_call(void *ctx, parcel_status status)
{
  called *own = ctx;
  own->status = status;
  strcpy(own->text, status ? parcel_last_error() : "");
  if (own->other)
    own->waited = parcel_future_wait(own->other);
  ++own->times;
}

static void check_callbacks(parcel_executor *executor, int threads)
{
  static called calls[MANY][2];
  int numbers[MANY];
  atomic_int runs = 0;
  (void)threads;
  memset(calls, 0, sizeof calls);
  for (int f = 0; f < MANY; ++f) {
    numbers[f] = f;
    parcel_future *future =
        f % 5 ? submit(executor, count_call, &runs) : submit(executor, fail_with_number, &numbers[f]);
    if (f % 3 == 0)
      assert_int_equal(parcel_future_wait(future), f % 5 ? PARCEL_OK : PARCEL_KERNEL);
    for (int c = 0; c < 2; ++c)
      assert_ok(parcel_future_then(future, note_call, &calls[f][c]));
    parcel_future_release(&future);
  }
  assert_ok(parcel_executor_wait(executor)); /* every failure was looked at by a callback */
  for (int f = 0; f < 2 * MANY; ++f) {
    const called *own = &calls[f / 2][f % 2];
    char words[64] = "";
    if (f / 2 % 5 == 0)
      snprintf(words, sizeof words, "number %d is bad", f / 2);
    assert_int_equal(own->times, 1);
    assert_int_equal(own->status, f / 2 % 5 ? PARCEL_OK : PARCEL_KERNEL);
    assert_string_equal(own->text, words);
  }
}

static void future_callbacks_run_once_each_with_the_outcome(void **state)
{
  (void)state;
  on_every_executor(check_callbacks);
}

static void future_callback_of_a_cancelled_task_runs_in_the_canceller(void **state)
{
  parcel_executor *executor = make_executor(1);
  gate door = {0};
  called own = {0};
  (void)state;
  close_all(executor, 1, &door);
  parcel_future *future = submit(executor, count_call, NULL);
  assert_ok(parcel_future_then(future, note_call, &own));
  assert_true(parcel_future_cancel(future));
  assert_int_equal(own.times, 1);
  assert_int_equal(own.status, PARCEL_CANCELLED);
  parcel_future_release(&future);
  door.is_open = true;
  assert_ok(parcel_executor_destroy(&executor));
}

static void future_callback_may_not_wait(void **state)
{
  parcel_executor *executor = make_executor(1);
  gate door = {0};
  atomic_int calls = 0;
  called own = {0};
  (void)state;
  parcel_future *first = submit(executor, pass_gate, &door);
  own.other = submit(executor, count_call, &calls);
  assert_ok(parcel_future_then(first, note_call, &own));
  door.is_open = true;
  assert_ok(parcel_executor_wait(executor));
  assert_int_equal(own.waited, PARCEL_INVALID);
  assert_int_equal(calls, 1);
  parcel_future_release(&own.other);
  parcel_future_release(&first);
  assert_ok(parcel_executor_destroy(&executor));
}

/* ---- nothing is swallowed ---- */

static void future_failure_that_nobody_saw_is_told(void **state)
{
  static const char *const when[] = {"released before", "released after", "never released"};
  int number = 3;
  (void)state;
  for (int w = 0; w < LENGTH(when); ++w) {
    parcel_executor *executor = make_executor(2);
    gate door = {0};
    close_all(executor, 2, &door);
    parcel_future *future = submit(executor, fail_with_number, &number);
    if (w == 0)
      parcel_future_release(&future);
    door.is_open = true;
    while (w == 1 && !parcel_future_is_done(future))
      usleep(100);
    if (w == 1)
      parcel_future_release(&future);
    assert_refused(parcel_executor_destroy(&executor), PARCEL_KERNEL, "number 3 is bad");
    assert_null(executor);
  }
}

static void future_failure_that_was_seen_is_not_told_again(void **state)
{
  parcel_executor *executor = make_executor(2);
  int number = 3;
  (void)state;
  parcel_future *kept = submit(executor, fail_with_number, &number);
  assert_refused(parcel_future_wait(kept), PARCEL_KERNEL, "number 3");
  assert_refused(parcel_future_wait(kept), PARCEL_KERNEL, "number 3");
  assert_refused(outcome(submit(executor, fail_with_number, &number)), PARCEL_KERNEL, "number 3");
  assert_ok(parcel_executor_wait(executor));
  assert_ok(parcel_executor_destroy(&executor));
}

static void future_release_takes_null(void **state)
{
  parcel_future *future = NULL;
  (void)state;
  parcel_future_release(&future);
  assert_null(future);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(future_cancelled_before_its_start_never_runs),
      cmocka_unit_test(future_cancelled_after_its_start_is_told_by_its_token),
      cmocka_unit_test(executor_cancel_ends_all_and_takes_new_ones),
      cmocka_unit_test(future_cancelled_while_it_starts_either_runs_or_not),
      cmocka_unit_test(task_beyond_its_limit_is_told_and_fails),
      cmocka_unit_test(future_wait_with_a_limit_returns_in_time),
      cmocka_unit_test(submit_with_a_negative_limit_is_refused),
      cmocka_unit_test(completed_tells_futures_in_the_order_in_which_they_end),
      cmocka_unit_test(completed_tells_each_future_once),
      cmocka_unit_test(future_wait_any_returns_one_that_is_over),
      cmocka_unit_test(future_wait_any_leaves_no_trace_in_futures_that_go_on),
      cmocka_unit_test(future_wait_all_returns_the_first_failure_by_index),
      cmocka_unit_test(task_may_wait_for_many),
      cmocka_unit_test(future_callbacks_run_once_each_with_the_outcome),
      cmocka_unit_test(future_callback_of_a_cancelled_task_runs_in_the_canceller),
      cmocka_unit_test(future_callback_may_not_wait),
      cmocka_unit_test(future_failure_that_nobody_saw_is_told),
      cmocka_unit_test(future_failure_that_was_seen_is_not_told_again),
      cmocka_unit_test(future_release_takes_null),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
