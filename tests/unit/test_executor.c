/* What every task is promised: one outcome, its failure's text, a valid worker; and what the queue and
 * waiting inside tasks promise. Futures are in test_executor_futures.c, threads in
 * test_executor_threads.c. */
#include "executor_test.h"

#include <pthread.h>
#include <stdlib.h>

enum { MOST = 10000 };

typedef struct witness {
  int threads;
  atomic_int calls[MOST];
  atomic_bool is_busy[MOST_WORKERS];
  atomic_int mistakes;
} witness;

typedef struct numbered {
  witness *seen;
  int number;
} numbered;

/* Every seventh fails. */
static parcel_status visit(void *argument, const parcel_task_context *context)
{
  const numbered *own = argument;
  witness *seen = own->seen;
  const int worker = parcel_task_worker(context);
  if (worker < 0 || worker >= seen->threads || atomic_exchange(&seen->is_busy[worker], true)) {
    ++seen->mistakes;
    return PARCEL_OK;
  }
  ++seen->calls[own->number];
  if (own->number % 100 == 0)
    usleep(100);
  seen->mistakes += parcel_task_is_cancelled(context);
  atomic_store(&seen->is_busy[worker], false);
  return own->number % 7 == 0 ? parcel_fail(PARCEL_KERNEL, "number %d is bad", own->number) : PARCEL_OK;
}

static witness seen;
static numbered arguments[MOST];
static parcel_future *futures[MOST];

static void begin(int threads)
{
  memset(&seen, 0, sizeof seen);
  seen.threads = threads;
  for (int i = 0; i < MOST; ++i)
    arguments[i] = (numbered){&seen, i};
}

static void assert_each_called_once(void)
{
  assert_int_equal(seen.mistakes, 0);
  for (int i = 0; i < MOST; ++i)
    assert_int_equal(seen.calls[i], 1);
}

static void check_one_outcome_each(parcel_executor *executor, int threads)
{
  for (int round = 0; round < 3; ++round) {
    begin(threads);
    for (int i = 0; i < MOST; ++i)
      futures[i] = submit(executor, visit, &arguments[i]);
    for (int i = 0; i < MOST; ++i) {
      char words[64];
      snprintf(words, sizeof words, "number %d is bad", i);
      const parcel_status status = outcome(futures[i]);
      if (i % 7 == 0)
        assert_refused(status, PARCEL_KERNEL, words);
      else
        assert_ok(status);
    }
    assert_each_called_once();
    assert_ok(parcel_executor_wait(executor));
  }
}

static void executor_every_task_has_one_outcome_with_its_text(void **state)
{
  (void)state;
  on_every_executor(check_one_outcome_each);
}

static void check_tasks_without_futures(parcel_executor *executor, int threads)
{
  begin(threads);
  for (int i = 0; i < MOST; ++i)
    assert_ok(parcel_executor_submit(executor, visit, &arguments[i], NULL, NULL));
  assert_refused(parcel_executor_wait(executor), PARCEL_KERNEL, "1429 tasks failed; the first: number ");
  assert_each_called_once();
  assert_ok(parcel_executor_wait(executor));
}

static void executor_tasks_without_futures_all_run_and_their_failures_are_told_once(void **state)
{
  (void)state;
  on_every_executor(check_tasks_without_futures);
}

static parcel_status fail_silently(void *argument, const parcel_task_context *context)
{
  (void)argument;
  (void)context;
  return PARCEL_KERNEL;
}

static void check_silent_failure(parcel_executor *executor, int threads)
{
  int number = 5;
  (void)threads;
  for (int i = 0; i < 100; ++i) {
    assert_refused(outcome(submit(executor, fail_with_number, &number)), PARCEL_KERNEL, "number 5 is bad");
    assert_refused(outcome(submit(executor, fail_silently, NULL)), PARCEL_KERNEL, "the kernel failed");
  }
}

static void executor_failure_without_text_does_not_get_another_ones(void **state)
{
  (void)state;
  on_every_executor(check_silent_failure);
}

/* ---- map ---- */

