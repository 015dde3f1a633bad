#include "unit.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include <parcel/range.h>

static const parcel_range untouched = {.first = 11, .step = 22, .count = 33};

static bool are_equal(parcel_range a, parcel_range b)
{
  return a.first == b.first && a.step == b.step && a.count == b.count;
}

static void range_parse_reads_what_people_write(void **state)
{
  static const struct {
    const char *text;
    parcel_range range;
    parcel_index last;
  } cases[] = {
      {"1..1000000", {1, 1, 1000000}, 1000000},
      {"1..1_000_000", {1, 1, 1000000}, 1000000},
      {"1_000..2_000..5", {1000, 5, 201}, 2000},
      {"10..1..-4", {10, -4, 3}, 2},
      {"10..2..-4", {10, -4, 3}, 2},
      {"-5..5", {-5, 1, 11}, 5},
      {"-5..-10..-5", {-5, -5, 2}, -10},
      {"007..010", {7, 1, 4}, 10},
      {"-0..0", {0, 1, 1}, 0},
      {"7..7", {7, 1, 1}, 7},
      {"7..7..-3", {7, -3, 1}, 7},
      {"1..9..100", {1, 100, 1}, 1},
      {"-9223372036854775808..-9223372036854775806", {INT64_MIN, 1, 3}, INT64_MIN + 2},
      {"-9223372036854775808..-2", {INT64_MIN, 1, INT64_MAX}, -2},
      {"1..9223372036854775807", {1, 1, INT64_MAX}, INT64_MAX},
      {"9_223_372_036_854_775_807..1..-1", {INT64_MAX, -1, INT64_MAX}, 1},
      {"-9223372036854775808..9223372036854775807..3", {INT64_MIN, 3, 6148914691236517206}, INT64_MAX},
      {"0..-9223372036854775808..-9223372036854775808", {0, INT64_MIN, 2}, INT64_MIN},
  };
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    parcel_range range = untouched;
    assert_ok(parcel_range_parse(cases[c].text, &range));
    if (!are_equal(range, cases[c].range) || parcel_range_at(range, range.count - 1) != cases[c].last)
      fail_msg("%s became %" PRId64 ", %" PRId64 ", %" PRId64, cases[c].text, range.first, range.step,
               range.count);
  }
}

/* Beyond what strstr can tell: character 1 must not be found in "character 12". */
static void assert_names_character(int character)
{
  char words[32];
  snprintf(words, sizeof words, "character %d", character);
  const char *found = strstr(parcel_last_error(), words);
  if (!found || isdigit((unsigned char)found[strlen(words)]))
    fail_msg("the error '%s' does not name character %d", parcel_last_error(), character);
}

