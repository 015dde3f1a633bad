#include "unit.h"

#include <inttypes.h>
#include <stdio.h>

#include <parcel/pool.h>

#include "powers.h"

enum { MOST = 5000 };

static parcel_range range_of(const char *text)
{
  parcel_range range = {0};
  assert_ok(parcel_range_parse(text, &range));
  return range;
}

static void make_powers(int exponent, powers *out)
{
  const char text[] = {(char)('0' + exponent), '\0'};
  assert_ok(powers_parse(text, out));
}

/* ---- which powers ---- */

static void powers_parse_names_and_types_its_columns(void **state)
{
  static const char *const names[] = {"power_1", "squares", "cubes",   "quads",  "power_5",
                                      "power_6", "power_7", "power_8", "power_9"};
  powers powers;
  (void)state;
  assert_ok(powers_parse("1,2,3,4,5,6,7,8,9", &powers));
  assert_int_equal(powers.count, 9);
  for (int c = 0; c < 9; ++c) {
    assert_int_equal(powers.exponents[c], c + 1);
    assert_string_equal(powers.columns[c].name, names[c]);
    assert_int_equal(powers.columns[c].type, c % 2 == 0 ? PARCEL_INT64 : PARCEL_UINT64);
    assert_true(powers_sum_of(&powers, c) == 0);
  }
  assert_ok(parcel_columns_check(powers.columns, powers.count));
  assert_ok(powers_parse("4,2", &powers));
  assert_int_equal(powers.count, 2);
  assert_string_equal(powers.columns[0].name, "quads");
  assert_string_equal(powers.columns[1].name, "squares");
}

static void powers_parse_refuses_what_it_cannot_read(void **state)
{
  static const char *const texts[] = {"",     "0",    "10", "2,",   ",2",  "2,,3", "2;3", "x",
                                      "2 ,3", "2, 3", "-2", "2,10", "2,0", "2,x",  "22"};
  powers powers;
  (void)state;
  for (int t = 0; t < LENGTH(texts); ++t) {
    char quoted[16];
    snprintf(quoted, sizeof quoted, "'%s'", texts[t]);
    assert_refused(powers_parse(texts[t], &powers), PARCEL_INVALID, quoted);
    assert_says("from 1 to 9");
  }
  assert_refused(powers_parse("2,3,2", &powers), PARCEL_INVALID, "2 appears twice");
}

/* ---- what fits ---- */

static void powers_check_accepts_what_fits(void **state)
{
  static const struct {
    int exponent;
    const char *range;
  } cases[] = {
      {1, "1..9223372036854775807"},
      {1, "-9223372036854775808..9223372036854775807..3"},
      {1, "9223372036854775807..-9223372036854775808..-3"},
      {1, "-9223372036854775808..-2"},
      {2, "1..4294967295"},
      {2, "-4294967295..4294967295"},
      {2, "4294967295..-4294967295..-4294967295"},
      {3, "-2097152..2097151"},
      {4, "-65535..65535"},
      {5, "-6208..6208"},
      {6, "-1625..1625"},
      {7, "-512..511"},
      {8, "-255..255"},
      {9, "-128..127"},
  };
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    powers powers;
    make_powers(cases[c].exponent, &powers);
    assert_ok(powers_check(&powers, range_of(cases[c].range)));
  }
}

