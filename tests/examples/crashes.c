/* A crash, an endless loop and an exit, each the end of one task only. In Python a ProcessPoolExecutor is
 * broken by the first of them (BrokenProcessPool), and cannot end the second.
 *
 * Prints
 *     good: OK
 *     aborts: CRASHED, died of SIGABRT (Aborted)
 *     never ends: TIMEOUT
 *     exits: CRASHED
 *     good: OK
 *     in a loop: position 17 */
#include "example.h"

#include <string.h>

#include <parcel/workers.h>

static parcel_status good(void *argument, const parcel_task_context *context)
{
  (void)argument, (void)context;
  return PARCEL_OK;
}

static parcel_status aborts(void *argument, const parcel_task_context *context)
{
  (void)argument, (void)context;
  abort();
}

static parcel_status never_ends(void *argument, const parcel_task_context *context)
{
  (void)argument, (void)context;
  const volatile bool is_done = false;
  while (!is_done)
    sleep_seconds(1);
  return PARCEL_OK;
}

static parcel_status exits(void *argument, const parcel_task_context *context)
{
  (void)argument, (void)context;
  exit(0);
}

static parcel_status dislikes_17(void *ctx, parcel_span positions, int worker)
{
  (void)ctx, (void)worker;
  if (positions.begin <= 17 && 17 < positions.end)
    abort();
  return PARCEL_OK;
}

static void tell(parcel_executor *executor, const char *name, parcel_task_body body)
{
  const parcel_submit_options options = {.timeout_seconds = 0.5};
  parcel_future *future = NULL;
  must(parcel_executor_submit(executor, body, NULL, &options, &future));
  const parcel_status status = parcel_future_wait(future);
  const char *death = status == PARCEL_CRASHED ? strstr(parcel_last_error(), "died") : NULL;
  printf("%s: %s%s%s\n", name, parcel_status_name(status), death ? ", " : "", death ? death : "");
  parcel_future_release(&future);
}

int main(void)
{
  parcel_workers *workers = NULL;
  parcel_executor *executor = NULL;
  must(parcel_workers_prepare());
  must(parcel_workers_create(NULL, &workers));
  must(parcel_workers_executor(workers, NULL, &executor));
  tell(executor, "good", good);
  tell(executor, "aborts", aborts);
  tell(executor, "never ends", never_ends);
  tell(executor, "exits", exits);
  tell(executor, "good", good);
  must(parcel_executor_destroy(&executor));
  if (parcel_workers_for(workers, 100, 0, dislikes_17, NULL, 0) == PARCEL_CRASHED)
    printf("in a loop: %.11s\n", parcel_last_error());
  parcel_workers_destroy(&workers);
  parcel_workers_release();
  return 0;
}
