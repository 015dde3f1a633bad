#include "unit.h"

#include <inttypes.h>

#include <parcel/block.h>

static const parcel_index prime = 1000000007;

static parcel_index length(parcel_span span)
{
  return span.end - span.begin;
}

/* ---- parts ---- */

/* All that promise 1 says of one part and its borders. */
static bool is_right_part(parcel_index n, parcel_index parts, parcel_index part)
{
  const parcel_span span = parcel_block_span(n, parts, part);
  const bool follows = span.begin == (part == 0 ? 0 : parcel_block_span(n, parts, part - 1).end);
  const bool covers = part < parts - 1 || span.end == n;
  const bool is_fair = length(span) == n / parts + (part < n % parts);
  const bool is_owned = length(span) == 0 || (parcel_block_owner(n, parts, span.begin) == part &&
                                              parcel_block_owner(n, parts, span.end - 1) == part);
  return follows && covers && is_fair && is_owned;
}

static void assert_right_part(parcel_index n, parcel_index parts, parcel_index part)
{
  if (!is_right_part(n, parts, part))
    fail_msg("part %" PRId64 " of %" PRId64 " over %" PRId64 " positions is [%" PRId64 ", %" PRId64 ")", part,
             parts, n, parcel_block_span(n, parts, part).begin, parcel_block_span(n, parts, part).end);
}

static void assert_owned(parcel_index n, parcel_index parts, parcel_index position)
{
  const parcel_index owner = parcel_block_owner(n, parts, position);
  const parcel_span span = parcel_block_span(n, parts, owner);
  if (position < span.begin || position >= span.end)
    fail_msg("position %" PRId64 " of %" PRId64 " in %" PRId64 " parts is not in its owner %" PRId64,
             position, n, parts, owner);
}

static void block_every_position_owned_once(void **state)
{
  (void)state;
  for (int n = 0; n <= 200; ++n)
    for (int parts = 1; parts <= 40; ++parts) {
      int position = 0;
      for (int part = 0; part < parts; ++part) {
        assert_right_part(n, parts, part);
        for (; position < parcel_block_span(n, parts, part).end; ++position)
          assert_int_equal(parcel_block_owner(n, parts, position), part);
      }
      assert_int_equal(position, n);
    }
}

static void block_is_exact_next_to_int64_max(void **state)
{
  const parcel_index many[] = {1, 2, 3, prime, INT64_MAX / 2, INT64_MAX / 2 + 1, INT64_MAX - 1, INT64_MAX};
  (void)state;
  for (parcel_index n = INT64_MAX; n > INT64_MAX - 3; --n)
    for (int m = 0; m < LENGTH(many); ++m) {
      const parcel_index parts = many[m];
      const parcel_index some[] = {0,         1,         n % parts - 1, n % parts, n % parts + 1,
                                   parts / 2, parts / 3, parts - 2,     parts - 1};
      for (int s = 0; s < LENGTH(some); ++s)
        if (some[s] >= 0 && some[s] < parts)
          assert_right_part(n, parts, some[s]);
      assert_int_equal(parcel_block_span(n, parts, parts - 1).end, n);
      for (int ahead = 0; ahead < 3; ++ahead)
        assert_owned(n, parts, n - 1 - ahead);
    }
}

static void block_random_parts_and_positions_agree(void **state)
{
  uint64_t seed = 2;
  (void)state;
  for (int draw = 0; draw < 1000000; ++draw) {
    const parcel_index n = random_from(&seed, 1);
    const parcel_index parts = random_from(&seed, 1);
    assert_right_part(n, parts, random_below(&seed, parts));
    assert_owned(n, parts, random_below(&seed, n));
  }
}