static void range_parse_names_the_character_at_fault(void **state)
{
  static const struct {
    const char *text;
    int character;
    parcel_status status;
    const char *words;
  } cases[] = {
      {"", 1, PARCEL_INVALID, "empty"},
      {"5x", 2, PARCEL_INVALID, "'x'"},
      {"5", 2, PARCEL_INVALID, "ends"},
      {"5.", 2, PARCEL_INVALID, "'..'"},
      {"1..", 4, PARCEL_INVALID, "a digit"},
      {"..5", 1, PARCEL_INVALID, "a digit"},
      {"1...5", 4, PARCEL_INVALID, "'.'"},
      {"1..2x", 5, PARCEL_INVALID, "'x'"},
      {"1..2..3..4", 8, PARCEL_INVALID, "the end"},
      {"1..2..0", 7, PARCEL_INVALID, "step"},
      {"1..10..-1", 8, PARCEL_INVALID, "never leads from 1 to 10"},
      {"10..1", 5, PARCEL_INVALID, "never leads from 10 to 1"},
      {"1..10..", 8, PARCEL_INVALID, "a digit"},
      {"1__0..2", 3, PARCEL_INVALID, "after '_'"},
      {"_1..2", 1, PARCEL_INVALID, "'_'"},
      {"1_..2", 3, PARCEL_INVALID, "after '_'"},
      {"1..2_", 6, PARCEL_INVALID, "after '_'"},
      {"1.._2", 4, PARCEL_INVALID, "'_'"},
      {"-..2", 2, PARCEL_INVALID, "a digit"},
      {"--1..2", 2, PARCEL_INVALID, "'-'"},
      {"-_1..2", 2, PARCEL_INVALID, "'_'"},
      {" 1..2", 1, PARCEL_INVALID, "' '"},
      {"1 ..2", 2, PARCEL_INVALID, "' '"},
      {"1..2 ", 5, PARCEL_INVALID, "' '"},
      {"+1..2", 1, PARCEL_INVALID, "'+'"},
      {"0x10..2", 2, PARCEL_INVALID, "'x'"},
      {"1e6..2", 2, PARCEL_INVALID, "'e'"},
      {"9223372036854775808..1", 1, PARCEL_RANGE, "64 bits"},
      {"-9223372036854775809..1", 1, PARCEL_RANGE, "64 bits"},
      {"1..9223372036854775808", 4, PARCEL_RANGE, "64 bits"},
      {"1..2..-9223372036854775809", 7, PARCEL_RANGE, "64 bits"},
      {"1..99999999999999999999999", 4, PARCEL_RANGE, "64 bits"},
      {"0..9223372036854775807", 4, PARCEL_RANGE, "more than 9223372036854775807 values"},
      {"-9223372036854775808..9223372036854775807", 23, PARCEL_RANGE, "more than"},
      {"-9223372036854775808..9223372036854775807..2", 44, PARCEL_RANGE, "more than"},
      {"9223372036854775807..-9223372036854775808..-2", 44, PARCEL_RANGE, "more than"},
  };
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    char quoted[64];
    parcel_range range = untouched;
    assert_refused(parcel_range_parse(cases[c].text, &range), cases[c].status, cases[c].words);
    snprintf(quoted, sizeof quoted, "'%s'", cases[c].text);
    assert_says(quoted);
    assert_names_character(cases[c].character);
    assert_true(are_equal(range, untouched));
  }
}

static void range_make_refuses_as_parse_does(void **state)
{
  parcel_range range = untouched;
  (void)state;
  assert_refused(parcel_range_make(1, 2, 0, &range), PARCEL_INVALID, "step");
  assert_refused(parcel_range_make(1, 1, 0, &range), PARCEL_INVALID, "step");
  assert_refused(parcel_range_make(1, 2, -1, &range), PARCEL_INVALID, "never leads");
  assert_refused(parcel_range_make(2, 1, INT64_MAX, &range), PARCEL_INVALID, "never leads");
  assert_refused(parcel_range_make(0, INT64_MAX, 1, &range), PARCEL_RANGE, "more than");
  assert_refused(parcel_range_make(INT64_MAX, INT64_MIN, -1, &range), PARCEL_RANGE, "more than");
  assert_true(are_equal(range, untouched));
}

static void range_walks_as_the_loop_does(void **state)
{
  parcel_range range;
  (void)state;
  for (int first = -15; first <= 15; ++first)
    for (int last = -15; last <= 15; ++last)
      for (int stride = 1; stride <= 9; ++stride) {
        const int step = first <= last ? stride : -stride;
        parcel_index position = 0;
        assert_ok(parcel_range_make(first, last, step, &range));
        for (int value = first; step > 0 ? value <= last : value >= last; value += step)
          assert_int_equal(parcel_range_at(range, position++), value);
        assert_int_equal(range.count, position);
      }
}

static void range_at_reaches_all_of_int64(void **state)
{
  parcel_range range;
  (void)state;
  assert_ok(parcel_range_make(INT64_MIN, INT64_MAX, 3, &range));
  assert_int_equal(parcel_range_at(range, 0), INT64_MIN);
  assert_int_equal(parcel_range_at(range, 1), INT64_MIN + 3);
  assert_int_equal(parcel_range_at(range, range.count / 2), 1);
  assert_int_equal(parcel_range_at(range, range.count - 2), INT64_MAX - 3);
  assert_int_equal(parcel_range_at(range, range.count - 1), INT64_MAX);
  assert_ok(parcel_range_make(INT64_MAX, INT64_MIN, -3, &range));
  assert_int_equal(parcel_range_at(range, 0), INT64_MAX);
  assert_int_equal(parcel_range_at(range, range.count - 1), INT64_MIN);
  assert_ok(parcel_range_make(INT64_MIN, INT64_MAX, INT64_MAX, &range));
  assert_int_equal(range.count, 3);
  assert_int_equal(parcel_range_at(range, 1), -1);
  assert_int_equal(parcel_range_at(range, 2), INT64_MAX - 1);
}

