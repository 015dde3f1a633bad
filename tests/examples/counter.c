/* A counter that two threads share, with and without a lock. In Python: threading.Lock.
 *
 * Prints
 *     without a lock: 1000 of 2000
 *     with a lock: 2000 of 2000 */
#include "example.h"

#include <stdatomic.h>

#include <parcel/barrier.h>
#include <parcel/executor.h>
#include <parcel/lock.h>

enum { TIMES = 1000 };

static _Atomic int counter;
static parcel_lock *lock;
static parcel_barrier *barrier;

/* Both threads look before either writes, as bad luck will have it now and then; here, each time. */
static parcel_status count_without_lock(void *argument, const parcel_task_context *context)
{
  (void)argument, (void)context;
  for (int t = 0; t < TIMES; ++t) {
    const int seen = counter;
    must(parcel_barrier_wait(barrier, PARCEL_FOREVER));
    counter = seen + 1;
    must(parcel_barrier_wait(barrier, PARCEL_FOREVER));
  }
  return PARCEL_OK;
}

static parcel_status count_with_lock(void *argument, const parcel_task_context *context)
{
  (void)argument, (void)context;
  for (int t = 0; t < TIMES; ++t) {
    must(parcel_lock_acquire(lock, NULL));
    const int seen = counter;
    counter = seen + 1;
    parcel_lock_release(lock);
  }
  return PARCEL_OK;
}

static void run_twice_at_once(parcel_executor *executor, const char *how, parcel_task_body body)
{
  counter = 0;
  must(parcel_executor_submit(executor, body, NULL, NULL, NULL));
  must(parcel_executor_submit(executor, body, NULL, NULL, NULL));
  must(parcel_executor_wait(executor));
  printf("%s: %d of %d\n", how, counter, 2 * TIMES);
}

int main(void)
{
  const parcel_executor_options options = {.threads = 2};
  parcel_executor *executor = NULL;
  must(parcel_executor_create(&options, &executor));
  must(parcel_barrier_create(2, &barrier));
  must(parcel_lock_create(&lock));
  run_twice_at_once(executor, "without a lock", count_without_lock);
  run_twice_at_once(executor, "with a lock", count_with_lock);
  must(parcel_executor_destroy(&executor));
  parcel_lock_destroy(&lock);
  parcel_barrier_destroy(&barrier);
  return 0;
}
