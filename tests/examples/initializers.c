/* Something of its own for each thread, and what becomes of a pool that cannot have it. In Python:
 * ThreadPoolExecutor(initializer=...), threading.local.
 *
 * Prints
 *     100 tasks, counted by 2 threads
 *     not begun: no licence left */
#include "example.h"

#include <stdatomic.h>

#include <parcel/executor.h>

typedef struct notebook {
  int tasks;
} notebook;

static notebook *notebooks[2]; /* by worker */
static _Atomic int tasks, threads;

static parcel_status open_notebook(void *ctx, int worker)
{
  (void)ctx;
  notebooks[worker] = calloc(1, sizeof(notebook));
  return notebooks[worker] ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory for a notebook");
}

static void close_notebook(void *ctx, int worker)
{
  (void)ctx;
  tasks += notebooks[worker]->tasks;
  ++threads;
  free(notebooks[worker]);
}

static parcel_status note(void *argument, const parcel_task_context *context)
{
  (void)argument;
  ++notebooks[parcel_task_worker(context)]->tasks;
  return PARCEL_OK;
}

static parcel_status ask_for_licence(void *ctx, int worker)
{
  (void)ctx, (void)worker;
  return parcel_fail(PARCEL_SYSTEM, "no licence left");
}

int main(void)
{
  const parcel_executor_options good = {
      .threads = 2, .initialize = open_notebook, .finalize = close_notebook};
  const parcel_executor_options bad = {.threads = 2, .initialize = ask_for_licence};
  parcel_executor *executor = NULL;

  must(parcel_executor_create(&good, &executor));
  must(parcel_executor_map(executor, note, &tasks, 0, 100, NULL));
  must(parcel_executor_destroy(&executor));
  printf("%d tasks, counted by %d threads\n", tasks, threads);

  must(parcel_executor_create(&bad, &executor));
  if (parcel_executor_map(executor, note, &tasks, 0, 100, NULL))
    printf("not begun: %s\n", parcel_last_error());
  return parcel_executor_destroy(&executor) ? 1 : 0;
}
