/* Threads that wait for a word, then for each other. In Python: threading.Event, Barrier.
 *
 * Prints
 *     each saw what all three had written */
#include "example.h"

#include <parcel/barrier.h>
#include <parcel/executor.h>
#include <parcel/queue.h>

enum { THREADS = 3 };

static parcel_queue *start; /* closed when it is time: an event that many may wait for */
static parcel_barrier *barrier;
static int written[THREADS], seen[THREADS];

static parcel_status write_then_read(void *argument, const parcel_task_context *context)
{
  const int own = parcel_task_worker(context);
  char word = 0;
  (void)argument;
  if (parcel_queue_get(start, &word, PARCEL_FOREVER) != PARCEL_STOPPED)
    return parcel_fail(PARCEL_KERNEL, "nobody puts a word into this queue");
  written[own] = 1;
  must(parcel_barrier_wait(barrier, PARCEL_FOREVER));
  for (int other = 0; other < THREADS; ++other)
    seen[own] += written[other];
  return PARCEL_OK;
}

int main(void)
{
  const parcel_executor_options options = {.threads = THREADS};
  parcel_executor *executor = NULL;
  must(parcel_queue_create(1, 1, &start));
  must(parcel_barrier_create(THREADS, &barrier));
  must(parcel_executor_create(&options, &executor));
  for (int t = 0; t < THREADS; ++t)
    must(parcel_executor_submit(executor, write_then_read, NULL, NULL, NULL));
  parcel_queue_close(start);
  must(parcel_executor_destroy(&executor));
  if (seen[0] == THREADS && seen[1] == THREADS && seen[2] == THREADS)
    printf("each saw what all three had written\n");
  parcel_barrier_destroy(&barrier);
  parcel_queue_destroy(&start);
  return 0;
}
