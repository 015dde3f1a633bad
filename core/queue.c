#include <parcel/queue.h>

#include <inttypes.h>

#include <parcel/shared.h>

#include "ring_impl.h"

struct parcel_queue {
  parcel_ring ring;
  parcel_index item_bytes;
};

parcel_status parcel_queue_create(parcel_index capacity, parcel_index item_bytes, parcel_queue **out)
{
  void *memory = NULL;
  parcel_index bytes = 0;
  if (capacity < 1 || item_bytes < 1)
    return parcel_fail(PARCEL_INVALID,
                       "a queue for %" PRId64 " items of %" PRId64 " bytes; neither may be below 1", capacity,
                       item_bytes);
  if (item_bytes > INT64_MAX / 2 || __builtin_mul_overflow(capacity, parcel__ring_room(item_bytes), &bytes))
    return parcel_fail(PARCEL_MEMORY,
                       "a queue for %" PRId64 " items of %" PRId64 " bytes is larger than any memory",
                       capacity, item_bytes);
  parcel_status status = parcel_shared_alloc(sizeof **out, &memory);
  if (status)
    return status;
  parcel_queue *queue = memory;
  queue->item_bytes = item_bytes;
  if ((status = parcel__ring_init(&queue->ring, bytes)))
    parcel_shared_free(queue);
  else
    *out = queue;
  return status;
}

parcel_status parcel_queue_put(parcel_queue *queue, const void *item, double timeout_seconds)
{
  return parcel__ring_put(&queue->ring, item, queue->item_bytes, timeout_seconds);
}

parcel_status parcel_queue_get(parcel_queue *queue, void *item, double timeout_seconds)
{
  parcel_index bytes = 0;
  return parcel__ring_get(&queue->ring, item, queue->item_bytes, &bytes, timeout_seconds);
}

parcel_index parcel_queue_size(parcel_queue *queue)
{
  return parcel__ring_size(&queue->ring) / parcel__ring_room(queue->item_bytes);
}

void parcel_queue_close(parcel_queue *queue)
{
  parcel__ring_close(&queue->ring);
}

void parcel_queue_destroy(parcel_queue **queue)
{
  if (*queue)
    parcel__ring_end(&(*queue)->ring);
  parcel_shared_free(*queue);
  *queue = NULL;
}
