/* The seam for worker processes: what a runner is given, and what it must do. */
#include "executor_test.h"

#include "executor_impl.h"

/* A runner that runs each task itself and notes what it was given. */
typedef struct recorder {
  int threads;
  int batch;
  int failing; /* worker whose open fails; -1: none */
  atomic_int opened, closed, ran, mistakes, largest;
} recorder;

static parcel_status open_worker(void *ctx, int worker)
{
  recorder *own = ctx;
  own->mistakes += worker < 0 || worker >= own->threads;
  if (worker == own->failing)
    return parcel_fail(PARCEL_SYSTEM, "no process for worker %d", worker);
  ++own->opened;
  return PARCEL_OK;
}

static void run_tasks(void *ctx, int worker, parcel__task *tasks[], int count)
{
  recorder *own = ctx;
  own->mistakes += count < 1 || count > own->batch;
  if (count > own->largest)
    own->largest = count;
  for (int t = count - 1; t >= 0; --t) { /* the order is the runner's choice */
    atomic_uint token = 0;
    const parcel_task_context context = {.worker = worker, .flags = &token};
    if (parcel__task_is_cancelled(tasks[t]))
      token = PARCEL__CANCELLED;
    own->mistakes += tasks[t]->argument_bytes != sizeof(int) || tasks[t]->timeout_seconds != 2.5;
    ++own->ran;
    const parcel_status status = tasks[t]->body(tasks[t]->argument, &context);
    parcel__task_finish(tasks[t], status, status ? parcel_last_error() : NULL);
  }
}

static void close_worker(void *ctx, int worker)
{
  (void)worker;
  ++((recorder *)ctx)->closed;
}

static parcel_executor *make_recorded(recorder *own)
{
  const parcel_executor_options options = {.threads = own->threads};
  const parcel__runner runner = {
      .ctx = own, .open = open_worker, .run = run_tasks, .close = close_worker, .batch = own->batch};
  parcel_executor *executor = NULL;
  assert_ok(parcel__executor_create(&options, &runner, &executor));
  return executor;
}

static const parcel_submit_options submit_options = {.argument_bytes = sizeof(int), .timeout_seconds = 2.5};

static void runner_gets_every_task_once_in_batches_of_the_size_it_wants(void **state)
{
  static const int threads[] = {1, 2, MOST_WORKERS};
  static const int batches[] = {1, 5, 32};
  static int numbers[1000];
  parcel_future *futures[LENGTH(numbers)];
  (void)state;
  for (int t = 0; t < LENGTH(threads); ++t)
    for (int b = 0; b < LENGTH(batches); ++b) {
      recorder own = {.threads = threads[t], .batch = batches[b], .failing = -1};
      parcel_executor *executor = make_recorded(&own);
      for (int f = 0; f < LENGTH(numbers); ++f) {
        numbers[f] = f;
        assert_ok(
            parcel_executor_submit(executor, fail_with_number, &numbers[f], &submit_options, &futures[f]));
      }
      for (int f = 0; f < LENGTH(numbers); ++f) {
        char words[64];
        snprintf(words, sizeof words, "number %d is bad", f);
        assert_refused(outcome(futures[f]), PARCEL_KERNEL, words);
      }
      assert_ok(parcel_executor_destroy(&executor));
      assert_int_equal(own.ran, LENGTH(numbers));
      assert_int_equal(own.mistakes, 0);
      assert_int_equal(own.opened, threads[t]);
      assert_int_equal(own.closed, threads[t]);
      assert_true(batches[b] == 1 || own.largest > 1);
    }
}

static void runner_never_gets_a_cancelled_task(void **state)
{
  recorder own = {.threads = 1, .batch = 8, .failing = -1};
  gate door = {0};
  int number = 1;
  parcel_executor *executor = make_recorded(&own);
  parcel_future *futures[20];
  (void)state;
  assert_ok(parcel_executor_submit(executor, pass_gate, &door, &submit_options, NULL));
  wait_until_entered(&door, 1);
  for (int f = 0; f < LENGTH(futures); ++f) {
    assert_ok(parcel_executor_submit(executor, fail_with_number, &number, &submit_options, &futures[f]));
    assert_true(parcel_future_cancel(futures[f]));
  }
  door.is_open = true;
  for (int f = 0; f < LENGTH(futures); ++f)
    assert_int_equal(outcome(futures[f]), PARCEL_CANCELLED);
  assert_ok(parcel_executor_destroy(&executor));
  assert_int_equal(own.ran, 1);
  assert_int_equal(own.mistakes, 0);
}

static void runner_that_does_not_open_breaks_the_executor(void **state)
{
  recorder own = {.threads = 2, .batch = 1, .failing = 1};
  parcel_executor *executor = make_recorded(&own);
  (void)state;
  assert_refused(parcel_executor_destroy(&executor), PARCEL_SYSTEM, "no process for worker 1");
  assert_int_equal(own.closed, own.opened);
}

typedef struct waiter {
  parcel_future *other;
  parcel_status status;
  atomic_bool is_called;
} waiter;

static void wait_for_other(void *ctx, parcel_status status)
{
  waiter *own = ctx;
  (void)status;
  own->status = parcel_future_wait(own->other);
  own->is_called = true;
}

static void runner_thread_may_not_wait_for_its_own_tasks(void **state)
{
  recorder own = {.threads = 1, .batch = 1, .failing = -1};
  parcel_executor *executor = make_recorded(&own);
  gate doors[2] = {0};
  waiter waits = {0};
  parcel_future *first = NULL;
  (void)state;
  assert_ok(parcel_executor_submit(executor, pass_gate, &doors[0], &submit_options, &first));
  assert_ok(parcel_executor_submit(executor, pass_gate, &doors[1], &submit_options, &waits.other));
  assert_ok(parcel_future_then(first, wait_for_other, &waits));
  doors[0].is_open = true;
  wait_until_entered(&doors[1], 1);
  assert_true(waits.is_called);
  assert_int_equal(waits.status, PARCEL_INVALID);
  doors[1].is_open = true;
  assert_ok(outcome(first));
  assert_ok(outcome(waits.other));
  assert_ok(parcel_executor_destroy(&executor));
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(runner_gets_every_task_once_in_batches_of_the_size_it_wants),
      cmocka_unit_test(runner_never_gets_a_cancelled_task),
      cmocka_unit_test(runner_that_does_not_open_breaks_the_executor),
      cmocka_unit_test(runner_thread_may_not_wait_for_its_own_tasks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
