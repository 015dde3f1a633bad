/* Squares of numbers, one a task, in worker processes: workers_tasks PROCESSES TASKS [call|submit]
 *
 * Prints the seconds from the first submit to the last result: all submitted, then waited for, each with a
 * copy of its argument there and back. With `call`, one parcel_workers_call after the other instead, each
 * answered before the next. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <parcel/executor.h>
#include <parcel/shared.h>
#include <parcel/workers.h>

typedef struct square {
  int64_t value, result;
} square;

static double seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void must(parcel_status status)
{
  if (!status)
    return;
  fprintf(stderr, "workers_tasks: %s\n", parcel_last_error());
  exit(EXIT_FAILURE);
}

static parcel_status compute(void *argument, const parcel_task_context *context)
{
  square *own = argument;
  (void)context;
  own->result = own->value * own->value;
  return PARCEL_OK;
}

static parcel_status compute_called(void *argument, int worker)
{
  (void)worker;
  return compute(argument, NULL);
}

static double time_submits(parcel_workers *workers, square squares[], int tasks)
{
  const parcel_submit_options options = {.argument_bytes = sizeof *squares};
  parcel_future **futures = calloc((size_t)tasks, sizeof(parcel_future *));
  parcel_executor *executor = NULL;
  if (!futures)
    exit(EXIT_FAILURE);
  must(parcel_workers_executor(workers, NULL, &executor));
  const double begin = seconds();
  for (int t = 0; t < tasks; ++t)
    must(parcel_executor_submit(executor, compute, &squares[t], &options, &futures[t]));
  for (int t = 0; t < tasks; ++t) {
    must(parcel_future_wait(futures[t]));
    parcel_future_release(&futures[t]);
  }
  const double end = seconds();
  must(parcel_executor_destroy(&executor));
  free(futures);
  return end - begin;
}

static double time_calls(parcel_workers *workers, square squares[], int tasks)
{
  const int processes = parcel_workers_processes(workers);
  const double begin = seconds();
  for (int t = 0; t < tasks; ++t)
    must(parcel_workers_call(workers, t % processes, compute_called, &squares[t], 0));
  return seconds() - begin;
}

int main(int argc, char **argv)
{
  const int tasks = argc > 2 ? atoi(argv[2]) : 100000;
  const parcel_workers_options options = {.processes = argc > 1 ? atoi(argv[1]) : 2};
  const bool calls = argc > 3 && strcmp(argv[3], "call") == 0;
  parcel_workers *workers = NULL;
  void *memory = NULL;
  must(parcel_workers_prepare());
  must(parcel_workers_create(&options, &workers));
  must(parcel_shared_alloc(tasks * (parcel_index)sizeof(square), &memory));
  square *squares = memory;
  for (int t = 0; t < tasks; ++t)
    squares[t].value = t;
  const double taken = calls ? time_calls(workers, squares, tasks) : time_submits(workers, squares, tasks);
  for (int t = 0; t < tasks; ++t)
    if (squares[t].result != (int64_t)t * t) {
      fprintf(stderr, "workers_tasks: task %d has a wrong result\n", t);
      return EXIT_FAILURE;
    }
  printf("%.6f\n", taken);
  parcel_workers_destroy(&workers);
  parcel_workers_release();
  parcel_shared_free(memory);
  return EXIT_SUCCESS;
}
