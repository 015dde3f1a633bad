/** @file
 *  Cartesian layouts of 1 to 8 dimensions: how an array of points is owned by a grid of parts.
 *
 *  Each dimension is cut by itself: into equal blocks, cyclically, or not at all. A part is what the
 *  dimensions make together: part p stands at coordinates (c0, c1, ...) in row-major order, the last
 *  dimension fastest, as MPI_Cart_create ranks its processes without reordering (MPI 4.0, section 8.5).
 *  Points and local indices are in row-major order too.
 *
 *      parcel_grid grid;
 *      int dims[2] = {0, 0};
 *      const parcel_index extents[2] = {4000, 1000};
 *      if ((status = parcel_dims_balanced(12, 2, extents, dims)))  -- 6 x 2: the cuts are shortest
 *        return status;
 *      const parcel_grid_axis axes[2] = {{extents[0], dims[0]}, {extents[1], dims[1]}};
 *      if ((status = parcel_grid_make(2, axes, &grid)))
 *        return status;
 *
 *  A grid is a plain value. Any caller may ask about any part; a query takes O(dimensions), allocates
 *  nothing, and is exact for extents up to INT64_MAX; every function is pure and thread-safe. */
#ifndef PARCEL_GRID_H
#define PARCEL_GRID_H

#include <stdbool.h>

#include <parcel/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The most dimensions a grid has. */
#define PARCEL_GRID_DIMENSIONS 8

/* ---- how many parts in each dimension ---- */

/** Factors a number of parts into one number per dimension such that the cuts between parts are shortest.
 *
 *  dims     [dimensions] in: 0 where a number is wanted, and a positive number where it is given, as in
 *           MPI_Dims_create; out: the zeros replaced, so that the product is `parts`
 *  extents  [dimensions] points of the array in each dimension (0 counts as 1); NULL: all alike and large
 *
 *  Of all factorisations the one is taken that is best by the first of these rules that tells them apart:
 *  1. With extents: most parts that own a point. So no part is empty if that can be avoided.
 *  2. The smallest sum over the dimensions of dims[i] / extents[i]; without extents, the smallest sum of
 *     dims[i]. Cutting dimension i into dims[i] parts makes dims[i] cuts (periodic; else one less) of
 *     product(extents) / extents[i] points each. So this minimises the points at all cuts together, which is
 *     what the parts exchange in a halo of width 1, exactly, whether or not dims[i] divides extents[i].
 *  3. The smallest largest number, then the smallest second largest, and so on (most cubic).
 *  4. The larger numbers first. So numbers of dimensions with equal extents never increase.
 *
 *  72 in two dimensions is 9 x 8; 180 is 15 x 12; 16 in three is 4 x 2 x 2. Sums are compared exactly.
 *  Takes less than a millisecond for any number of parts; longer, for numbers with hundreds of divisors, only
 *  if no factorisation gives every part a point.
 *
 *  Errors:  INVALID (parts < 1, dimensions not in 1..8, a negative dim or extent, parts that are no multiple
 *  of the product of the dims given, or not that product if all are); MEMORY. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_dims_balanced(int parts, int dimensions,
                                                                const parcel_index extents[], int dims[]);

/* ---- the grid ---- */

/** How the points of one dimension are dealt to its parts.
 *
 *  BLOCK   equal runs in order, by the rule of parcel_block_span
 *  CYCLIC  blocks of `block` points, dealt in turn: point x belongs to (x / block) % parts, ScaLAPACK's rule
 *  WHOLE   undivided: every part has them all */
typedef enum parcel_grid_kind {
  PARCEL_GRID_BLOCK = 0,
  PARCEL_GRID_CYCLIC = 1,
  PARCEL_GRID_WHOLE = 2
} parcel_grid_kind;

/** One dimension. {100, 4} is 100 points in 4 equal blocks, with a boundary at either end. */
typedef struct parcel_grid_axis {
  parcel_index extent; /* points, >= 0 */
  int parts;           /* >= 1; of an undivided dimension 1, or 0 for the same */
  parcel_grid_kind kind;
  parcel_index block; /* points per block, >= 1, of a cyclic dimension; otherwise 0 */
  bool is_periodic;   /* the last point is next to the first one */
} parcel_grid_axis;

/** A layout of up to 8 dimensions. Made by parcel_grid_make; axes beyond `dimensions` are zero. */
typedef struct parcel_grid {
  int dimensions;
  parcel_grid_axis axes[PARCEL_GRID_DIMENSIONS];
} parcel_grid;

/** The points x with begin[i] <= x[i] < end[i] in every dimension i. Beyond the dimensions, zeros. */
typedef struct parcel_box {
  parcel_index begin[PARCEL_GRID_DIMENSIONS];
  parcel_index end[PARCEL_GRID_DIMENSIONS];
} parcel_box;

/** Makes a grid after checking its dimensions.
 *
 *  axes     [dimensions]
 *  Errors:  INVALID (dimensions not in 1..8; in a dimension: extent < 0, parts < 1, an unknown kind, a block
 *  that the kind does not want, or lacks); RANGE (more than INT_MAX parts in all). The text names the
 *  dimension, counted from 0. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_grid_make(int dimensions, const parcel_grid_axis axes[],
                                                            parcel_grid *out);

/** The number of parts: the product over the dimensions. */
PARCEL_API int parcel_grid_parts(const parcel_grid *grid);

/** The number of points of the whole array.
 *
 *  Errors:  RANGE (more than INT64_MAX; every other query still holds). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_grid_size(const parcel_grid *grid, parcel_index *out);

/** True if the two grids are the same in every field: then every query about them has the same answer. */
PARCEL_API bool parcel_grid_is_equal(const parcel_grid *one, const parcel_grid *other);

