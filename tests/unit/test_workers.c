/* Calls in worker processes and the life of these. Bodies that crash are in test_workers_crashes.c. */
#include "workers_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

static const int sizes[] = {1, 2, 8};

/* ---- calls ---- */

static void workers_call_runs_in_the_worker(void **state)
{
  (void)state;
  square *task = make_shared(sizeof *task);
  for (int s = 0; s < LENGTH(sizes); ++s) {
    parcel_workers *workers = make_workers((parcel_workers_options){.processes = sizes[s]});
    pid_t process = 0;
    assert_int_equal(parcel_workers_processes(workers), sizes[s]);
    assert_int_equal(count_children(fork_server()), sizes[s]);
    for (int call = 0; call < 97; ++call) {
      *task = (square){.value = call, .worker = -1};
      assert_ok(parcel_workers_call(workers, call % sizes[s], compute_square, task, 0));
      assert_int_equal(task->result, call * call);
      assert_int_equal(task->worker, call % sizes[s]);
      assert_int_not_equal(task->process, getpid());
      if (task->worker == 0)
        assert_true(process == 0 || task->process == process);
      if (task->worker == 0)
        process = task->process;
    }
    parcel_workers_destroy(&workers);
    assert_null(workers);
    assert_int_equal(count_children(fork_server()), 0);
  }
  parcel_shared_free(task);
}

static void workers_are_as_many_as_cpus_by_default(void **state)
{
  parcel_workers *workers = NULL;
  (void)state;
  assert_ok(parcel_workers_create(NULL, &workers));
  assert_in_range(parcel_workers_processes(workers), 1, sysconf(_SC_NPROCESSORS_ONLN));
  parcel_workers_destroy(&workers);
  parcel_workers_destroy(&workers);
}

typedef struct caller {
  parcel_workers *workers;
  int worker, wrong;
  square *task;
} caller;

static void *call_again_and_again(void *argument)
{
  caller *own = argument;
  for (int call = 0; call < 500; ++call) {
    own->task->value = call;
    own->wrong +=
        parcel_workers_call(own->workers, own->worker, compute_square, own->task, 10) != PARCEL_OK ||
        own->task->result != (parcel_index)call * call;
  }
  return NULL;
}

static void workers_are_called_by_threads_at_once(void **state)
{
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = 4});
  caller callers[4];
  pthread_t threads[4];
  (void)state;
  for (int c = 0; c < 4; ++c) {
    callers[c] = (caller){.workers = workers, .worker = c, .task = make_shared(sizeof(square))};
    assert_int_equal(pthread_create(&threads[c], NULL, call_again_and_again, &callers[c]), 0);
  }
  for (int c = 0; c < 4; ++c) {
    assert_int_equal(pthread_join(threads[c], NULL), 0);
    assert_int_equal(callers[c].wrong, 0);
    parcel_shared_free(callers[c].task);
  }
  parcel_workers_destroy(&workers);
}

static parcel_status sleep_a_little(void *argument, int worker)
{
  (void)worker;
  atomic_store((atomic_int *)argument, 1);
  sleep_for(0.2);
  return PARCEL_OK;
}

static void *call_and_sleep(void *argument)
{
  caller *own = argument;
  own->wrong = parcel_workers_call(own->workers, 0, sleep_a_little, own->task, 0) != PARCEL_OK;
  return NULL;
}

static void workers_second_call_of_a_busy_worker_is_refused(void **state)
{
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = 1});
  pthread_t thread;
  (void)state;
  square *task = make_shared(sizeof *task);
  caller first = {.workers = workers, .task = task};
  assert_int_equal(pthread_create(&thread, NULL, call_and_sleep, &first), 0);
  while (!atomic_load((atomic_int *)task))
    sleep_for(0.001);
  assert_refused(parcel_workers_call(workers, 0, compute_square, task, 0), PARCEL_INVALID, "busy");
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(first.wrong, 0);
  parcel_workers_destroy(&workers);
  parcel_shared_free(task);
}

static void workers_wrong_arguments_are_refused(void **state)
{
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = 2});
  parcel_workers *none = NULL;
  (void)state;
  assert_refused(parcel_workers_call(workers, 2, compute_square, NULL, 0), PARCEL_INVALID, "worker 2 of 2");
  assert_refused(parcel_workers_call(workers, -1, compute_square, NULL, 0), PARCEL_INVALID, "worker -1");
  assert_refused(parcel_workers_call(workers, 0, NULL, NULL, 0), PARCEL_INVALID, "without a body");
  parcel_workers_destroy(&workers);
  assert_refused(parcel_workers_create(&(parcel_workers_options){.processes = -1}, &none), PARCEL_INVALID,
                 "-1");
  assert_refused(parcel_workers_create(&(parcel_workers_options){.processes = 1025}, &none), PARCEL_SYSTEM,
                 "1024");
  assert_null(none);
}

/* ---- bodies that fail ---- */

static parcel_status fail_in_words(void *argument, int worker)
{
  (void)argument;
  return parcel_fail(PARCEL_KERNEL, "no root in worker %d", worker);
}

static parcel_status fail_without_words(void *argument, int worker)
{
  (void)argument;
  (void)worker;
  return PARCEL_RANGE;
}

static void workers_failure_comes_back_with_its_words(void **state)
{
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = 2});
  (void)state;
  assert_refused(parcel_workers_call(workers, 1, fail_in_words, NULL, 0), PARCEL_KERNEL,
                 "no root in worker 1");
  assert_refused(parcel_workers_call(workers, 1, fail_without_words, NULL, 0), PARCEL_RANGE,
                 "value out of range");
  parcel_workers_destroy(&workers);
}

/* ---- workers that come and go ---- */

