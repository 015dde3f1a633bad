/** @file
 *  The pool: threads of one rank that run a loop together. */
#ifndef PARCEL_POOL_H
#define PARCEL_POOL_H

#include <stdbool.h>

#include <parcel/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque. One caller at a time; the caller need not be the thread that created it. */
typedef struct parcel_pool parcel_pool;

typedef struct parcel_pool_options {
  int threads; /* workers, the caller of parcel_pool_for included; 0: as many as the process has CPUs */
} parcel_pool_options;

#define PARCEL_POOL_OPTIONS_INIT PARCEL_DEFAULTS

/** The loop's body: does [positions.begin, positions.end).
 *
 *  worker   in [0, parcel_pool_threads): no two calls at the same time have the same, so it may index
 *  scratch space
 *  Returns PARCEL_OK, or a failure after parcel_fail has said why; that ends the loop. */
typedef parcel_status (*parcel_body)(void *ctx, parcel_span positions, int worker);

/** Starts the pool's threads, with signals blocked in them, but for those that code itself
 *  causes (SIGSEGV, SIGFPE, SIGABRT ...).
 *
 *  options  NULL for the defaults
 *  Owns: *out is the caller's, for parcel_pool_destroy.
 *  Errors: INVALID (threads < 0); MEMORY; SYSTEM (a thread did not start; those that did are ended again). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_pool_create(const parcel_pool_options *options,
                                                              parcel_pool **out);

/** Workers of the pool: 1 for NULL. Any thread. */
PARCEL_API int parcel_pool_threads(const parcel_pool *pool);

/** Runs body over [0, count) on the pool's threads and the caller's, which is worker 0.
 *
 *  Same as:  for (p = 0; p < count; p += grain) body(ctx, (parcel_span){p, min(p + grain, count)},
 *  worker); in any order and at once. On return every position has been visited exactly once, or the first
 *  failure is returned, its text is the caller's parcel_last_error(), and no further span was started
 *  after it.
 *
 *  pool     NULL runs serially in the caller
 *  grain    positions per call of body; 0 lets the pool choose
 *  Threads: one caller at a time per pool; body must not call a loop on the same pool.
 *  Errors:  INVALID (count < 0, grain < 0, a pool that is busy or already running this body); what body
 *  returned first; STOPPED (cancelled with spans left). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_pool_for(parcel_pool *pool, parcel_index count,
                                                           parcel_index grain, parcel_body body, void *ctx);

/** Begins the same loop and returns at once: all workers are the pool's own threads, and the caller is
 *  free for other things (MPI, progress) until parcel_pool_wait says that the loop is over. pool must not
 *  be NULL.
 *
 *  Errors:  as parcel_pool_for; SYSTEM (the thread that takes the caller's place did not start). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_pool_start(parcel_pool *pool, parcel_index count,
                                                             parcel_index grain, parcel_body body, void *ctx);

/** Waits for a started loop for at most timeout_seconds; true once it is over, and then parcel_pool_finish
 *  is due. */
PARCEL_API bool parcel_pool_wait(parcel_pool *pool, double timeout_seconds);

/** Waits for a started loop, frees the pool for the next one and returns how this one ended, as
 *  parcel_pool_for does.
 *
 *  Errors:  what body returned first; STOPPED (cancelled with spans left). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_pool_finish(parcel_pool *pool);

/** No further span of the running loop is started; those that have begun end normally.
 *
 *  pool  not NULL.  Any thread. */
PARCEL_API void parcel_pool_cancel(parcel_pool *pool);

/** Ends and joins the threads. *pool becomes NULL; NULL is fine. Not while a loop runs. */
PARCEL_API void parcel_pool_destroy(parcel_pool **pool);

#ifdef __cplusplus
}
#endif

#endif
