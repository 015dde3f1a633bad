/* One who puts, three who get, until there is no more. In Python: queue.Queue, multiprocessing.Queue.
 *
 * Prints
 *     the sum of what was got is 5050 */
#include "example.h"

#include <stdatomic.h>

#include <parcel/executor.h>
#include <parcel/queue.h>

static parcel_queue *queue;
static _Atomic int sum;

static parcel_status get(void *argument, const parcel_task_context *context)
{
  parcel_status status = PARCEL_OK;
  int number = 0;
  (void)argument, (void)context;
  while (!(status = parcel_queue_get(queue, &number, PARCEL_FOREVER)))
    sum += number;
  return status == PARCEL_STOPPED ? PARCEL_OK : status; /* closed, and empty */
}

int main(void)
{
  const parcel_executor_options options = {.threads = 3};
  parcel_executor *executor = NULL;
  must(parcel_queue_create(10, sizeof(int), &queue));
  must(parcel_executor_create(&options, &executor));
  for (int consumer = 0; consumer < 3; ++consumer)
    must(parcel_executor_submit(executor, get, NULL, NULL, NULL));
  for (int number = 1; number <= 100; ++number)
    must(parcel_queue_put(queue, &number, PARCEL_FOREVER)); /* waits while ten are in it */
  parcel_queue_close(queue);
  must(parcel_executor_destroy(&executor));
  printf("the sum of what was got is %d\n", sum);
  parcel_queue_destroy(&queue);
  return 0;
}
