#include "unit.h"

#include <limits.h>

#include <parcel/grid.h>

enum { D = PARCEL_GRID_DIMENSIONS, LONGEST = 8, WIDEST = 3 };

/* ---- what a grid should be, counted point by point ---- */

/* One dimension: whose each point is, and how many of the same owner's come before it. */
typedef struct naive_axis {
  int owner[LONGEST];
  int local[LONGEST];
} naive_axis;

static void deal(const parcel_grid_axis *axis, naive_axis *out)
{
  const int n = (int)axis->extent;
  int x = 0;
  if (axis->kind == PARCEL_GRID_CYCLIC) {
    for (int turn = 0; x < n; turn = (turn + 1) % axis->parts)
      for (int k = 0; k < axis->block && x < n; ++k)
        out->owner[x++] = turn;
  } else {
    for (int part = 0; part < axis->parts; ++part)
      for (int k = 0; k < n / axis->parts + (part < n % axis->parts); ++k)
        out->owner[x++] = part;
  }
  for (x = 0; x < n; ++x) {
    out->local[x] = 0;
    for (int before = 0; before < x; ++before)
      out->local[x] += out->owner[before] == out->owner[x];
  }
}

static int count_of(const parcel_grid_axis *axis, const naive_axis *naive, int part)
{
  int count = 0;
  for (int x = 0; x < axis->extent; ++x)
    count += naive->owner[x] == part;
  return count;
}

static int runs_of(const parcel_grid_axis *axis, const naive_axis *naive, int part)
{
  int runs = 0;
  for (int x = 0; x < axis->extent; ++x)
    runs += naive->owner[x] == part && (x == 0 || naive->owner[x - 1] != part);
  return runs;
}

/* Steps through [begin, end) in row-major order; false after the last point. */
static bool next_point(int dimensions, const parcel_index begin[], const parcel_index end[],
                       parcel_index point[])
{
  for (int i = dimensions - 1; i >= 0; --i) {
    if (++point[i] < end[i])
      return true;
    point[i] = begin[i];
  }
  return false;
}

static bool is_within(int dimensions, const parcel_index begin[], const parcel_index end[],
                      const parcel_index point[])
{
  for (int i = 0; i < dimensions; ++i)
    if (point[i] < begin[i] || point[i] >= end[i])
      return false;
  return true;
}

/* ---- points ---- */

static void check_point(const parcel_grid *grid, const naive_axis naive[], const parcel_index point[])
{
  int owner = 0;
  int coordinates[D];
  parcel_index local = 0;
  parcel_index back[D];
  for (int i = 0; i < grid->dimensions; ++i) {
    const parcel_grid_axis *axis = &grid->axes[i];
    coordinates[i] = naive[i].owner[point[i]];
    owner = owner * axis->parts + coordinates[i];
    local = local * count_of(axis, &naive[i], coordinates[i]) + naive[i].local[point[i]];
  }
  assert_int_equal(parcel_grid_owner(grid, point), owner);
  assert_int_equal(parcel_grid_part(grid, coordinates), owner);
  assert_int_equal(parcel_grid_local(grid, point), local);
  assert_true(parcel_grid_global(grid, owner, local, back));
  assert_memory_equal(back, point, (size_t)grid->dimensions * sizeof *point);
}

/* Every point, and every step out of the array. */
static void check_points(const parcel_grid *grid, const naive_axis naive[])
{
  parcel_index begin[D];
  parcel_index end[D];
  parcel_index point[D];
  parcel_index size = 0;
  parcel_index volumes = 0;
  parcel_index counted = 0;
  for (int i = 0; i < grid->dimensions; ++i) {
    begin[i] = point[i] = -1;
    end[i] = grid->axes[i].extent + 1;
  }
  do {
    bool is_inside = true;
    for (int i = 0; i < grid->dimensions; ++i)
      is_inside = is_inside && point[i] >= 0 && point[i] < grid->axes[i].extent;
    counted += is_inside;
    if (is_inside) {
      check_point(grid, naive, point);
    } else {
      assert_int_equal(parcel_grid_owner(grid, point), -1);
      assert_int_equal(parcel_grid_local(grid, point), -1);
    }
  } while (next_point(grid->dimensions, begin, end, point));
  for (int part = 0; part < parcel_grid_parts(grid); ++part) {
    parcel_index volume = -1;
    assert_ok(parcel_grid_volume(grid, part, &volume));
    assert_false(parcel_grid_global(grid, part, volume, point));
    assert_false(parcel_grid_global(grid, part, -1, point));
    volumes += volume;
  }
  assert_ok(parcel_grid_size(grid, &size));
  assert_int_equal(size, counted);
  assert_int_equal(size, volumes);
}

