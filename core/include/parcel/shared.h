/** @file
 *  Memory that the threads of this process and its worker processes (parcel/workers.h) have in common.
 *
 *  It lies at the same address in all of them, so that pointers into it mean the same everywhere, and
 *  structures in it may point to each other. It has no name and no file descriptor: nothing is left over,
 *  however the processes end.
 *
 *  Shared values need no functions of their own. C11's atomics work between processes as they do between
 *  threads:
 *
 *      _Atomic int64_t *counter;
 *      parcel_shared_alloc(sizeof *counter, (void **)&counter);    zero at first
 *      atomic_fetch_add(counter, 1);                               in any thread of any process
 *
 *  An array of them is parcel_shared_alloc(count * sizeof *array, ...). What is read and written together
 *  belongs under a parcel_lock; what is written by several at once, on cache lines (64 bytes) of its own. */
#ifndef PARCEL_SHARED_H
#define PARCEL_SHARED_H

#include <parcel/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Gives `bytes` bytes of zeros, aligned to 64, from 4096 on to a page. Pages take memory once they are
 *  touched.
 *
 *  For buffers and tables, not for small objects by the million: sizes are rounded up to a power of two of
 *  address space.
 *
 *  Owns:    *out is the caller's, for parcel_shared_free; what is not freed ends with the process.
 *  Threads: any thread of the process that called parcel_workers_prepare, not its workers.
 *  Errors:  INVALID (bytes < 1, in a worker process); MEMORY (of the address space set aside at the first
 *           call, four times the machine's memory where the limits allow, too little is left). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_shared_alloc(parcel_index bytes, void **out);

/** Gives memory of parcel_shared_alloc back; NULL is fine. No thread and no worker may use it any more.
 *
 *  Threads: as parcel_shared_alloc. */
PARCEL_API void parcel_shared_free(void *memory);

#ifdef __cplusplus
}
#endif

#endif
