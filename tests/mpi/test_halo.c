#include "mpi_test.h"

#include <stdlib.h>
#include <string.h>

#include <parcel/halo.h>

#include "mpi_spy.h"

enum { UNTOUCHED = -7 };

/* ---- arrays of three numbers per point: its number in the whole array, and two made of it ---- */

typedef int64_t element[3];

static bool is_element(const element *element, int64_t value)
{
  return (*element)[0] == value && (*element)[1] == 3 * value && (*element)[2] == ~value;
}

/* Steps an index through a shape in row-major order; false behind the last one. */
static bool step(int dimensions, const parcel_index shape[], parcel_index index[])
{
  for (int d = dimensions - 1; d >= 0; --d) {
    if (++index[d] < shape[d])
      return true;
    index[d] = 0;
  }
  return false;
}

/* What the array must hold at an index: the number of a point, or UNTOUCHED. `outside` counts the dimensions
 * in which it is beyond the own box. */
static int64_t value_at(const parcel_grid *grid, const parcel_box *own, const parcel_index widths[],
                        const parcel_index index[], int *outside)
{
  parcel_index point[PARCEL_GRID_DIMENSIONS] = {0};
  int64_t number = 0;
  *outside = 0;
  for (int d = 0; d < grid->dimensions; ++d) {
    point[d] = own->begin[d] + index[d] - widths[d];
    *outside += point[d] < own->begin[d] || point[d] >= own->end[d];
  }
  if (!parcel_grid_wrap(grid, point))
    return UNTOUCHED;
  for (int d = 0; d < grid->dimensions; ++d)
    number = number * grid->axes[d].extent + point[d];
  return number;
}

/* Sets the own box and marks the halo, or looks whether both are as they should be. */
static bool visit(const parcel_grid *grid, const parcel_index widths[], const parcel_index shape[],
                  element *array, bool is_check, bool without_corners)
{
  parcel_box own;
  parcel_index index[PARCEL_GRID_DIMENSIONS] = {0};
  bool is_right = true;
  if (parcel_grid_box(grid, mpi_test_rank(), &own))
    return false;
  do {
    int outside = 0;
    int64_t value = value_at(grid, &own, widths, index, &outside);
    if (outside > (is_check ? (without_corners ? 1 : 8) : 0))
      value = UNTOUCHED;
    if (is_check) {
      is_right = is_right && is_element(array, value);
    } else {
      (*array)[0] = value;
      (*array)[1] = 3 * value;
      (*array)[2] = ~value;
    }
    ++array;
  } while (step(grid->dimensions, shape, index));
  return is_right;
}

static void check_halo(const parcel_world *world, const parcel_grid *grid, const parcel_index widths[],
                       const parcel_halo_options *options)
{
  parcel_index shape[PARCEL_GRID_DIMENSIONS] = {0};
  parcel_index points = 1;
  const parcel_status shaped = parcel_halo_shape(grid, mpi_test_rank(), widths, shape);
  for (int d = 0; d < grid->dimensions; ++d)
    points *= shape[d];
  element *array = points ? malloc((size_t)points * sizeof *array) : NULL;
  bool is_right = !array || visit(grid, widths, shape, array, false, false);
  const parcel_status status = parcel_halo_exchange(world, grid, widths, sizeof *array, array, options);
  is_right =
      is_right && (!array || visit(grid, widths, shape, array, true, options && options->without_corners));
  free(array);
  assert_status(shaped, PARCEL_OK);
  assert_status(status, PARCEL_OK);
  assert_all(is_right);
}

/* Dimensions: how many; periodic: a bit each; the ranks are dealt out by parcel_dims_balanced. */
static void check_grid(const parcel_world *world, int dimensions, const parcel_index extents[],
                       const parcel_index widths[], int periodic, const parcel_halo_options *options)
{
  int dims[PARCEL_GRID_DIMENSIONS] = {0};
  parcel_grid_axis axes[PARCEL_GRID_DIMENSIONS] = {{0}};
  parcel_grid grid;
  assert_status(parcel_dims_balanced(mpi_test_size(), dimensions, NULL, dims), PARCEL_OK);
  for (int d = 0; d < dimensions; ++d)
    axes[d] =
        (parcel_grid_axis){.extent = extents[d], .parts = dims[d], .is_periodic = (periodic >> d & 1) != 0};
  assert_status(parcel_grid_make(dimensions, axes, &grid), PARCEL_OK);
  check_halo(world, &grid, widths, options);
}

static void halo_in_one_to_three_dimensions(void **state)
{
  static const parcel_index extents[] = {17, 12, 9};
  static const parcel_index widths[][3] = {{1, 1, 1}, {2, 1, 0}, {0, 0, 0}, {0, 2, 1}};
  const parcel_halo_options faces = {.without_corners = true};
  for (int dimensions = 1; dimensions <= 3; ++dimensions)
    for (int periodic = 0; periodic < 1 << dimensions; ++periodic)
      for (int w = 0; w < 4; ++w) {
        check_grid(*state, dimensions, extents, widths[w], periodic, NULL);
        check_grid(*state, dimensions, extents, widths[w], periodic, &faces);
      }
  assert_nothing_left(*state);
}

