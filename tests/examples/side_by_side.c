/* Two functions at once. In Python: threading.Thread, or ThreadPoolExecutor.submit and Future.result.
 *
 * Prints
 *     12 squared is 144
 *     12 to the fourth is 20736 */
#include "example.h"

#include <parcel/executor.h>

typedef struct power {
  int64_t base, result;
} power;

static parcel_status square(void *argument, const parcel_task_context *context)
{
  power *own = argument;
  (void)context;
  own->result = own->base * own->base;
  return PARCEL_OK;
}

static parcel_status quad(void *argument, const parcel_task_context *context)
{
  power *own = argument;
  (void)context;
  own->result = own->base * own->base * own->base * own->base;
  return PARCEL_OK;
}

int main(void)
{
  const parcel_executor_options options = {.threads = 2};
  parcel_executor *executor = NULL;
  parcel_future *futures[2] = {NULL, NULL};
  power second = {.base = 12};
  power fourth = {.base = 12};

  must(parcel_executor_create(&options, &executor));
  must(parcel_executor_submit(executor, square, &second, NULL, &futures[0]));
  must(parcel_executor_submit(executor, quad, &fourth, NULL, &futures[1]));
  must(parcel_future_wait_all(futures, 2));
  printf("12 squared is %" PRId64 "\n", second.result);
  printf("12 to the fourth is %" PRId64 "\n", fourth.result);
  must(parcel_executor_destroy(&executor)); /* and the futures with it */
  return 0;
}