static parcel_status square(void *argument, const parcel_task_context *context)
{
  parcel_index *value = argument;
  (void)context;
  *value *= *value;
  return PARCEL_OK;
}

static parcel_status refuse_above(void *argument, const parcel_task_context *context)
{
  const parcel_index value = *(const parcel_index *)argument;
  (void)context;
  return value >= 40 ? parcel_fail(PARCEL_KERNEL, "%d is too large", (int)value) : PARCEL_OK;
}

static void check_map(parcel_executor *executor, int threads)
{
  static const int counts[] = {0, 1, 997};
  parcel_index values[997];
  (void)threads;
  for (int c = 0; c < LENGTH(counts); ++c) {
    for (int i = 0; i < LENGTH(values); ++i)
      values[i] = i;
    assert_ok(parcel_executor_map(executor, square, values, sizeof *values, counts[c], NULL));
    for (int i = 0; i < LENGTH(values); ++i)
      assert_int_equal(values[i], i < counts[c] ? i * i : i);
  }
  for (int i = 0; i < LENGTH(values); ++i)
    values[i] = i;
  assert_refused(parcel_executor_map(executor, refuse_above, values, sizeof *values, LENGTH(values), NULL),
                 PARCEL_KERNEL, "40 is too large");
  assert_refused(parcel_executor_map(executor, square, values, sizeof *values, -1, NULL), PARCEL_INVALID,
                 "-1 arguments");
}

typedef struct late_failure {
  gate gate;
  atomic_int begun;
  int at; /* the call that fails */
} late_failure;

/* The first call waits at the gate, another fails. */
static parcel_status fail_late(void *argument, const parcel_task_context *context)
{
  late_failure *own = *(late_failure **)argument;
  const int call = own->begun++;
  if (call == 0)
    return pass_gate(&own->gate, context);
  if (call == own->at)
    return parcel_fail(PARCEL_RANGE, "late");
  usleep(50);
  return PARCEL_OK;
}

static void *open_gate_later(void *argument)
{
  late_failure *own = argument;
  while (own->begun <= own->at)
    usleep(100);
  usleep(200000);
  own->gate.is_open = true;
  return NULL;
}

/* Nobody waits for the tasks in order while the first one takes its time. */
static void executor_map_begins_nothing_after_a_failure(void **state)
{
  enum { MANY = 20000, AT = 50 };
  static late_failure *arguments[MANY];
  (void)state;
  for (int capacity = 0; capacity <= 100; capacity += 100) {
    const parcel_executor_options options = {.threads = 2, .capacity = capacity};
    parcel_executor *executor = NULL;
    late_failure own = {.at = AT};
    pthread_t opener;
    for (int a = 0; a < MANY; ++a)
      arguments[a] = &own;
    assert_ok(parcel_executor_create(&options, &executor));
    assert_int_equal(pthread_create(&opener, NULL, open_gate_later, &own), 0);
    const parcel_status status =
        parcel_executor_map(executor, fail_late, arguments, sizeof *arguments, MANY, NULL);
    assert_int_equal(pthread_join(opener, NULL), 0);
    assert_int_equal(status, PARCEL_RANGE);
    assert_in_range(own.begun, AT + 1, AT + 2); /* one may have been submitted meanwhile */
    assert_ok(parcel_executor_destroy(&executor));
  }
}

static void executor_map_runs_each_argument_and_returns_the_first_failure(void **state)
{
  (void)state;
  on_every_executor(check_map);
}

/* ---- the bounded queue ---- */

typedef struct late_submitter {
  parcel_executor *executor;
  atomic_int calls;
  atomic_int submitted;
} late_submitter;

static void *submit_ten(void *argument)
{
  late_submitter *own = argument;
  for (int i = 0; i < 10; ++i)
    if (parcel_executor_submit(own->executor, count_call, &own->calls, NULL, NULL) == PARCEL_OK)
      ++own->submitted;
  return NULL;
}

