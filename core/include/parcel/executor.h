/** @file
 *  The executor: runs tasks that are submitted one by one, and gives a future for each. What Python calls
 *  concurrent.futures.ThreadPoolExecutor; for loops over a range a parcel_pool is the shorter way.
 *
 *      parcel_executor *executor = NULL;
 *      parcel_future *future = NULL;
 *      status = parcel_executor_create(NULL, &executor);
 *      status = parcel_executor_submit(executor, fetch, &page, NULL, &future);
 *      status = parcel_future_wait(future);              (what fetch returned)
 *      parcel_future_release(&future);
 *      status = parcel_executor_destroy(&executor);      (the failures that nobody has looked at)
 *
 *  Every task has exactly one outcome: what its body returned, or CANCELLED, or TIMEOUT, or the failure that
 *  broke the executor. A failure keeps its text: whoever waits for it finds it in its own
 *  parcel_last_error(). Tasks begin about in the order in which they were submitted.
 *
 *  Threads: every function here may be called from any thread, also from a task, unless it says otherwise;
 *  parcel_executor_destroy by one thread when no other uses the executor or its futures any more.
 *  Waiting inside a task of the same executor does not deadlock: if the awaited task has not begun, the
 *  waiting thread runs it itself (unless a time limit is given); so tasks may wait for other tasks of
 *  their executor, as long as no two wait for each other. */
#ifndef PARCEL_EXECUTOR_H
#define PARCEL_EXECUTOR_H

#include <stdbool.h>
#include <stddef.h>

#include <parcel/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque. */
typedef struct parcel_executor parcel_executor;

/** Opaque: one submitted task and its outcome. Belongs to who submitted it until parcel_future_release, and
 *  at most as long as its executor lives. */
typedef struct parcel_future parcel_future;

/** Opaque: what a running task knows about itself; valid during the call of its body. */
typedef struct parcel_task_context parcel_task_context;

/** What a task does. Returns PARCEL_OK, or a failure after parcel_fail has said why. A body that takes long
 *  asks parcel_task_is_cancelled() now and then and returns early. A body that ends its thread (pthread_exit)
 *  has failed with KERNEL, and so have the tasks on top of which it ran; another thread takes its place. */
typedef parcel_status (*parcel_task_body)(void *argument, const parcel_task_context *context);

/** True once the task's future, or the whole executor, was cancelled, or the task's time is over. */
PARCEL_API bool parcel_task_is_cancelled(const parcel_task_context *context);

/** The worker that runs the task, in [0, options.threads): no two tasks at the same time have the same, but
 *  for a task that waits and those that run in its place. It may index scratch space. */
PARCEL_API int parcel_task_worker(const parcel_task_context *context);

typedef struct parcel_executor_options {
  int threads;            /* at most; 0: as many as the process has CPUs. Tasks that wait want many more */
  int least_threads;      /* started at once and kept; more start when tasks wait for one; 0: all threads */
  double idle_seconds;    /* after which a thread above least_threads ends; 0: 10 */
  parcel_index capacity;  /* tasks that may be queued before submit blocks or refuses; 0: no limit */
  bool refuses_when_full; /* submit to a full queue fails with FULL instead of waiting for room */

  /* Called by each thread with its worker index: before its first task, and after its last if initialize has
   * succeeded. A failing initialize breaks the executor: its failure is the outcome of every task that has
   * not begun, and of every later submit. Either may be NULL. */
  parcel_status (*initialize)(void *ctx, int worker);
  void (*finalize)(void *ctx, int worker);
  void *ctx;
} parcel_executor_options;

#define PARCEL_EXECUTOR_OPTIONS_INIT PARCEL_DEFAULTS

typedef struct parcel_submit_options {
  double timeout_seconds; /* from the task's begin; 0: none. A task that takes longer fails with TIMEOUT. In
                             a thread it cannot be interrupted: it is told by parcel_task_is_cancelled(),
                             and its future is done when the body returns; a worker process is killed */
  size_t argument_bytes;  /* size of *argument, for worker processes; threads do not look at it */
} parcel_submit_options;

#define PARCEL_SUBMIT_OPTIONS_INIT PARCEL_DEFAULTS

/** Starts the executor's threads, with the signal mask of the thread that makes them, as its user left it
 *  (parcel/signals.h).
 *
 *  options  NULL for the defaults
 *  Owns: *out is the caller's, for parcel_executor_destroy.
 *  Errors: INVALID (negative or contradicting options); MEMORY; SYSTEM (one of least_threads did not start;
 *  those that did are ended again). A thread beyond these that does not start is done without. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_executor_create(const parcel_executor_options *options,
                                                                  parcel_executor **out);

/** Threads that run now. */
PARCEL_API int parcel_executor_threads(parcel_executor *executor);

