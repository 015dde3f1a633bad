/** @file
 *  Moving a distributed array from one layout to another, to one rank, or from one rank.
 *
 *  Part k of a layout is rank k's: an array of its positions in the order of their local indices,
 *  `element_bytes` bytes each, whatever they mean.
 *
 *  All ranks must name the same operation on the same layouts, sizes, options and root; that is checked by
 *  one MPI_Allreduce of 24 bytes before any data moves. If they do not, all return INVALID with one text,
 *  which names the first rank that differs from rank 0 and what both have. An argument that one rank alone
 *  finds wrong is likewise everybody's error.
 *
 *  Pieces that are adjacent on both sides go straight from array to array, in messages below a limit; small
 *  pieces for the same rank are packed together. At most 16 messages are under way in each direction, to the
 *  nearest ranks first, so that beside the arrays a rank needs a few MiB, whatever the number of ranks.
 *
 *  Threads: a rank's main thread; nobody else uses the world meanwhile. */
#ifndef PARCEL_EXCHANGE_H
#define PARCEL_EXCHANGE_H

#include <parcel/layout.h>
#include <parcel/world.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How to send; the results are the same whatever is chosen here. */
typedef struct parcel_exchange_options {
  parcel_index message_bytes; /* the largest message; at most and by default 2^30 */
  parcel_index packed_bytes;  /* the largest message of packed pieces, and the size of each of 32 buffers;
                                 at most message_bytes; default 256 KiB */
} parcel_exchange_options;

#define PARCEL_EXCHANGE_OPTIONS_INIT PARCEL_DEFAULTS

/** Moves a distributed array from one layout to another. Collective.
 *
 *  Same as:  for (p = 0; p < n; ++p) target of rank owner(to, p) [local(to, p)] =
 *                                    source of rank owner(from, p) [local(from, p)];
 *
 *  from, to   layouts of the same size, with as many parts as there are ranks
 *  source     [count(from, rank)] elements; not changed. NULL if there are none
 *  target     [count(to, rank)] elements; must not overlap source. NULL if there are none
 *  options    NULL for the defaults
 *  Errors:    INVALID (layouts that differ in size or have not one part per rank; element_bytes < 1; buffers
 *  NULL or overlapping; options out of range; ranks that disagree), RANGE (an array beyond 2^63 bytes),
 *  MEMORY: no data has moved. MPI: target holds some of the elements. The same on every rank. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_exchange(const parcel_world *world,
                                                           const parcel_layout *from, const parcel_layout *to,
                                                           parcel_index element_bytes, const void *source,
                                                           void *target,
                                                           const parcel_exchange_options *options);

/** Brings a distributed array to one rank, whatever its layout and size. Collective.
 *
 *  source   [count(layout, rank)] elements
 *  target   on root: [size(layout)] elements, by position; elsewhere not looked at
 *  Errors:  as parcel_exchange; INVALID (root is no rank). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_exchange_gather(const parcel_world *world,
                                                                  const parcel_layout *layout, int root,
                                                                  parcel_index element_bytes,
                                                                  const void *source, void *target,
                                                                  const parcel_exchange_options *options);

/** Deals an array of one rank out to all. Collective.
 *
 *  source   on root: [size(layout)] elements, by position; elsewhere not looked at
 *  target   [count(layout, rank)] elements
 *  Errors:  as parcel_exchange; INVALID (root is no rank). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_exchange_scatter(const parcel_world *world,
                                                                   const parcel_layout *layout, int root,
                                                                   parcel_index element_bytes,
                                                                   const void *source, void *target,
                                                                   const parcel_exchange_options *options);

#ifdef __cplusplus
}
#endif

#endif
