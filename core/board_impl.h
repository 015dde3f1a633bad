/** @file
 *  The board of a host: the turns that its ranks have still to take, in memory that they share, so that one
 *  of them that runs dry takes from another without a message. */
#ifndef PARCEL_BOARD_IMPL_H
#define PARCEL_BOARD_IMPL_H

#include <stdbool.h>

#include <parcel/block.h>
#include <parcel/schedule.h>
#include <parcel/world.h>

typedef struct parcel_board parcel_board;

/** How a rank with an empty hand goes on. */
typedef enum parcel_board_kind {
  PARCEL_BOARD_OWN,   /* it does not: each rank has its own turns */
  PARCEL_BOARD_STEPS, /* by the next step of a schedule that the host was given */
  PARCEL_BOARD_STEAL  /* with the far half of the fullest hand of its host */
} parcel_board_kind;

/** Makes the board, with empty hands. Collective over the world.
 *
 *  schedule  of the steps; outlives the board; NULL for the other kinds
 *  Owns: *out is the caller's, for parcel__board_close.  Errors: MEMORY, SPACE, SYSTEM; the
 *  same on every rank. */
PARCEL_MUST_CHECK parcel_status parcel__board_open(const parcel_world *world, parcel_board_kind kind,
                                                   const parcel_schedule *schedule, parcel_board **out);

/** Collective over the ranks of each host, after all have taken their last turn. NULL is fine. */
void parcel__board_close(parcel_board **board);

/** Puts turns into this rank's hand, which must be empty. Before others look. */
void parcel__board_deal(parcel_board *board, parcel_span turns);

/** Gives the host more: steps or turns. It must have wanted them. One thread at a time. */
void parcel__board_add(parcel_board *board, parcel_span more);

/** Nothing will be added any more. Any thread. */
void parcel__board_finish(parcel_board *board);

/** Takes a turn; false if there is none now.  *is_finished: and there will be none. Any thread. */
bool parcel__board_take(parcel_board *board, parcel_index *turn, bool *is_finished);

/** Gives the far half of the fullest hand away, for another host; empty if no hand has two. Any thread.
 *
 *  is_last_too  rather than nothing the last turn of a hand, or the reserve unless a worker waits for it:
 *               both may lie here for long, behind a block that takes long
 *  *is_bare     there was nothing to give and nothing is kept */
parcel_span parcel__board_give(parcel_board *board, bool is_last_too, bool *is_bare);

/** Whether a worker found nothing, and none has found anything since. Any thread. */
bool parcel__board_is_idle(parcel_board *board);

/** Whether the host should be given more: it has less left than its workers may ask for at any moment, and
 *  nothing in reserve. Any thread. */
bool parcel__board_wants(parcel_board *board, parcel_index workers);

#endif