/** Submits body(argument).
 *
 *  argument  the caller's; lives until the task is over
 *  options   NULL for the defaults
 *  out       the future, the caller's, for parcel_future_release; NULL: none is wanted, and a failure is
 *            returned by parcel_executor_wait or parcel_executor_destroy
 *  A full queue makes the caller wait for room, or fail; a task of the same executor does not wait: the new
 *  task is run at once, in its place.
 *  Errors: INVALID (negative timeout); FULL (options.refuses_when_full, or a then-callback); MEMORY; what
 *  broke the executor. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_executor_submit(parcel_executor *executor,
                                                                  parcel_task_body body, void *argument,
                                                                  const parcel_submit_options *options,
                                                                  parcel_future **out);

/** Runs body on each of count arguments that lie stride bytes apart, and waits for all.
 *
 *  Same as:  for (i = 0; i < count; ++i) body((char *)arguments + i * stride, context);  in any order and at
 *  once. If one fails, those that have not begun are cancelled, and those that run are told so
 *  (parcel_task_is_cancelled).
 *  Errors: the failure of the first that failed, by index, cancelled ones not counted; as
 *  parcel_executor_submit. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_executor_map(parcel_executor *executor,
                                                               parcel_task_body body, void *arguments,
                                                               size_t stride, parcel_index count,
                                                               const parcel_submit_options *options);

/** Waits until no task is queued or running.
 *
 *  Errors: the first failure among tasks that are over and without a future (never had one, or released
 *  without being looked at) since the last call, with the number of such; INVALID (called by a task of this
 *  executor, which would wait for itself). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_executor_wait(parcel_executor *executor);

/** Cancels every task that has not ended, as parcel_future_cancel does; first those that have not begun. The
 *  executor takes new ones thereafter. */
PARCEL_API void parcel_executor_cancel(parcel_executor *executor);

/** Waits for what is queued and running (call parcel_executor_cancel first if it shall not run), ends the
 *  threads, and frees the executor and all its futures, those not released included. *executor becomes NULL;
 *  NULL is fine. Not from a task of this executor.
 *
 *  Errors: the first failure that nobody has looked at, with the number of such; a cancelled task is none. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_executor_destroy(parcel_executor **executor);

/** True once the task is over, run or not. Never blocks. */
PARCEL_API bool parcel_future_is_done(const parcel_future *future);

/** Waits until the task is over and returns its outcome; a failure's text is then the caller's
 *  parcel_last_error(). Any number of threads, any number of times. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_future_wait(parcel_future *future);

/** The same for at most timeout_seconds (PARCEL_FOREVER: no limit; 0: asks only).
 *
 *  Errors: TIMEOUT while the task is not over (parcel_future_is_done tells it from a task that itself failed
 *  with TIMEOUT). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_future_wait_for(parcel_future *future,
                                                                  double timeout_seconds);

/** Waits for all of count futures and returns the failure of the first that failed, by index. The others'
 *  outcomes count as not looked at. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_future_wait_all(parcel_future *const futures[],
                                                                  parcel_index count);

/** Waits until one of count futures is over, and says which: the first of those that are. NULLs in between
 *  are passed over. What its outcome was, parcel_future_wait tells at once.
 *
 *  Errors: TIMEOUT; INVALID (none but NULLs); MEMORY. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_future_wait_any(parcel_future *const futures[],
                                                                  parcel_index count, double timeout_seconds,
                                                                  parcel_index *which);

/** Cancels the task: one that has not begun never runs and is over at once, with CANCELLED; one that runs
 *  finds parcel_task_is_cancelled() true, and its outcome is what it returns. True if it never runs. */
PARCEL_API bool parcel_future_cancel(parcel_future *future);

/** Calls callback(ctx, status) once, when the task is over: in the thread that ended it, or at once in the
 *  caller's if it is over already. With a failure, parcel_last_error() is its text, and it counts as looked
 *  at. Waiters may wake before the callback runs; parcel_executor_wait and _destroy return after it. A
 *  callback may submit tasks; it must not wait.
 *
 *  Errors: MEMORY. */
PARCEL_API PARCEL_MUST_CHECK parcel_status
parcel_future_then(parcel_future *future, void (*callback)(void *ctx, parcel_status status), void *ctx);

/** Gives the future back; the task runs all the same. A failure that nobody has looked at is then returned by
 *  parcel_executor_wait or parcel_executor_destroy. *future becomes NULL; NULL is fine. */
PARCEL_API void parcel_future_release(parcel_future **future);

/** Opaque: goes through futures in the order in which they get done. One thread at a time. */
typedef struct parcel_completed parcel_completed;

/** Begins to watch count futures. NULLs are passed over. The array lives until parcel_completed_close, and
 *  each future at least until it was told.
 *
 *  Owns: *out is the caller's.  Errors: MEMORY. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_completed_open(parcel_future *const futures[],
                                                                 parcel_index count, parcel_completed **out);

/** Waits until one more is over: *which is its index, or -1 when all have been told.
 *
 *  Errors: TIMEOUT (none within timeout_seconds; call again). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_completed_next(parcel_completed *completed,
                                                                 double timeout_seconds, parcel_index *which);

/** Stops watching. *completed becomes NULL; NULL is fine. */
PARCEL_API void parcel_completed_close(parcel_completed **completed);

#ifdef __cplusplus
}
#endif

#endif
