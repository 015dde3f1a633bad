/** @file
 *  Workers: processes of one rank that run functions of this program, so that a crash or an endless loop
 *  costs a task and not the run.
 *
 *  A worker is forked, so it has the program's functions, and the variables as they were at
 *  parcel_workers_prepare, at the same addresses. What is exchanged later goes through
 *  parcel_shared_alloc's memory. So a body's argument, and all that it points to, is either in shared
 *  memory or unchanged since parcel_workers_prepare; and a body is a function of the program or of a
 *  library that was loaded by then.
 *
 *      int main(int argc, char **argv)
 *      {
 *        parcel_status status = parcel_workers_prepare();     first of all: before MPI, before own threads
 *        ... parcel_world_open ...
 *        parcel_workers *workers = NULL;
 *        double *roots = NULL;
 *        status = parcel_workers_create(NULL, &workers);
 *        status = parcel_shared_alloc(count * sizeof *roots, (void **)&roots);
 *        status = parcel_workers_for(workers, count, 0, fill_roots, roots, 0);
 *        ...
 *        parcel_workers_destroy(&workers);
 *        parcel_workers_release();
 *      }
 *
 *  Bodies must not call MPI, and find standard input empty and no files open but standard output and
 *  error. */
#ifndef PARCEL_WORKERS_H
#define PARCEL_WORKERS_H

#include <stdbool.h>

#include <parcel/base.h>
#include <parcel/executor.h>
#include <parcel/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Begins the fork server, from which all workers of this process will come, so that nothing is ever forked
 *  while MPI or threads run. Flushes stdio's streams. Does nothing the second time.
 *
 *  The server and the workers end with this process, however it ends. They are in a session of their own:
 *  what a terminal sends to a foreground job (interrupt, hang up) reaches this process only, which decides.
 *
 *  Threads that exist already, as those that a library has started when it was loaded, must rest: up to 2 s
 *  are waited for that. They are not there in the workers. What a library does about that is its own matter:
 *  OpenBLAS starts new ones; one that does not know fork waits for them for ever, and one whose thread slept
 *  with a lock held leaves it held. Such a library is best told to use one thread.
 *
 *  Threads: the main thread.
 *  Errors:  INVALID (MPI is initialised, another thread is at work, this is a worker process);
 *           MEMORY; SYSTEM (no fork). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_workers_prepare(void);

/** Ends the fork server and waits for it. After the last parcel_workers_destroy, at the end of the program;
 *  it may be left out, since the server ends with this process anyhow. */
PARCEL_API void parcel_workers_release(void);

/** Opaque: worker processes. */
typedef struct parcel_workers parcel_workers;

/** What a worker process does for a call.
 *
 *  argument  as passed to the call
 *  worker    in [0, parcel_workers_processes)
 *  Returns PARCEL_OK, or a failure after parcel_fail has said why. */
typedef parcel_status (*parcel_worker_body)(void *argument, int worker);

typedef struct parcel_workers_options {
  int processes;                  /* 0: as many as the process has CPUs */
  parcel_index tasks_per_worker;  /* a worker is replaced after so many calls; 0: never */
  parcel_index memory_bytes;      /* of its own that a worker may have (RLIMIT_DATA); 0: as this process */
  parcel_worker_body initializer; /* called first in every worker, replacements included; NULL: none */
  void *initializer_argument;
  double initializer_limit_seconds; /* a longer one is killed; 0: none */
  bool has_core_dumps;              /* a crash leaves a core, where the system's settings let it */
} parcel_workers_options;

#define PARCEL_WORKERS_OPTIONS_INIT PARCEL_DEFAULTS

/** Starts worker processes, and waits until their initializers are done.
 *
 *  options  NULL for the defaults
 *  Owns:    *out is the caller's, for parcel_workers_destroy.
 *  Threads: any.
 *  Errors:  INVALID (no parcel_workers_prepare, a negative option); MEMORY; SYSTEM (a process did not
 *           start; the others are ended again; more than 1024 in all); what an initializer returned;
 *           CRASHED, TIMEOUT (it). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_workers_create(const parcel_workers_options *options,
                                                                 parcel_workers **out);

/** Number of workers. Any thread. */
PARCEL_API int parcel_workers_processes(const parcel_workers *workers);