/* The remainder's border is where the formula changes sides. */
static void block_random_borders_are_exact(void **state)
{
  uint64_t seed = 3;
  (void)state;
  for (int draw = 0; draw < 200000; ++draw) {
    const parcel_index n = random_from(&seed, 1);
    const parcel_index parts = random_from(&seed, 1);
    for (int off = -1; off <= 1; ++off) {
      const parcel_index part = n % parts + off;
      if (part >= 0 && part < parts)
        assert_right_part(n, parts, part);
    }
    assert_right_part(n, parts, parts - 1);
  }
}

static void block_outside_is_empty_and_unowned(void **state)
{
  static const struct {
    parcel_index n, parts, part;
  } spans[] = {{10, 3, -1},        {10, 3, 3},         {10, 0, 0},
               {10, -2, 0},        {-1, 3, 0},         {INT64_MIN, 3, 1},
               {10, 3, INT64_MAX}, {10, 3, INT64_MIN}, {10, INT64_MIN, INT64_MIN},
               {0, 0, 0}};
  static const struct {
    parcel_index n, parts, position;
  } owners[] = {{10, 3, -1},
                {10, 3, 10},
                {10, 0, 0},
                {10, -2, 0},
                {0, 3, 0},
                {-1, 3, 0},
                {10, 3, INT64_MAX},
                {10, 3, INT64_MIN},
                {INT64_MAX, 3, INT64_MAX},
                {INT64_MIN, 3, INT64_MIN}};
  (void)state;
  for (int s = 0; s < LENGTH(spans); ++s) {
    const parcel_span span = parcel_block_span(spans[s].n, spans[s].parts, spans[s].part);
    assert_int_equal(span.begin, 0);
    assert_int_equal(span.end, 0);
  }
  for (int o = 0; o < LENGTH(owners); ++o)
    assert_int_equal(parcel_block_owner(owners[o].n, owners[o].parts, owners[o].position), -1);
}

/* ---- blocks within parts ---- */

static parcel_block_grid make_grid(parcel_index positions, parcel_index parts, parcel_index block)
{
  parcel_block_grid grid = {0};
  assert_ok(parcel_block_grid_make(positions, parts, block, &grid));
  assert_int_equal(grid.positions, positions);
  assert_int_equal(grid.parts, parts);
  return grid;
}

static bool is_right_block(parcel_block_grid grid, parcel_index block)
{
  const parcel_span span = parcel_block_grid_span(grid, block);
  const parcel_span part = parcel_block_span(grid.positions, grid.parts, block / grid.blocks_per_part);
  const bool follows = span.begin == (block == 0 ? 0 : parcel_block_grid_span(grid, block - 1).end);
  const bool covers = block < parcel_block_grid_count(grid) - 1 || span.end == grid.positions;
  const bool is_within_part = span.begin >= part.begin && span.end <= part.end;
  const bool is_fair = length(span) == length(part) / grid.blocks_per_part ||
                       length(span) == length(part) / grid.blocks_per_part + 1;
  const bool is_owned = length(span) == 0 || (parcel_block_grid_owner(grid, span.begin) == block &&
                                              parcel_block_grid_owner(grid, span.end - 1) == block);
  return follows && covers && is_within_part && is_fair && is_owned &&
         length(span) <= parcel_block_grid_largest(grid);
}

static void assert_right_block(parcel_block_grid grid, parcel_index block)
{
  if (!is_right_block(grid, block))
    fail_msg("block %" PRId64 " of %" PRId64 " positions in %" PRId64 " x %" PRId64 " is [%" PRId64
             ", %" PRId64 ")",
             block, grid.positions, grid.parts, grid.blocks_per_part,
             parcel_block_grid_span(grid, block).begin, parcel_block_grid_span(grid, block).end);
}

