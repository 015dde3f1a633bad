/** @file
 *  Behind the executor: its tasks, and the seam at which something else than a call in a thread runs them. */
#ifndef PARCEL_EXECUTOR_IMPL_H
#define PARCEL_EXECUTOR_IMPL_H

#include <stdatomic.h>

#include <parcel/executor.h>

/** A task and its future are the same thing: one cache line, so that a submitter and a worker that are busy
 *  with neighbours do not disturb each other.
 *
 *  A runner reads body, argument, argument_bytes and timeout_seconds, which are constant, asks
 *  parcel__task_is_cancelled() for the token, and ends the task by parcel__task_finish(); the rest is the
 *  executor's. */
typedef struct parcel_future parcel__task;

struct parcel_future {
  _Alignas(64) parcel_task_body body;
  void *argument;
  size_t argument_bytes;  /* of *argument; 0 if it was not told */
  double timeout_seconds; /* 0: no limit */
  parcel_executor *executor;
  char *text; /* of the failure, malloced; NULL: none or no memory; constant once DONE */
  union {
    struct parcel__watch *watches; /* who wants to be told; under the executor's mutex */
    parcel__task *next_unused;     /* of a task that is not in use */
  };
  atomic_uint state;    /* bits, see executor_state_impl.h; a futex */
  parcel_status status; /* constant once DONE */
};

/** What a body may ask about itself. A worker process makes its own, with a flag word in shared memory. */
struct parcel_task_context {
  int worker;
  const atomic_uint *flags; /* the token: any of PARCEL__CANCELLED set */
  double deadline_seconds;  /* by CLOCK_MONOTONIC; 0: none */
};

enum { PARCEL__CANCELLED = 1 };

/** True once the token of a running task is set. Any thread. */
bool parcel__task_is_cancelled(const parcel__task *task);

/** Ends a task that a runner was given: exactly once for each, from the thread in which run was called.
 *
 *  text  of a failure; copied. NULL or "": the status' own */
void parcel__task_finish(parcel__task *task, parcel_status status, const char *text);

/** How a thread of the executor runs tasks: for worker processes each thread is the supervisor of one. All
 *  are called in that thread, with its worker index in [0, options.threads). A worker index is used again
 *  after close. */
typedef struct parcel__runner {
  void *ctx;

  /** Before the first task. A failure breaks the executor, as a failing initializer does; close is then not
   *  called. May be NULL. */
  parcel_status (*open)(void *ctx, int worker);

  /** Runs tasks[0 .. count), all begun in the executor's eyes: each must be ended by parcel__task_finish
   *  before it returns, in any order. The array is the runner's to change meanwhile. NULL: the thread calls
   *  the bodies itself. */
  void (*run)(void *ctx, int worker, parcel__task *tasks[], int count);

  /** After the last task. May be NULL. */
  void (*close)(void *ctx, int worker);

  /** Tasks that a thread takes at once, at most: never more than its share of the queue, so that none waits
   *  behind another while a thread has nothing to do. 0: 1; 32 at most. */
  int batch;
} parcel__runner;

/** parcel_executor_create with another way to run tasks. options.initialize, finalize and ctx are not looked
 *  at: open and close stand in their place. The runner's ctx lives until parcel_executor_destroy has
 *  returned. Waiting in a thread of such an executor (a then-callback) is refused with INVALID. */
PARCEL_MUST_CHECK parcel_status parcel__executor_create(const parcel_executor_options *options,
                                                        const parcel__runner *runner, parcel_executor **out);

#endif