static void powers_check_names_the_first_index_too_large(void **state)
{
  static const struct {
    const char *powers, *range, *words;
  } cases[] = {
      {"2", "1..4294967296", "squares: index 4294967296 to the power 2 does not fit 64 bits (uint64)"},
      {"2", "-4294967296..0", "index -4294967296 "},
      {"2", "0..-9223372036854775808..-4294967296", "index -4294967296 "},
      {"2", "0..-9223372036854775808..-4294967295", "index -8589934590 "},
      {"2", "-9223372036854775808..-9223372036854775808", "index -9223372036854775808 "},
      {"2", "9223372036854775807..9223372036854775807", "index 9223372036854775807 "},
      {"2", "-9223372036854775808..9223372036854775807..3", "index -9223372036854775808 "},
      {"3", "0..3000000", "cubes: index 2097152 to the power 3 does not fit 64 bits (int64)"},
      {"3", "0..-3000000..-1", "index -2097153 "},
      {"3", "3000000..0..-1", "index 3000000 "},
      {"3", "1..3000000..1000", "index 2098001 "},
      {"4", "1..70000", "quads: index 65536 "},
      {"5", "0..-7000..-1", "index -6209 "},
      {"5", "0..7000", "index 6209 "},
      {"6", "-1625..1626", "index 1626 "},
      {"6", "1625..-1626..-1", "index -1626 "},
      {"7", "511..512", "index 512 "},
      {"7", "-512..-513..-1", "index -513 "},
      {"8", "0..256", "index 256 "},
      {"9", "-128..128", "power_9: index 128 "},
      {"9", "-129..0", "index -129 "},
      {"2,9", "0..4294967296", "power_9: index 128 "},
      {"9,2", "-130..0", "power_9: index -130 "},
      {"3,4", "1..3000000", "quads: index 65536 "},
      {"2,4", "65536..0..-1", "quads: index 65536 "},
  };
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    powers powers;
    assert_ok(powers_parse(cases[c].powers, &powers));
    assert_refused(powers_check(&powers, range_of(cases[c].range)), PARCEL_RANGE, cases[c].words);
  }
}

static void powers_check_accepts_a_range_of_nothing(void **state)
{
  static const parcel_index firsts[] = {INT64_MIN, 0, INT64_MAX};
  (void)state;
  for (int f = 0; f < LENGTH(firsts); ++f) {
    powers powers;
    make_powers(9, &powers);
    assert_ok(powers_check(&powers, (parcel_range){.first = firsts[f], .step = 1, .count = 0}));
  }
}

/* The bounds once more, from 128-bit arithmetic: the largest and the least base of each power. */
static bool fits(parcel_index base, int exponent)
{
  const powers_sum least = exponent % 2 == 0 ? 0 : INT64_MIN;
  const powers_sum most = exponent % 2 == 0 ? (powers_sum)UINT64_MAX : INT64_MAX;
  powers_sum power = 1;
  for (int k = 0; k < exponent; ++k) {
    if (power > UINT64_MAX || power < -(powers_sum)UINT64_MAX)
      return false;
    power *= base;
  }
  return power >= least && power <= most;
}

static void powers_check_agrees_with_wide_arithmetic(void **state)
{
  uint64_t seed = 6;
  int fitting = 0;
  (void)state;
  for (int draw = 0; draw < 100000; ++draw) {
    const int exponent = 1 + (int)random_below(&seed, POWERS_MOST);
    const parcel_index base = random_index(&seed);
    powers powers;
    make_powers(exponent, &powers);
    const parcel_range alone = {.first = base, .step = 1, .count = 1};
    if ((powers_check(&powers, alone) == PARCEL_OK) != fits(base, exponent))
      fail_msg("%" PRId64 " to the power %d", base, exponent);
    fitting += fits(base, exponent);
  }
  assert_in_range(fitting, 10000, 90000);
}

/* ---- the kernel and its sums ---- */

static powers_sum naive_power(parcel_index base, int exponent)
{
  powers_sum power = 1;
  for (int k = 0; k < exponent; ++k)
    power *= base;
  return power;
}

static powers_sum value_at(const uint64_t *column, parcel_index position, int exponent)
{
  return exponent % 2 == 0 ? (powers_sum)column[position] : (powers_sum)(int64_t)column[position];
}

/* A block of these values is in the file. */
static void observe(powers *powers, parcel_index count, void *const columns[])
{
  const parcel_block block = {.positions = {0, count}, .columns = (const void *const *)columns};
  assert_ok(powers_observe(powers, &block));
}

/* Runs the kernel over the range and compares every value, the sum of them and the closed form with 128-bit
 * arithmetic. */
