#include "unit.h"

#include <limits.h>

#include <parcel/grid.h>

__extension__ typedef unsigned __int128 wide;

/* ---- the rules of the header, by trying every factorisation ---- */

typedef struct trial {
  int dimensions;
  const parcel_index *extents; /* NULL: none */
  int dims[PARCEL_GRID_DIMENSIONS];
  int best[PARCEL_GRID_DIMENSIONS];
  bool has_best;
} trial;

static parcel_index extent_of(const trial *t, int i)
{
  return t->extents ? t->extents[i] : 1;
}

static parcel_index filled(const trial *t, const int dims[])
{
  parcel_index product = 1;
  for (int i = 0; i < t->dimensions; ++i)
    product *= t->extents && t->extents[i] < dims[i] ? t->extents[i] : dims[i];
  return product;
}

/* The points at all cuts of the periodic array. */
static wide surface(const trial *t, const int dims[])
{
  wide sum = 0;
  for (int i = 0; i < t->dimensions; ++i) {
    wide face = (unsigned)dims[i];
    for (int j = 0; j < t->dimensions; ++j)
      if (j != i)
        face *= (uint64_t)extent_of(t, j);
    sum += face;
  }
  return sum;
}

/* The k-th largest of the numbers, by counting. */
static int ranked(const trial *t, const int dims[], int k)
{
  for (int i = 0; i < t->dimensions; ++i) {
    int before = 0;
    for (int j = 0; j < t->dimensions; ++j)
      before += dims[j] > dims[i] || (dims[j] == dims[i] && j < i);
    if (before == k)
      return dims[i];
  }
  return 0;
}

static bool beats(const trial *t, const int a[], const int b[])
{
  if (filled(t, a) != filled(t, b))
    return filled(t, a) > filled(t, b);
  if (surface(t, a) != surface(t, b))
    return surface(t, a) < surface(t, b);
  for (int k = 0; k < t->dimensions; ++k)
    if (ranked(t, a, k) != ranked(t, b, k))
      return ranked(t, a, k) < ranked(t, b, k);
  for (int i = 0; i < t->dimensions; ++i)
    if (a[i] != b[i])
      return a[i] > b[i];
  return false;
}

static void try_all(trial *t, int dimension, int rest)
{
  if (dimension == t->dimensions - 1) {
    t->dims[dimension] = rest;
    if (!t->has_best || beats(t, t->dims, t->best))
      memcpy(t->best, t->dims, sizeof t->best);
    t->has_best = true;
    return;
  }
  for (int value = 1; value <= rest; ++value)
    if (rest % value == 0) {
      t->dims[dimension] = value;
      try_all(t, dimension + 1, rest / value);
    }
}

static void assert_best(int parts, int dimensions, const parcel_index extents[])
{
  trial t = {.dimensions = dimensions, .extents = extents};
  int dims[PARCEL_GRID_DIMENSIONS] = {0};
  try_all(&t, 0, parts);
  assert_ok(parcel_dims_balanced(parts, dimensions, extents, dims));
  if (memcmp(dims, t.best, (size_t)dimensions * sizeof *dims) != 0)
    fail_msg("%d parts in %d dimensions: %d %d %d %d is not best, %d %d %d %d is", parts, dimensions, dims[0],
             dims[1], dims[2], dims[3], t.best[0], t.best[1], t.best[2], t.best[3]);
}

static void dims_are_best_without_extents(void **state)
{
  (void)state;
  for (int parts = 1; parts <= 2000; ++parts)
    assert_best(parts, 2, NULL);
  for (int parts = 1; parts <= 500; ++parts) {
    assert_best(parts, 1, NULL);
    assert_best(parts, 3, NULL);
    assert_best(parts, 4, NULL);
  }
}

