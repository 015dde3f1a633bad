/** @file
 *  The pool: threads of one rank that run a loop together.
 *
 *      parcel_pool_for      a loop over positions          parcel_pool_reduce   the same, with a result
 *      parcel_pool_for_2d   a loop over rows and columns   parcel_pool_start    a loop that runs by itself
 *
 *  A loop costs a fraction of a microsecond while others follow closely: idle threads look for the next one
 *  for some 50 us, no more of them than there are CPUs, and then sleep until they are woken. The caller works
 *  along and waits only for threads that have begun something, so that threads without a CPU hold up nobody.
 *  Whoever runs out of work takes half of what somebody else has left. */
#ifndef PARCEL_POOL_H
#define PARCEL_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include <parcel/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque. One caller at a time; the caller need not be the thread that created it. */
typedef struct parcel_pool parcel_pool;

typedef struct parcel_pool_options {
  int threads; /* workers, the caller of parcel_pool_for included; 0: as many as the process has CPUs */
  bool pin;    /* bind each of the pool's threads to a core, apart from each other as far as there are cores:
                  for data that stays near its thread. Takes hwloc 20 ms or more. The caller is not bound */
} parcel_pool_options;

#define PARCEL_POOL_OPTIONS_INIT PARCEL_DEFAULTS

/** The loop's body: does [positions.begin, positions.end).
 *
 *  worker   in [0, parcel_pool_threads): no two calls at the same time have the same, so it may index
 *  scratch space
 *  Returns PARCEL_OK, or a failure after parcel_fail has said why; that ends the loop. */
typedef parcel_status (*parcel_body)(void *ctx, parcel_span positions, int worker);

/** Starts the pool's threads, with the signal mask of the thread that makes them, as its user left it
 *  (parcel/signals.h).
 *
 *  options  NULL for the defaults
 *  Owns: *out is the caller's, for parcel_pool_destroy.
 *  Errors: INVALID (threads < 0); MEMORY; SYSTEM (a thread did not start, or could not be bound; those that
 *  did are ended again). */
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
 *  grain    positions per call of body; 0 lets the pool choose: spans that take about 20 us where the loop is
 *           long enough, found by a look at the clock between calls (NULL pool: one span)
 *  Threads: one caller at a time per pool; body must not call a loop on the same pool, which is refused.
 *  Errors:  INVALID (count < 0, grain < 0, a pool that is busy or already running this body); what body
 *  returned first; STOPPED (cancelled with spans left). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_pool_for(parcel_pool *pool, parcel_index count,
                                                           parcel_index grain, parcel_body body, void *ctx);

/** Rows and columns, each [begin, end). */
typedef struct parcel_tile {
  parcel_span rows, columns;
} parcel_tile;

/** The body of a loop over rows and columns: does one tile. Otherwise as parcel_body. */
typedef parcel_status (*parcel_tile_body)(void *ctx, parcel_tile tile, int worker);

/** Runs body over [0, rows) x [0, columns), in tiles.
 *
 *  Same as:  for (r = 0; r < rows; r += tile_rows) for (c = 0; c < columns; c += tile_columns)
 *  body(ctx, (parcel_tile){{r, min(r + tile_rows, rows)}, {c, min(c + tile_columns, columns)}}, worker);
 *  in any order and at once. Tiles next to each other in a row are done by the same thread where possible.
 *
 *  tile_rows, tile_columns  rows and columns per call of body; 0: PARCEL_TILE_ROWS, PARCEL_TILE_COLUMNS
 *  Otherwise as parcel_pool_for.
 *  Errors: also RANGE (2^63 tiles or more). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_pool_for_2d(parcel_pool *pool, parcel_index rows,
                                                              parcel_index columns, parcel_index tile_rows,
                                                              parcel_index tile_columns,
                                                              parcel_tile_body body, void *ctx);

/** A tile of doubles is 32 KiB: what a core has in its first cache. */
#define PARCEL_TILE_ROWS    16
#define PARCEL_TILE_COLUMNS 256

/** How positions become one result, of any type without pointers to itself.
 *
 *      static parcel_status add(void *ctx, parcel_span positions, int worker, void *sum);
 *      static void join(void *ctx, void *sum, const void *later);
 *      const parcel_reduction how = {sizeof(double), &zero, add, join};
 *
 *  Threads: body is called at once for different results, combine by one thread at a time. */
typedef struct parcel_reduction {
  size_t size;          /* of a result, in bytes */
  const void *identity; /* the result of no position at all */
  parcel_status (*body)(void *ctx, parcel_span positions, int worker, void *result); /* adds positions */
  void (*combine)(void *ctx, void *result, const void *later); /* adds the result of later positions */
} parcel_reduction;

/** Reduces [0, count) to one result.
 *
 *  Same as:  memcpy(result, identity, size); for (p = 0; p < count; p += grain) body(ctx, (parcel_span){p,
 *  min(p + grain, count)}, worker, result);  but for the association: results are begun from the identity at
 *  most PARCEL_REDUCTION_RESULTS times and combined in the order of their positions. Where, depends on count
 *  and grain alone. So the result is the same, bit for bit, whatever the number of threads, NULL pool
 *  included, for floating point numbers too; combine must be associative, but need not commute.
 *
 *  grain    positions per call of body; 0: as many as belong to one result
 *  result   [how->size] bytes; untouched on failure
 *  Otherwise as parcel_pool_for.
 *  Errors:  also MEMORY; INVALID (size 0). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_pool_reduce(parcel_pool *pool, parcel_index count,
                                                              parcel_index grain, const parcel_reduction *how,
                                                              void *ctx, void *result);

/** Enough for 64 threads to share uneven work; part of what a result depends on, so it stays. */
#define PARCEL_REDUCTION_RESULTS 1024

/** Begins the loop of parcel_pool_for and returns at once: all workers are the pool's own threads, and the
 *  caller is free for other things (MPI, progress) until parcel_pool_wait says that the loop is over. A loop
 *  of as many positions as the pool has threads, by grain 1, gives each thread one at once, unless one is
 *  done before another thread has begun. pool must not be NULL.
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