static void assert_computed_rightly(parcel_range range, int exponent)
{
  static uint64_t values[MOST];
  const parcel_slice slice = {.first = range.first, .step = range.step, .count = range.count};
  void *const columns[] = {values};
  powers powers;
  powers_sum sum = 0;
  char text[PARCEL_RANGE_TEXT_SIZE];

  make_powers(exponent, &powers);
  assert_ok(powers_check(&powers, range));
  assert_ok(powers_kernel(&powers, &slice, columns));
  observe(&powers, range.count, columns);
  for (parcel_index p = 0; p < range.count; ++p) {
    const powers_sum power = naive_power(parcel_range_at(range, p), exponent);
    if (value_at(values, p, exponent) != power)
      fail_msg("%" PRId64 " to the power %d is wrong", parcel_range_at(range, p), exponent);
    sum += power;
  }
  if (powers_sum_of(&powers, 0) != sum || powers_closed_form(range, exponent) != sum)
    fail_msg("the sum over %s of the power %d is wrong", parcel_range_format(range, text, sizeof text),
             exponent);
}

static void powers_of_the_ends_are_exact(void **state)
{
  static const struct {
    const char *range;
    int exponent;
  } cases[] = {
      {"4294963200..4294967295", 2},
      {"-4294967295..-4294963200", 2},
      {"2097000..2097151", 3},
      {"-2097152..-2097000", 3},
      {"65535..61000..-1", 4},
      {"-6208..-2000", 5},
      {"1625..-1625..-1", 6},
      {"-512..511", 7},
      {"255..-255..-1", 8},
      {"-128..127", 9},
      {"127..-128..-1", 9},
      {"9223372036854775800..9223372036854775807", 1},
      {"-9223372036854775808..-9223372036854771000", 1},
      {"-9223372036854775808..9223372036854775807..4611686018427387904", 1},
      {"9223372036854775807..-9223372036854775808..-9223372036854775807", 1},
  };
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c)
    assert_computed_rightly(range_of(cases[c].range), cases[c].exponent);
}

static void powers_of_fewer_values_than_the_exponent_are_exact(void **state)
{
  (void)state;
  for (int exponent = 1; exponent <= POWERS_MOST; ++exponent)
    for (int count = 1; count <= exponent + 2; ++count)
      for (int first = -3; first <= 3; ++first) {
        assert_computed_rightly((parcel_range){.first = first, .step = 1, .count = count}, exponent);
        assert_computed_rightly((parcel_range){.first = first, .step = -2, .count = count}, exponent);
      }
}

/* As when a worker process dies and its slice is computed again. */
static void powers_of_a_slice_computed_twice_count_once(void **state)
{
  static uint64_t values[3];
  const parcel_slice slice = {.first = 1, .step = 1, .count = 3};
  void *const columns[] = {values};
  powers powers;
  (void)state;
  make_powers(2, &powers);
  assert_ok(powers_kernel(&powers, &slice, columns));
  assert_true(powers_sum_of(&powers, 0) == 0);
  assert_ok(powers_kernel(&powers, &slice, columns));
  observe(&powers, slice.count, columns);
  assert_true(powers_sum_of(&powers, 0) == 1 + 4 + 9);
}

static void powers_of_random_ranges_are_exact(void **state)
{
  uint64_t seed = 7;
  int checked = 0;
  (void)state;
  for (int draw = 0; draw < 6000; ++draw) {
    const int exponent = 1 + (int)random_below(&seed, POWERS_MOST);
    powers powers;
    make_powers(exponent, &powers);
    const parcel_index step = random_index(&seed) >> 16;
    parcel_range range = {.first = random_index(&seed), .step = step ? step : 1};
    range.count = 1 + random_below(&seed, draw % 8 == 0 ? MOST : 40);
    const powers_sum last = range.first + (powers_sum)range.step * (range.count - 1);
    if (last < INT64_MIN || last > INT64_MAX || powers_check(&powers, range))
      continue;
    assert_computed_rightly(range, exponent);
    ++checked;
  }
  assert_true(checked > 1000);
}