static void dims_are_best_with_extents(void **state)
{
  static const parcel_index shapes[][4] = {{100, 100, 100, 100},     {1000, 10, 7, 3},   {64, 48, 36, 5},
                                           {3, 7, 10, 1000},         {101, 103, 97, 89}, {6, 5, 4, 3},
                                           {1920, 1080, 1920, 1080}, {1, 1, 1000000, 1}};
  (void)state;
  for (int s = 0; s < LENGTH(shapes); ++s) {
    for (int parts = 1; parts <= 2000; ++parts)
      assert_best(parts, 2, shapes[s]);
    for (int parts = 1; parts <= 500; ++parts)
      assert_best(parts, 3, shapes[s]);
    for (int parts = 1; parts <= 500; ++parts)
      assert_best(parts, 4, shapes[s]);
  }
}

static void dims_are_best_with_random_extents(void **state)
{
  uint64_t seed = 11;
  (void)state;
  for (int draw = 0; draw < 3000; ++draw) {
    const int dimensions = 2 + draw % 3;
    const int bits = dimensions == 2 ? 63 : dimensions == 3 ? 40 : 28;
    parcel_index extents[4];
    for (int i = 0; i < 4; ++i)
      extents[i] = 1 + (random_from(&seed, 0) >> (63 - bits)) % (draw % 2 ? INT64_MAX : 50);
    assert_best(1 + (int)random_below(&seed, 300), dimensions, extents);
  }
}

/* Sums of nearly equal fractions, which doubles cannot tell apart. */
static void dims_are_compared_exactly(void **state)
{
  uint64_t seed = 12;
  (void)state;
  for (int draw = 0; draw < 2000; ++draw) {
    const int dimensions = 2 + draw % 3;
    const parcel_index largest = dimensions == 2   ? INT64_MAX
                                 : dimensions == 3 ? (parcel_index)1 << 41
                                                   : (parcel_index)1 << 28;
    parcel_index extents[4];
    for (int i = 0; i < 4; ++i)
      extents[i] = largest - random_below(&seed, 4);
    assert_best(1 + (int)random_below(&seed, 300), dimensions, extents);
  }
}

/* ---- examples ---- */

static void assert_dims(int parts, int dimensions, const parcel_index extents[], const int expected[])
{
  int dims[PARCEL_GRID_DIMENSIONS] = {0};
  assert_ok(parcel_dims_balanced(parts, dimensions, extents, dims));
  for (int i = 0; i < dimensions; ++i)
    if (dims[i] != expected[i])
      fail_msg("%d parts in %d dimensions: number %d is %d, not %d", parts, dimensions, i, dims[i],
               expected[i]);
}

static void dims_examples(void **state)
{
  (void)state;
  assert_dims(72, 2, NULL, (int[]){9, 8});
  assert_dims(180, 2, NULL, (int[]){15, 12});
  assert_dims(16, 3, NULL, (int[]){4, 2, 2});
  assert_dims(6, 3, NULL, (int[]){3, 2, 1});
  assert_dims(7, 2, NULL, (int[]){7, 1});
  assert_dims(1, 3, NULL, (int[]){1, 1, 1});
  assert_dims(1000000, 3, NULL, (int[]){100, 100, 100});
  assert_dims(1048576, 3, NULL, (int[]){128, 128, 64});
  assert_dims(720720, 3, NULL, (int[]){91, 90, 88});
  assert_dims(999999, 2, NULL, (int[]){1001, 999});
  assert_dims(INT_MAX, 2, NULL, (int[]){INT_MAX, 1}); /* a prime */
  assert_dims(2095133040, 2, NULL, (int[]){46189, 45360});
  assert_dims(12, 2, (parcel_index[]){4000, 1000}, (int[]){6, 2});
  assert_dims(12, 2, (parcel_index[]){1000, 4000}, (int[]){2, 6});
}

static void dims_leave_no_part_empty_if_they_can(void **state)
{
  (void)state;
  assert_dims(36, 2, (parcel_index[]){4, 1000}, (int[]){1, 36});
  assert_dims(36, 2, (parcel_index[]){4, 10}, (int[]){4, 9});
  assert_dims(7, 2, (parcel_index[]){3, 7}, (int[]){1, 7});
  assert_dims(7, 2, (parcel_index[]){3, 5}, (int[]){1, 7});   /* 5 of 7 own a point, not 3 */
  assert_dims(4, 2, (parcel_index[]){0, 100}, (int[]){1, 4}); /* as if there were one */
}

