/** @file
 *  Arithmetic on slabs, for the rooms that make plans of them. */
#ifndef PARCEL_SLAB_IMPL_H
#define PARCEL_SLAB_IMPL_H

#include <parcel/plan.h>

/** The positions of one coordinate along one dimension of a grid. */
parcel_slab parcel__slab_of_axis(const parcel_grid_axis *axis, int coordinate);

/** The part of a layout that exists. */
parcel_slab parcel__slab_of_part(const parcel_layout *layout, int part);

bool parcel__slab_is_equal(const parcel_slab *one, const parcel_slab *other);

/** The first position of the slab at or behind `from`, up to the end of its block, and the number of that
 *  block; false if there is none. */
bool parcel__slab_seek(const parcel_slab *slab, parcel_index from, parcel_span *rest, parcel_index *block);

/** The place of a position of the slab among its positions. */
parcel_index parcel__slab_local(const parcel_slab *slab, parcel_index position);

/** The begin of a's next block behind number `block` that meets a block of b, if both slabs went on for ever;
 *  false if a has no such block. b has at least two blocks; successive calls have ascending blocks. */
bool parcel__slab_next_hit(struct parcel_plan_hits *hits, const parcel_slab *a, const parcel_slab *b,
                           parcel_index block, parcel_index *begin);

#endif
