/* How the fork server and its workers begin and end: refused starts, processes that cannot be made, parents
 * and servers that are killed. fork is wrapped, so that the n-th one fails, in whatever process. */
#include "workers_test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

static atomic_int *forks_until_failure; /* shared; 0: none fails */

pid_t __real_fork(void);
__attribute__((visibility("default"))) pid_t __wrap_fork(void); /* a sanitizer's library wants it too */
pid_t __wrap_fork(void)
{
  if (forks_until_failure && *forks_until_failure > 0 && atomic_fetch_sub(forks_until_failure, 1) == 1) {
    errno = EAGAIN;
    return -1;
  }
  return __real_fork();
}

static void workers_without_a_fork_server_are_refused(void **state)
{
  parcel_workers *workers = NULL;
  (void)state;
  assert_refused(parcel_workers_create(NULL, &workers), PARCEL_INVALID, "parcel_workers_prepare");
  parcel_workers_release();
}

static void *work(void *is_over)
{
  while (!*(atomic_bool *)is_over)
    ;
  return NULL;
}

/* Asleep in most looks, but never for long. */
static void *poll_often(void *is_over)
{
  while (!*(atomic_bool *)is_over)
    usleep(1000);
  return NULL;
}

static void workers_prepare_is_refused_beside_busy_threads(void **state)
{
  void *(*const busy[])(void *) = {work, poll_often};
  (void)state;
  for (int b = 0; b < LENGTH(busy); ++b) {
    atomic_bool is_over = false;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, busy[b], &is_over), 0);
    const parcel_status status = parcel_workers_prepare();
    is_over = true;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_refused(status, PARCEL_INVALID, "a fork now could leave its locks held");
    assert_int_equal(count_children(getpid()), 0);
  }
}

static void *hold_lock(void *argument)
{
  pthread_barrier_t *barrier = argument;
  pthread_barrier_wait(barrier);
  usleep(300000); /* at first it does something */
  pthread_barrier_wait(barrier);
  return NULL;
}

/* As OpenBLAS (pthread) has them when main begins. */
static void workers_prepare_waits_for_threads_to_rest(void **state)
{
  pthread_barrier_t barrier;
  pthread_t threads[2];
  parcel_workers *workers = NULL;
  (void)state;
  assert_int_equal(pthread_barrier_init(&barrier, NULL, 3), 0);
  for (int t = 0; t < 2; ++t)
    assert_int_equal(pthread_create(&threads[t], NULL, hold_lock, &barrier), 0);
  pthread_barrier_wait(&barrier);
  assert_ok(parcel_workers_prepare());
  const parcel_workers_options options = {.processes = 2};
  assert_ok(parcel_workers_create(&options, &workers));
  square *task = make_shared(sizeof *task);
  task->value = 12;
  assert_ok(parcel_workers_call(workers, 1, compute_square, task, 0));
  assert_int_equal(task->result, 144);
  parcel_shared_free(task);
  parcel_workers_destroy(&workers);
  parcel_workers_release();
  pthread_barrier_wait(&barrier);
  for (int t = 0; t < 2; ++t)
    assert_int_equal(pthread_join(threads[t], NULL), 0);
  pthread_barrier_destroy(&barrier);
}

/* The kernel then reaps the server by itself. */
static void workers_live_and_end_with_ignored_children(void **state)
{
  parcel_workers *workers = NULL;
  (void)state;
  assert_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
  parcel_status status = parcel_workers_prepare();
  if (!status)
    status = parcel_workers_create(&(parcel_workers_options){.processes = 2}, &workers);
  square *task = make_shared(sizeof *task);
  task->value = 12;
  if (!status)
    status = parcel_workers_call(workers, 0, compute_square, task, 0);
  parcel_workers_destroy(&workers);
  parcel_workers_release();
  (void)signal(SIGCHLD, SIG_DFL);
  assert_ok(status);
  assert_int_equal(task->result, 144);
  assert_int_equal(count_children(getpid()), 0);
  parcel_shared_free(task);
}

static void workers_prepare_that_cannot_fork_says_so(void **state)
{
  (void)state;
  *forks_until_failure = 1;
  assert_refused(parcel_workers_prepare(), PARCEL_SYSTEM, "did not start");
  assert_int_equal(count_children(getpid()), 0);
}

static void workers_prepare_may_be_repeated(void **state)
{
  (void)state;
  for (int round = 0; round < 3; ++round) {
    assert_ok(parcel_workers_prepare());
    assert_ok(parcel_workers_prepare());
    assert_int_equal(count_children(getpid()), 1);
    parcel_workers *workers = make_workers((parcel_workers_options){.processes = 2});
    parcel_workers_destroy(&workers);
    parcel_workers_release();
    parcel_workers_release();
    assert_int_equal(count_children(getpid()), 0);
  }
}