/* ---- parts and their coordinates ---- */

/** The coordinates of a part, as MPI_Cart_coords.  coordinates: [dimensions], untouched if the result is
 *  false, which it is for a part outside [0, parts). */
PARCEL_API bool parcel_grid_coordinates(const parcel_grid *grid, int part, int coordinates[]);

/** The part at some coordinates, as MPI_Cart_rank: in a periodic dimension any coordinate is taken modulo the
 *  parts; outside a dimension that is not periodic there is no part, -1.  coordinates: [dimensions]. */
PARCEL_API int parcel_grid_part(const parcel_grid *grid, const int coordinates[]);

/** The part that lies a number of steps away in each dimension, or -1 beyond a boundary.
 *
 *  direction  [dimensions] steps; one of them 1 or -1 and the others 0 for a neighbour across a face, all of
 *             them in -1..1 for any neighbour (parcel_grid_direction lists these)
 *  If b lies in direction d of a, then a lies in direction -d of b. A part may be its own neighbour in a
 *  periodic dimension. Parts that own no point have their place, too. -1 for a part outside [0, parts). */
PARCEL_API int parcel_grid_neighbour(const parcel_grid *grid, int part, const int direction[]);

/** The number of directions to neighbours: 3^dimensions - 1. */
PARCEL_API int parcel_grid_directions(const parcel_grid *grid);

/** The k-th direction, in row-major order from (-1, ..., -1) to (1, ..., 1) without (0, ..., 0). Its opposite
 *  is number parcel_grid_directions() - 1 - k.
 *
 *  direction  [dimensions], untouched if the result is false, which it is for k outside
 *             [0, parcel_grid_directions()). */
PARCEL_API bool parcel_grid_direction(const parcel_grid *grid, int k, int direction[]);

/** Whom a part receives from and sends to when all data moves by `steps` along a dimension, as
 *  MPI_Cart_shift: the parts at -steps (source) and at +steps (destination), each -1 where there is none
 *  (MPI_PROC_NULL).
 *
 *  False, and outputs untouched, for a part or a dimension that does not exist. */
PARCEL_API bool parcel_grid_shift(const parcel_grid *grid, int part, int dimension, int steps, int *source,
                                  int *destination);

/* ---- points and their parts ---- */

/** The part that owns a point; -1 outside the array, periodic or not (see parcel_grid_wrap).
 *
 *  point    [dimensions] */
PARCEL_API int parcel_grid_owner(const parcel_grid *grid, const parcel_index point[]);

/** Brings a point into the array: in periodic dimensions by whole turns, as a halo box needs it.
 *
 *  point    [dimensions], untouched if the result is false, which it is outside a dimension that is not
 *           periodic or has no points. */
PARCEL_API bool parcel_grid_wrap(const parcel_grid *grid, parcel_index point[]);

/** The number of points that a part has along one dimension; 0 if there is no such part or dimension. */
PARCEL_API parcel_index parcel_grid_count(const parcel_grid *grid, int part, int dimension);

/** The number of points of a part: the product of its counts.
 *
 *  Errors:  INVALID (no such part); RANGE (more than INT64_MAX; every other query still holds). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_grid_volume(const parcel_grid *grid, int part,
                                                              parcel_index *out);

/** The place of a point in its owner's local array, which holds the owner's points in row-major order; -1
 *  outside the array, and where the place is beyond INT64_MAX.  point: [dimensions]. */
PARCEL_API parcel_index parcel_grid_local(const parcel_grid *grid, const parcel_index point[]);

/** The point at a place in a part's local array, the inverse of parcel_grid_local.
 *
 *  point    [dimensions], untouched if the result is false, which it is for a part or a place that does not
 *           exist. */
PARCEL_API bool parcel_grid_global(const parcel_grid *grid, int part, parcel_index local,
                                   parcel_index point[]);

/* ---- spans and boxes ---- */

/** The number of contiguous runs of points that a part has along one dimension: at most 1 unless the
 *  dimension is cyclic; 0 where it has no points, and for a part or a dimension that does not exist. */
PARCEL_API parcel_index parcel_grid_spans(const parcel_grid *grid, int part, int dimension);

/** The k-th run of a part along one dimension, in order; empty at 0 where there is none.
 *
 *  A part owns the points that lie in one of its runs in each dimension. */
PARCEL_API parcel_span parcel_grid_span(const parcel_grid *grid, int part, int dimension, parcel_index k);

/** The box that a part owns; [0, 0) in every dimension if it owns no point.
 *
 *  Errors:  INVALID (no such part; or its points are not one box, because it has several runs along a cyclic
 *  dimension: use parcel_grid_span). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_grid_box(const parcel_grid *grid, int part,
                                                           parcel_box *out);

/** The box that a part owns, and so many points around it in each dimension.
 *
 *  It ends at the boundaries of dimensions that are not periodic. In periodic ones it goes on beyond them,
 *  below 0 and above the extent: there parcel_grid_wrap tells which point of the array is meant. A width may
 *  be more than the extent, which repeats points. A part that owns no point has an empty halo box, too.
 *
 *  widths   [dimensions] points on either side, >= 0
 *  Errors:  INVALID (as parcel_grid_box; a negative width); RANGE (the box would end beyond INT64_MAX). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_grid_halo(const parcel_grid *grid, int part,
                                                            const parcel_index widths[], parcel_box *out);

#ifdef __cplusplus
}
#endif

#endif
