/* Bodies and initializers that end their worker: each costs its call and nothing else, and leaves nothing
 * behind. */
#include "workers_test.h"

#include <limits.h>
#include <stdatomic.h>

static const int sizes[] = {1, 2, 8};

__attribute__((no_sanitize("undefined"))) static parcel_status touch_nothing(void *argument, int worker)
{
  (void)worker;
  *(volatile int *)argument = 1;
  return PARCEL_OK;
}

static parcel_status call_abort(void *argument, int worker)
{
  (void)argument;
  (void)worker;
  abort();
}

__attribute__((no_sanitize("undefined"))) static parcel_status divide_by_zero(void *argument, int worker)
{
  volatile int zero = 0;
  (void)argument;
  return (parcel_status)(worker / zero);
}

static parcel_status call_exit(void *argument, int worker)
{
  (void)argument;
  exit(worker);
}

static int overflow_stack(int depth)
{
  volatile char own[4096] = {0};
  own[depth % 4096] = 1;
  return depth < 0 ? 0 : overflow_stack((depth + 1) & INT_MAX) + own[1];
}

static parcel_status recurse_for_ever(void *argument, int worker)
{
  (void)argument;
  return (parcel_status)overflow_stack(worker);
}

static parcel_status loop_for_ever(void *argument, int worker)
{
  (void)argument;
  while (worker >= 0)
    worker += (int)*parcel_status_name(PARCEL_OK) - 'O';
  return PARCEL_OK;
}

static parcel_status kill_itself(void *argument, int worker)
{
  (void)argument;
  (void)worker;
  raise(SIGKILL);
  return PARCEL_OK;
}

static void ignore_handler(int signal_number)
{
  (void)signal_number;
}

/* The parent's handlers must not catch what kills a worker. */
static void workers_crash_is_the_calls_and_nobody_elses(void **state)
{
  static const struct {
    parcel_worker_body body;
    parcel_status status;
    const char *words;
  } cases[] = {{touch_nothing, PARCEL_CRASHED, "died of SIGSEGV (Segmentation fault)"},
               {call_abort, PARCEL_CRASHED, "died of SIGABRT (Aborted)"},
               {divide_by_zero, PARCEL_CRASHED, "died of SIGFPE"},
               {call_exit, PARCEL_CRASHED, "exit(0)"},
               {recurse_for_ever, PARCEL_CRASHED, "died of SIGSEGV"},
               {kill_itself, PARCEL_CRASHED, "died of SIGKILL (Killed)"},
               {loop_for_ever, PARCEL_TIMEOUT, "after 0.2 s"}};
  (void)state;
  square *task = make_shared(sizeof *task);
  for (int s = 0; s < LENGTH(sizes); ++s) {
    const int files = count_open_files();
    parcel_workers *workers = make_workers((parcel_workers_options){.processes = sizes[s]});
    for (int c = 0; c < LENGTH(cases); ++c) {
      const double begin = now_in_seconds();
      const double limit = cases[c].status == PARCEL_TIMEOUT ? 0.2 : 0;
      assert_refused(parcel_workers_call(workers, 0, cases[c].body, NULL, limit), cases[c].status,
                     cases[c].words);
      assert_true(now_in_seconds() - begin < 5);
      for (int w = sizes[s] - 1; w >= 0; --w) {
        task->value = 7 + c;
        assert_ok(parcel_workers_call(workers, w, compute_square, task, 0));
        assert_int_equal(task->result, (7 + c) * (7 + c));
      }
      assert_int_equal(count_children(fork_server()), sizes[s]);
    }
    assert_refused(parcel_workers_call(workers, sizes[s] - 1, call_abort, NULL, 0), PARCEL_CRASHED,
                   "SIGABRT");
    parcel_workers_destroy(&workers);
    assert_int_equal(count_children(fork_server()), 0);
    assert_int_equal(count_children(getpid()), 1);
    assert_int_equal(count_open_files(), files);
  }
  parcel_shared_free(task);
}

static void *no_addresses_left; /* what malloc gave */

static parcel_status eat_memory(void *argument, int worker)
{
  (void)worker;
  for (int i = 0; i < 1000; ++i) {
    no_addresses_left = malloc(16 << 20);
    if (!no_addresses_left)
      return parcel_fail(PARCEL_MEMORY, "no memory after %d MiB", 16 * i);
    memset(no_addresses_left, 1, 16 << 20);
  }
  *(int *)argument = 1;
  return PARCEL_OK;
}

static void workers_memory_limit_is_the_workers_own(void **state)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  skip(); /* their shadow memory counts as data */
#endif
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = 1, .memory_bytes = 64 << 20});
  void *own = malloc(128 << 20);
  (void)state;
  assert_non_null(own);
  free(own);
  assert_refused(parcel_workers_call(workers, 0, eat_memory, NULL, 10), PARCEL_MEMORY, "no memory after");
  parcel_workers_destroy(&workers);
}