/* ---- spans, boxes, halos ---- */

static void check_spans(const parcel_grid *grid, const naive_axis naive[], int part, const int coordinates[])
{
  for (int i = 0; i < grid->dimensions; ++i) {
    const parcel_grid_axis *axis = &grid->axes[i];
    const parcel_index spans = parcel_grid_spans(grid, part, i);
    int owned = 0;
    parcel_index last = -1;
    for (parcel_index k = 0; k < spans; ++k) {
      const parcel_span span = parcel_grid_span(grid, part, i, k);
      assert_true(span.begin > last && span.begin < span.end && span.end <= axis->extent);
      for (parcel_index x = span.begin; x < span.end; ++x, ++owned)
        assert_int_equal(naive[i].owner[x], coordinates[i]);
      last = span.end;
    }
    assert_int_equal(spans, runs_of(axis, &naive[i], coordinates[i]));
    assert_int_equal(owned, count_of(axis, &naive[i], coordinates[i]));
    assert_int_equal(parcel_grid_count(grid, part, i), owned);
    assert_int_equal(parcel_grid_span(grid, part, i, spans).end, 0);
    assert_int_equal(parcel_grid_span(grid, part, i, -1).end, 0);
  }
}

/* Some point of the part is at most a width away in every dimension, and there is no boundary before it. */
static bool is_in_halo(const parcel_grid *grid, const naive_axis naive[], const int coordinates[],
                       const parcel_index widths[], const parcel_index point[])
{
  for (int i = 0; i < grid->dimensions; ++i) {
    const parcel_grid_axis *axis = &grid->axes[i];
    bool is_near = false;
    for (int x = 0; x < axis->extent; ++x)
      is_near = is_near || (naive[i].owner[x] == coordinates[i] && x - point[i] <= widths[i] &&
                            point[i] - x <= widths[i]);
    if (!is_near || (!axis->is_periodic && (point[i] < 0 || point[i] >= axis->extent)))
      return false;
  }
  return true;
}

static void check_halo(const parcel_grid *grid, const naive_axis naive[], int part, const int coordinates[],
                       const parcel_index widths[])
{
  parcel_box halo;
  parcel_index begin[D];
  parcel_index end[D];
  parcel_index point[D];
  assert_ok(parcel_grid_halo(grid, part, widths, &halo));
  for (int i = 0; i < grid->dimensions; ++i) {
    begin[i] = point[i] = -WIDEST - 1;
    end[i] = grid->axes[i].extent + WIDEST + 1;
  }
  do {
    parcel_index wrapped[D];
    const bool is_in = is_within(grid->dimensions, halo.begin, halo.end, point);
    assert_int_equal(is_in, is_in_halo(grid, naive, coordinates, widths, point));
    memcpy(wrapped, point, sizeof wrapped);
    if (is_in) {
      assert_true(parcel_grid_wrap(grid, wrapped));
      assert_true(parcel_grid_owner(grid, wrapped) >= 0);
      for (int i = 0; i < grid->dimensions; ++i)
        assert_int_equal((wrapped[i] - point[i]) % grid->axes[i].extent, 0);
    }
  } while (next_point(grid->dimensions, begin, end, point));
}

