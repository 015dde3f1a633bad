/* One lock, held for two copies and a store, and two bells. Whoever is killed inside leaves the counts as
 * they were or as they ought to be; the lock passes on. But he may have owed a ring: so nobody sleeps for
 * long without looking again. */
#include "ring_impl.h"

#include <inttypes.h>
#include <string.h>

#include <parcel/shared.h>

static const double longest_sleep_seconds = 0.1;

parcel_index parcel__ring_room(parcel_index bytes)
{
  return (parcel_index)sizeof(parcel_index) + (bytes + 7) / 8 * 8;
}

parcel_status parcel__ring_init(parcel_ring *ring, parcel_index capacity)
{
  void *bytes = NULL;
  parcel_status status = parcel_shared_alloc(capacity, &bytes);
  if (!status)
    status = parcel__lock_init(&ring->lock);
  if (status) {
    parcel_shared_free(bytes);
    return status;
  }
  ring->bytes = bytes;
  ring->capacity = (uint64_t)capacity;
  return PARCEL_OK;
}

static void write_bytes(parcel_ring *ring, uint64_t at, const void *from, uint64_t count)
{
  const uint64_t place = at % ring->capacity;
  const uint64_t first = count < ring->capacity - place ? count : ring->capacity - place;
  memcpy(ring->bytes + place, from, first);
  memcpy(ring->bytes, (const char *)from + first, count - first);
}

static void read_bytes(const parcel_ring *ring, uint64_t at, void *to, uint64_t count)
{
  const uint64_t place = at % ring->capacity;
  const uint64_t first = count < ring->capacity - place ? count : ring->capacity - place;
  memcpy(to, ring->bytes + place, first);
  memcpy((char *)to + first, ring->bytes, count - first);
}

/* Under the lock. Errors: FULL and STOPPED without words: the caller may yet wait. */
static parcel_status try_put(parcel_ring *ring, const void *message, parcel_index bytes)
{
  const uint64_t room = (uint64_t)parcel__ring_room(bytes);
  if (ring->is_closed)
    return PARCEL_STOPPED;
  if (ring->capacity - (ring->put - ring->got) < room)
    return PARCEL_FULL;
  write_bytes(ring, ring->put, &bytes, sizeof bytes);
  if (bytes > 0)
    write_bytes(ring, ring->put + sizeof bytes, message, (uint64_t)bytes);
  ring->put += room;
  return PARCEL_OK;
}

/* Under the lock. Errors: TIMEOUT, RANGE and STOPPED without words. */
static parcel_status try_get(parcel_ring *ring, void *buffer, parcel_index room, parcel_index *bytes)
{
  parcel_index size = 0;
  if (ring->put == ring->got)
    return ring->is_closed ? PARCEL_STOPPED : PARCEL_TIMEOUT;
  read_bytes(ring, ring->got, &size, sizeof size);
  *bytes = size;
  if (size > room)
    return PARCEL_RANGE;
  if (size > 0)
    read_bytes(ring, ring->got + sizeof size, buffer, (uint64_t)size);
  ring->got += (uint64_t)parcel__ring_room(size);
  return PARCEL_OK;
}

/* PARCEL_FOREVER and all that is negative: no deadline. */
static double deadline_in(double seconds)
{
  return seconds < 0 ? INFINITY : parcel__now() + seconds;
}

/* Sleeps until the bell has rung since `seen`, or until it is worth another look. False once the deadline
 * is past. */
static bool sleep_on(parcel_bell *bell, uint32_t seen, double deadline)
{
  const double now = parcel__now();
  const double look = now + longest_sleep_seconds;
  if (now >= deadline)
    return false;
  parcel__bell_wait(bell, seen, 0, deadline < look ? deadline : look);
  return true;
}

parcel_status parcel__ring_put(parcel_ring *ring, const void *message, parcel_index bytes,
                               double timeout_seconds)
{
  if ((uint64_t)parcel__ring_room(bytes) > ring->capacity)
    return parcel_fail(PARCEL_RANGE, "a message of %" PRId64 " bytes does not fit into a pipe of %" PRIu64,
                       bytes, ring->capacity);
  const double deadline = timeout_seconds == 0 ? 0 : deadline_in(timeout_seconds);
  for (;;) {
    const uint32_t seen = parcel__bell_rings(&ring->gets);
    parcel__lock_take(&ring->lock);
    const parcel_status status = try_put(ring, message, bytes);
    parcel_lock_release(&ring->lock);
    if (!status)
      parcel__bell_ring(&ring->puts);
    if (status == PARCEL_STOPPED)
      return parcel_fail(status, "nothing can be put any more: the other side has closed it");
    if (status != PARCEL_FULL)
      return status;
    if (!sleep_on(&ring->gets, seen, deadline))
      return parcel_fail(PARCEL_FULL, "no room for %" PRId64 " bytes within %g s", bytes, timeout_seconds);
  }
}

parcel_status parcel__ring_get(parcel_ring *ring, void *buffer, parcel_index room, parcel_index *bytes,
                               double timeout_seconds)
{
  const double deadline = timeout_seconds == 0 ? 0 : deadline_in(timeout_seconds);
  for (;;) {
    const uint32_t seen = parcel__bell_rings(&ring->puts);
    parcel__lock_take(&ring->lock);
    const parcel_status status = try_get(ring, buffer, room, bytes);
    parcel_lock_release(&ring->lock);
    if (!status)
      parcel__bell_ring(&ring->gets);
    if (status == PARCEL_STOPPED)
      return parcel_fail(status, "it is closed, and nothing is left in it");
    if (status == PARCEL_RANGE)
      return parcel_fail(status, "the next message has %" PRId64 " bytes, the buffer %" PRId64, *bytes, room);
    if (status != PARCEL_TIMEOUT)
      return status;
    if (!sleep_on(&ring->puts, seen, deadline))
      return parcel_fail(PARCEL_TIMEOUT, "nothing came within %g s", timeout_seconds);
  }
}

parcel_index parcel__ring_size(parcel_ring *ring)
{
  parcel__lock_take(&ring->lock);
  const uint64_t size = ring->put - ring->got;
  parcel_lock_release(&ring->lock);
  return (parcel_index)size;
}

void parcel__ring_close(parcel_ring *ring)
{
  parcel__lock_take(&ring->lock);
  ring->is_closed = true;
  parcel_lock_release(&ring->lock);
  parcel__bell_ring(&ring->puts);
  parcel__bell_ring(&ring->gets);
}

void parcel__ring_end(parcel_ring *ring)
{
  if (!ring->bytes)
    return;
  pthread_mutex_destroy(&ring->lock.mutex);
  parcel_shared_free(ring->bytes);
}
