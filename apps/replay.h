/** @file
 *  A replay: blocks of known cost, run again on paper under another schedule, with other ranks and threads.
 *
 *  A rank has a queue of blocks, which its threads take one by one, in order; the thread that is free first
 *  comes first. What happens when the queue is empty is the schedule:
 *
 *      static      nothing: each rank had its equal part from the start
 *      dynamic     the rank gets the next block of all
 *      guided      the rank gets the next chunk of parcel/schedule.h's guided, for as many parts as workers
 *      factoring   the same of factoring
 *      steal       it begins as static; then the rank takes the far half, or the larger one, of what the rank
 *                  has left that has most left */
#ifndef PARCEL_APPS_REPLAY_H
#define PARCEL_APPS_REPLAY_H

#include <parcel/sweep.h>

typedef struct replay {
  const double *costs; /* [blocks] in seconds, by number; not owned */
  parcel_index blocks;
  int ranks, threads; /* threads: per rank */
} replay;

typedef struct replay_result {
  double makespan; /* until the last worker has ended */
  double busiest;  /* the longest time that any worker spent on blocks */
} replay_result;

/** O(blocks log workers), and O(ranks) for each theft.
 *
 *  Errors: INVALID (ranks or threads < 1), MEMORY. */
PARCEL_MUST_CHECK parcel_status replay_run(const replay *replay, parcel_sweep_schedule schedule,
                                           replay_result *out);

#endif