static void full_queue_makes_the_submitter_wait(void **state)
{
  (void)state;
  for (int threads = 1; threads <= MOST_WORKERS; threads += 7) {
    const parcel_executor_options options = {.threads = threads, .capacity = 4};
    late_submitter late = {0};
    gate door = {0};
    pthread_t thread;
    assert_ok(parcel_executor_create(&options, &late.executor));
    for (int t = 0; t < threads; ++t) {
      assert_ok(parcel_executor_submit(late.executor, pass_gate, &door, NULL, NULL));
      wait_until_entered(&door, t + 1);
    }
    assert_int_equal(pthread_create(&thread, NULL, submit_ten, &late), 0);
    for (int wait = 0; wait < 5000 && late.submitted < 4; ++wait)
      usleep(1000);
    usleep(20000);
    assert_int_equal(late.submitted, 4);
    assert_int_equal(late.calls, 0);
    door.is_open = true;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ok(parcel_executor_wait(late.executor));
    assert_int_equal(late.submitted, 10);
    assert_int_equal(late.calls, 10);
    assert_ok(parcel_executor_destroy(&late.executor));
  }
}

static void full_queue_refuses_if_asked_to(void **state)
{
  const parcel_executor_options options = {.threads = 2, .capacity = 3, .refuses_when_full = true};
  parcel_executor *executor = NULL;
  parcel_future *none = NULL;
  atomic_int calls = 0;
  gate door = {0};
  (void)state;
  assert_ok(parcel_executor_create(&options, &executor));
  for (int t = 0; t < 2; ++t) {
    assert_ok(parcel_executor_submit(executor, pass_gate, &door, NULL, NULL));
    wait_until_entered(&door, t + 1);
  }
  for (int i = 0; i < 3; ++i)
    assert_ok(parcel_executor_submit(executor, count_call, &calls, NULL, NULL));
  assert_refused(parcel_executor_submit(executor, count_call, &calls, NULL, &none), PARCEL_FULL,
                 "3 tasks are queued");
  assert_null(none);
  door.is_open = true;
  assert_ok(parcel_executor_wait(executor));
  assert_int_equal(calls, 3);
  assert_ok(parcel_executor_submit(executor, count_call, &calls, NULL, NULL));
  assert_ok(parcel_executor_destroy(&executor));
  assert_int_equal(calls, 4);
}

/* ---- tasks that wait for tasks ---- */

typedef struct fibonacci {
  parcel_executor *executor;
  int n;
  int value;
} fibonacci;

static parcel_status compute_fibonacci(void *argument, const parcel_task_context *context)
{
  fibonacci *own = argument;
  (void)context;
  own->value = own->n;
  if (own->n < 2)
    return PARCEL_OK;
  fibonacci parts[] = {{own->executor, own->n - 1, 0}, {own->executor, own->n - 2, 0}};
  parcel_future *halves[2] = {NULL};
  parcel_status status = PARCEL_OK;
  for (int p = 0; p < 2 && !status; ++p)
    status = parcel_executor_submit(own->executor, compute_fibonacci, &parts[p], NULL, &halves[p]);
  for (int p = 0; p < 2 && !status; ++p)
    status = parcel_future_wait(halves[p]);
  for (int p = 0; p < 2; ++p)
    parcel_future_release(&halves[p]);
  own->value = parts[0].value + parts[1].value;
  return status;
}

static void executor_tasks_that_wait_for_tasks_do_not_deadlock(void **state)
{
  static const int capacities[] = {0, 1, 7};
  static const int threads[] = {1, 2, MOST_WORKERS};
  (void)state;
  for (int c = 0; c < LENGTH(capacities); ++c)
    for (int t = 0; t < LENGTH(threads); ++t) {
      const parcel_executor_options options = {.threads = threads[t], .capacity = capacities[c]};
      fibonacci top = {.n = 15};
      assert_ok(parcel_executor_create(&options, &top.executor));
      assert_ok(outcome(submit(top.executor, compute_fibonacci, &top)));
      assert_int_equal(top.value, 610);
      assert_ok(parcel_executor_destroy(&top.executor));
    }
}

