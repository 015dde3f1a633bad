/* Tasks in worker processes: one outcome for each, whatever becomes of the process.
 *
 * PARCEL_KILLS=1000 PARCEL_TASKS=1000000 in the environment make the last test the long campaign. */
#include "workers_test.h"

#include <pthread.h>
#include <stdatomic.h>

#include <parcel/executor.h>

enum { TASKS = 1000, CHUNK = 10000 };

static const int sizes[] = {1, 2, 8};

static parcel_executor *make_executor(parcel_workers *workers)
{
  parcel_executor *executor = NULL;
  assert_ok(parcel_workers_executor(workers, NULL, &executor));
  return executor;
}

typedef struct task {
  parcel_index value, square;
  int worker;
  pid_t process;
  atomic_int *runs; /* shared */
  atomic_int *token_seen;
} task;

static parcel_status compute(void *argument, const parcel_task_context *context)
{
  task *own = argument;
  if (own->runs)
    ++*own->runs;
  own->square = own->value * own->value;
  own->worker = parcel_task_worker(context);
  own->process = getpid();
  return own->value % 100 == 99 ? parcel_fail(PARCEL_KERNEL, "number %d is bad", (int)own->value) : PARCEL_OK;
}

static const parcel_submit_options with_size = {.argument_bytes = sizeof(task)};

static void check_tasks(parcel_executor *executor, int processes)
{
  static task tasks[TASKS];
  static parcel_future *futures[TASKS];
  for (int t = 0; t < TASKS; ++t) {
    tasks[t] = (task){.value = t, .worker = -1};
    assert_ok(parcel_executor_submit(executor, compute, &tasks[t], &with_size, &futures[t]));
  }
  for (int t = 0; t < TASKS; ++t) {
    char words[32];
    snprintf(words, sizeof words, "number %d is bad", t);
    if (t % 100 == 99)
      assert_refused(parcel_future_wait(futures[t]), PARCEL_KERNEL, words);
    else
      assert_ok(parcel_future_wait(futures[t]));
    assert_int_equal(tasks[t].square, t * t);
    assert_in_range(tasks[t].worker, 0, processes - 1);
    assert_int_not_equal(tasks[t].process, getpid());
    parcel_future_release(&futures[t]);
  }
}

static void workers_executor_runs_every_task_and_gives_its_argument_back(void **state)
{
  (void)state;
  for (int s = 0; s < LENGTH(sizes); ++s) {
    parcel_workers *workers = make_workers((parcel_workers_options){.processes = sizes[s]});
    for (int round = 0; round < 3; ++round) {
      parcel_executor *executor = make_executor(workers);
      check_tasks(executor, sizes[s]);
      check_tasks(executor, sizes[s]);
      assert_ok(parcel_executor_destroy(&executor));
    }
    parcel_workers_destroy(&workers);
  }
}

enum { LARGE = 1 << 20 };

static parcel_status invert(void *argument, const parcel_task_context *context)
{
  unsigned char *bytes = argument;
  (void)context;
  for (int b = 0; b < LARGE; ++b)
    bytes[b] = (unsigned char)~bytes[b];
  return PARCEL_OK;
}

static void workers_executor_takes_arguments_of_any_size_and_none(void **state)
{
  static unsigned char bytes[3][LARGE];
  const parcel_submit_options large = {.argument_bytes = LARGE};
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = 2});
  parcel_executor *executor = make_executor(workers);
  unsigned char *shared = make_shared(LARGE);
  (void)state;
  for (int round = 0; round < 3; ++round) {
    assert_ok(parcel_executor_map(executor, invert, bytes, LARGE, 3, &large));
    assert_ok(parcel_executor_submit(executor, invert, shared, NULL, NULL));
    assert_ok(parcel_executor_wait(executor));
    for (int b = 0; b < LARGE; b += 997) {
      assert_int_equal(bytes[b % 3][b], round % 2 ? 0 : 255);
      assert_int_equal(shared[b], round % 2 ? 0 : 255);
    }
  }
  const parcel_submit_options beyond = {.argument_bytes = SIZE_MAX / 2};
  parcel_future *future = NULL;
  assert_ok(parcel_executor_submit(executor, invert, bytes, &beyond, &future));
  assert_refused(parcel_future_wait(future), PARCEL_MEMORY, "shared memory");
  assert_ok(parcel_executor_destroy(&executor));
  parcel_workers_destroy(&workers);
  parcel_shared_free(shared);
}