static void check_box(const parcel_grid *grid, const naive_axis naive[], int part, const int coordinates[],
                      const parcel_index widths[])
{
  parcel_box box = {.begin = {77}};
  bool is_one = true;
  bool is_empty = false;
  for (int i = 0; i < grid->dimensions; ++i) {
    is_one = is_one && runs_of(&grid->axes[i], &naive[i], coordinates[i]) <= 1;
    is_empty = is_empty || count_of(&grid->axes[i], &naive[i], coordinates[i]) == 0;
  }
  if (!is_one && !is_empty) {
    assert_refused(parcel_grid_box(grid, part, &box), PARCEL_INVALID, "is no box");
    assert_refused(parcel_grid_halo(grid, part, widths, &box), PARCEL_INVALID, "is no box");
    assert_int_equal(box.begin[0], 77);
    return;
  }
  assert_ok(parcel_grid_box(grid, part, &box));
  for (int i = 0; i < D; ++i)
    if (is_empty || i >= grid->dimensions)
      assert_true(box.begin[i] == 0 && box.end[i] == 0);
    else
      assert_int_equal(box.end[i] - box.begin[i], parcel_grid_count(grid, part, i));
  parcel_index point[D];
  memcpy(point, box.begin, sizeof point);
  while (!is_empty) {
    assert_int_equal(parcel_grid_owner(grid, point), part);
    if (!next_point(grid->dimensions, box.begin, box.end, point))
      break;
  }
  check_halo(grid, naive, part, coordinates, widths);
}

/* ---- neighbours ---- */

static int naive_neighbour(const parcel_grid *grid, const int coordinates[], const int direction[])
{
  int part = 0;
  for (int i = 0; i < grid->dimensions; ++i) {
    const int parts = grid->axes[i].parts;
    int there = coordinates[i] + direction[i];
    if (!grid->axes[i].is_periodic && (there < 0 || there >= parts))
      return -1;
    while (there < 0)
      there += parts;
    part = part * parts + there % parts;
  }
  return part;
}

static void check_neighbours(const parcel_grid *grid, int part, const int coordinates[])
{
  const int directions = parcel_grid_directions(grid);
  int last[D] = {0};
  for (int k = 0; k < directions; ++k) {
    int direction[D] = {0};
    int opposite[D] = {0};
    assert_true(parcel_grid_direction(grid, k, direction));
    assert_true(parcel_grid_direction(grid, directions - 1 - k, opposite));
    const int neighbour = parcel_grid_neighbour(grid, part, direction);
    assert_int_equal(neighbour, naive_neighbour(grid, coordinates, direction));
    for (int i = 0; i < grid->dimensions; ++i)
      assert_true(direction[i] == -opposite[i] && direction[i] >= -1 && direction[i] <= 1);
    if (neighbour >= 0)
      assert_int_equal(parcel_grid_neighbour(grid, neighbour, opposite), part);
    assert_true(k == 0 || memcmp(last, direction, sizeof last) != 0);
    memcpy(last, direction, sizeof last);
  }
  for (int i = 0; i < grid->dimensions; ++i)
    for (int steps = -4; steps <= 4; ++steps) {
      int ahead[D] = {0};
      int behind[D] = {0};
      int source = -7;
      int destination = -7;
      ahead[i] = steps;
      behind[i] = -steps;
      assert_true(parcel_grid_shift(grid, part, i, steps, &source, &destination));
      assert_int_equal(destination, naive_neighbour(grid, coordinates, ahead));
      assert_int_equal(source, naive_neighbour(grid, coordinates, behind));
    }
}

/* ---- all of that for one grid ---- */

static void check_grid(int dimensions, const parcel_grid_axis axes[], const parcel_index widths[])
{
  parcel_grid grid;
  naive_axis naive[D];
  assert_ok(parcel_grid_make(dimensions, axes, &grid));
  for (int i = 0; i < dimensions; ++i)
    deal(&grid.axes[i], &naive[i]);
  check_points(&grid, naive);
  for (int part = 0; part < parcel_grid_parts(&grid); ++part) {
    int coordinates[D];
    assert_true(parcel_grid_coordinates(&grid, part, coordinates));
    assert_int_equal(parcel_grid_part(&grid, coordinates), part);
    check_spans(&grid, naive, part, coordinates);
    check_box(&grid, naive, part, coordinates, widths);
    check_neighbours(&grid, part, coordinates);
  }
}