static void range_text_is_read_back(void **state)
{
  uint64_t seed = 1;
  int made = 0;
  (void)state;
  for (int draw = 0; draw < 100000; ++draw) {
    char text[PARCEL_RANGE_TEXT_SIZE];
    parcel_range range;
    parcel_range again = untouched;
    const parcel_index first = random_index(&seed);
    const parcel_index last = random_index(&seed);
    const parcel_index step = draw % 4 == 0 ? (first <= last ? 1 : -1) : random_index(&seed);
    if (parcel_range_make(first, last, step, &range))
      continue;
    ++made;
    assert_ok(parcel_range_parse(parcel_range_format(range, text, sizeof text), &again));
    if (!are_equal(range, again))
      fail_msg("%" PRId64 ", %" PRId64 ", %" PRId64 " was written as %s", range.first, range.step,
               range.count, text);
  }
  assert_true(made > 10000);
}

static void range_format_writes_the_least_that_parse_needs(void **state)
{
  static const struct {
    parcel_range range;
    const char *text;
  } cases[] = {
      {{1, 1, 10}, "1..10"},
      {{10, -4, 3}, "10..2..-4"},
      {{5, 3, 1}, "5..5..3"},
      {{INT64_MIN, 1, 1}, "-9223372036854775808..-9223372036854775808"},
      {{1, 1, 0}, "empty"},
      {{INT64_MIN, -1, 0}, "empty"},
      {{0, INT64_MIN, 2}, "0..-9223372036854775808..-9223372036854775808"},
  };
  char text[PARCEL_RANGE_TEXT_SIZE];
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c)
    assert_string_equal(parcel_range_format(cases[c].range, text, sizeof text), cases[c].text);
}

static void range_format_stays_within_its_room(void **state)
{
  char text[8] = "0123456";
  (void)state;
  assert_ptr_equal(parcel_range_format((parcel_range){100, 1, 900}, text, 5), text);
  assert_memory_equal(text,
                      "100.\0"
                      "56",
                      8);
}

static void index_parse_reads_one_number(void **state)
{
  static const struct {
    const char *text;
    parcel_index value;
  } cases[] = {{"0", 0},
               {"-0", 0},
               {"1_000_000", 1000000},
               {"-12", -12},
               {"9223372036854775807", INT64_MAX},
               {"-9223372036854775808", INT64_MIN}};
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    parcel_index value = 42;
    assert_ok(parcel_index_parse(cases[c].text, &value));
    assert_int_equal(value, cases[c].value);
  }
}

static void index_parse_names_the_character_at_fault(void **state)
{
  static const struct {
    const char *text;
    int character;
    parcel_status status;
  } cases[] = {{"", 1, PARCEL_INVALID},
               {"x", 1, PARCEL_INVALID},
               {"12k", 3, PARCEL_INVALID},
               {"1.5", 2, PARCEL_INVALID},
               {"1_", 3, PARCEL_INVALID},
               {"-", 2, PARCEL_INVALID},
               {"1..2", 2, PARCEL_INVALID},
               {" 1", 1, PARCEL_INVALID},
               {"1 ", 2, PARCEL_INVALID},
               {"9223372036854775808", 1, PARCEL_RANGE},
               {"-9223372036854775809", 1, PARCEL_RANGE}};
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    parcel_index value = 42;
    assert_refused(parcel_index_parse(cases[c].text, &value), cases[c].status, "number '");
    assert_names_character(cases[c].character);
    assert_int_equal(value, 42);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(range_parse_reads_what_people_write),
      cmocka_unit_test(range_parse_names_the_character_at_fault),
      cmocka_unit_test(range_make_refuses_as_parse_does),
      cmocka_unit_test(range_walks_as_the_loop_does),
      cmocka_unit_test(range_at_reaches_all_of_int64),
      cmocka_unit_test(range_text_is_read_back),
      cmocka_unit_test(range_format_writes_the_least_that_parse_needs),
      cmocka_unit_test(range_format_stays_within_its_room),
      cmocka_unit_test(index_parse_reads_one_number),
      cmocka_unit_test(index_parse_names_the_character_at_fault),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
