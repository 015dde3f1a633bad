/* Grids with extents over all of int64: what can be said without counting points. */
#include "unit.h"

#include <limits.h>

#include <parcel/grid.h>

enum { D = PARCEL_GRID_DIMENSIONS };

static parcel_grid_axis random_axis(uint64_t *seed, parcel_index most_parts)
{
  parcel_grid_axis axis = {.kind = (parcel_grid_kind)random_below(seed, 3), .parts = 1};
  axis.extent = random_bits(seed) % 2 ? INT64_MAX - random_below(seed, 3) : random_from(seed, 1);
  axis.is_periodic = random_bits(seed) % 2;
  if (axis.kind != PARCEL_GRID_WHOLE)
    axis.parts = 1 + (int)random_below(seed, random_bits(seed) % 4 ? 7 : most_parts);
  if (axis.kind == PARCEL_GRID_CYCLIC)
    axis.block = random_from(seed, 1);
  return axis;
}

static parcel_grid random_grid(uint64_t *seed)
{
  parcel_grid grid;
  parcel_grid_axis axes[D];
  const int dimensions = 1 + (int)random_below(seed, D);
  parcel_index room = INT_MAX;
  for (int i = 0; i < dimensions; ++i) {
    axes[i] = random_axis(seed, room);
    if (axes[i].parts > room)
      axes[i].parts = (int)room;
    room /= axes[i].parts;
  }
  assert_ok(parcel_grid_make(dimensions, axes, &grid));
  return grid;
}

/* Near the ends as often as between. */
static void random_point(const parcel_grid *grid, uint64_t *seed, parcel_index point[])
{
  for (int i = 0; i < grid->dimensions; ++i) {
    const parcel_index extent = grid->axes[i].extent;
    const parcel_index near = random_below(seed, extent < 4 ? extent : 4);
    const uint64_t where = random_bits(seed) % 4;
    point[i] = where == 0 ? near : where == 1 ? extent - 1 - near : random_below(seed, extent);
  }
}

/* The run of its owner that a point is in, along one dimension. */
static void check_run(const parcel_grid *grid, int owner, int i, parcel_index x)
{
  const parcel_grid_axis *axis = &grid->axes[i];
  const bool is_cyclic = axis->kind == PARCEL_GRID_CYCLIC && axis->parts > 1;
  const parcel_index k = is_cyclic ? x / axis->block / axis->parts : 0;
  const parcel_index spans = parcel_grid_spans(grid, owner, i);
  const parcel_span span = parcel_grid_span(grid, owner, i, k);
  const parcel_span next = parcel_grid_span(grid, owner, i, k + 1);
  assert_true(k < spans && span.begin <= x && x < span.end && span.end <= axis->extent);
  assert_true(parcel_grid_span(grid, owner, i, spans - 1).end <= axis->extent);
  assert_true(k + 1 < spans ? next.begin > span.end && next.end > next.begin : next.end == 0);
}

static void check_counts(const parcel_grid *grid, int i)
{
  int coordinates[D] = {0};
  parcel_index covered = 0;
  if (grid->axes[i].parts > 16)
    return;
  for (coordinates[i] = 0; coordinates[i] < grid->axes[i].parts; ++coordinates[i])
    covered += parcel_grid_count(grid, parcel_grid_part(grid, coordinates), i);
  assert_int_equal(covered, grid->axes[i].extent);
}

/* A point has no place only if its place is beyond int64. */
static void check_place(const parcel_grid *grid, int owner, const parcel_index point[])
{
  const parcel_index local = parcel_grid_local(grid, point);
  parcel_index back[D];
  parcel_index volume = 0;
  const bool has_volume = !parcel_grid_volume(grid, owner, &volume);
  if (local < 0) {
    assert_false(has_volume);
    return;
  }
  assert_true(!has_volume || local < volume);
  assert_true(parcel_grid_global(grid, owner, local, back));
  assert_memory_equal(back, point, (size_t)grid->dimensions * sizeof *point);
  assert_true(!has_volume || !parcel_grid_global(grid, owner, volume, back));
}

static void grid_random_points_over_all_of_int64(void **state)
{
  uint64_t seed = 22;
  (void)state;
  for (int draw = 0; draw < 100000; ++draw) {
    const parcel_grid grid = random_grid(&seed);
    parcel_index point[D];
    int coordinates[D];
    random_point(&grid, &seed, point);
    const int owner = parcel_grid_owner(&grid, point);
    assert_true(parcel_grid_coordinates(&grid, owner, coordinates));
    assert_int_equal(parcel_grid_part(&grid, coordinates), owner);
    for (int i = 0; i < grid.dimensions; ++i) {
      check_run(&grid, owner, i, point[i]);
      check_counts(&grid, i);
    }
    check_place(&grid, owner, point);
  }
}

