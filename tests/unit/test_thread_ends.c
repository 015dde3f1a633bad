/* Code of the user's that ends the thread it is called in: it fails, and the pool or the executor goes on. */
#include "executor_test.h"

#include <pthread.h>
#include <stdlib.h>

#include <parcel/pool.h>

static _Noreturn void end_thread(void)
{
  pthread_exit(NULL);
}

/* ---- pool ---- */

enum { COUNT = 1000, BAD = 617 };

static parcel_status end_at_bad(void *ctx, parcel_span span, int worker)
{
  (void)ctx;
  (void)worker;
  if (span.begin <= BAD && BAD < span.end)
    end_thread();
  return PARCEL_OK;
}

static parcel_status count_positions(void *ctx, parcel_span span, int worker)
{
  (void)worker;
  atomic_fetch_add((atomic_int *)ctx, (int)(span.end - span.begin));
  return PARCEL_OK;
}

static parcel_status start_and_finish(parcel_pool *pool, parcel_index grain, parcel_body body, void *ctx)
{
  const parcel_status status = parcel_pool_start(pool, COUNT, grain, body, ctx);
  return status ? status : parcel_pool_finish(pool);
}

static void check_pool_works(parcel_pool *pool)
{
  atomic_int visited = 0;
  assert_ok(start_and_finish(pool, 1, count_positions, &visited));
  assert_int_equal(visited, COUNT);
  assert_ok(parcel_pool_for(pool, COUNT, 1, count_positions, &visited));
  assert_int_equal(visited, 2 * COUNT);
}

static void pool_outlives_threads_that_end_in_a_loop(void **state)
{
  (void)state;
  for (int threads = 1; threads <= MOST_WORKERS; threads += threads) {
    for (int pins = 0; pins < 2; ++pins) {
      const parcel_pool_options options = {.threads = threads, .pin = pins};
      parcel_pool *pool = NULL;
      assert_ok(parcel_pool_create(&options, &pool));
      for (int loop = 0; loop < 20; ++loop) {
        assert_refused(start_and_finish(pool, loop % 10, end_at_bad, NULL), PARCEL_KERNEL,
                       "the thread ended inside the body at positions ");
        check_pool_works(pool);
      }
      parcel_pool_destroy(&pool);
    }
  }
}

static parcel_status end_always(void *ctx, parcel_span span, int worker)
{
  (void)span;
  (void)worker;
  atomic_fetch_add((atomic_int *)ctx, 1);
  end_thread();
}

static void pool_outlives_all_its_threads(void **state)
{
  parcel_pool *pool = NULL;
  const parcel_pool_options options = {.threads = 4};
  (void)state;
  assert_ok(parcel_pool_create(&options, &pool));
  for (int loop = 0; loop < 50; ++loop) {
    atomic_int ends = 0;
    assert_refused(start_and_finish(pool, 1, end_always, &ends), PARCEL_KERNEL, "has to return");
    assert_in_range(ends, 1, 4);
  }
  check_pool_works(pool);
  parcel_pool_destroy(&pool);
}

static void *loop_and_end(void *pool)
{
  atomic_int ends = 0;
  return parcel_pool_for(pool, COUNT, 1, end_always, &ends) ? pool : NULL;
}

static void pool_is_free_after_a_caller_that_ended(void **state)
{
  parcel_pool *pool = NULL;
  const parcel_pool_options options = {.threads = 3};
  (void)state;
  assert_ok(parcel_pool_create(&options, &pool));
  for (int loop = 0; loop < 20; ++loop) {
    pthread_t caller;
    assert_int_equal(pthread_create(&caller, NULL, loop_and_end, pool), 0);
    assert_int_equal(pthread_join(caller, NULL), 0);
    check_pool_works(pool);
  }
  parcel_pool_destroy(&pool);
}

/* ---- executor ---- */

static parcel_status end_in_task(void *argument, const parcel_task_context *context)
{
  (void)argument;
  (void)context;
  end_thread();
}

static void check_tasks(parcel_executor *executor, int threads)
{
  atomic_int calls = 0;
  for (int round = 0; round < 20; ++round) {
    parcel_future *bad[4];
    for (int t = 0; t < 4; ++t) {
      bad[t] = submit(executor, end_in_task, NULL);
      for (int c = 0; c < 50; ++c)
        assert_ok(parcel_executor_submit(executor, count_call, &calls, NULL, NULL));
    }
    for (int t = 0; t < 4; ++t)
      assert_refused(outcome(bad[t]), PARCEL_KERNEL, "the thread ended inside the task");
    assert_ok(parcel_executor_wait(executor));
  }
  assert_int_equal(calls, 20 * 4 * 50);
  assert_int_equal(parcel_executor_threads(executor), threads);
}

static void executor_tasks_that_end_their_thread_fail(void **state)
{
  (void)state;
  on_every_executor(check_tasks);
}