static parcel_status crash_sometimes(void *argument, const parcel_task_context *context)
{
  const task *own = argument;
  if (own->value % 250 == 7)
    abort();
  return compute(argument, context);
}

static void workers_executor_blames_the_task_that_crashed_and_no_other(void **state)
{
  static task tasks[TASKS];
  static parcel_future *futures[TASKS];
  (void)state;
  for (int s = 0; s < LENGTH(sizes); ++s) {
    parcel_workers *workers = make_workers((parcel_workers_options){.processes = sizes[s]});
    parcel_executor *executor = make_executor(workers);
    atomic_int *runs = make_shared(TASKS * sizeof *runs);
    for (int t = 0; t < TASKS; ++t) {
      tasks[t] = (task){.value = t, .runs = &runs[t]};
      assert_ok(parcel_executor_submit(executor, crash_sometimes, &tasks[t], &with_size, &futures[t]));
    }
    for (int t = 0; t < TASKS; ++t) {
      const parcel_status status = parcel_future_wait(futures[t]);
      if (t % 250 == 7)
        assert_refused(status, PARCEL_CRASHED, "died of SIGABRT");
      else
        assert_int_equal(status, t % 100 == 99 ? PARCEL_KERNEL : PARCEL_OK);
      assert_int_equal(runs[t], t % 250 != 7);
      parcel_future_release(&futures[t]);
    }
    assert_ok(parcel_executor_destroy(&executor));
    parcel_workers_destroy(&workers);
    parcel_shared_free(runs);
  }
}

static parcel_status hang_if_asked(void *argument, const parcel_task_context *context)
{
  const task *own = argument;
  while (own->value == 3)
    sleep_for(1);
  return compute(argument, context);
}

static void workers_executor_kills_the_task_that_hangs_and_no_other(void **state)
{
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = 2});
  parcel_executor *executor = make_executor(workers);
  const parcel_submit_options limited = {.argument_bytes = sizeof(task), .timeout_seconds = 0.5};
  task tasks[10];
  parcel_future *futures[10];
  (void)state;
  for (int t = 0; t < 10; ++t) {
    tasks[t] = (task){.value = t};
    assert_ok(parcel_executor_submit(executor, hang_if_asked, &tasks[t], t % 2 ? &limited : &with_size,
                                     &futures[t]));
  }
  for (int t = 0; t < 10; ++t) {
    if (t == 3)
      assert_refused(parcel_future_wait(futures[t]), PARCEL_TIMEOUT, "after 0.5 s");
    else
      assert_ok(parcel_future_wait(futures[t]));
    assert_int_equal(tasks[t].square, t == 3 ? 0 : t * t);
    parcel_future_release(&futures[t]);
  }
  assert_ok(parcel_executor_destroy(&executor));
  parcel_workers_destroy(&workers);
}

static parcel_status work_until_cancelled(void *argument, const parcel_task_context *context)
{
  const task *own = argument;
  ++*own->runs;
  while (!parcel_task_is_cancelled(context))
    sleep_for(0.001);
  ++*own->token_seen;
  return PARCEL_OK;
}

static void workers_executor_passes_cancellation_on(void **state)
{
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = 1});
  parcel_executor *executor = make_executor(workers);
  atomic_int *counts = make_shared(2 * sizeof *counts);
  task tasks[50];
  parcel_future *futures[50];
  int finished = 0;
  (void)state;
  for (int t = 0; t < 50; ++t) {
    tasks[t] = (task){.runs = &counts[0], .token_seen = &counts[1]};
    assert_ok(parcel_executor_submit(executor, work_until_cancelled, &tasks[t], &with_size, &futures[t]));
  }
  while (!counts[0])
    sleep_for(0.001);
  parcel_executor_cancel(executor);
  for (int t = 0; t < 50; ++t) {
    const parcel_status status = parcel_future_wait(futures[t]);
    assert_true(status == PARCEL_CANCELLED || status == PARCEL_OK);
    finished += status == PARCEL_OK;
    parcel_future_release(&futures[t]);
  }
  assert_in_range(finished, 1, 49);
  assert_int_equal(counts[0], finished);
  assert_int_equal(counts[1], finished);
  assert_ok(parcel_executor_destroy(&executor));
  parcel_workers_destroy(&workers);
  parcel_shared_free(counts);
}

/* ---- the campaign ---- */