static void grid_random_halos_over_all_of_int64(void **state)
{
  uint64_t seed = 23;
  int made = 0;
  (void)state;
  for (int draw = 0; draw < 50000; ++draw) {
    const parcel_grid grid = random_grid(&seed);
    const int part = (int)random_below(&seed, parcel_grid_parts(&grid));
    parcel_index widths[D];
    parcel_box box;
    parcel_box halo;
    for (int i = 0; i < D; ++i)
      widths[i] = random_from(&seed, 0);
    if (parcel_grid_box(&grid, part, &box) || box.begin[0] == box.end[0])
      continue;
    const parcel_status status = parcel_grid_halo(&grid, part, widths, &halo);
    bool is_beyond = false;
    for (int i = 0; i < grid.dimensions; ++i)
      is_beyond = is_beyond || (grid.axes[i].is_periodic && widths[i] > INT64_MAX - box.end[i]);
    assert_int_equal(status, is_beyond ? PARCEL_RANGE : PARCEL_OK);
    made += !is_beyond;
    for (int i = 0; i < grid.dimensions && !is_beyond; ++i) {
      const bool is_periodic = grid.axes[i].is_periodic;
      const parcel_index below = box.begin[i] - halo.begin[i];
      const parcel_index above = halo.end[i] - box.end[i];
      assert_true(below == widths[i] || (!is_periodic && halo.begin[i] == 0 && below < widths[i]));
      assert_true(above == widths[i] ||
                  (!is_periodic && halo.end[i] == grid.axes[i].extent && above < widths[i]));
    }
  }
  assert_true(made > 1000);
}

/* Any number of steps, there and back again. */
static void grid_random_neighbours_are_mutual(void **state)
{
  uint64_t seed = 24;
  (void)state;
  for (int draw = 0; draw < 50000; ++draw) {
    const parcel_grid grid = random_grid(&seed);
    const int part = (int)random_below(&seed, parcel_grid_parts(&grid));
    int there[D];
    int back[D];
    for (int i = 0; i < D; ++i) {
      there[i] = (int)(random_index(&seed) >> (random_bits(&seed) % 2 ? 32 : 62));
      there[i] = there[i] == INT_MIN ? INT_MAX : there[i];
      back[i] = -there[i];
    }
    const int neighbour = parcel_grid_neighbour(&grid, part, there);
    if (neighbour >= 0)
      assert_int_equal(parcel_grid_neighbour(&grid, neighbour, back), part);
  }
}

static void grid_wraps_by_whole_turns(void **state)
{
  const parcel_grid_axis axes[] = {{.extent = INT64_MAX - 1, .parts = 2, .is_periodic = true},
                                   {.extent = 10, .parts = 2}};
  const parcel_grid_axis empty = {.extent = 0, .parts = 1, .is_periodic = true};
  parcel_grid grid;
  parcel_index point[2] = {INT64_MIN, 9};
  (void)state;
  assert_ok(parcel_grid_make(2, axes, &grid));
  assert_true(parcel_grid_wrap(&grid, point));
  assert_true(point[0] == INT64_MAX - 3 && point[1] == 9);
  point[0] = INT64_MAX;
  assert_true(parcel_grid_wrap(&grid, point));
  assert_true(point[0] == 1);
  point[0] = -1;
  point[1] = 10;
  assert_false(parcel_grid_wrap(&grid, point));
  assert_true(point[0] == -1 && point[1] == 10);
  assert_ok(parcel_grid_make(1, &empty, &grid));
  assert_false(parcel_grid_wrap(&grid, point));
}

static void grid_volumes_that_do_not_fit_are_refused(void **state)
{
  parcel_grid_axis axes[3] = {
      {.extent = INT64_MAX, .parts = 2}, {.extent = INT64_MAX, .parts = 2}, {.extent = 5, .parts = 1}};
  const parcel_index first[3] = {0, 1, 2};
  const parcel_index last[3] = {INT64_MAX - 1, INT64_MAX - 1, 4};
  parcel_index point[3];
  parcel_index out = 7;
  parcel_grid grid;
  (void)state;
  assert_ok(parcel_grid_make(3, axes, &grid));
  assert_refused(parcel_grid_size(&grid, &out), PARCEL_RANGE, "more points than 64 bits");
  assert_refused(parcel_grid_volume(&grid, 3, &out), PARCEL_RANGE, "part 3 has more points");
  assert_int_equal(out, 7);
  assert_int_equal(parcel_grid_owner(&grid, last), 3);
  assert_int_equal(parcel_grid_local(&grid, last), -1);
  assert_int_equal(parcel_grid_local(&grid, first), 7);
  assert_true(parcel_grid_global(&grid, 0, 7, point));
  assert_memory_equal(point, first, sizeof point);
  axes[2].extent = 0; /* nothing, however large the rest */
  assert_ok(parcel_grid_make(3, axes, &grid));
  assert_ok(parcel_grid_size(&grid, &out));
  assert_int_equal(out, 0);
  assert_ok(parcel_grid_volume(&grid, 3, &out));
  assert_int_equal(out, 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(grid_random_points_over_all_of_int64),
      cmocka_unit_test(grid_random_halos_over_all_of_int64),
      cmocka_unit_test(grid_random_neighbours_are_mutual),
      cmocka_unit_test(grid_wraps_by_whole_turns),
      cmocka_unit_test(grid_volumes_that_do_not_fit_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
