/** @file
 *  The scheduler: which of the turns of a sweep a worker takes next, over all ranks. Ranks of a host share a
 *  board (board_impl.h); hosts send each other messages, by the main thread of each one's first rank. */
#ifndef PARCEL_SCHEDULER_IMPL_H
#define PARCEL_SCHEDULER_IMPL_H

#include <stdbool.h>

#include <parcel/sweep.h>

typedef struct parcel_scheduler parcel_scheduler;

/** Divides the turns [0, count). Collective over the world; the same arguments everywhere.
 *
 *  threads  of this rank; may differ
 *  Owns: *out is the caller's, for parcel__scheduler_close.  Errors: MPI, MEMORY, SYSTEM. */
PARCEL_MUST_CHECK parcel_status parcel__scheduler_open(const parcel_world *world, parcel_sweep_schedule kind,
                                                       parcel_index count, int threads,
                                                       parcel_scheduler **out);

/** Takes the next turn of this rank; false if there is none now.
 *  *is_finished  and there will be none. Any thread. */
bool parcel__scheduler_take(parcel_scheduler *scheduler, parcel_index *turn, bool *is_finished);

/** Asks for more before it is needed, answers other hosts, takes what has come; never blocks. Main thread.
 *
 *  is_stopping  nothing is asked for any more
 *  Returns true if no answer is due to this rank: only then may it say that it has nothing left to do. A rank
 *  goes on calling this until all have said so, for others may ask. A communication error ends the
 *  program. */
bool parcel__scheduler_poll(parcel_scheduler *scheduler, bool is_stopping);

/** Collective over the ranks of each host, when no rank takes turns any more. NULL is fine. */
void parcel__scheduler_close(parcel_scheduler **scheduler);

#endif
