/* The life of an executor's threads: how many there are, initializers, what is left behind. The linker puts
 * the pthread_create of this file in the place of the C library's. */
#include "executor_test.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>

/* ---- a pthread_create that fails when told to ---- */

static atomic_int creations_left = -1; /* until all fail; negative: none does */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);
/* Visible, because a sanitizer's library calls it too. */
PARCEL_API int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                                     void *(*run)(void *), void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument)
{
  if (creations_left == 0)
    return EAGAIN;
  creations_left -= creations_left > 0;
  return __real_pthread_create(thread, attributes, run, argument);
}

static int entries(const char *folder)
{
  int count = 0;
  DIR *stream = opendir(folder);
  assert_non_null(stream);
  while (readdir(stream))
    ++count;
  closedir(stream);
  return count;
}

/* A thread that was joined may stand in /proc for a moment longer. */
static void assert_threads(int expected)
{
  for (int wait = 0; wait < 5000 && entries("/proc/self/task") != expected; ++wait)
    usleep(1000);
  assert_int_equal(entries("/proc/self/task"), expected);
}

/* ---- creation ---- */

static void executor_leaves_no_thread_and_no_file_behind(void **state)
{
  const int threads = entries("/proc/self/task");
  const int files = entries("/proc/self/fd");
  (void)state;
  for (int round = 0; round < 10000; ++round) {
    atomic_int calls = 0;
    parcel_executor *executor = make_executor(1 + round % 3);
    for (int task = 0; task < round % 4; ++task)
      assert_ok(parcel_executor_submit(executor, count_call, &calls, NULL, NULL));
    assert_ok(parcel_executor_destroy(&executor));
    assert_int_equal(calls, round % 4);
  }
  assert_threads(threads);
  assert_int_equal(entries("/proc/self/fd"), files);
}

static void executor_destroy_takes_null(void **state)
{
  parcel_executor *executor = NULL;
  (void)state;
  assert_ok(parcel_executor_destroy(&executor));
}

static void executor_refuses_contradicting_options(void **state)
{
  static const struct {
    parcel_executor_options options;
    const char *words;
  } wrong[] = {
      {{.threads = -1}, "0 to -1 threads"},
      {{.least_threads = -2}, "-2 to 0 threads"},
      {{.threads = 2, .least_threads = 3}, "at least 3 and at most 2"},
      {{.idle_seconds = -0.5}, "idle_seconds -0.5"},
      {{.capacity = -4}, "capacity -4"},
  };
  (void)state;
  for (int w = 0; w < LENGTH(wrong); ++w) {
    parcel_executor *executor = NULL;
    assert_refused(parcel_executor_create(&wrong[w].options, &executor), PARCEL_INVALID, wrong[w].words);
    assert_null(executor);
  }
}

static void executor_thread_that_does_not_start_ends_the_others(void **state)
{
  const parcel_executor_options options = {.threads = 6};
  const int threads = entries("/proc/self/task");
  (void)state;
  for (int started = 0; started < options.threads; ++started) {
    parcel_executor *executor = NULL;
    char words[64];
    snprintf(words, sizeof words, "thread %d of 6 did not start: %s", started + 1, strerror(EAGAIN));
    creations_left = started;
    const parcel_status status = parcel_executor_create(&options, &executor);
    creations_left = -1;
    assert_refused(status, PARCEL_SYSTEM, words);
    assert_null(executor);
    assert_threads(threads);
  }
}

static void executor_that_cannot_grow_goes_on_with_what_it_has(void **state)
{
  const parcel_executor_options options = {.threads = 6, .least_threads = 2};
  parcel_executor *executor = NULL;
  atomic_int calls = 0;
  (void)state;
  assert_ok(parcel_executor_create(&options, &executor));
  creations_left = 1;
  for (int task = 0; task < 1000; ++task)
    assert_ok(parcel_executor_submit(executor, count_call, &calls, NULL, NULL));
  assert_ok(parcel_executor_wait(executor));
  creations_left = -1;
  assert_int_equal(calls, 1000);
  assert_in_range(parcel_executor_threads(executor), 2, 3);
  assert_ok(parcel_executor_destroy(&executor));
}

/* ---- growth ---- */

static void executor_grows_for_tasks_that_wait_and_shrinks_again(void **state)
{
  const parcel_executor_options options = {.threads = 12, .least_threads = 2, .idle_seconds = 0.05};
  const int before = entries("/proc/self/task");
  parcel_executor *executor = NULL;
  (void)state;
  assert_ok(parcel_executor_create(&options, &executor));
  assert_threads(before + 2);
  for (int round = 0; round < 3; ++round) {
    gate door = {0};
    for (int task = 0; task < 30; ++task)
      assert_ok(parcel_executor_submit(executor, pass_gate, &door, NULL, NULL));
    wait_until_entered(&door, 12);
    usleep(20000);
    assert_int_equal(door.entered, 12);
    assert_int_equal(parcel_executor_threads(executor), 12);
    assert_threads(before + 12);
    door.is_open = true;
    assert_ok(parcel_executor_wait(executor));
    assert_threads(before + 2);
    assert_int_equal(parcel_executor_threads(executor), 2);
  }
  assert_ok(parcel_executor_destroy(&executor));
  assert_threads(before);
}