/* Expected values by Python's whole numbers. */
static void powers_closed_form_of_the_longest_ranges(void **state)
{
  static const struct {
    const char *range;
    int exponent;
    const char *sum;
  } cases[] = {
      {"1..4294967295", 2, "26409387495531407161709035520"},
      {"4294967295..1..-1", 2, "26409387495531407161709035520"},
      {"-4294967295..4294967295", 2, "52818774991062814323418071040"},
      {"1..9223372036854775807", 1, "42535295865117307928310139910543638528"},
      {"-9223372036854775807..-1", 1, "-42535295865117307928310139910543638528"},
      {"-9223372036854775808..9223372036854775807..3", 1, "-3074457345618258603"},
      {"-2097152..2097151", 3, "-9223372036854775808"},
      {"1..65535", 4, "241775940644713972400128"},
      {"1..127", 9, "113501516170343845888"},
      {"-128..127", 9, "-9223372036854775808"},
      {"1..1", 2, "1"},
      {"0..0", 9, "0"},
  };
  char text[POWERS_SUM_TEXT_SIZE];
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c)
    assert_string_equal(
        powers_sum_format(powers_closed_form(range_of(cases[c].range), cases[c].exponent), text),
        cases[c].sum);
  for (int exponent = 1; exponent <= POWERS_MOST; ++exponent)
    assert_true(powers_closed_form((parcel_range){.first = 5, .step = 1, .count = 0}, exponent) == 0);
}

static void powers_sum_format_writes_any_128_bits(void **state)
{
  const powers_sum most = (powers_sum)(~(unsigned __int128)0 >> 1);
  char text[POWERS_SUM_TEXT_SIZE];
  (void)state;
  assert_string_equal(powers_sum_format(0, text), "0");
  assert_string_equal(powers_sum_format(-1, text), "-1");
  assert_string_equal(powers_sum_format(1000000, text), "1000000");
  assert_string_equal(powers_sum_format(most, text), "170141183460469231731687303715884105727");
  assert_string_equal(powers_sum_format(-most - 1, text), "-170141183460469231731687303715884105728");
}

/* ---- several threads at once ---- */

typedef struct job {
  powers powers;
  parcel_range range;
  uint64_t *columns[POWERS_MOST];
} job;

static parcel_status compute(void *ctx, parcel_span positions, int worker)
{
  job *job = ctx;
  void *columns[POWERS_MOST] = {NULL};
  const parcel_slice slice = {.first = parcel_range_at(job->range, positions.begin),
                              .step = job->range.step,
                              .count = positions.end - positions.begin,
                              .position = positions.begin};
  (void)worker;
  for (int c = 0; c < job->powers.count; ++c)
    columns[c] = job->columns[c] + positions.begin;
  const parcel_block block = {.positions = positions, .columns = (const void *const *)columns};
  const parcel_status status = powers_kernel(&job->powers, &slice, columns);
  return status ? status : powers_observe(&job->powers, &block);
}

static void powers_of_several_threads_add_up(void **state)
{
  enum { COUNT = 100001 };
  static uint64_t values[3][COUNT];
  static job job;
  const parcel_pool_options options = {.threads = 8};
  parcel_pool *pool = NULL;
  (void)state;
  assert_ok(powers_parse("1,2,3", &job.powers));
  job.range = range_of("-1000000..1000000..20");
  assert_int_equal(job.range.count, COUNT);
  for (int c = 0; c < 3; ++c)
    job.columns[c] = values[c];
  assert_ok(parcel_pool_create(&options, &pool));
  assert_ok(parcel_pool_for(pool, COUNT, 17, compute, &job));
  parcel_pool_destroy(&pool);
  for (int c = 0; c < 3; ++c) {
    for (int p = 0; p < COUNT; ++p)
      assert_true(value_at(values[c], p, c + 1) == naive_power(parcel_range_at(job.range, p), c + 1));
    assert_true(powers_sum_of(&job.powers, c) == powers_closed_form(job.range, c + 1));
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(powers_parse_names_and_types_its_columns),
      cmocka_unit_test(powers_parse_refuses_what_it_cannot_read),
      cmocka_unit_test(powers_check_accepts_what_fits),
      cmocka_unit_test(powers_check_names_the_first_index_too_large),
      cmocka_unit_test(powers_check_accepts_a_range_of_nothing),
      cmocka_unit_test(powers_check_agrees_with_wide_arithmetic),
      cmocka_unit_test(powers_of_the_ends_are_exact),
      cmocka_unit_test(powers_of_fewer_values_than_the_exponent_are_exact),
      cmocka_unit_test(powers_of_a_slice_computed_twice_count_once),
      cmocka_unit_test(powers_of_random_ranges_are_exact),
      cmocka_unit_test(powers_closed_form_of_the_longest_ranges),
      cmocka_unit_test(powers_sum_format_writes_any_128_bits),
      cmocka_unit_test(powers_of_several_threads_add_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