static void dims_many_dimensions_are_sorted_like_their_extents(void **state)
{
  const int parts[] = {1, 2, 97, 720720, 1048576, 999999, 1000003, INT_MAX, INT_MAX - 1, 1 << 30, 2095133040};
  parcel_index extents[PARCEL_GRID_DIMENSIONS];
  (void)state;
  for (int i = 0; i < PARCEL_GRID_DIMENSIONS; ++i)
    extents[i] = INT64_MAX - i;
  for (int p = 0; p < LENGTH(parts); ++p)
    for (int dimensions = 1; dimensions <= PARCEL_GRID_DIMENSIONS; ++dimensions) {
      int near[PARCEL_GRID_DIMENSIONS] = {0};
      int none[PARCEL_GRID_DIMENSIONS] = {0};
      parcel_index product = 1;
      assert_ok(parcel_dims_balanced(parts[p], dimensions, extents, near));
      assert_ok(parcel_dims_balanced(parts[p], dimensions, NULL, none));
      for (int i = 0; i < dimensions; ++i) {
        product *= near[i];
        assert_true(i == 0 || near[i] <= near[i - 1]);
      }
      assert_int_equal(product, parts[p]);
      assert_memory_equal(near, none, sizeof near);
    }
}

/* ---- numbers that are given ---- */

static void dims_that_are_given_stay(void **state)
{
  int some[3] = {0, 3, 0};
  int all[2] = {4, 5};
  int sorted[4] = {0, 2, 0, 0};
  const parcel_index extents[4] = {10, 1000, 1000, 100000};
  (void)state;
  assert_ok(parcel_dims_balanced(72, 3, NULL, some));
  assert_true(some[0] == 6 && some[1] == 3 && some[2] == 4);
  assert_ok(parcel_dims_balanced(20, 2, NULL, all));
  assert_true(all[0] == 4 && all[1] == 5);
  assert_ok(parcel_dims_balanced(48, 4, extents, sorted));
  assert_true(sorted[0] == 1 && sorted[1] == 2 && sorted[2] == 1 && sorted[3] == 24);
}

static void dims_refuse_what_cannot_be(void **state)
{
  static const struct {
    int parts, dimensions, dims[2];
    parcel_index extents[2];
    const char *words;
  } cases[] = {
      {0, 2, {0, 0}, {1, 1}, "0 parts"},
      {-4, 2, {0, 0}, {1, 1}, "-4 parts"},
      {4, 0, {0, 0}, {1, 1}, "0 dimensions"},
      {4, 9, {0, 0}, {1, 1}, "9 dimensions"},
      {4, 2, {0, -1}, {1, 1}, "-1 parts in dimension 1"},
      {4, 2, {0, 0}, {1, -5}, "an extent of -5 in dimension 1"},
      {4, 2, {3, 0}, {1, 1}, "the 3 of dimension 0"},
      {12, 2, {3, 3}, {1, 1}, "the 3 of dimension 1"},
      {12, 2, {3, 2}, {1, 1}, "make 6"},
  };
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    int dims[2] = {cases[c].dims[0], cases[c].dims[1]};
    assert_refused(parcel_dims_balanced(cases[c].parts, cases[c].dimensions, cases[c].extents, dims),
                   PARCEL_INVALID, cases[c].words);
    assert_memory_equal(dims, cases[c].dims, sizeof dims);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(dims_are_best_without_extents),
      cmocka_unit_test(dims_are_best_with_extents),
      cmocka_unit_test(dims_are_best_with_random_extents),
      cmocka_unit_test(dims_are_compared_exactly),
      cmocka_unit_test(dims_examples),
      cmocka_unit_test(dims_leave_no_part_empty_if_they_can),
      cmocka_unit_test(dims_many_dimensions_are_sorted_like_their_extents),
      cmocka_unit_test(dims_that_are_given_stay),
      cmocka_unit_test(dims_refuse_what_cannot_be),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
