/** @file
 *  The control plane of a sweep: how ranks tell each other, by messages along a binary tree and
 *  never by a collective, that work must stop, how far it is, who should show what it does, and that all of
 *  it is over. Main thread only. */
#ifndef PARCEL_CONTROL_IMPL_H
#define PARCEL_CONTROL_IMPL_H

#include <stdbool.h>

#include <parcel/world.h>

typedef struct parcel_control parcel_control;

/** How far a rank is, or some ranks together. */
typedef struct parcel_tally {
  parcel_index positions; /* done */
  parcel_index failures;  /* of these, on record */
} parcel_tally;

/** Why work stops. */
typedef enum parcel_stop_reason {
  PARCEL_STOP_NONE,
  PARCEL_STOP_FAILURE, /* a rank has failed, and says so itself at the end */
  PARCEL_STOP_SIGNAL,  /* detail: its number */
  PARCEL_STOP_DEADLINE,
  PARCEL_STOP_HALT_FILE,
  PARCEL_STOP_TOO_MANY_FAILURES
} parcel_stop_reason;

typedef struct parcel_stop {
  parcel_stop_reason reason;
  int detail;
  int rank; /* that noticed */
} parcel_stop;

/** Begins a round among all ranks of the world; each must poll until it is over. Between two
 *  rounds all ranks must have met (in any collective). Errors: MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__control_open(const parcel_world *world, parcel_control **out);

/** Asks every rank to stop. Any number of ranks may, at any time; without effect once the round is ending. */
void parcel__control_stop(parcel_control *control, parcel_stop_reason reason, int detail);

/** What this rank heard first; its reason is NONE until any rank has asked. */
parcel_stop parcel__control_stopping(const parcel_control *control);

/** Asks every other rank to show what it does. Advice: one that comes late or too soon after another may be
 *  lost. */
void parcel__control_inspect(parcel_control *control);

/** How often this rank was asked so. */
int parcel__control_inspections(const parcel_control *control);

/** A neighbour in the tree that owes a message for longer than `seconds`, or -1: ranks speak several times a
 *  second for as long as they wait for one another. */
int parcel__control_silent_rank(const parcel_control *control, double seconds);

/** Sends what is due, takes what has come; never blocks. True once the round is over on this rank.
 *
 *  tally    of this rank so far
 *  is_over  this rank has nothing left to do; never false again after true
 *  A communication error ends the job: see parcel_world_check_mpi. */
bool parcel__control_poll(parcel_control *control, parcel_tally tally, bool is_over);

/** Of this rank and all below it in the tree, as last heard; on rank 0, of the whole world. */
parcel_tally parcel__control_tally(const parcel_control *control);

/** Ends the round, which must be over. *control becomes NULL; NULL is fine. */
void parcel__control_close(parcel_control **control);

#endif