static void grid_every_position_in_one_block(void **state)
{
  (void)state;
  for (int n = 0; n <= 80; ++n)
    for (int parts = 1; parts <= 12; ++parts)
      for (int size = 1; size <= 15; ++size) {
        const parcel_block_grid grid = make_grid(n, parts, size);
        parcel_index position = 0;
        parcel_index largest = 0;
        for (parcel_index block = 0; block < grid.parts * grid.blocks_per_part; ++block) {
          const parcel_span span = parcel_block_grid_span(grid, block);
          assert_right_block(grid, block);
          for (; position < span.end; ++position)
            assert_int_equal(parcel_block_grid_owner(grid, position), block);
          largest = length(span) > largest ? length(span) : largest;
        }
        assert_int_equal(position, n);
        assert_int_equal(parcel_block_grid_count(grid), grid.parts * grid.blocks_per_part);
        assert_int_equal(parcel_block_grid_largest(grid), largest);
      }
}

static void grid_of_exact_blocks_has_one_short_block_at_most(void **state)
{
  const parcel_index counts[] = {0, 1, 2, 79, 80, prime, INT64_MAX - 1, INT64_MAX};
  const parcel_index sizes[] = {1, 2, 7, 80, 1 << 20, prime, INT64_MAX};
  (void)state;
  for (int n = 0; n < LENGTH(counts); ++n)
    for (int s = 0; s < LENGTH(sizes); ++s) {
      parcel_block_grid grid = make_grid(counts[n], 1, sizes[s]);
      grid.exact = sizes[s];
      const parcel_index last = parcel_block_grid_count(grid) - 1;
      const parcel_index some[] = {0, last / 3, last / 2, last > 0 ? last - 1 : 0, last};
      for (int b = 0; b < LENGTH(some); ++b) {
        const parcel_span span = parcel_block_grid_span(grid, some[b]);
        assert_int_equal(span.begin, some[b] * sizes[s]);
        assert_int_equal(span.end, some[b] < last ? span.begin + sizes[s] : counts[n]);
        assert_true(length(span) > 0 || counts[n] == 0);
        assert_int_equal(parcel_block_grid_owner(grid, span.begin), counts[n] > 0 ? some[b] : -1);
        assert_int_equal(parcel_block_grid_owner(grid, span.end - 1), counts[n] > 0 ? some[b] : -1);
      }
      assert_int_equal(parcel_block_grid_largest(grid), counts[n] < sizes[s] ? counts[n] : sizes[s]);
    }
}

static void grid_is_the_coarsest_that_keeps_to_the_block_size(void **state)
{
  uint64_t seed = 4;
  (void)state;
  for (int draw = 0; draw < 100000; ++draw) {
    parcel_block_grid grid = {0};
    const parcel_index size = random_from(&seed, 1);
    if (parcel_block_grid_make(random_from(&seed, 0), random_from(&seed, 1), size, &grid))
      continue;
    assert_true(parcel_block_grid_largest(grid) <= size);
    if (grid.blocks_per_part > 1) {
      --grid.blocks_per_part;
      assert_true(parcel_block_grid_largest(grid) > size);
    }
  }
}

static void grid_random_blocks_and_positions_agree(void **state)
{
  uint64_t seed = 5;
  int made = 0;
  (void)state;
  for (int draw = 0; draw < 200000; ++draw) {
    parcel_block_grid grid = {0};
    const parcel_index n = random_from(&seed, 1);
    if (parcel_block_grid_make(n, random_from(&seed, 1), random_from(&seed, 1), &grid))
      continue;
    const parcel_index count = parcel_block_grid_count(grid);
    ++made;
    assert_right_block(grid, random_below(&seed, count));
    assert_right_block(grid, count - 1);
    assert_right_block(grid, parcel_block_grid_owner(grid, random_below(&seed, n)));
    assert_right_block(grid, parcel_block_grid_owner(grid, n - 1));
  }
  assert_true(made > 50000);
}