static void workers_are_replaced_after_their_share_of_tasks(void **state)
{
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = 1, .tasks_per_worker = 3});
  pid_t processes[10];
  (void)state;
  square *task = make_shared(sizeof *task);
  for (int call = 0; call < 10; ++call) {
    assert_ok(parcel_workers_call(workers, 0, compute_square, task, 0));
    processes[call] = task->process;
    assert_true((call % 3 != 0) == (call > 0 && processes[call] == processes[call - 1]));
  }
  parcel_workers_destroy(&workers);
  parcel_shared_free(task);
}

static void workers_killed_between_calls_are_replaced_unnoticed(void **state)
{
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = 2});
  pid_t processes[2] = {0};
  (void)state;
  square *task = make_shared(sizeof *task);
  for (int round = 0; round < 20; ++round) {
    assert_int_equal(children_of(fork_server(), processes, 2), 2);
    assert_int_equal(kill(processes[round % 2], SIGKILL), 0);
    for (int w = 0; w < 2; ++w) {
      *task = (square){.value = round};
      assert_ok(parcel_workers_call(workers, w, compute_square, task, 0));
      assert_int_equal(task->result, round * round);
      assert_true(task->process != processes[round % 2]);
    }
  }
  parcel_workers_destroy(&workers);
  parcel_shared_free(task);
}

static void workers_are_created_used_and_destroyed_many_times(void **state)
{
  const int files = count_open_files();
  (void)state;
  square *task = make_shared(sizeof *task);
  for (int round = 0; round < 200; ++round) {
    parcel_workers *workers = make_workers((parcel_workers_options){.processes = 1 + round % 3});
    if (round % 2)
      assert_ok(parcel_workers_call(workers, round % 3, compute_square, task, 0));
    parcel_workers_destroy(&workers);
  }
  assert_int_equal(count_children(fork_server()), 0);
  assert_int_equal(count_open_files(), files);
  parcel_shared_free(task);
}

/* ---- what a worker is ---- */

static parcel_status look_around(void *argument, int worker)
{
  struct rlimit core = {0};
  char name[32] = "";
  (void)argument;
  FILE *file = fopen("/proc/self/comm", "re");
  if (!file || !fgets(name, sizeof name, file) || fclose(file))
    return parcel_fail(PARCEL_IO, "no /proc/self/comm");
  if (strncmp(name, "parcel-work-1", 13) != 0 || worker != 1)
    return parcel_fail(PARCEL_KERNEL, "the process is named %s", name);
  if (getrlimit(RLIMIT_CORE, &core) || core.rlim_cur > 1)
    return parcel_fail(PARCEL_KERNEL, "cores are on");
  if (count_open_files() > 6) /* ., .., 0, 1, 2, and the folder itself */
    return parcel_fail(PARCEL_KERNEL, "%d open files", count_open_files());
  if (getsid(0) != getppid())
    return parcel_fail(PARCEL_KERNEL, "not in the server's session");
  void *memory = NULL;
  if (parcel_shared_alloc(64, &memory) != PARCEL_INVALID || parcel_workers_prepare() != PARCEL_INVALID)
    return parcel_fail(PARCEL_KERNEL, "a worker may do what only its parent may");
  return PARCEL_OK;
}

static void workers_are_modest_processes(void **state)
{
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = 2});
  (void)state;
  assert_ok(parcel_workers_call(workers, 1, look_around, NULL, 0));
  parcel_workers_destroy(&workers);
}

static void workers_leave_signals_of_the_job_to_their_parent(void **state)
{
  static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = 1});
  pid_t process = 0;
  (void)state;
  square *task = make_shared(sizeof *task);
  assert_int_equal(children_of(fork_server(), &process, 1), 1);
  for (int s = 0; s < LENGTH(signals); ++s) {
    assert_int_equal(kill(fork_server(), signals[s]), 0);
    assert_int_equal(kill(process, signals[s]), 0);
  }
  assert_ok(parcel_workers_call(workers, 0, compute_square, task, 0));
  assert_int_equal(task->process, process);
  parcel_workers_destroy(&workers);
  parcel_shared_free(task);
}

/* A shell that sends itself a signal, and does not live to say 0. */
static parcel_status end_child_by_signal(void *argument, int worker)
{
  int *how = argument;
  (void)worker;
  *how = system("kill -TERM $$; exit 0"); /* NOLINT: a shell is what is meant */
  return PARCEL_OK;
}

static void workers_children_take_signals_as_usual(void **state)
{
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = 1});
  (void)state;
  int *how = make_shared(sizeof *how);
  assert_ok(parcel_workers_call(workers, 0, end_child_by_signal, how, 0));
  assert_true(WIFSIGNALED(*how));
  assert_int_equal(WTERMSIG(*how), SIGTERM);
  parcel_workers_destroy(&workers);
  parcel_shared_free(how);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(workers_call_runs_in_the_worker),
      cmocka_unit_test(workers_are_as_many_as_cpus_by_default),
      cmocka_unit_test(workers_are_called_by_threads_at_once),
      cmocka_unit_test(workers_second_call_of_a_busy_worker_is_refused),
      cmocka_unit_test(workers_wrong_arguments_are_refused),
      cmocka_unit_test(workers_failure_comes_back_with_its_words),
      cmocka_unit_test(workers_are_replaced_after_their_share_of_tasks),
      cmocka_unit_test(workers_killed_between_calls_are_replaced_unnoticed),
      cmocka_unit_test(workers_are_created_used_and_destroyed_many_times),
      cmocka_unit_test(workers_are_modest_processes),
      cmocka_unit_test(workers_leave_signals_of_the_job_to_their_parent),
      cmocka_unit_test(workers_children_take_signals_as_usual),
  };
  return run_with_workers(tests);
}
