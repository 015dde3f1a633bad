/* The life of a pool's threads: that they start and end, and which signals they take. The linker puts the
 * pthread_create of this file in the place of the C library's. */
#include "pool_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <parcel/signals.h>

/* ---- a pthread_create that fails when told to ---- */

static int creations_left = -1; /* until one fails; negative: none does */

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

/* ---- what the process holds ---- */

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

static parcel_status count_calls(void *ctx, parcel_span positions, int worker)
{
  atomic_int *calls = ctx;
  (void)positions;
  (void)worker;
  ++*calls;
  return PARCEL_OK;
}

static void assert_usable(parcel_pool *pool)
{
  atomic_int calls = 0;
  assert_ok(parcel_pool_for(pool, 20, 1, count_calls, &calls));
  assert_int_equal(calls, 20);
}

/* ---- the tests ---- */

static void pool_defaults_to_the_cpus_of_the_process(void **state)
{
  const parcel_pool_options defaults = PARCEL_POOL_OPTIONS_INIT;
  parcel_pool *pool = NULL;
  cpu_set_t all;
  cpu_set_t one;
  size_t cpu = 0;
  (void)state;
  assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
  while (!CPU_ISSET(cpu, &all))
    ++cpu;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
  const parcel_status status = parcel_pool_create(NULL, &pool);
  assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
  assert_ok(status);
  assert_int_equal(parcel_pool_threads(pool), 1);
  parcel_pool_destroy(&pool);
  assert_ok(parcel_pool_create(&defaults, &pool));
  assert_in_range(parcel_pool_threads(pool), 1, CPU_COUNT(&all));
  parcel_pool_destroy(&pool);
}

static void pool_of_negative_size_is_refused(void **state)
{
  const parcel_pool_options options = {.threads = -1};
  parcel_pool *pool = NULL;
  (void)state;
  assert_refused(parcel_pool_create(&options, &pool), PARCEL_INVALID, "-1 threads");
  assert_null(pool);
}

static void pool_destroy_takes_null(void **state)
{
  parcel_pool *pool = NULL;
  (void)state;
  parcel_pool_destroy(&pool);
  assert_null(pool);
}

static void pool_leaves_no_thread_and_no_file_behind(void **state)
{
  const int threads = entries("/proc/self/task");
  const int files = entries("/proc/self/fd");
  (void)state;
  for (int round = 0; round < 10000; ++round) {
    atomic_int calls = 0;
    parcel_pool *pool = make_pool(1 + round % 4);
    if (round % 3 > 0)
      assert_usable(pool);
    if (round % 3 > 1) {
      assert_ok(parcel_pool_start(pool, 5, 1, count_calls, &calls));
      assert_ok(parcel_pool_finish(pool));
      assert_int_equal(calls, 5);
    }
    parcel_pool_destroy(&pool);
    assert_null(pool);
  }
  assert_threads(threads);
  assert_int_equal(entries("/proc/self/fd"), files);
}

static void pool_thread_that_does_not_start_ends_the_others(void **state)
{
  const parcel_pool_options options = {.threads = 6};
  const int threads = entries("/proc/self/task");
  (void)state;
  for (int started = 0; started < options.threads - 1; ++started) {
    parcel_pool *pool = NULL;
    char words[64];
    snprintf(words, sizeof words, "thread %d of 6 did not start: %s", started + 2, strerror(EAGAIN));
    creations_left = started;
    const parcel_status status = parcel_pool_create(&options, &pool);
    creations_left = -1;
    assert_refused(status, PARCEL_SYSTEM, words);
    assert_null(pool);
    assert_threads(threads);
  }
}

static void pool_start_without_its_thread_fails_and_leaves_the_pool_usable(void **state)
{
  const int threads = entries("/proc/self/task");
  atomic_int calls = 0;
  parcel_pool *pool = make_pool(3);
  (void)state;
  creations_left = 0;
  const parcel_status status = parcel_pool_start(pool, 20, 1, count_calls, &calls);
  creations_left = -1;
  assert_refused(status, PARCEL_SYSTEM, "thread 1 of 3 did not start");
  assert_int_equal(calls, 0);
  assert_usable(pool);
  assert_ok(parcel_pool_start(pool, 20, 1, count_calls, &calls));
  assert_ok(parcel_pool_finish(pool));
  assert_int_equal(calls, 20);
  parcel_pool_destroy(&pool);
  assert_threads(threads);
}

/* ---- pinning ---- */

static parcel_status note_cpus(void *ctx, parcel_span positions, int worker)
{
  cpu_set_t *sets = ctx;
  (void)positions;
  usleep(1000); /* so that every worker gets its turn */
  return sched_getaffinity(0, sizeof *sets, &sets[worker]) ? PARCEL_SYSTEM : PARCEL_OK;
}

