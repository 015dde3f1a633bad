/** @file
 *  The watch: a thread that calls no MPI and ends the process when its main thread has seen no progress for
 *  too long, whatever that is stuck in.
 *
 *  A rank that waits for others in an agreement cannot tell from its own state whether they are stuck or
 *  busy. So ranks that do long work say now and then that they are alive, along the links of a binary tree,
 *  and those that wait pass it on. */
#ifndef PARCEL_WATCH_IMPL_H
#define PARCEL_WATCH_IMPL_H

#include <stdbool.h>

#include <mpi.h>

#include <parcel/base.h>

typedef struct parcel_watch parcel_watch;

/** Starts the thread of this rank, which looks at nothing before the first step. Main thread.
 *
 *  comm  for signs of life, the watch's own; MPI_COMM_NULL: none are sent, and others are waited for no
 *  longer
 *        than `seconds`
 *  Errors: MEMORY, SYSTEM. */
PARCEL_MUST_CHECK parcel_status parcel__watch_open(MPI_Comm comm, int rank, double seconds,
                                                   parcel_watch **out);

/** Receives the last signs of life. Collective if the watch has a communicator, which stays the caller's. */
void parcel__watch_drain(parcel_watch *watch);

/** Ends the thread. NULL is fine. */
void parcel__watch_close(parcel_watch **watch);

/** What the main thread is at from now on; NULL: what is not watched. Returns what it was at before. NULL for
 *  the watch is fine. */
const char *parcel__watch_step(parcel_watch *watch, const char *step);

/** Whether ranks tell each other that they are alive. NULL is fine: they do not. */
bool parcel__watch_is_shared(const parcel_watch *watch);

/** There was progress, as parcel_world_touch says of any watch. Any thread, NULL is fine. */
void parcel__watch_touch(parcel_watch *watch);

/** Waits for a request while signs of life are passed on. Main thread, of a watch that is shared.
 *
 *  Returns MPI_SUCCESS or what MPI returned. */
int parcel__watch_wait(parcel_watch *watch, MPI_Request *request);

#endif
