#include <parcel/pipe.h>

#include <inttypes.h>

#include <parcel/shared.h>

#include "ring_impl.h"

struct parcel_pipe {
  parcel_ring to[2]; /* each end */
};

parcel_status parcel_pipe_create(parcel_index capacity_bytes, parcel_pipe **out)
{
  void *memory = NULL;
  if (capacity_bytes < 1 || capacity_bytes > INT64_MAX / 2)
    return parcel_fail(PARCEL_INVALID, "a pipe of %" PRId64 " bytes", capacity_bytes);
  parcel_status status = parcel_shared_alloc(sizeof **out, &memory);
  if (status)
    return status;
  parcel_pipe *pipe = memory;
  if ((status = parcel__ring_init(&pipe->to[0], parcel__ring_room(capacity_bytes))) ||
      (status = parcel__ring_init(&pipe->to[1], parcel__ring_room(capacity_bytes))))
    parcel_pipe_destroy(&pipe);
  else
    *out = pipe;
  return status;
}

static parcel_status check_end(int end, parcel_index bytes)
{
  if (end != 0 && end != 1)
    return parcel_fail(PARCEL_INVALID, "a pipe has the ends 0 and 1, not %d", end);
  if (bytes < 0)
    return parcel_fail(PARCEL_INVALID, "a message of %" PRId64 " bytes", bytes);
  return PARCEL_OK;
}

parcel_status parcel_pipe_send(parcel_pipe *pipe, int end, const void *message, parcel_index bytes,
                               double timeout_seconds)
{
  const parcel_status status = check_end(end, bytes);
  return status ? status : parcel__ring_put(&pipe->to[1 - end], message, bytes, timeout_seconds);
}

parcel_status parcel_pipe_receive(parcel_pipe *pipe, int end, void *buffer, parcel_index room,
                                  parcel_index *bytes, double timeout_seconds)
{
  const parcel_status status = check_end(end, room);
  return status ? status : parcel__ring_get(&pipe->to[end], buffer, room, bytes, timeout_seconds);
}

void parcel_pipe_close(parcel_pipe *pipe)
{
  parcel__ring_close(&pipe->to[0]);
  parcel__ring_close(&pipe->to[1]);
}

void parcel_pipe_destroy(parcel_pipe **pipe)
{
  if (*pipe) {
    parcel__ring_end(&(*pipe)->to[0]);
    parcel__ring_end(&(*pipe)->to[1]);
  }
  parcel_shared_free(*pipe);
  *pipe = NULL;
}
