/* The same function over a list, in threads and in processes. In Python: Executor.map, Pool.map,
 * Pool(initializer, maxtasksperchild).
 *
 * Prints
 *     in threads: 1 4 9 16 25
 *     in processes: 1 4 9 16 25
 *     5 tasks by 3 processes, one after the other */
#include "example.h"

#include <unistd.h>

#include <parcel/shared.h>
#include <parcel/workers.h>

enum { NUMBERS = 5 };

typedef struct number {
  int value, square;
} number;

static parcel_status square(void *argument, const parcel_task_context *context)
{
  number *own = argument;
  (void)context;
  own->square = own->value * own->value;
  return PARCEL_OK;
}

/* The stride and, for processes, the size of an argument: it is copied there and back. */
static void map(parcel_executor *executor, const char *where)
{
  const parcel_submit_options options = {.argument_bytes = sizeof(number)};
  number numbers[NUMBERS] = {{1, 0}, {2, 0}, {3, 0}, {4, 0}, {5, 0}};
  must(parcel_executor_map(executor, square, numbers, sizeof *numbers, NUMBERS, &options));
  must(parcel_executor_destroy(&executor));
  printf("in %s:", where);
  for (int n = 0; n < NUMBERS; ++n)
    printf(" %d", numbers[n].square);
  printf("\n");
}

/* An initializer of a process. */
static parcel_status count_process(void *processes, int worker)
{
  (void)worker;
  ++*(int *)processes;
  return PARCEL_OK;
}

static parcel_status do_nothing(void *argument, int worker)
{
  (void)argument, (void)worker;
  return PARCEL_OK;
}

int main(void)
{
  parcel_executor *executor = NULL;
  parcel_workers *workers = NULL;
  int *processes = NULL;

  must(parcel_workers_prepare());
  must(parcel_executor_create(NULL, &executor));
  map(executor, "threads");
  must(parcel_workers_create(NULL, &workers));
  must(parcel_workers_executor(workers, NULL, &executor));
  map(executor, "processes");
  parcel_workers_destroy(&workers);

  must(parcel_shared_alloc(sizeof *processes, (void **)&processes));
  const parcel_workers_options options = {
      .processes = 1, .tasks_per_worker = 2, .initializer = count_process, .initializer_argument = processes};
  must(parcel_workers_create(&options, &workers));
  for (int task = 0; task < 5; ++task)
    must(parcel_workers_call(workers, 0, do_nothing, NULL, 0));
  printf("5 tasks by %d processes, one after the other\n", *processes);
  parcel_shared_free(processes);
  parcel_workers_destroy(&workers);
  parcel_workers_release();
  return 0;
}
