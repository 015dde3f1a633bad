/* What the tests of the executor share: executors of several sizes, and bodies to submit. */
#ifndef PARCEL_TESTS_EXECUTOR_TEST_H
#define PARCEL_TESTS_EXECUTOR_TEST_H

#include "unit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <parcel/executor.h>

enum { MOST_WORKERS = 8 };

static inline parcel_executor *make_executor(int threads)
{
  const parcel_executor_options options = {.threads = threads};
  parcel_executor *executor = NULL;
  assert_ok(parcel_executor_create(&options, &executor));
  assert_int_equal(parcel_executor_threads(executor), threads);
  return executor;
}

/* Every check runs on executors of these sizes. */
static inline void on_every_executor(void (*check)(parcel_executor *executor, int threads))
{
  static const int threads[] = {1, 2, MOST_WORKERS};
  for (int t = 0; t < LENGTH(threads); ++t) {
    parcel_executor *executor = make_executor(threads[t]);
    check(executor, threads[t]);
    assert_ok(parcel_executor_destroy(&executor));
    assert_null(executor);
  }
}

static inline parcel_future *submit(parcel_executor *executor, parcel_task_body body, void *argument)
{
  parcel_future *future = NULL;
  assert_ok(parcel_executor_submit(executor, body, argument, NULL, &future));
  assert_non_null(future);
  return future;
}

/* Waits, and gives the future back. */
static inline parcel_status outcome(parcel_future *future)
{
  const parcel_status status = parcel_future_wait(future);
  assert_true(parcel_future_is_done(future));
  parcel_future_release(&future);
  assert_null(future);
  return status;
}

static inline parcel_status count_call(void *argument, const parcel_task_context *context)
{
  (void)context;
  ++*(atomic_int *)argument;
  return PARCEL_OK;
}

static inline parcel_status fail_with_number(void *argument, const parcel_task_context *context)
{
  (void)context;
  return parcel_fail(PARCEL_KERNEL, "number %d is bad", *(const int *)argument);
}

/* A task that holds its thread until it is let go. */
typedef struct gate {
  atomic_int entered;
  atomic_bool is_open;
} gate;

static inline parcel_status pass_gate(void *argument, const parcel_task_context *context)
{
  gate *own = argument;
  (void)context;
  ++own->entered;
  while (!own->is_open)
    usleep(100);
  return PARCEL_OK;
}

static inline void wait_until_entered(const gate *own, int tasks)
{
  for (int wait = 0; wait < 50000 && own->entered < tasks; ++wait)
    usleep(100);
  assert_int_equal(own->entered, tasks);
}

/* Runs until its token is set. */
static inline parcel_status wait_for_token(void *argument, const parcel_task_context *context)
{
  ++*(atomic_int *)argument;
  while (!parcel_task_is_cancelled(context))
    usleep(100);
  return parcel_fail(PARCEL_STOPPED, "told to stop");
}

static inline double seconds_now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

#endif