static void grid_is_exact_next_to_int64_max(void **state)
{
  const parcel_index shapes[][2] = {{1, 1}, {1, INT64_MAX}, {INT64_MAX, 1}, {prime, 12345}, {3, prime}};
  (void)state;
  for (parcel_index n = INT64_MAX; n > INT64_MAX - 3; --n)
    for (int s = 0; s < LENGTH(shapes); ++s) {
      const parcel_block_grid grid = make_grid(n, shapes[s][0], shapes[s][1]);
      const parcel_index count = parcel_block_grid_count(grid);
      const parcel_index some[] = {0, count / 3, count / 2, count - 1, parcel_block_grid_owner(grid, n - 1)};
      for (int b = 0; b < LENGTH(some); ++b)
        assert_right_block(grid, some[b]);
    }
}

static void grid_with_more_blocks_than_positions_has_empty_ones(void **state)
{
  const parcel_block_grid grid = make_grid(3, 5, 7);
  const parcel_block_grid empty = make_grid(0, 4, 1);
  (void)state;
  assert_int_equal(parcel_block_grid_count(grid), 5);
  for (int block = 0; block < 5; ++block)
    assert_int_equal(length(parcel_block_grid_span(grid, block)), block < 3);
  assert_int_equal(parcel_block_grid_count(empty), 4);
  assert_int_equal(parcel_block_grid_largest(empty), 0);
}

static void grid_outside_is_empty_and_unowned(void **state)
{
  const parcel_block_grid grid = make_grid(100, 3, 10);
  const parcel_index blocks[] = {-1, parcel_block_grid_count(grid), INT64_MIN, INT64_MAX};
  const parcel_index positions[] = {-1, 100, INT64_MIN, INT64_MAX};
  (void)state;
  for (int b = 0; b < LENGTH(blocks); ++b) {
    assert_int_equal(parcel_block_grid_span(grid, blocks[b]).begin, 0);
    assert_int_equal(parcel_block_grid_span(grid, blocks[b]).end, 0);
    assert_int_equal(parcel_block_grid_owner(grid, positions[b]), -1);
  }
}

static void grid_refuses_what_it_cannot_count(void **state)
{
  static const struct {
    parcel_index positions, parts, block;
    parcel_status status;
    const char *words;
  } cases[] = {
      {-1, 1, 1, PARCEL_INVALID, "-1 positions"},
      {10, 0, 1, PARCEL_INVALID, "0 parts"},
      {10, -3, 1, PARCEL_INVALID, "-3 parts"},
      {10, 1, 0, PARCEL_INVALID, "blocks of 0"},
      {10, 1, INT64_MIN, PARCEL_INVALID, "blocks of -9223372036854775808"},
      {INT64_MAX, 2, 1, PARCEL_RANGE, "2 parts of 4611686018427387904 blocks"},
      {INT64_MAX, INT64_MAX - 1, 1, PARCEL_RANGE, "9223372036854775806 parts of 2 blocks"},
  };
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    parcel_block_grid grid = {.positions = 1, .parts = 2, .blocks_per_part = 3};
    assert_refused(parcel_block_grid_make(cases[c].positions, cases[c].parts, cases[c].block, &grid),
                   cases[c].status, cases[c].words);
    assert_true(grid.positions == 1 && grid.parts == 2 && grid.blocks_per_part == 3);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(block_every_position_owned_once),
      cmocka_unit_test(block_is_exact_next_to_int64_max),
      cmocka_unit_test(block_random_parts_and_positions_agree),
      cmocka_unit_test(block_random_borders_are_exact),
      cmocka_unit_test(block_outside_is_empty_and_unowned),
      cmocka_unit_test(grid_every_position_in_one_block),
      cmocka_unit_test(grid_of_exact_blocks_has_one_short_block_at_most),
      cmocka_unit_test(grid_is_the_coarsest_that_keeps_to_the_block_size),
      cmocka_unit_test(grid_random_blocks_and_positions_agree),
      cmocka_unit_test(grid_is_exact_next_to_int64_max),
      cmocka_unit_test(grid_with_more_blocks_than_positions_has_empty_ones),
      cmocka_unit_test(grid_outside_is_empty_and_unowned),
      cmocka_unit_test(grid_refuses_what_it_cannot_count),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