static parcel_status sleep_50_ms(void *argument, const parcel_task_context *context)
{
  (void)argument;
  (void)context;
  usleep(50000);
  return PARCEL_OK;
}

/* One by one they would take 6.4 s. */
static void executor_of_many_threads_lets_tasks_wait_together(void **state)
{
  const parcel_executor_options options = {.threads = 64, .least_threads = 1};
  parcel_executor *executor = NULL;
  (void)state;
  assert_ok(parcel_executor_create(&options, &executor));
  const double begin = seconds_now();
  for (int task = 0; task < 128; ++task)
    assert_ok(parcel_executor_submit(executor, sleep_50_ms, NULL, NULL, NULL));
  assert_ok(parcel_executor_wait(executor));
  assert_true(seconds_now() - begin < 3);
  assert_ok(parcel_executor_destroy(&executor));
}

/* ---- initializers ---- */

typedef struct visitors {
  int failing; /* worker whose initializer fails; -1: none */
  atomic_int initialized[MOST_WORKERS];
  atomic_int finalized[MOST_WORKERS];
} visitors;

static parcel_status initialize(void *ctx, int worker)
{
  visitors *own = ctx;
  ++own->initialized[worker];
  if (worker == own->failing)
    return parcel_fail(PARCEL_IO, "no library for worker %d", worker);
  return PARCEL_OK;
}

static void finalize(void *ctx, int worker)
{
  visitors *own = ctx;
  ++own->finalized[worker];
}

static void executor_initializes_and_finalizes_every_worker_once(void **state)
{
  static const int threads[] = {1, 2, MOST_WORKERS};
  (void)state;
  for (int t = 0; t < LENGTH(threads); ++t) {
    visitors own = {.failing = -1};
    atomic_int calls = 0;
    const parcel_executor_options options = {
        .threads = threads[t], .initialize = initialize, .finalize = finalize, .ctx = &own};
    parcel_executor *executor = NULL;
    assert_ok(parcel_executor_create(&options, &executor));
    for (int task = 0; task < 100; ++task)
      assert_ok(parcel_executor_submit(executor, count_call, &calls, NULL, NULL));
    assert_ok(parcel_executor_destroy(&executor));
    assert_int_equal(calls, 100);
    for (int worker = 0; worker < MOST_WORKERS; ++worker) {
      assert_int_equal(own.initialized[worker], worker < threads[t]);
      assert_int_equal(own.finalized[worker], worker < threads[t]);
    }
  }
}

static void executor_is_broken_by_one_failing_initializer(void **state)
{
  static const int threads[] = {1, 2, MOST_WORKERS};
  (void)state;
  for (int t = 0; t < LENGTH(threads); ++t) {
    visitors own = {.failing = threads[t] - 1};
    atomic_int calls = 0;
    const parcel_executor_options options = {
        .threads = threads[t], .initialize = initialize, .finalize = finalize, .ctx = &own};
    parcel_executor *executor = NULL;
    char words[64];
    snprintf(words, sizeof words, "no library for worker %d", own.failing);
    assert_ok(parcel_executor_create(&options, &executor));
    parcel_status status = PARCEL_OK;
    for (int wait = 0; wait < 5000 && !status; ++wait) {
      parcel_future *future = NULL;
      status = parcel_executor_submit(executor, count_call, &calls, NULL, &future);
      if (!status && (status = outcome(future)))
        assert_refused(status, PARCEL_IO, words);
      usleep(1000);
    }
    assert_refused(parcel_executor_submit(executor, count_call, &calls, NULL, NULL), PARCEL_IO, words);
    const int before = calls;
    assert_refused(parcel_executor_submit(executor, count_call, &calls, NULL, NULL), PARCEL_IO, words);
    assert_int_equal(calls, before);
    assert_ok(parcel_executor_destroy(&executor));
    for (int worker = 0; worker < threads[t]; ++worker)
      assert_int_equal(own.finalized[worker], worker != own.failing);
  }
}

static parcel_status fail_slowly(void *ctx, int worker)
{
  usleep(20000);
  return initialize(ctx, worker);
}

static void executor_broken_gives_queued_tasks_the_reason(void **state)
{
  visitors own = {.failing = 0};
  atomic_int calls = 0;
  const parcel_executor_options options = {
      .threads = 1, .capacity = 3, .initialize = fail_slowly, .ctx = &own};
  parcel_executor *executor = NULL;
  parcel_future *futures[3];
  (void)state;
  assert_ok(parcel_executor_create(&options, &executor));
  for (int f = 0; f < 3; ++f)
    futures[f] = submit(executor, count_call, &calls);
  assert_refused(parcel_executor_submit(executor, count_call, &calls, NULL, NULL), PARCEL_IO,
                 "no library for worker 0"); /* it waited for room */
  for (int f = 0; f < 3; ++f)
    assert_refused(outcome(futures[f]), PARCEL_IO, "no library for worker 0");
  assert_ok(parcel_executor_destroy(&executor));
  assert_int_equal(calls, 0);
}

