/** @file
 *  The halo of a distributed array in 1 to 8 dimensions: copies of the points around a rank's box, brought
 *  from the ranks that own them.
 *
 *  Part p of the grid is rank p's. Its array has the box it owns, `inner[d]` points in dimension d, and
 *  widths[d] points more on either side, in every dimension and at every boundary:
 *
 *      inner[d] + 2 * widths[d] points in dimension d, row-major, the first own point at index widths[d]
 *
 *  Beyond a boundary that is not periodic these are the caller's, for boundary values, and are left alone.
 *
 *  Threads: a rank's main thread; nobody else uses the world meanwhile. */
#ifndef PARCEL_HALO_H
#define PARCEL_HALO_H

#include <parcel/grid.h>
#include <parcel/world.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct parcel_halo_options {
  bool without_corners;       /* only points that lie beyond the own box in one dimension */
  parcel_index message_bytes; /* the largest message, of an element at least; at most and by default 2^30 */
} parcel_halo_options;

#define PARCEL_HALO_OPTIONS_INIT PARCEL_DEFAULTS

/** Fills the halo of every rank's array from the owners' boxes. Collective.
 *
 *  Same as:  for (each point x of this rank's halo, taken modulo the extent in periodic dimensions)
 *              array[x] = array of the rank that owns x [x];
 *
 *  widths may differ by dimension and be 0; where they are more than a neighbour has, its neighbour sends the
 *  rest; in a periodic dimension they may be more than the extent. A rank whose box is empty takes part and
 *  has no array.
 *
 *  grid           with as many parts as there are ranks; block or undivided dimensions, cyclic ones only
 *                 where no part has more than one run
 *  widths         [dimensions] points, >= 0
 *  array          laid out as above; read in the box, written in the halo. NULL if the box is empty
 *  Memory:  O(messages), which are 3^dimensions - 1 in each direction unless widths exceed boxes. Nothing is
 *  packed here: MPI reads and writes the array through datatypes, as parcel_halo_datatype makes them.
 *  Errors:  INVALID (a grid of other parts, or such cyclic dimensions; a negative width; element_bytes not in
 *  1..INT_MAX; array NULL; ranks that disagree), RANGE (an array beyond 2^63 bytes), MEMORY: no data has
 *  moved. MPI: the halo is undefined. The same on every rank. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_halo_exchange(const parcel_world *world,
                                                                const parcel_grid *grid,
                                                                const parcel_index widths[],
                                                                parcel_index element_bytes, void *array,
                                                                const parcel_halo_options *options);

/** The shape of a rank's array with its halo: inner[d] + 2 * widths[d] in each dimension; all 0 if it owns no
 *  point. No MPI is needed.
 *
 *  shape    [dimensions]
 *  Errors:  as parcel_grid_halo; RANGE (more than INT64_MAX points in all). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_halo_shape(const parcel_grid *grid, int part,
                                                             const parcel_index widths[],
                                                             parcel_index shape[]);

/** A committed MPI datatype for a box of a row-major array, as MPI_Type_create_subarray makes it (MPI-4.1,
 *  5.1.3; its extent is the whole array's), but for arrays of more than INT_MAX points in a dimension too.
 *
 *  sizes    [dimensions] points of the array
 *  box      within it, not empty, at most INT_MAX points in each dimension
 *  element  the datatype of a point; its extent counts
 *  Owns:    *out is the caller's, for MPI_Type_free. Nothing else is left behind, on failure nothing.
 *  Errors:  INVALID (dimensions not in 1..8; an empty box, or one beyond the array); RANGE (a box beyond int,
 *  an array beyond 2^63 bytes); MPI. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_halo_datatype(int dimensions, const parcel_index sizes[],
                                                                const parcel_box *box, MPI_Datatype element,
                                                                MPI_Datatype *out);

#ifdef __cplusplus
}
#endif

#endif
