/* Loops over rows and columns, and reductions: every position once, and the same bits on every pool. */
#include "pool_fixture.h"

#include <stdatomic.h>
#include <stdlib.h>

/* ---- tiles ---- */

enum { MOST_ROWS = 97, MOST_COLUMNS = 601 };

typedef struct plane {
  parcel_index rows, columns, tile_rows, tile_columns;
  int threads;
  atomic_int mistakes, calls;
  atomic_uchar visits[MOST_ROWS][MOST_COLUMNS];
} plane;

static bool is_cut_rightly(parcel_span span, parcel_index count, parcel_index size)
{
  return span.begin >= 0 && span.begin < span.end && span.begin % size == 0 &&
         (span.end == count || span.end == span.begin + size);
}

static parcel_status visit_tile(void *ctx, parcel_tile tile, int worker)
{
  plane *seen = ctx;
  ++seen->calls;
  if (worker < 0 || worker >= seen->threads || !is_cut_rightly(tile.rows, seen->rows, seen->tile_rows) ||
      !is_cut_rightly(tile.columns, seen->columns, seen->tile_columns)) {
    ++seen->mistakes;
    return PARCEL_OK;
  }
  for (parcel_index r = tile.rows.begin; r < tile.rows.end; ++r)
    for (parcel_index c = tile.columns.begin; c < tile.columns.end; ++c)
      ++seen->visits[r][c];
  return PARCEL_OK;
}

static void check_plane(parcel_pool *pool, parcel_index rows, parcel_index columns, parcel_index tile_rows,
                        parcel_index tile_columns)
{
  plane *seen = calloc(1, sizeof *seen);
  assert_non_null(seen);
  *seen = (plane){.rows = rows,
                  .columns = columns,
                  .tile_rows = tile_rows ? tile_rows : PARCEL_TILE_ROWS,
                  .tile_columns = tile_columns ? tile_columns : PARCEL_TILE_COLUMNS,
                  .threads = parcel_pool_threads(pool)};
  assert_ok(parcel_pool_for_2d(pool, rows, columns, tile_rows, tile_columns, visit_tile, seen));
  assert_int_equal(seen->mistakes, 0);
  for (int r = 0; r < MOST_ROWS; ++r)
    for (int c = 0; c < MOST_COLUMNS; ++c)
      assert_int_equal(seen->visits[r][c], r < rows && c < columns);
  free(seen);
}

static void check_every_plane(parcel_pool *pool)
{
  static const parcel_index rows[] = {0, 1, MOST_ROWS};
  static const parcel_index columns[] = {0, 1, MOST_COLUMNS};
  static const parcel_index sizes[] = {0, 1, 7, INT64_MAX};
  for (int c = 0; c < 3 * 3 * 4 * 4; ++c)
    check_plane(pool, rows[c % 3], columns[c / 3 % 3], sizes[c / 9 % 4], sizes[c / 36]);
}

static void pool_2d_every_position_visited_once(void **state)
{
  (void)state;
  on_every_pool(check_every_plane);
}

static parcel_status fail_tile(void *ctx, parcel_tile tile, int worker)
{
  (void)ctx;
  (void)worker;
  return tile.rows.begin == 3 ? parcel_fail(PARCEL_KERNEL, "no row %d", (int)tile.rows.begin) : PARCEL_OK;
}

static void check_tile_errors(parcel_pool *pool)
{
  const parcel_index huge = (parcel_index)1 << 40;
  assert_refused(parcel_pool_for_2d(pool, 5, 1, 1, 1, fail_tile, NULL), PARCEL_KERNEL, "no row 3");
  assert_refused(parcel_pool_for_2d(pool, -1, 1, 1, 1, fail_tile, NULL), PARCEL_INVALID, "-1 x 1 pos");
  assert_refused(parcel_pool_for_2d(pool, 1, 1, 1, -1, fail_tile, NULL), PARCEL_INVALID, "1 x -1;");
  assert_refused(parcel_pool_for_2d(pool, huge, huge, 1, 1, fail_tile, NULL), PARCEL_RANGE, "larger ones");
}

static void pool_2d_failures_are_returned_and_impossible_tiles_refused(void **state)
{
  (void)state;
  on_every_pool(check_tile_errors);
}

/* ---- reductions ---- */

/* Sums 1/(p + 1), which comes out differently in every association. */
static parcel_status add_inverses(void *ctx, parcel_span positions, int worker, void *result)
{
  (void)ctx;
  (void)worker;
  for (parcel_index p = positions.begin; p < positions.end; ++p)
    *(double *)result += 1.0 / (double)(p + 1);
  return PARCEL_OK;
}

static void add(void *ctx, void *result, const void *later)
{
  (void)ctx;
  *(double *)result += *(const double *)later;
}