typedef struct outer {
  parcel_executor *executor;
  atomic_int inner;
} outer;

/* On one thread the inner task runs on top of the outer one. */
static parcel_status wait_for_end(void *argument, const parcel_task_context *context)
{
  outer *own = argument;
  (void)context;
  parcel_future *future = submit(own->executor, end_in_task, NULL);
  const parcel_status status = parcel_future_wait(future);
  own->inner = status == PARCEL_KERNEL;
  parcel_future_release(&future);
  return PARCEL_OK;
}

static void executor_tasks_below_one_that_ends_their_thread_fail(void **state)
{
  parcel_executor *executor = make_executor(1);
  outer own = {.executor = executor};
  (void)state;
  assert_refused(outcome(submit(executor, wait_for_end, &own)), PARCEL_KERNEL, "the thread ended");
  assert_int_equal(own.inner, 0);
  assert_ok(parcel_executor_wait(executor));
  assert_refused(parcel_executor_destroy(&executor), PARCEL_KERNEL,
                 "the thread ended"); /* of the inner one */
}

static void end_in_callback(void *ctx, parcel_status status)
{
  (void)status;
  atomic_fetch_add((atomic_int *)ctx, 1);
  end_thread();
}

static void executor_callbacks_that_end_their_thread_keep_none_waiting(void **state)
{
  parcel_executor *executor = make_executor(2);
  atomic_int calls = 0;
  gate gate = {0};
  (void)state;
  parcel_future *future = submit(executor, pass_gate, &gate);
  for (int c = 0; c < 3; ++c)
    assert_ok(parcel_future_then(future, end_in_callback, &calls));
  gate.is_open = true;
  assert_ok(outcome(future));
  assert_ok(parcel_executor_wait(executor));
  assert_int_equal(calls, 3);
  assert_ok(outcome(submit(executor, count_call, &calls)));
  assert_ok(parcel_executor_destroy(&executor));
}

static parcel_status initialize_or_end(void *ctx, int worker)
{
  (void)worker;
  if (atomic_fetch_sub((atomic_int *)ctx, 1) <= 0)
    end_thread();
  return PARCEL_OK;
}

static void executor_initializers_that_end_their_thread_break_it(void **state)
{
  (void)state;
  for (int good = 0; good < 3; ++good) {
    atomic_int left = good;
    const parcel_executor_options options = {.threads = 2, .initialize = initialize_or_end, .ctx = &left};
    parcel_executor *executor = NULL;
    parcel_future *future = NULL;
    assert_ok(parcel_executor_create(&options, &executor));
    parcel_status status = parcel_executor_submit(executor, end_in_task, NULL, NULL, &future);
    if (!status)
      status = outcome(future);
    assert_int_equal(status, PARCEL_KERNEL);
    const parcel_status end = parcel_executor_destroy(&executor);
    assert_true(end == PARCEL_OK || end == PARCEL_KERNEL);
  }
}

static void end_in_finalizer(void *ctx, int worker)
{
  (void)worker;
  atomic_fetch_add((atomic_int *)ctx, 1);
  end_thread();
}

static void count_finalizer(void *ctx, int worker)
{
  (void)worker;
  atomic_fetch_add((atomic_int *)ctx, 1);
}

static int count_finalizers(void (*finalize)(void *ctx, int worker), parcel_task_body body,
                            parcel_status status)
{
  atomic_int calls = 0;
  const parcel_executor_options options = {.threads = 3, .finalize = finalize, .ctx = &calls};
  parcel_executor *executor = NULL;
  atomic_int counted = 0;
  assert_ok(parcel_executor_create(&options, &executor));
  assert_int_equal(outcome(submit(executor, body, &counted)), status);
  assert_ok(parcel_executor_destroy(&executor));
  return calls;
}

static void executor_finalizers_are_called_for_every_initializer(void **state)
{
  (void)state;
  assert_int_equal(count_finalizers(end_in_finalizer, count_call, PARCEL_OK), 3);
  assert_int_equal(count_finalizers(count_finalizer, end_in_task, PARCEL_KERNEL), 4);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(pool_outlives_threads_that_end_in_a_loop),
      cmocka_unit_test(pool_outlives_all_its_threads),
      cmocka_unit_test(pool_is_free_after_a_caller_that_ended),
      cmocka_unit_test(executor_tasks_that_end_their_thread_fail),
      cmocka_unit_test(executor_tasks_below_one_that_ends_their_thread_fail),
      cmocka_unit_test(executor_callbacks_that_end_their_thread_keep_none_waiting),
      cmocka_unit_test(executor_initializers_that_end_their_thread_break_it),
      cmocka_unit_test(executor_finalizers_are_called_for_every_initializer),
  };
  return cmocka_run_group_tests_name("thread_ends", tests, NULL, NULL);
}
