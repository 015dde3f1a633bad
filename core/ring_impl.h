/** @file
 *  A ring of messages in shared memory, behind queues and pipes: any number of threads and processes put
 *  and get. */
#ifndef PARCEL_RING_IMPL_H
#define PARCEL_RING_IMPL_H

#include "bell_impl.h"
#include "robust_lock_impl.h"

typedef struct parcel_ring {
  parcel_lock lock;
  parcel_bell puts,
      gets; /* what waits for a message hears the first, what waits for room the second; close rings both */

  /* Under the lock. Bytes that were ever put and got; `bytes` holds those in between, each at its number
   * modulo capacity. They change by one store each, when a message is complete: the ring is whole at any
   * moment. */
  uint64_t put, got;
  uint64_t capacity; /* a multiple of 8 */
  bool is_closed;
  char *bytes; /* [capacity], shared */
} parcel_ring;

/** Room that a message takes. */
parcel_index parcel__ring_room(parcel_index bytes);

/** ring  in shared memory, zero
 *  Errors: as parcel_shared_alloc; SYSTEM. */
parcel_status parcel__ring_init(parcel_ring *ring, parcel_index capacity);

/** Errors: RANGE (larger than the ring); FULL (no room in this time); STOPPED (closed). */
parcel_status parcel__ring_put(parcel_ring *ring, const void *message, parcel_index bytes,
                               double timeout_seconds);

/** bytes  of the message
 *  Errors: TIMEOUT (none in this time); STOPPED (closed and empty); RANGE (beyond `room`: it stays). */
parcel_status parcel__ring_get(parcel_ring *ring, void *buffer, parcel_index room, parcel_index *bytes,
                               double timeout_seconds);

/** Bytes taken by the messages in it. */
parcel_index parcel__ring_size(parcel_ring *ring);

void parcel__ring_close(parcel_ring *ring);

/** NULL bytes (a ring that was never made) are fine. */
void parcel__ring_end(parcel_ring *ring);

#endif
