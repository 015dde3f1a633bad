/** @file
 *  A bounded queue of items of one size between threads and worker processes, any number at either end:
 *  first in, first out.
 *
 *  Whoever is killed in a function of this queue leaves it whole: an item is in it once it is complete, and
 *  out of it once it was copied; so what he was putting may be missing, and what he was getting, gone, and
 *  no other. */
#ifndef PARCEL_QUEUE_H
#define PARCEL_QUEUE_H

#include <parcel/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque, in shared memory: a worker may be given the pointer. */
typedef struct parcel_queue parcel_queue;

/** Makes an empty queue for `capacity` items of `item_bytes` bytes.
 *
 *  Owns:    *out is the caller's, for parcel_queue_destroy.
 *  Threads: as parcel_shared_alloc.  Errors: INVALID (neither may be below 1; in a worker process); MEMORY;
 *  SYSTEM. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_queue_create(parcel_index capacity, parcel_index item_bytes,
                                                               parcel_queue **out);

/** Puts a copy of an item at the end.
 *
 *  timeout_seconds  to wait for room at most; 0: not at all; PARCEL_FOREVER: no limit
 *  Threads: any, of any process that has it.
 *  Errors:  FULL (no room in this time); STOPPED (the queue is closed). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_queue_put(parcel_queue *queue, const void *item,
                                                            double timeout_seconds);

/** Takes the first item out of the queue into *item.
 *
 *  timeout_seconds  to wait for one at most; 0: not at all; PARCEL_FOREVER: no limit
 *  Threads: any, of any process that has it.
 *  Errors:  TIMEOUT (none in this time); STOPPED (the queue is closed, and empty). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_queue_get(parcel_queue *queue, void *item,
                                                            double timeout_seconds);

/** Items in it, at some moment during the call. */
PARCEL_API parcel_index parcel_queue_size(parcel_queue *queue);

/** Says that no more will be put. Those who wait for room are refused; those who get empty it, then are
 *  told. */
PARCEL_API void parcel_queue_close(parcel_queue *queue);

/** Frees the queue and what is in it. *queue becomes NULL; NULL is fine. Nobody may use it any more. */
PARCEL_API void parcel_queue_destroy(parcel_queue **queue);

#ifdef __cplusplus
}
#endif

#endif
