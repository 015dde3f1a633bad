/** @file
 *  What the other rooms of the core, and io, may know of a world. */
#ifndef PARCEL_WORLD_IMPL_H
#define PARCEL_WORLD_IMPL_H

#include <parcel/world.h>

#include "cpus_impl.h"
#include "watch_impl.h"

/** True at MPI_THREAD_SINGLE: no thread but the main one may exist. */
bool parcel__world_is_single(const parcel_world *world);

/** Tells parcel_last_error() of this rank and ends the job, as parcel_world_check_mpi does: for what goes
 *  wrong on a rank that has no way to tell the others, which wait for it. */
_Noreturn void parcel__world_abandon(const parcel_world *world);

/** The ranks of this host. Owns: the world. */
MPI_Comm parcel__world_node(const parcel_world *world);

/** The time in seconds, from some moment on. Any thread. */
double parcel__seconds(void);

/** parcel__seconds() when the world was opened. */
double parcel__world_opened(const parcel_world *world);

/** What this rank's share of CPUs was taken from, and by how many ranks it is shared. */
const parcel_cpus *parcel__world_mask(const parcel_world *world);
int parcel__world_sharers(const parcel_world *world);

/** CPUs that the ranks of this host may use together. */
int parcel__world_bound(const parcel_world *world);

/** What watches over this rank; NULL: nothing does. Main thread. */
parcel_watch **parcel__world_watch(const parcel_world *world);

/** Whether somebody has warned of how the program was launched: once is enough. */
bool *parcel__world_has_warned(const parcel_world *world);

/** parcel_world_check_threads, for a sweep.
 *
 *  they_wait   rather than compute: there may be any number
 *  is_default  nobody has asked for so many threads, or so few */
PARCEL_MUST_CHECK parcel_status parcel__world_check_threads(const parcel_world *world, int threads,
                                                            bool they_wait, bool is_default);

/** Message tags on the world's communicator, one per purpose. */
enum {
  PARCEL_TAG_CONTROL = 1,
  PARCEL_TAG_GATHER_HEADER,
  PARCEL_TAG_GATHER_DATA,
  PARCEL_TAG_EXCHANGE,
  PARCEL_TAG_HALO,
  PARCEL_TAG_CLOCK,
  PARCEL_TAG_SCHEDULER
};

#endif