static double sum_of_inverses(parcel_pool *pool, parcel_index count, parcel_index grain)
{
  const double zero = 0;
  const parcel_reduction how = {sizeof zero, &zero, add_inverses, add};
  double sum = -1;
  assert_ok(parcel_pool_reduce(pool, count, grain, &how, NULL, &sum));
  return sum;
}

static void check_same_bits(parcel_pool *pool)
{
  static const parcel_index counts[] = {0, 1, 2, 1023, 1024, 1025, 99991};
  static const parcel_index grains[] = {0, 1, 13, INT64_MAX};
  for (int c = 0; c < LENGTH(counts) * LENGTH(grains); ++c) {
    const parcel_index count = counts[c % LENGTH(counts)];
    const parcel_index grain = grains[c / LENGTH(counts)];
    const double serial = sum_of_inverses(NULL, count, grain);
    for (int again = 0; again < 5; ++again) {
      const double sum = sum_of_inverses(pool, count, grain);
      assert_memory_equal(&sum, &serial, sizeof sum);
    }
  }
}

static void pool_reduce_gives_the_same_bits_on_every_pool(void **state)
{
  (void)state;
  on_every_pool(check_same_bits);
}

/* A result that shows an exchange, a gap or a repetition: the positions it covers. */
typedef struct covered {
  parcel_span span;
  bool is_broken;
} covered;

static void append(void *ctx, void *result, const void *later)
{
  covered *so_far = result;
  const covered *next = later;
  (void)ctx;
  so_far->is_broken |= next->is_broken || so_far->span.end != next->span.begin;
  so_far->span.end = next->span.end;
}

static parcel_status cover(void *ctx, parcel_span positions, int worker, void *result)
{
  const parcel_index *grain = ctx;
  covered *so_far = result;
  const covered next = {positions, *grain > 0 && positions.begin % *grain != 0};
  (void)worker;
  if (so_far->span.begin < 0)
    *so_far = next;
  else
    append(NULL, result, &next);
  return PARCEL_OK;
}

static void check_order(parcel_pool *pool)
{
  static const parcel_index counts[] = {1, 2, 1024, 99991};
  static const parcel_index grains[] = {0, 1, 64, 5000};
  const covered nothing = {{-1, -1}, false};
  for (int c = 0; c < LENGTH(counts) * LENGTH(grains); ++c) {
    const parcel_index count = counts[c % LENGTH(counts)];
    parcel_index grain = grains[c / LENGTH(counts)];
    const parcel_reduction how = {sizeof nothing, &nothing, cover, append};
    covered all = nothing;
    assert_ok(parcel_pool_reduce(pool, count, grain, &how, &grain, &all));
    assert_int_equal(all.span.begin, 0);
    assert_int_equal(all.span.end, count);
    assert_false(all.is_broken);
  }
}

static void pool_reduce_combines_neighbours_in_order(void **state)
{
  (void)state;
  on_every_pool(check_order);
}

static parcel_status fail_late(void *ctx, parcel_span positions, int worker, void *result)
{
  const parcel_index *bad = ctx;
  (void)worker;
  *(double *)result = 7;
  return *bad >= positions.begin && *bad < positions.end ? parcel_fail(PARCEL_KERNEL, "bad %d", (int)*bad)
                                                         : PARCEL_OK;
}

static void check_reduce_errors(parcel_pool *pool)
{
  const double zero = 0;
  const parcel_reduction how = {sizeof zero, &zero, fail_late, add};
  const parcel_reduction empty = {0, &zero, fail_late, add};
  const parcel_reduction vast = {SIZE_MAX / 4, &zero, fail_late, add};
  parcel_index bad = 900;
  double sum = -1;
  assert_refused(parcel_pool_reduce(pool, 1000, 3, &how, &bad, &sum), PARCEL_KERNEL, "bad 900");
  assert_refused(parcel_pool_reduce(pool, -1, 1, &how, &bad, &sum), PARCEL_INVALID, "over -1");
  assert_refused(parcel_pool_reduce(pool, 1, -1, &how, &bad, &sum), PARCEL_INVALID, "by -1");
  assert_refused(parcel_pool_reduce(pool, 1, 1, &empty, &bad, &sum), PARCEL_INVALID, "0 bytes");
  assert_refused(parcel_pool_reduce(pool, 1000, 1, &vast, &bad, &sum), PARCEL_MEMORY, "1000 results");
  assert_memory_equal(&sum, &(double){-1}, sizeof sum);
}

static void pool_reduce_failures_leave_the_result_alone(void **state)
{
  (void)state;
  on_every_pool(check_reduce_errors);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(pool_2d_every_position_visited_once),
      cmocka_unit_test(pool_2d_failures_are_returned_and_impossible_tiles_refused),
      cmocka_unit_test(pool_reduce_gives_the_same_bits_on_every_pool),
      cmocka_unit_test(pool_reduce_combines_neighbours_in_order),
      cmocka_unit_test(pool_reduce_failures_leave_the_result_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
