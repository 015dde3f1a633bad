/* What a layout's part is in the words of MPI and HDF5. A slab is HDF5's regular hyperslab and a tail, so a
 * part of a grid is the product, over the dimensions, of one or two hyperslabs each. */
#include <parcel/plan.h>

#include <inttypes.h>
#include <limits.h>

#include "slab_impl.h"

/* ---- MPI ---- */

static parcel_status check_int(parcel_index positions, parcel_index width, int part, const char *what)
{
  if (positions <= INT_MAX / width)
    return PARCEL_OK;
  return parcel_fail(PARCEL_RANGE,
                     "the %s of part %d, %" PRId64 " positions of %" PRId64
                     " elements, is more than an int holds; make the MPI datatype larger, or use "
                     "parcel_exchange_gather and parcel_exchange_scatter",
                     what, part, positions, width);
}

parcel_status parcel_plan_mpi_counts(const parcel_layout *layout, parcel_index width, int counts[],
                                     int displacements[])
{
  parcel_status status = PARCEL_OK;
  parcel_index begin = 0;
  if (width < 1)
    return parcel_fail(PARCEL_INVALID, "%" PRId64 " elements per position: must be at least 1", width);
  if (!parcel_layout_is_contiguous(layout))
    return parcel_fail(PARCEL_INVALID,
                       "a layout whose parts are not contiguous has no counts and displacements; use "
                       "parcel_exchange_gather and parcel_exchange_scatter");
  const int parts = parcel_layout_parts(layout);
  for (int part = 0; part < parts; ++part) {
    const parcel_index positions = parcel_layout_count(layout, part);
    if ((status = check_int(positions, width, part, "count")) ||
        (status = check_int(begin, width, part, "displacement")))
      return status;
    begin += positions;
  }
  begin = 0;
  for (int part = 0; part < parts; ++part) {
    const parcel_index positions = parcel_layout_count(layout, part);
    counts[part] = (int)(positions * width);
    displacements[part] = (int)(begin * width);
    begin += positions;
  }
  return PARCEL_OK;
}

/* ---- HDF5 ---- */

/* A tail is never alone: the only block of a part counts as a full one. */
static int hyperslabs_of(const parcel_slab *slab)
{
  return (slab->count > 0) + (slab->tail > 0);
}

static void hyperslab_of(const parcel_slab *slab, int k, uint64_t *start, uint64_t *stride, uint64_t *count,
                         uint64_t *block)
{
  const bool is_tail = k == 1;
  *start = (uint64_t)(is_tail ? slab->start + slab->count * slab->stride : slab->start);
  *block = (uint64_t)(is_tail ? slab->tail : slab->block);
  *stride = is_tail ? *block : (uint64_t)slab->stride;
  *count = is_tail ? 1 : (uint64_t)slab->count;
}

int parcel_plan_hyperslabs(const parcel_layout *layout, int part)
{
  const parcel_slab slab = parcel__slab_of_part(layout, part);
  return hyperslabs_of(&slab);
}

bool parcel_plan_hyperslab(const parcel_layout *layout, int part, int k, uint64_t *start, uint64_t *stride,
                           uint64_t *count, uint64_t *block)
{
  const parcel_slab slab = parcel__slab_of_part(layout, part);
  if (k < 0 || k >= hyperslabs_of(&slab))
    return false;
  hyperslab_of(&slab, k, start, stride, count, block);
  return true;
}

int parcel_grid_plan_hyperslabs(const parcel_grid *grid, int part)
{
  int coordinates[PARCEL_GRID_DIMENSIONS];
  int product = 1;
  if (!parcel_grid_coordinates(grid, part, coordinates))
    return 0;
  for (int d = 0; d < grid->dimensions; ++d) {
    const parcel_slab slab = parcel__slab_of_axis(&grid->axes[d], coordinates[d]);
    product *= hyperslabs_of(&slab);
  }
  return product;
}

bool parcel_grid_plan_hyperslab(const parcel_grid *grid, int part, int k, uint64_t start[], uint64_t stride[],
                                uint64_t count[], uint64_t block[])
{
  int coordinates[PARCEL_GRID_DIMENSIONS];
  if (k < 0 || k >= parcel_grid_plan_hyperslabs(grid, part) ||
      !parcel_grid_coordinates(grid, part, coordinates))
    return false;
  for (int d = grid->dimensions - 1; d >= 0; --d) {
    const parcel_slab slab = parcel__slab_of_axis(&grid->axes[d], coordinates[d]);
    const int ways = slab.tail > 0 ? 2 : 1; /* 0 is out: there is a k-th */
    hyperslab_of(&slab, k % ways, &start[d], &stride[d], &count[d], &block[d]);
    k /= ways;
  }
  return true;
}
