/* Grids of parts against MPI's own Cartesian topologies, and balanced dims against MPI_Dims_create. */
#include "mpi_test.h"

#include <string.h>

#include <parcel/grid.h>

enum { D = PARCEL_GRID_DIMENSIONS };

static int made_of(int dimensions, const int dims[])
{
  int sum = 0;
  for (int i = 0; i < dimensions; ++i)
    sum += dims[i];
  return sum;
}

static bool is_sorted(int dimensions, const int dims[])
{
  for (int i = 1; i < dimensions; ++i)
    if (dims[i] > dims[i - 1])
      return false;
  return true;
}

/* ---- coordinates, ranks, shifts ---- */

static bool has_same_places(const parcel_grid *grid, MPI_Comm cart)
{
  bool is_same = true;
  for (int part = 0; part < parcel_grid_parts(grid); ++part) {
    int ours[D] = {0};
    int theirs[D] = {0};
    int rank = -1;
    MPI_Cart_coords(cart, part, D, theirs);
    is_same = is_same && parcel_grid_coordinates(grid, part, ours) && memcmp(ours, theirs, sizeof ours) == 0;
    for (int i = 0; i < grid->dimensions; ++i) /* out of bounds is defined where it is periodic */
      theirs[i] += grid->axes[i].is_periodic ? (part % 3 - 1) * grid->axes[i].parts : 0;
    MPI_Cart_rank(cart, theirs, &rank);
    is_same = is_same && rank == part && parcel_grid_part(grid, theirs) == part;
  }
  return is_same;
}

static bool has_same_shifts(const parcel_grid *grid, MPI_Comm cart, int rank)
{
  bool is_same = true;
  for (int i = 0; i < grid->dimensions; ++i)
    for (int steps = -4; steps <= 4; ++steps) {
      int ours[2] = {-7, -7};
      int theirs[2] = {-7, -7};
      MPI_Cart_shift(cart, i, steps, &theirs[0], &theirs[1]);
      for (int side = 0; side < 2; ++side)
        theirs[side] = theirs[side] == MPI_PROC_NULL ? -1 : theirs[side];
      is_same = is_same && parcel_grid_shift(grid, rank, i, steps, &ours[0], &ours[1]) &&
                memcmp(ours, theirs, sizeof ours) == 0;
    }
  return is_same;
}

/* Collective. */
static bool is_like_mpi(int dimensions, const int dims[], const int periods[])
{
  parcel_grid_axis axes[D] = {{0}};
  parcel_grid grid;
  MPI_Comm cart = MPI_COMM_NULL;
  for (int i = 0; i < dimensions; ++i) {
    axes[i].extent = 100;
    axes[i].parts = dims[i];
    axes[i].is_periodic = periods[i];
  }
  const bool is_made = !parcel_grid_make(dimensions, axes, &grid);
  MPI_Cart_create(MPI_COMM_WORLD, dimensions, dims, periods, 0, &cart);
  const bool is_same =
      is_made && has_same_places(&grid, cart) && has_same_shifts(&grid, cart, mpi_test_rank());
  MPI_Comm_free(&cart);
  return is_same;
}

static void grids_are_mpi_topologies(void **state)
{
  (void)state;
  bool is_same = true;
  for (int dimensions = 1; dimensions <= 4; ++dimensions)
    for (int which = 0; which < 1 << dimensions; ++which)
      for (int is_turned = 0; is_turned < 2; ++is_turned) {
        int dims[D] = {0};
        int turned[D] = {0};
        int periods[D] = {0};
        is_same = is_same && !parcel_dims_balanced(mpi_test_size(), dimensions, NULL, dims);
        for (int i = 0; i < dimensions; ++i) {
          turned[i] = dims[is_turned ? dimensions - 1 - i : i];
          periods[i] = which >> i & 1;
        }
        const bool is_this_same = is_like_mpi(dimensions, turned, periods);
        is_same = is_same && is_this_same;
      }
  assert_all(is_same);
}

/* ---- dims ---- */

static bool is_never_worse(int parts, int dimensions, const int given[])
{
  int ours[D];
  int theirs[D];
  memcpy(ours, given, sizeof ours);
  memcpy(theirs, given, sizeof theirs);
  MPI_Dims_create(parts, dimensions, theirs);
  return !parcel_dims_balanced(parts, dimensions, NULL, ours) &&
         made_of(dimensions, ours) <= made_of(dimensions, theirs);
}

static void dims_are_never_worse_than_mpi(void **state)
{
  (void)state;
  const int none[D] = {0};
  const int large[] = {720720, 999999, 1000000, 1048576};
  bool holds = true;
  for (int dimensions = 1; dimensions <= D; ++dimensions) {
    for (int parts = 1; parts <= 1000; ++parts)
      holds = holds && is_never_worse(parts, dimensions, none);
    for (size_t l = 0; l < sizeof large / sizeof *large; ++l)
      holds = holds && is_never_worse(large[l], dimensions, none);
    for (int factor = 1; factor <= 100 && dimensions > 1; ++factor) {
      const int given[D] = {0, 6};
      holds = holds && is_never_worse(6 * factor, dimensions, given);
    }
  }
  assert_all(holds);
}

static void dims_are_sorted_as_mpi_demands(void **state)
{
  (void)state;
  bool holds = true;
  for (int dimensions = 1; dimensions <= D; ++dimensions)
    for (int parts = 1; parts <= 1000; ++parts) {
      int dims[D] = {0};
      holds = holds && !parcel_dims_balanced(parts, dimensions, NULL, dims) && is_sorted(dimensions, dims);
    }
  assert_all(holds);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(grids_are_mpi_topologies),
      cmocka_unit_test(dims_are_never_worse_than_mpi),
      cmocka_unit_test(dims_are_sorted_as_mpi_demands),
  };
  mpi_test_init(MPI_THREAD_SINGLE);
  return mpi_test_run(tests, NULL, NULL);
}