static parcel_grid_axis small_axis(int variant)
{
  static const parcel_index extents[] = {0, 1, 2, 3, 5, 7};
  static const parcel_grid_axis kinds[] = {
      {.parts = 1, .kind = PARCEL_GRID_BLOCK},
      {.parts = 2, .kind = PARCEL_GRID_BLOCK},
      {.parts = 3, .kind = PARCEL_GRID_BLOCK},
      {.parts = 4, .kind = PARCEL_GRID_BLOCK},
      {.parts = 2, .kind = PARCEL_GRID_CYCLIC, .block = 1},
      {.parts = 3, .kind = PARCEL_GRID_CYCLIC, .block = 2},
      {.parts = 1, .kind = PARCEL_GRID_CYCLIC, .block = 2},
      {.parts = 2, .kind = PARCEL_GRID_CYCLIC, .block = INT64_MAX},
      {.parts = 0, .kind = PARCEL_GRID_WHOLE},
      {.parts = 1, .kind = PARCEL_GRID_WHOLE},
  };
  parcel_grid_axis axis = kinds[variant / 12 % LENGTH(kinds)];
  axis.extent = extents[variant / 2 % LENGTH(extents)];
  axis.is_periodic = variant % 2;
  return axis;
}
enum { VARIANTS = 120 };

static void grid_one_dimension_is_as_counted(void **state)
{
  (void)state;
  for (int variant = 0; variant < VARIANTS; ++variant)
    for (parcel_index width = 0; width <= WIDEST; ++width) {
      const parcel_grid_axis axes[] = {small_axis(variant)};
      check_grid(1, axes, (parcel_index[]){width});
    }
}

static void grid_two_dimensions_are_as_counted(void **state)
{
  (void)state;
  for (int v = 0; v < VARIANTS; ++v)
    for (int w = v % 3; w < VARIANTS; w += 3) {
      const parcel_grid_axis axes[] = {small_axis(v), small_axis(w)};
      check_grid(2, axes, (parcel_index[]){(v + w) % 4, w % 3});
    }
}

static void grid_three_and_four_dimensions_are_as_counted(void **state)
{
  uint64_t seed = 21;
  (void)state;
  for (int draw = 0; draw < 300; ++draw) {
    const int dimensions = draw % 10 ? 3 : 4;
    parcel_grid_axis axes[4];
    parcel_index widths[4];
    for (int i = 0; i < dimensions; ++i) {
      axes[i] = small_axis((int)random_below(&seed, VARIANTS));
      axes[i].extent = axes[i].extent > 5 ? 4 : axes[i].extent;
      widths[i] = random_below(&seed, 3);
    }
    check_grid(dimensions, axes, widths);
  }
}

/* ---- what does not exist ---- */

static void grid_has_nothing_outside(void **state)
{
  const parcel_grid_axis axes[] = {{.extent = 10, .parts = 3},
                                   {.extent = 4, .parts = 2, .is_periodic = true}};
  const int parts[] = {-1, 6, INT_MIN, INT_MAX};
  const int none[2] = {3, 0};
  const int wrapped[2] = {2, -1};
  const parcel_index widths[2] = {1, -1};
  int pair[2] = {7, 8};
  parcel_index point[2] = {7, 8};
  parcel_box box = {.begin = {7}};
  parcel_grid grid;
  (void)state;
  assert_ok(parcel_grid_make(2, axes, &grid));
  for (int p = 0; p < LENGTH(parts); ++p) {
    assert_false(parcel_grid_coordinates(&grid, parts[p], pair));
    assert_int_equal(parcel_grid_neighbour(&grid, parts[p], none), -1);
    assert_false(parcel_grid_shift(&grid, parts[p], 0, 1, &pair[0], &pair[1]));
    assert_int_equal(parcel_grid_count(&grid, parts[p], 0), 0);
    assert_int_equal(parcel_grid_spans(&grid, parts[p], 0), 0);
    assert_int_equal(parcel_grid_span(&grid, parts[p], 0, 0).end, 0);
    assert_false(parcel_grid_global(&grid, parts[p], 0, point));
    assert_refused(parcel_grid_box(&grid, parts[p], &box), PARCEL_INVALID, "in a grid of 6");
    assert_refused(parcel_grid_volume(&grid, parts[p], &point[0]), PARCEL_INVALID, "no part");
  }
  for (int dimension = -1; dimension <= 2; dimension += 3) {
    assert_false(parcel_grid_shift(&grid, 0, dimension, 1, &pair[0], &pair[1]));
    assert_int_equal(parcel_grid_count(&grid, 0, dimension), 0);
    assert_int_equal(parcel_grid_spans(&grid, 0, dimension), 0);
  }
  assert_refused(parcel_grid_halo(&grid, 0, widths, &box), PARCEL_INVALID, "-1 points in dimension 1");
  assert_false(parcel_grid_direction(&grid, -1, pair));
  assert_false(parcel_grid_direction(&grid, 8, pair));
  assert_int_equal(parcel_grid_part(&grid, none), -1);
  assert_int_equal(parcel_grid_part(&grid, wrapped), 5);
  assert_true(pair[0] == 7 && pair[1] == 8 && point[0] == 7 && point[1] == 8 && box.begin[0] == 7);
}