static parcel_status wait_for_itself(void *argument, const parcel_task_context *context)
{
  parcel_executor *executor = argument;
  (void)context;
  return parcel_executor_wait(executor);
}

static parcel_status destroy_its_own(void *argument, const parcel_task_context *context)
{
  parcel_executor *executor = argument;
  (void)context;
  return parcel_executor_destroy(&executor);
}

static void check_self_reference(parcel_executor *executor, int threads)
{
  (void)threads;
  assert_refused(outcome(submit(executor, wait_for_itself, executor)), PARCEL_INVALID, "itself included");
  assert_refused(outcome(submit(executor, destroy_its_own, executor)), PARCEL_INVALID, "its own executor");
}

static void executor_task_may_not_wait_for_all_nor_destroy(void **state)
{
  (void)state;
  on_every_executor(check_self_reference);
}

/* Tasks that were taken together with a long one are run by others meanwhile, as long as one thread is
 * left. */
static void check_long_ones(parcel_executor *executor, int threads)
{
  uint64_t seed = 1;
  for (int round = 0; round < 20; ++round) {
    gate door = {0};
    atomic_int calls = 0;
    int left = threads - 1;
    for (int i = 0; i < 200; ++i) {
      const bool is_long = left > 0 && random_below(&seed, 200 / threads) == 0;
      left -= is_long;
      assert_ok(is_long ? parcel_executor_submit(executor, pass_gate, &door, NULL, NULL)
                        : parcel_executor_submit(executor, count_call, &calls, NULL, NULL));
    }
    const int expected = 200 - (threads - 1 - left);
    for (int wait = 0; wait < 100000 && calls < expected; ++wait)
      usleep(100);
    assert_int_equal(calls, expected);
    door.is_open = true;
    assert_ok(parcel_executor_wait(executor));
  }
}

static void executor_no_task_waits_behind_long_ones(void **state)
{
  (void)state;
  on_every_executor(check_long_ones);
}

/* ---- several submitters ---- */

static void *submit_thousands(void *argument)
{
  late_submitter *own = argument;
  for (int i = 0; i < 5000; ++i) {
    parcel_future *future = NULL;
    if (parcel_executor_submit(own->executor, count_call, &own->calls, NULL, i % 2 ? &future : NULL))
      break;
    if (future && (parcel_future_wait(future) || i % 3 == 0))
      ++own->submitted;
    parcel_future_release(&future);
  }
  return NULL;
}

static void check_many_submitters(parcel_executor *executor, int threads)
{
  late_submitter shared = {.executor = executor};
  pthread_t submitters[4];
  (void)threads;
  for (int s = 0; s < LENGTH(submitters); ++s)
    assert_int_equal(pthread_create(&submitters[s], NULL, submit_thousands, &shared), 0);
  for (int s = 0; s < LENGTH(submitters); ++s)
    assert_int_equal(pthread_join(submitters[s], NULL), 0);
  assert_ok(parcel_executor_wait(executor));
  assert_int_equal(shared.calls, 5000 * LENGTH(submitters));
}

static void executor_takes_tasks_from_many_threads(void **state)
{
  (void)state;
  on_every_executor(check_many_submitters);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(executor_every_task_has_one_outcome_with_its_text),
      cmocka_unit_test(executor_tasks_without_futures_all_run_and_their_failures_are_told_once),
      cmocka_unit_test(executor_failure_without_text_does_not_get_another_ones),
      cmocka_unit_test(executor_map_runs_each_argument_and_returns_the_first_failure),
      cmocka_unit_test(executor_map_begins_nothing_after_a_failure),
      cmocka_unit_test(full_queue_makes_the_submitter_wait),
      cmocka_unit_test(full_queue_refuses_if_asked_to),
      cmocka_unit_test(executor_tasks_that_wait_for_tasks_do_not_deadlock),
      cmocka_unit_test(executor_task_may_not_wait_for_all_nor_destroy),
      cmocka_unit_test(executor_no_task_waits_behind_long_ones),
      cmocka_unit_test(executor_takes_tasks_from_many_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