/* It kills no faster than tasks end, or else slow machines would only begin processes. */
typedef struct killer {
  pid_t server;
  int tasks_per_kill;
  atomic_int tasks; /* that have ended */
  atomic_int kills;
  atomic_bool is_over;
} killer;

static void *kill_at_random(void *argument)
{
  killer *own = argument;
  uint64_t seed = 7;
  while (!atomic_load(&own->is_over)) {
    pid_t processes[8] = {0};
    sleep_for(1e-6 * (double)random_below(&seed, 6000));
    if (own->tasks < own->kills * own->tasks_per_kill)
      continue;
    const int alive = children_of(own->server, processes, 8);
    if (alive > 0 && kill(processes[random_below(&seed, alive)], SIGKILL) == 0)
      ++own->kills;
  }
  return NULL;
}

static int wanted(const char *variable, int otherwise)
{
  const char *text = getenv(variable);
  return text ? atoi(text) : otherwise;
}

/* Takes some microseconds, for kills to fall into. */
static parcel_status compute_slowly(void *argument, const parcel_task_context *context)
{
  const task *own = argument;
  volatile parcel_index sum = 0;
  ++*own->runs;
  for (parcel_index i = 0; i < 5000; ++i)
    sum += own->value;
  ((task *)argument)->square = sum / 5000 * own->value;
  return parcel_task_worker(context) < 4 ? PARCEL_OK : PARCEL_INVALID;
}

/* Submits a chunk, and counts its outcomes. */
static void run_chunk(parcel_executor *executor, task tasks[], atomic_int runs[], int first, int outcomes[2],
                      killer *killer)
{
  static parcel_future *futures[CHUNK];
  for (int t = 0; t < CHUNK; ++t) {
    atomic_store(&runs[t], 0);
    tasks[t] = (task){.value = first + t, .runs = &runs[t]};
    assert_ok(parcel_executor_submit(executor, compute_slowly, &tasks[t], &with_size, &futures[t]));
  }
  for (int t = 0; t < CHUNK; ++t) {
    const parcel_status status = parcel_future_wait(futures[t]);
    assert_true(status == PARCEL_OK || status == PARCEL_CRASHED);
    ++outcomes[status == PARCEL_OK];
    ++killer->tasks;
    if (!status) {
      assert_int_equal(tasks[t].square, tasks[t].value * tasks[t].value);
      assert_int_equal(runs[t], 1);
    } else {
      assert_says("died of SIGKILL");
      assert_in_range(runs[t], 0, 1);
    }
    parcel_future_release(&futures[t]);
  }
}

static void workers_executor_gives_every_task_one_outcome_under_random_kills(void **state)
{
  static task tasks[CHUNK];
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = 4});
  parcel_executor *executor = make_executor(workers);
  atomic_int *runs = make_shared(CHUNK * sizeof *runs);
  const int kills = wanted("PARCEL_KILLS", 60);
  const int least = wanted("PARCEL_TASKS", 3 * CHUNK);
  killer killer = {.server = fork_server(), .tasks_per_kill = least / kills / 2};
  int outcomes[2] = {0, 0};
  int first = 0;
  pthread_t thread;
  (void)state;
  assert_int_equal(pthread_create(&thread, NULL, kill_at_random, &killer), 0);
  for (; first < least || killer.kills < kills || outcomes[0] == 0; first += CHUNK)
    run_chunk(executor, tasks, runs, first, outcomes, &killer);
  atomic_store(&killer.is_over, true);
  assert_int_equal(pthread_join(thread, NULL), 0);
  print_message("%d tasks, %d kills: %d right, %d crashed\n", first, killer.kills, outcomes[1], outcomes[0]);
  assert_int_equal(outcomes[0] + outcomes[1], first);
  assert_in_range(outcomes[0], 1, killer.kills);
  assert_ok(parcel_executor_destroy(&executor));
  parcel_workers_destroy(&workers);
  parcel_shared_free(runs);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(workers_executor_runs_every_task_and_gives_its_argument_back),
      cmocka_unit_test(workers_executor_takes_arguments_of_any_size_and_none),
      cmocka_unit_test(workers_executor_blames_the_task_that_crashed_and_no_other),
      cmocka_unit_test(workers_executor_kills_the_task_that_hangs_and_no_other),
      cmocka_unit_test(workers_executor_passes_cancellation_on),
      cmocka_unit_test(workers_executor_gives_every_task_one_outcome_under_random_kills),
  };
  return run_with_workers(tests);
}