static void workers_crash_of_a_worker_for_one_task_costs_no_time(void **state)
{
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = 1, .tasks_per_worker = 1});
  square *task = make_shared(sizeof *task);
  const double begin = now_in_seconds();
  pid_t last = 0;
  (void)state;
  for (int round = 0; round < 10; ++round) {
    assert_refused(parcel_workers_call(workers, 0, call_abort, NULL, 0), PARCEL_CRASHED, "SIGABRT");
    assert_ok(parcel_workers_call(workers, 0, compute_square, task, 0));
    assert_true(task->process != last);
    last = task->process;
  }
  assert_true(now_in_seconds() - begin < 5);
  parcel_workers_destroy(&workers);
  parcel_shared_free(task);
}

/* ---- initializers ---- */

typedef struct setup {
  atomic_int calls, fails_from, crashes_from;
} setup;

static int initialised; /* in each process its own */

static parcel_status initialise(void *argument, int worker)
{
  setup *own = argument;
  const int call = atomic_fetch_add(&own->calls, 1);
  initialised = worker + 1;
  if (call >= own->fails_from)
    return parcel_fail(PARCEL_IO, "no table for worker %d", worker);
  if (call >= own->crashes_from)
    abort();
  return PARCEL_OK;
}

static parcel_status check_initialised(void *argument, int worker)
{
  (void)argument;
  return initialised == worker + 1 ? PARCEL_OK : parcel_fail(PARCEL_KERNEL, "not initialised");
}

static setup *make_setup(int fails_from, int crashes_from)
{
  setup *own = make_shared(sizeof *own);
  own->fails_from = fails_from;
  own->crashes_from = crashes_from;
  return own;
}

static void workers_are_initialised_each_and_again_when_replaced(void **state)
{
  setup *own = make_setup(1000, 1000);
  (void)state;
  parcel_workers *workers = make_workers(
      (parcel_workers_options){.processes = 3, .initializer = initialise, .initializer_argument = own});
  assert_int_equal(own->calls, 3);
  for (int w = 0; w < 3; ++w)
    assert_ok(parcel_workers_call(workers, w, check_initialised, NULL, 0));
  assert_refused(parcel_workers_call(workers, 1, call_abort, NULL, 0), PARCEL_CRASHED, "SIGABRT");
  assert_ok(parcel_workers_call(workers, 1, check_initialised, NULL, 0));
  assert_int_equal(own->calls, 4);
  parcel_workers_destroy(&workers);
  parcel_shared_free(own);
}

static void workers_initializer_that_fails_on_one_is_the_creators_failure(void **state)
{
  (void)state;
  for (int fatal = 0; fatal < 8; ++fatal) {
    setup *failing = make_setup(fatal, 1000);
    setup *crashing = make_setup(1000, fatal);
    parcel_workers *workers = NULL;
    parcel_workers_options options = {
        .processes = 8, .initializer = initialise, .initializer_argument = failing};
    assert_refused(parcel_workers_create(&options, &workers), PARCEL_IO, "no table for worker");
    options.initializer_argument = crashing;
    assert_refused(parcel_workers_create(&options, &workers), PARCEL_CRASHED, "SIGABRT");
    assert_null(workers);
    assert_int_equal(count_children(fork_server()), 0);
    parcel_shared_free(failing);
    parcel_shared_free(crashing);
  }
}

static void workers_initializer_that_fails_in_a_replacement_fails_the_call(void **state)
{
  setup *own = make_setup(2, 1000);
  (void)state;
  parcel_workers *workers = make_workers(
      (parcel_workers_options){.processes = 2, .initializer = initialise, .initializer_argument = own});
  assert_refused(parcel_workers_call(workers, 0, call_abort, NULL, 0), PARCEL_CRASHED, "SIGABRT");
  assert_refused(parcel_workers_call(workers, 0, check_initialised, NULL, 0), PARCEL_IO,
                 "no table for worker 0");
  assert_ok(parcel_workers_call(workers, 1, check_initialised, NULL, 0));
  own->fails_from = 1000;
  assert_ok(parcel_workers_call(workers, 0, check_initialised, NULL, 0));
  parcel_workers_destroy(&workers);
  parcel_shared_free(own);
}

static void workers_initializer_that_hangs_is_ended(void **state)
{
  parcel_workers *workers = NULL;
  const parcel_workers_options options = {
      .processes = 2, .initializer = loop_for_ever, .initializer_limit_seconds = 0.1};
  (void)state;
  assert_refused(parcel_workers_create(&options, &workers), PARCEL_TIMEOUT, "after 0.1 s");
  assert_int_equal(count_children(fork_server()), 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(workers_crash_is_the_calls_and_nobody_elses),
      cmocka_unit_test(workers_crash_of_a_worker_for_one_task_costs_no_time),
      cmocka_unit_test(workers_memory_limit_is_the_workers_own),
      cmocka_unit_test(workers_are_initialised_each_and_again_when_replaced),
      cmocka_unit_test(workers_initializer_that_fails_on_one_is_the_creators_failure),
      cmocka_unit_test(workers_initializer_that_fails_in_a_replacement_fails_the_call),
      cmocka_unit_test(workers_initializer_that_hangs_is_ended),
  };
  (void)signal(SIGSEGV, ignore_handler);
  (void)signal(SIGABRT, ignore_handler);
  return run_with_workers(tests);
}
