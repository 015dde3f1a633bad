/* How a task may end. In Python: Future.result(timeout), cancel, exception, add_done_callback.
 *
 * Prints
 *     after 10 ms: TIMEOUT
 *     the one behind it: CANCELLED, it never ran
 *     the long one: OK, it was told
 *     the root of -1: KERNEL, there is none
 *     called back with KERNEL */
#include "example.h"

#include <parcel/executor.h>

static parcel_status work_until_told(void *argument, const parcel_task_context *context)
{
  (void)argument;
  while (!parcel_task_is_cancelled(context))
    sleep_seconds(0.001);
  return PARCEL_OK;
}

static parcel_status take_root(void *argument, const parcel_task_context *context)
{
  const double *number = argument;
  (void)context;
  return *number < 0 ? parcel_fail(PARCEL_KERNEL, "there is none") : PARCEL_OK;
}

static void called_back(void *ctx, parcel_status status)
{
  snprintf(ctx, 16, "%s", parcel_status_name(status));
}

int main(void)
{
  const parcel_executor_options options = {.threads = 1};
  parcel_executor *executor = NULL;
  parcel_future *long_one = NULL;
  parcel_future *behind = NULL;
  parcel_future *root = NULL;
  double number = -1;
  char heard[16] = "";

  must(parcel_executor_create(&options, &executor));
  must(parcel_executor_submit(executor, work_until_told, NULL, NULL, &long_one));
  must(parcel_executor_submit(executor, take_root, &number, NULL, &behind));
  must(parcel_executor_submit(executor, take_root, &number, NULL, &root));
  must(parcel_future_then(root, called_back, heard));

  printf("after 10 ms: %s\n", parcel_status_name(parcel_future_wait_for(long_one, 0.01)));
  parcel_future_cancel(behind);
  printf("the one behind it: %s, it never ran\n", parcel_status_name(parcel_future_wait(behind)));
  parcel_future_cancel(long_one);
  printf("the long one: %s, it was told\n", parcel_status_name(parcel_future_wait(long_one)));
  printf("the root of -1: %s, ", parcel_status_name(parcel_future_wait(root)));
  printf("%s\n", parcel_last_error());
  must(parcel_executor_destroy(&executor));
  printf("called back with %s\n", heard);
  return 0;
}
