/* For helgrind (test_executor_helgrind.sh), which knows mutexes and no atomics: tasks without futures, which
 * meet only in the queue, so short that each thread takes one task at a time and none is stolen. The queue
 * must hand over memory from the submitter to the task, and from all tasks to who waits. */
#include <stdio.h>
#include <unistd.h>

#include <parcel/executor.h>

enum { THREADS = 3, TASKS = 2000 };

static long sums[THREADS];
static long numbers[TASKS];

static parcel_status add(void *argument, const parcel_task_context *context)
{
  sums[parcel_task_worker(context)] += *(const long *)argument;
  return PARCEL_OK;
}

static parcel_status run(parcel_executor *executor, long *expected)
{
  parcel_status status = PARCEL_OK;
  for (int t = 0; t < TASKS && !status; ++t) {
    numbers[t] = t;
    *expected += t;
    if (t % 500 == 0)
      usleep(20000); /* lets the threads fall asleep */
    status = parcel_executor_submit(executor, add, &numbers[t], NULL, NULL);
  }
  return status ? status : parcel_executor_wait(executor);
}

int main(void)
{
  const parcel_executor_options options = {
      .threads = THREADS, .least_threads = 1, .idle_seconds = 0.01, .capacity = THREADS};
  parcel_executor *executor = NULL;
  long expected = 0;
  long sum = 0;
  parcel_status status = parcel_executor_create(&options, &executor);
  for (int round = 0; round < 2 && !status; ++round)
    status = run(executor, &expected);
  for (int worker = 0; worker < THREADS; ++worker)
    sum += sums[worker];
  if (!status)
    status = parcel_executor_destroy(&executor);
  if (status || sum != expected)
    fprintf(stderr, "%s; the sum is %ld instead of %ld\n", parcel_last_error(), sum, expected);
  return status || sum != expected;
}
