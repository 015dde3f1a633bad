/** @file
 *  A pipe with two ends, 0 and 1, each for a thread or a worker process: what is sent at one is received at
 *  the other, message by message, in order, both ways.
 *
 *  Whoever is killed in a function of this pipe leaves it whole: a message is in it once it is complete. */
#ifndef PARCEL_PIPE_H
#define PARCEL_PIPE_H

#include <parcel/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque, in shared memory: a worker may be given the pointer. */
typedef struct parcel_pipe parcel_pipe;

/** Makes a pipe that holds messages of `capacity_bytes` bytes together in each direction; each takes 8 more
 *  than its own, and is rounded up to 8.
 *
 *  Owns:    *out is the caller's, for parcel_pipe_destroy.
 *  Threads: as parcel_shared_alloc.  Errors: INVALID (capacity_bytes < 1, in a worker process); MEMORY;
 *  SYSTEM. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_pipe_create(parcel_index capacity_bytes, parcel_pipe **out);

/** Sends a copy of a message from an end to the other.
 *
 *  bytes            0 is fine
 *  timeout_seconds  to wait for room at most; 0: not at all; PARCEL_FOREVER: no limit
 *  Errors:  INVALID (no such end, bytes < 0); RANGE (larger than the pipe); FULL (no room in this time);
 *           STOPPED (closed). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_pipe_send(parcel_pipe *pipe, int end, const void *message,
                                                            parcel_index bytes, double timeout_seconds);

/** Receives the next message that was sent to an end.
 *
 *  buffer           [room] bytes
 *  bytes            its size
 *  timeout_seconds  to wait for one at most; 0: not at all; PARCEL_FOREVER: no limit
 *  Errors:  INVALID (no such end, room < 0); TIMEOUT (none in this time); STOPPED (closed, and all are
 *           received); RANGE (the message is larger than the buffer: it stays, and *bytes is its size). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_pipe_receive(parcel_pipe *pipe, int end, void *buffer,
                                                               parcel_index room, parcel_index *bytes,
                                                               double timeout_seconds);

/** Says that no more will be sent, in either direction. What was sent can still be received. */
PARCEL_API void parcel_pipe_close(parcel_pipe *pipe);

/** Frees the pipe and what is in it. *pipe becomes NULL; NULL is fine. Nobody may use it any more. */
PARCEL_API void parcel_pipe_destroy(parcel_pipe **pipe);

#ifdef __cplusplus
}
#endif

#endif