static void halo_wider_than_the_neighbours_box(void **state)
{
  static const parcel_index extents[][3] = {{17, 5, 2}, {9, 3, 1}, {2, 2, 2}, {1, 1, 1}};
  static const parcel_index widths[] = {5, 4, 3};
  const parcel_halo_options faces = {.without_corners = true};
  for (int e = 0; e < 4; ++e)
    for (int dimensions = 1; dimensions <= 3; ++dimensions)
      for (int periodic = 0; periodic < 1 << dimensions; ++periodic) {
        check_grid(*state, dimensions, extents[e], widths, periodic, NULL);
        check_grid(*state, dimensions, extents[e], widths, periodic, &faces);
      }
  assert_nothing_left(*state);
}

static void halo_of_nothing(void **state)
{
  static const parcel_index extents[][2] = {{0, 5}, {5, 0}, {0, 0}};
  static const parcel_index widths[] = {1, 2};
  for (int e = 0; e < 3; ++e)
    for (int periodic = 0; periodic < 4; ++periodic)
      check_grid(*state, 2, extents[e], widths, periodic, NULL);
  assert_nothing_left(*state);
}

static void halo_messages_are_split_below_the_limit(void **state)
{
  static const parcel_index extents[] = {17, 12, 9};
  static const parcel_index widths[] = {2, 1, 2};
  const int limits[] = {1, 100, 1000};
  for (int k = 0; k < 3; ++k) {
    const parcel_halo_options options = {.message_bytes = limits[k]};
    mpi_spy.largest_message = 0;
    for (int periodic = 0; periodic < 8; periodic += 7)
      check_grid(*state, 3, extents, widths, periodic, &options);
    assert_all(mpi_spy.largest_message <=
               (limits[k] < (int)sizeof(element) ? (int)sizeof(element) : limits[k]));
  }
  assert_nothing_left(*state);
}

/* An undivided dimension, and a cyclic one of one run each. */
static void halo_of_other_kinds_of_dimensions(void **state)
{
  const int ranks = mpi_test_size();
  const parcel_grid_axis axes[] = {
      {.extent = 6, .parts = 1, .kind = PARCEL_GRID_WHOLE, .is_periodic = true},
      {.extent = 5 * ranks - 2, .parts = ranks, .kind = PARCEL_GRID_CYCLIC, .block = 5, .is_periodic = true}};
  static const parcel_index widths[] = {2, 2};
  parcel_grid grid;
  assert_status(parcel_grid_make(2, axes, &grid), PARCEL_OK);
  check_halo(*state, &grid, widths, NULL);
  assert_nothing_left(*state);
}

/* ---- refusals ---- */

static bool says(const char *words)
{
  return strstr(parcel_last_error(), words) != NULL;
}

static void halo_refuses_what_only_one_rank_sees(void **state)
{
  const int ranks = mpi_test_size();
  const bool is_last = mpi_test_rank() == ranks - 1;
  const parcel_index widths[] = {1};
  const parcel_index own_widths[] = {is_last ? 2 : 1};
  const parcel_index negative[] = {is_last ? -1 : 1};
  parcel_grid_axis axis = {.extent = 10 * ranks, .parts = ranks};
  parcel_grid grid;
  parcel_grid more;
  int64_t array[14] = {0};
  assert_status(parcel_grid_make(1, &axis, &grid), PARCEL_OK);
  axis.parts = ranks + 1;
  assert_status(parcel_grid_make(1, &axis, &more), PARCEL_OK);
  assert_status(parcel_halo_exchange(*state, &more, widths, 8, array, NULL), PARCEL_INVALID);
  assert_all(says("parts"));
  assert_status(parcel_halo_exchange(*state, &grid, negative, 8, array, NULL), PARCEL_INVALID);
  assert_same_text(parcel_last_error());
  assert_status(parcel_halo_exchange(*state, &grid, widths, 8, is_last ? NULL : array, NULL), PARCEL_INVALID);
  assert_same_text(parcel_last_error());
  assert_status(parcel_halo_exchange(*state, &grid, widths, 0, array, NULL), PARCEL_INVALID);
  assert_status(parcel_halo_exchange(*state, is_last ? NULL : &grid, widths, 8, array, NULL), PARCEL_INVALID);
  if (ranks > 1) {
    assert_status(parcel_halo_exchange(*state, &grid, own_widths, 8, array, NULL), PARCEL_INVALID);
    assert_same_text(parcel_last_error());
    assert_all(says("disagree") && says("+1,") && says("+2,"));
  }
  bool is_untouched = true;
  for (int k = 0; k < 14; ++k)
    is_untouched = is_untouched && array[k] == 0;
  assert_all(is_untouched);
  assert_nothing_left(*state);
}

