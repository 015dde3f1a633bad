/** @file
 *  The control plane of a sweep: how ranks tell each other, by messages along a binary tree and
 *  never by a collective, that work must stop, how far it is, and that all of it is over. Main thread
 *  only. */
#ifndef PARCEL_CONTROL_IMPL_H
#define PARCEL_CONTROL_IMPL_H

#include <stdbool.h>

#include <parcel/world.h>

typedef struct parcel_control parcel_control;

/** Begins a round among all ranks of the world; each must poll until it is over. Between two
 *  rounds all ranks must have met (in any collective). Errors: MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__control_open(const parcel_world *world, parcel_control **out);

/** Asks every rank to stop. Any number of ranks may, at any time; without effect once the round is ending. */
void parcel__control_stop(parcel_control *control);

/** True once any rank has asked. */
bool parcel__control_is_stopping(const parcel_control *control);

/** Sends what is due, takes what has come; never blocks. True once the round is over on this rank.
 *
 *  positions   done by this rank so far
 *  is_over     this rank has nothing left to do; never false again after true
 *  A communication error is beyond repair here and aborts the program (MPI_Abort) after naming it. */
bool parcel__control_poll(parcel_control *control, parcel_index positions, bool is_over);

/** Positions done by this rank and all below it in the tree, as last heard; on rank 0, of the whole world. */
parcel_index parcel__control_positions(const parcel_control *control);

/** Ends the round, which must be over. *control becomes NULL; NULL is fine. */
void parcel__control_close(parcel_control **control);

#endif