static void pool_pinned_threads_have_one_cpu_each_and_the_caller_keeps_its_own(void **state)
{
  const parcel_pool_options options = {.threads = 3, .pin = true};
  cpu_set_t sets[3] = {0};
  cpu_set_t ours;
  cpu_set_t after;
  cpu_set_t used;
  parcel_pool *pool = NULL;
  (void)state;
  CPU_ZERO(&used);
  assert_int_equal(sched_getaffinity(0, sizeof ours, &ours), 0);
  assert_ok(parcel_pool_create(&options, &pool));
  assert_ok(parcel_pool_start(pool, 100, 1, note_cpus, sets));
  assert_ok(parcel_pool_finish(pool));
  for (int worker = 0; worker < options.threads; ++worker) {
    assert_int_equal(CPU_COUNT(&sets[worker]), 1);
    CPU_OR(&used, &used, &sets[worker]);
  }
  CPU_AND(&after, &used, &ours);
  assert_true(CPU_EQUAL(&after, &used));
  assert_int_equal(CPU_COUNT(&used), CPU_COUNT(&ours) < options.threads ? CPU_COUNT(&ours) : options.threads);
  assert_usable(pool);
  parcel_pool_destroy(&pool);
  assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
  assert_true(CPU_EQUAL(&after, &ours));
}

/* ---- signals ---- */

static const int asynchronous[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM,
                                   SIGTERM, SIGCHLD, SIGCONT, SIGTSTP, SIGXCPU, SIGWINCH};

typedef struct masks {
  sigset_t wanted;
  atomic_int calls, differences;
} masks;

static void compare_masks(masks *masks)
{
  sigset_t mask;
  ++masks->calls;
  if (pthread_sigmask(SIG_SETMASK, NULL, &mask))
    ++masks->differences;
  for (int s = 0; s < LENGTH(asynchronous); ++s)
    masks->differences += sigismember(&mask, asynchronous[s]) != sigismember(&masks->wanted, asynchronous[s]);
}

static parcel_status look_at_mask(void *ctx, parcel_span positions, int worker)
{
  (void)positions;
  (void)worker;
  compare_masks(ctx);
  return PARCEL_OK;
}

static void assert_masks_in_pool(masks *masks)
{
  parcel_pool *pool = make_pool(4);
  assert_ok(parcel_pool_start(pool, 100, 1, look_at_mask, masks));
  assert_ok(parcel_pool_finish(pool));
  parcel_pool_destroy(&pool);
  assert_int_equal(masks->calls, 100);
  assert_int_equal(masks->differences, 0);
  masks->calls = 0;
}

static void pool_threads_have_the_mask_of_their_maker(void **state)
{
  masks masks = {.calls = 0};
  (void)state;
  assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &masks.wanted), 0);
  assert_masks_in_pool(&masks);
  sigaddset(&masks.wanted, SIGTERM);
  sigaddset(&masks.wanted, SIGALRM);
  assert_int_equal(pthread_sigmask(SIG_SETMASK, &masks.wanted, NULL), 0);
  assert_masks_in_pool(&masks);
  assert_non_null(parcel_signals_catch()); /* it unblocks SIGTERM here, but not there */
  assert_masks_in_pool(&masks);
  parcel_signals_release();
  compare_masks(&masks);
  assert_int_equal(masks.differences, 0);
  sigdelset(&masks.wanted, SIGTERM);
  sigdelset(&masks.wanted, SIGALRM);
  assert_int_equal(pthread_sigmask(SIG_SETMASK, &masks.wanted, NULL), 0);
}

static volatile sig_atomic_t taken_by_main;
static volatile sig_atomic_t taken_elsewhere;

static void note_thread(int signal)
{
  (void)signal;
  if (gettid() == getpid())
    ++taken_by_main;
  else
    ++taken_elsewhere;
}

static parcel_status wait_for_flag(void *ctx, parcel_span positions, int worker)
{
  (void)positions;
  (void)worker;
  while (!atomic_load((atomic_bool *)ctx))
    usleep(100);
  return PARCEL_OK;
}

static void pool_signals_are_taken_by_the_main_thread(void **state)
{
  struct sigaction ours = {.sa_handler = note_thread};
  struct sigaction before;
  atomic_bool is_open = false;
  parcel_pool *pool = make_pool(4);
  (void)state;
  assert_int_equal(sigaction(SIGUSR1, &ours, &before), 0);
  assert_ok(parcel_pool_start(pool, 4, 1, wait_for_flag, &is_open));
  for (int sent = 1; sent <= 20; ++sent) {
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    for (int wait = 0; wait < 5000 && taken_by_main + taken_elsewhere < sent; ++wait)
      usleep(1000);
  }
  atomic_store(&is_open, true);
  assert_ok(parcel_pool_finish(pool));
  parcel_pool_destroy(&pool);
  assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
  assert_int_equal(taken_by_main, 20);
  assert_int_equal(taken_elsewhere, 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(pool_defaults_to_the_cpus_of_the_process),
      cmocka_unit_test(pool_of_negative_size_is_refused),
      cmocka_unit_test(pool_destroy_takes_null),
      cmocka_unit_test(pool_leaves_no_thread_and_no_file_behind),
      cmocka_unit_test(pool_thread_that_does_not_start_ends_the_others),
      cmocka_unit_test(pool_start_without_its_thread_fails_and_leaves_the_pool_usable),
      cmocka_unit_test(pool_pinned_threads_have_one_cpu_each_and_the_caller_keeps_its_own),
      cmocka_unit_test(pool_threads_have_the_mask_of_their_maker),
      cmocka_unit_test(pool_signals_are_taken_by_the_main_thread),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