static void workers_that_cannot_all_be_made_are_unmade(void **state)
{
  (void)state;
  assert_ok(parcel_workers_prepare());
  for (int nth = 1; nth <= 8; ++nth) {
    parcel_workers *workers = NULL;
    const parcel_workers_options options = {.processes = 8};
    *forks_until_failure = nth;
    assert_refused(parcel_workers_create(&options, &workers), PARCEL_SYSTEM, "did not start");
    assert_null(workers);
    assert_int_equal(count_children(fork_server()), 0);
  }
  parcel_workers_release();
}

static parcel_status end_at_once(void *argument, int worker)
{
  (void)argument;
  _exit(worker);
}

static void workers_replacement_that_cannot_be_made_fails_the_next_call(void **state)
{
  square *task = make_shared(sizeof *task);
  (void)state;
  assert_ok(parcel_workers_prepare());
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = 2});
  *forks_until_failure = 1;
  assert_refused(parcel_workers_call(workers, 1, end_at_once, NULL, 0), PARCEL_CRASHED, "exit(1)");
  assert_refused(parcel_workers_call(workers, 1, compute_square, task, 0), PARCEL_SYSTEM,
                 "worker process 1 did not start");
  assert_ok(parcel_workers_call(workers, 0, compute_square, task, 0));
  assert_ok(parcel_workers_call(workers, 1, compute_square, task, 0));
  parcel_workers_destroy(&workers);
  parcel_workers_release();
  parcel_shared_free(task);
}

static parcel_status kill_the_server(void *argument, int worker)
{
  (void)argument;
  (void)worker;
  kill(getppid(), SIGKILL);
  sleep_for(30);
  return PARCEL_OK;
}

static void workers_calls_fail_when_the_server_is_killed(void **state)
{
  pid_t processes[3] = {0};
  (void)state;
  assert_ok(parcel_workers_prepare());
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = 3});
  assert_int_equal(children_of(fork_server(), processes, 3), 3);
  assert_refused(parcel_workers_call(workers, 0, kill_the_server, NULL, 0), PARCEL_SYSTEM, "fork server");
  assert_refused(parcel_workers_call(workers, 1, compute_square, NULL, 0), PARCEL_SYSTEM, "fork server");
  for (int w = 0; w < 3; ++w)
    assert_true(is_gone_within(processes[w], 2));
  parcel_workers_destroy(&workers);
  parcel_workers_release();
  assert_int_equal(count_children(getpid()), 0);
}

static parcel_status sleep_long(void *argument, int worker)
{
  (void)argument;
  (void)worker;
  sleep_for(30);
  return PARCEL_OK;
}

static _Noreturn void sleep_until_killed(void)
{
  parcel_workers *workers = NULL;
  const parcel_workers_options options = {.processes = 4};
  if (parcel_workers_prepare() || parcel_workers_create(&options, &workers))
    _exit(EXIT_FAILURE);
  if (parcel_workers_call(workers, 0, sleep_long, NULL, 0) == PARCEL_OK)
    _exit(EXIT_SUCCESS);
  _exit(EXIT_FAILURE);
}

static void workers_and_server_end_with_a_killed_parent(void **state)
{
  pid_t server = 0;
  pid_t processes[4] = {0};
  (void)state;
  const pid_t parent = fork();
  if (parent == 0)
    sleep_until_killed();
  for (double limit = now_in_seconds() + 10; now_in_seconds() < limit; sleep_for(0.01))
    if (children_of(parent, &server, 1) == 1 && children_of(server, processes, 4) == 4)
      break;
  assert_true(processes[3] > 0);
  assert_int_equal(kill(parent, SIGKILL), 0);
  assert_int_equal(waitpid(parent, NULL, 0), parent);
  assert_true(is_gone_within(server, 2));
  for (int w = 0; w < 4; ++w)
    assert_true(is_gone_within(processes[w], 2));
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(workers_without_a_fork_server_are_refused),
      cmocka_unit_test(workers_prepare_is_refused_beside_busy_threads),
      cmocka_unit_test(workers_prepare_waits_for_threads_to_rest),
      cmocka_unit_test(workers_live_and_end_with_ignored_children),
      cmocka_unit_test(workers_prepare_that_cannot_fork_says_so),
      cmocka_unit_test(workers_prepare_may_be_repeated),
      cmocka_unit_test(workers_that_cannot_all_be_made_are_unmade),
      cmocka_unit_test(workers_replacement_that_cannot_be_made_fails_the_next_call),
      cmocka_unit_test(workers_calls_fail_when_the_server_is_killed),
      cmocka_unit_test(workers_and_server_end_with_a_killed_parent),
  };
  void *memory = NULL;
  if (parcel_shared_alloc(sizeof *forks_until_failure, &memory))
    return EXIT_FAILURE;
  forks_until_failure = memory;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