/* ---- datatypes ---- */

/* Against MPI's own: what a message of the type carries, and its extent. A message, since MPI_Pack of
 * MPICH 4.0 leaves some of it out. */
static void datatype_is_mpis_subarray(void **state)
{
  static const parcel_index sizes[] = {5, 6, 7};
  static const int int_sizes[] = {5, 6, 7};
  const parcel_box boxes[] = {
      {{0, 0, 0}, {5, 6, 7}}, {{1, 2, 3}, {4, 3, 7}}, {{4, 5, 6}, {5, 6, 7}}, {{0, 1, 0}, {5, 2, 7}}};
  int numbers[5 * 6 * 7];
  bool is_same = true;
  for (int k = 0; k < 5 * 6 * 7; ++k)
    numbers[k] = k;
  for (int b = 0; b < 4; ++b)
    for (int dimensions = 1; dimensions <= 3; ++dimensions) {
      int packed[2][5 * 6 * 7] = {{0}};
      int counted[2] = {0, 0};
      int starts[3];
      int counts[3];
      MPI_Aint lows[2];
      MPI_Aint extents[2];
      MPI_Datatype types[2];
      for (int d = 0; d < 3; ++d) {
        starts[d] = (int)boxes[b].begin[d];
        counts[d] = (int)(boxes[b].end[d] - boxes[b].begin[d]);
      }
      assert_status(parcel_halo_datatype(dimensions, sizes, &boxes[b], MPI_INT, &types[0]), PARCEL_OK);
      MPI_Type_create_subarray(dimensions, int_sizes, counts, starts, MPI_ORDER_C, MPI_INT, &types[1]);
      MPI_Type_commit(&types[1]);
      for (int k = 0; k < 2; ++k) {
        MPI_Status received;
        MPI_Sendrecv(numbers, 1, types[k], 0, 0, packed[k], 5 * 6 * 7, MPI_INT, 0, 0, MPI_COMM_SELF,
                     &received);
        MPI_Get_count(&received, MPI_INT, &counted[k]);
        MPI_Type_get_extent(types[k], &lows[k], &extents[k]);
      }
      is_same = is_same && counted[0] > 0 && counted[0] == counted[1] &&
                memcmp(packed[0], packed[1], sizeof packed[0]) == 0 && lows[0] == lows[1] &&
                extents[0] == extents[1];
      MPI_Type_free(&types[0]);
      PMPI_Type_free(&types[1]);
    }
  assert_all(is_same);
  assert_nothing_left(*state);
}

static void datatype_refuses_boxes_that_are_none(void **state)
{
  static const parcel_index sizes[] = {5, (parcel_index)1 << 40, 7};
  const parcel_box empty = {{1, 2, 3}, {4, 2, 7}};
  const parcel_box outside = {{0, 0, 0}, {5, 6, 8}};
  const parcel_box large = {{0, 0, 0}, {5, (parcel_index)1 << 31, 7}};
  const parcel_box far = {{4, ((parcel_index)1 << 40) - 1, 0}, {5, (parcel_index)1 << 40, 7}};
  static const parcel_index beyond[] = {INT64_MAX, 2, 2};
  MPI_Datatype type = MPI_DATATYPE_NULL;
  assert_status(parcel_halo_datatype(3, sizes, &empty, MPI_INT, &type), PARCEL_INVALID);
  assert_status(parcel_halo_datatype(3, sizes, &outside, MPI_INT, &type), PARCEL_INVALID);
  assert_status(parcel_halo_datatype(9, sizes, &far, MPI_INT, &type), PARCEL_INVALID);
  assert_status(parcel_halo_datatype(3, sizes, &large, MPI_INT, &type), PARCEL_RANGE);
  assert_status(parcel_halo_datatype(3, beyond, &(parcel_box){{0}, {1, 1, 1}}, MPI_INT, &type), PARCEL_RANGE);
  assert_all(type == MPI_DATATYPE_NULL);
  assert_status(parcel_halo_datatype(3, sizes, &far, MPI_INT, &type), PARCEL_OK);
  MPI_Type_free(&type);
  assert_nothing_left(*state);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(halo_in_one_to_three_dimensions),
      cmocka_unit_test(halo_wider_than_the_neighbours_box),
      cmocka_unit_test(halo_of_nothing),
      cmocka_unit_test(halo_messages_are_split_below_the_limit),
      cmocka_unit_test(halo_of_other_kinds_of_dimensions),
      cmocka_unit_test(halo_refuses_what_only_one_rank_sees),
      cmocka_unit_test(datatype_is_mpis_subarray),
      cmocka_unit_test(datatype_refuses_boxes_that_are_none),
  };
  mpi_test_init(MPI_THREAD_FUNNELED);
  return mpi_test_run(tests, mpi_test_open_world, mpi_test_close_world);
}