static void grid_refuses_what_cannot_be(void **state)
{
  static const struct {
    parcel_grid_axis axis;
    parcel_status status;
    const char *words;
  } cases[] = {
      {{.extent = -1, .parts = 1}, PARCEL_INVALID, "dimension 1: an extent of -1"},
      {{.extent = 5, .parts = 0}, PARCEL_INVALID, "dimension 1: 0 parts"},
      {{.extent = 5, .parts = INT_MIN}, PARCEL_INVALID, "dimension 1: -2147483648 parts"},
      {{.extent = 5, .parts = 1, .block = 1}, PARCEL_INVALID, "only a cyclic dimension"},
      {{.extent = 5, .parts = 2, .kind = PARCEL_GRID_CYCLIC}, PARCEL_INVALID, "cyclic blocks of 0"},
      {{.extent = 5, .parts = 2, .kind = PARCEL_GRID_CYCLIC, .block = -3}, PARCEL_INVALID, "blocks of -3"},
      {{.extent = 5, .parts = 2, .kind = PARCEL_GRID_WHOLE}, PARCEL_INVALID, "undivided"},
      {{.extent = 5, .parts = 1, .kind = PARCEL_GRID_WHOLE, .block = 2}, PARCEL_INVALID, "a block of 2"},
      {{.extent = 5, .parts = 1, .kind = (parcel_grid_kind)3}, PARCEL_INVALID, "unknown kind 3; one of"},
      {{.extent = 5, .parts = INT_MAX / 2 + 1}, PARCEL_RANGE, "more than 2147483647 in all"},
  };
  const parcel_grid_axis fine = {.extent = 9, .parts = 2};
  parcel_grid grid = {.dimensions = 77};
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    const parcel_grid_axis axes[] = {fine, cases[c].axis};
    assert_refused(parcel_grid_make(2, axes, &grid), cases[c].status, cases[c].words);
  }
  assert_refused(parcel_grid_make(0, &fine, &grid), PARCEL_INVALID, "a grid of 0 dimensions");
  assert_refused(parcel_grid_make(9, &fine, &grid), PARCEL_INVALID, "a grid of 9 dimensions");
  assert_int_equal(grid.dimensions, 77);
}

static void grid_is_equal_field_by_field(void **state)
{
  const parcel_grid_axis axes[] = {{.extent = 9, .parts = 2, .kind = PARCEL_GRID_CYCLIC, .block = 2},
                                   {.extent = 5, .kind = PARCEL_GRID_WHOLE}};
  parcel_grid grid;
  (void)state;
  assert_ok(parcel_grid_make(2, axes, &grid));
  parcel_grid others[] = {grid, grid, grid, grid, grid, grid};
  assert_true(parcel_grid_is_equal(&grid, &others[0]));
  assert_int_equal(grid.axes[1].parts, 1);
  --others[0].dimensions;
  ++others[1].axes[0].extent;
  ++others[2].axes[0].parts;
  others[3].axes[1].kind = PARCEL_GRID_BLOCK;
  ++others[4].axes[0].block;
  others[5].axes[1].is_periodic = true;
  for (int o = 0; o < LENGTH(others); ++o)
    assert_false(parcel_grid_is_equal(&grid, &others[o]));
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(grid_one_dimension_is_as_counted),
      cmocka_unit_test(grid_two_dimensions_are_as_counted),
      cmocka_unit_test(grid_three_and_four_dimensions_are_as_counted),
      cmocka_unit_test(grid_has_nothing_outside),
      cmocka_unit_test(grid_refuses_what_cannot_be),
      cmocka_unit_test(grid_is_equal_field_by_field),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