static void executor_broken_unnoticed_is_told_at_its_end(void **state)
{
  visitors own = {.failing = 0};
  const parcel_executor_options options = {.threads = 1, .initialize = initialize, .ctx = &own};
  parcel_executor *executor = NULL;
  (void)state;
  assert_ok(parcel_executor_create(&options, &executor));
  assert_refused(parcel_executor_destroy(&executor), PARCEL_IO, "no library for worker 0");
}

/* ---- the end ---- */

static void executor_destroy_waits_for_what_is_queued(void **state)
{
  static const int threads[] = {1, 2, MOST_WORKERS};
  (void)state;
  for (int t = 0; t < LENGTH(threads); ++t) {
    parcel_executor *executor = make_executor(threads[t]);
    atomic_int calls = 0;
    assert_ok(parcel_executor_submit(executor, sleep_50_ms, NULL, NULL, NULL));
    for (int task = 0; task < 1000; ++task)
      assert_ok(parcel_executor_submit(executor, count_call, &calls, NULL, NULL));
    assert_ok(parcel_executor_destroy(&executor));
    assert_int_equal(calls, 1000);
  }
}

static void executor_cancelled_and_destroyed_runs_nothing_more(void **state)
{
  parcel_executor *executor = make_executor(2);
  atomic_int started = 0;
  atomic_int calls = 0;
  (void)state;
  parcel_future *kept = submit(executor, wait_for_token, &started);
  assert_ok(parcel_executor_submit(executor, wait_for_token, &started, NULL, NULL));
  while (started < 2)
    usleep(100);
  for (int task = 0; task < 1000; ++task)
    assert_ok(parcel_executor_submit(executor, count_call, &calls, NULL, NULL));
  parcel_executor_cancel(executor);
  assert_refused(parcel_future_wait(kept), PARCEL_STOPPED, "told to stop");
  assert_refused(parcel_executor_destroy(&executor), PARCEL_STOPPED, "told to stop");
  assert_int_equal(calls, 0);
}

static parcel_status count_blocked(void *argument, const parcel_task_context *context)
{
  static const int asynchronous[] = {SIGHUP, SIGINT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGCHLD};
  atomic_int *blocked = argument;
  sigset_t mask;
  (void)context;
  if (pthread_sigmask(SIG_SETMASK, NULL, &mask))
    return parcel_fail(PARCEL_SYSTEM, "no mask");
  for (int s = 0; s < LENGTH(asynchronous); ++s)
    *blocked += sigismember(&mask, asynchronous[s]);
  return PARCEL_OK;
}

static void run_tasks(atomic_int *blocked)
{
  parcel_executor *executor = make_executor(2);
  for (int task = 0; task < 100; ++task)
    assert_ok(parcel_executor_submit(executor, count_blocked, blocked, NULL, NULL));
  assert_ok(parcel_executor_destroy(&executor));
}

static void executor_tasks_find_the_mask_of_who_made_the_threads(void **state)
{
  atomic_int blocked = 0;
  sigset_t alarm;
  (void)state;
  run_tasks(&blocked);
  assert_int_equal(blocked, 0);
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  assert_int_equal(pthread_sigmask(SIG_BLOCK, &alarm, NULL), 0);
  run_tasks(&blocked);
  assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &alarm, NULL), 0);
  assert_int_equal(blocked, 100);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(executor_destroy_waits_for_what_is_queued),
      cmocka_unit_test(executor_destroy_takes_null),
      cmocka_unit_test(executor_refuses_contradicting_options),
      cmocka_unit_test(executor_leaves_no_thread_and_no_file_behind),
      cmocka_unit_test(executor_thread_that_does_not_start_ends_the_others),
      cmocka_unit_test(executor_that_cannot_grow_goes_on_with_what_it_has),
      cmocka_unit_test(executor_grows_for_tasks_that_wait_and_shrinks_again),
      cmocka_unit_test(executor_of_many_threads_lets_tasks_wait_together),
      cmocka_unit_test(executor_initializes_and_finalizes_every_worker_once),
      cmocka_unit_test(executor_is_broken_by_one_failing_initializer),
      cmocka_unit_test(executor_broken_gives_queued_tasks_the_reason),
      cmocka_unit_test(executor_broken_unnoticed_is_told_at_its_end),
      cmocka_unit_test(executor_cancelled_and_destroyed_runs_nothing_more),
      cmocka_unit_test(executor_tasks_find_the_mask_of_who_made_the_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