/** Runs body(argument, worker) in the worker process of that number, and waits for it.
 *
 *  A worker that dies, is killed, calls exit or exceeds its time is replaced before its next call; the
 *  others do not notice. A worker that died before it began with the body is replaced unnoticed, and its
 *  successor does the call. So a body is run once, or, if CRASHED or TIMEOUT is returned, once in part.
 *
 *  timeout_seconds  the worker is killed after this time; 0: never
 *  Threads: any; calls for different workers may be made at once, one at a time for the same worker.
 *  Errors:  what body returned, with its text; CRASHED ("worker process 1234 died of SIGSEGV (Segmentation
 *           fault)", or called exit); TIMEOUT; INVALID (worker out of range or busy); SYSTEM (a worker
 *           could not be replaced, or the fork server is gone); of the initializer of a replacement, as
 *           parcel_workers_create. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_workers_call(parcel_workers *workers, int worker,
                                                               parcel_worker_body body, void *argument,
                                                               double timeout_seconds);

/** Runs body over [0, count) in the worker processes: parcel_pool_for with processes for threads.
 *
 *  Same as:  for (p = 0; p < count; p += grain) body(ctx, (parcel_span){p, min(p + grain, count)}, worker);
 *   in any order and at once. On return every position has been visited exactly once, or the first failure
 *   is returned, and no
 *  further span was started after it.
 *
 *  A span that costs its worker (CRASHED, TIMEOUT) is halved until the position that does so is found. So
 *  some of its positions are visited again; and what loops for ever takes its time about log2(grain) times
 *  over.
 *
 *  grain            positions per call of body; 0: chosen
 *  ctx              in shared memory, or unchanged since parcel_workers_prepare
 *  timeout_seconds  for one call of body; 0: none
 *  Threads: one caller at a time per workers, with no parcel_workers_call meanwhile.
 *  Errors:  INVALID (count < 0, grain < 0, a busy worker); what body returned first; CRASHED, TIMEOUT
 *           ("position 17: worker process 1234 died of SIGFPE ..."); MEMORY and SYSTEM (a supervising
 *           thread, a worker). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_workers_for(parcel_workers *workers, parcel_index count,
                                                              parcel_index grain, parcel_body body, void *ctx,
                                                              double timeout_seconds);

/** Makes an executor (parcel/executor.h) whose tasks run in the worker processes.
 *
 *  A task's argument is copied to its worker and, when the body has returned, back: submit it with its
 *  size (parcel_submit_options.argument_bytes; the stride for parcel_executor_map). Without a size the body
 *  gets the pointer, to what is in shared memory or unchanged since parcel_workers_prepare. Pointers in an
 *  argument are pointers all the same.
 *
 *  A task that kills its worker fails with CRASHED, one that exceeds its timeout_seconds with TIMEOUT, and
 *  no other task notices. Tasks go to a worker several at a time, but for those with a timeout.
 *  A cancelled task that its worker has not begun yet does not run, and is CANCELLED.
 *
 *  options  as for parcel_executor_create; NULL for the defaults. threads is the number of processes,
 *           whatever it says; initialize, finalize and ctx have no effect: workers have their own initializer
 *  Owns:    *out is the caller's, for parcel_executor_destroy, before parcel_workers_destroy. One executor
 *           at a time, and no call or loop of the same workers meanwhile.
 *  Errors:  as parcel_executor_create. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_workers_executor(parcel_workers *workers,
                                                                   const parcel_executor_options *options,
                                                                   parcel_executor **out);

/** Ends the workers: they finish what they are doing only if it takes less than a second. *workers becomes
 *  NULL; NULL is fine. Not during a call. */
PARCEL_API void parcel_workers_destroy(parcel_workers **workers);

#ifdef __cplusplus
}
#endif

#endif
