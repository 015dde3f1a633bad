#include "unit.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <parcel/layout.h>

static parcel_layout *parse(const char *text)
{
  parcel_layout *made = NULL;
  assert_ok(parcel_layout_parse(text, &made));
  return made;
}

static void assert_written(const parcel_layout *layout, const char *expected)
{
  char text[512];
  assert_int_equal(parcel_layout_format(layout, text, sizeof text), strlen(expected));
  assert_string_equal(text, expected);
}

/* Consumes the layout. */
static void assert_round_trip(parcel_layout *layout, const char *expected)
{
  assert_written(layout, expected);
  parcel_layout *again = parse(expected);
  assert_true(parcel_layout_equal(layout, again));
  assert_true(parcel_layout_hash(layout) == parcel_layout_hash(again));
  assert_written(again, expected);
  parcel_layout_free(&layout);
  parcel_layout_free(&again);
}

static void layout_text_is_read_back(void **state)
{
  static const char *const texts[] = {
      "block(1000000,8)",
      "block(0,1)",
      "block(9223372036854775807,2147483647)",
      "aligned(1000000,8,align=512)",
      "aligned(9223372036854775807,2147483647,align=9223372036854775807)",
      "ceiling(1000000,8)",
      "cyclic(1000000,8,block=64)",
      "cyclic(10,2,block=100)",
      "cyclic(9223372036854775807,2147483647,block=1)",
      "explicit(0,10,25)",
      "explicit(0,0)",
      "explicit(0,0,9223372036854775807,9223372036854775807)",
  };
  (void)state;
  for (int t = 0; t < LENGTH(texts); ++t)
    assert_round_trip(parse(texts[t]), texts[t]);
}

static void layout_text_of_random_layouts_is_read_back(void **state)
{
  uint64_t seed = 1;
  parcel_index offsets[21] = {0};
  (void)state;
  for (int draw = 0; draw < 20000; ++draw) {
    const int parts = 1 + (int)random_below(&seed, 20);
    const parcel_index n = random_from(&seed, 0);
    parcel_layout *layout = NULL;
    char text[512];
    for (int part = 0; part < parts; ++part)
      offsets[part + 1] = offsets[part] + (random_from(&seed, 0) >> 6);
    assert_ok(draw % 5 == 0   ? parcel_layout_block(n, parts, &layout)
              : draw % 5 == 1 ? parcel_layout_aligned(n, parts, random_from(&seed, 1), &layout)
              : draw % 5 == 2 ? parcel_layout_ceiling(n, parts, &layout)
              : draw % 5 == 3 ? parcel_layout_cyclic(n, parts, random_from(&seed, 1), &layout)
                              : parcel_layout_explicit(parts, offsets, &layout));
    assert_true(parcel_layout_format(layout, text, sizeof text) < (parcel_index)sizeof text);
    assert_round_trip(layout, text);
  }
}

static void layout_text_reads_what_people_write(void **state)
{
  static const struct {
    const char *text, *written;
  } cases[] = {
      {"block(1_000_000,8)", "block(1000000,8)"},
      {"block(007,08)", "block(7,8)"},
      {"cyclic(10,3)", "cyclic(10,3,block=1)"},
      {"weighted(1000,weights=1:2:3.5)", "explicit(0,154,462,1000)"},
      {"weighted(1000,weights=.5:1.:1.75)", "explicit(0,154,462,1000)"},
      {"weighted(1000,weights=000000.5:1.00000:1.75)", "explicit(0,154,462,1000)"},
      {"weighted(10,weights=0:1:0:0.0:1)", "explicit(0,0,5,5,5,10)"},
      {"weighted(10,weights=7)", "explicit(0,10)"},
      {"weighted(0,weights=1:2)", "explicit(0,0,0)"},
      {"weighted(1000000,weights=0.1:0.2:0.3)", "explicit(0,166667,500000,1000000)"},
  };
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    parcel_layout *layout = parse(cases[c].text);
    assert_written(layout, cases[c].written);
    parcel_layout_free(&layout);
  }
}

/* A decimal is read as the compiler reads it: cut points come out the same. */
static void layout_text_reads_weights_as_the_nearest_double(void **state)
{
  static const double weights[] = {0.1,        0.3, 123456789.012345, 999999999999999, 0.00000000000001,
                                   2.718281828};
  static const char text[] =
      "weighted(9223372036854775807,weights=0.1:0.3:123456789.012345:999999999999999:0.00000000000001:"
      "2.718281828)";
  parcel_layout *made = NULL;
  (void)state;
  assert_ok(parcel_layout_weighted(INT64_MAX, LENGTH(weights), weights, &made));
  parcel_layout *read = parse(text);
  assert_true(parcel_layout_equal(made, read));
  parcel_layout_free(&made);
  parcel_layout_free(&read);
}

/* Beyond what strstr can tell: character 1 must not be found in "character 12". */
static void assert_names_character(const char *text, int character)
{
  char words[32];
  snprintf(words, sizeof words, "character %d", character);
  const char *found = strstr(parcel_last_error(), words);
  if (!found || isdigit((unsigned char)found[strlen(words)]))
    fail_msg("the error '%s' about '%s' does not name character %d", parcel_last_error(), text, character);
}

static void layout_text_errors_name_the_character_at_fault(void **state)
{
  static const struct {
    const char *text;
    int character;
    parcel_status status;
    const char *words;
  } cases[] = {
      {"", 1, PARCEL_INVALID, "one of: block"},
      {"block", 1, PARCEL_INVALID, "one of: block"},
      {"blok(10,2)", 1, PARCEL_INVALID, "'blok(10,2)'"},
      {"Block(10,2)", 1, PARCEL_INVALID, "one of: block"},
      {" block(10,2)", 1, PARCEL_INVALID, "one of: block"},
      {"block(", 7, PARCEL_INVALID, "where it ends"},
      {"block(10", 9, PARCEL_INVALID, "expected ','"},
      {"block(10,", 10, PARCEL_INVALID, "a digit"},
      {"block(10,2", 11, PARCEL_INVALID, "expected ')'"},
      {"block(10,2))", 12, PARCEL_INVALID, "the end"},
      {"block(10,2,block=3)", 11, PARCEL_INVALID, "expected ')'"},
      {"block(-10,2)", 7, PARCEL_INVALID, "the size"},
      {"block(10,0)", 10, PARCEL_INVALID, "number of parts"},
      {"block(10,2147483648)", 10, PARCEL_INVALID, "from 1 to 2147483647"},
      {"block(9223372036854775808,2)", 7, PARCEL_RANGE, "64 bits"},
      {"block(10,99999999999999999999)", 10, PARCEL_RANGE, "64 bits"},
      {"block(1__0,2)", 9, PARCEL_INVALID, "'_'"},
      {"block(10, 2)", 10, PARCEL_INVALID, "' '"},
      {"ceiling(10,2,)", 13, PARCEL_INVALID, "expected ')'"},
      {"aligned(10,2)", 13, PARCEL_INVALID, "',align='"},
      {"aligned(10,2,align=0)", 20, PARCEL_INVALID, "the alignment"},
      {"aligned(10,2,block=4)", 13, PARCEL_INVALID, "',align='"},
      {"cyclic(10,2,block=0)", 19, PARCEL_INVALID, "the block"},
      {"cyclic(10,2,blok=1)", 12, PARCEL_INVALID, "',block='"},
      {"cyclic(10,2;", 12, PARCEL_INVALID, "expected ')'"},
      {"explicit()", 10, PARCEL_INVALID, "a digit"},
      {"explicit(0)", 11, PARCEL_INVALID, "','"},
      {"explicit(1,2)", 10, PARCEL_INVALID, "from 0 to 0"},
      {"explicit(0,5,3)", 14, PARCEL_INVALID, "from 5 to"},
      {"explicit(0,5,-6)", 14, PARCEL_INVALID, "is -6"},
      {"explicit(0,5,)", 14, PARCEL_INVALID, "a digit"},
      {"explicit(0,5),,,", 13, PARCEL_INVALID, "','"},
      {"weighted(10)", 12, PARCEL_INVALID, "',weights='"},
      {"weighted(10,weights=)", 21, PARCEL_INVALID, "a digit"},
      {"weighted(10,weights=1:)", 23, PARCEL_INVALID, "a digit"},
      {"weighted(10,weights=1:-2)", 23, PARCEL_INVALID, "found '-'"},
      {"weighted(10,weights=nan)", 21, PARCEL_INVALID, "found 'n'"},
      {"weighted(10,weights=1e5)", 22, PARCEL_INVALID, "expected ')'"},
      {"weighted(10,weights=1.2.3)", 24, PARCEL_INVALID, "expected ')'"},
      {"weighted(10,weights=.)", 22, PARCEL_INVALID, "a digit"},
      {"weighted(10,weights=0:0)", 21, PARCEL_INVALID, "all 2 weights are 0"},
      {"weighted(10,weights=1:1234567890123456)", 23, PARCEL_INVALID, "more than 15 digits"},
      {"block(10,\x80)", 10, PARCEL_INVALID, "byte 0x80"},
  };
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    parcel_layout *out = NULL;
    assert_refused(parcel_layout_parse(cases[c].text, &out), cases[c].status, cases[c].words);
    assert_names_character(cases[c].text, cases[c].character);
    assert_null(out);
  }
}

static void layout_text_is_cut_to_its_room(void **state)
{
  static const char whole[] = "cyclic(1000,8,block=64)";
  parcel_layout *layout = parse(whole);
  char text[64];
  (void)state;
  assert_int_equal(parcel_layout_format(layout, NULL, 0), sizeof whole - 1);
  for (size_t size = 1; size <= sizeof whole + 1; ++size) {
    memset(text, '#', sizeof text);
    assert_int_equal(parcel_layout_format(layout, text, size), sizeof whole - 1);
    const size_t written = size < sizeof whole ? size - 1 : sizeof whole - 1;
    assert_memory_equal(text, whole, written);
    assert_int_equal(text[written], '\0');
    assert_int_equal(text[size], '#');
  }
  parcel_layout_free(&layout);
}

/* Texts near to right ones: what is read is written and read again, and what is not leaves no layout. */
static void layout_text_survives_any_bytes(void **state)
{
  static const char *const texts[] = {"block(1000000,8)",  "aligned(1000,8,align=512)",
                                      "ceiling(1_000,8)",  "cyclic(1000,8,block=64)",
                                      "explicit(0,10,25)", "weighted(1000,weights=1:2:3.5)"};
  static const char bytes[] = "0123456789999,,,:::...()=-_abklst\n\xff";
  uint64_t seed = 2;
  int read = 0;
  (void)state;
  for (int draw = 0; draw < 200000; ++draw) {
    char text[64];
    char written[256];
    parcel_layout *layout = NULL;
    snprintf(text, sizeof text, "%s", texts[random_below(&seed, LENGTH(texts))]);
    for (parcel_index k = 1 + random_below(&seed, 4); k > 0; --k)
      text[random_below(&seed, (parcel_index)strlen(text) + 1)] = bytes[random_below(&seed, sizeof bytes)];
    text[sizeof text - 1] = '\0';
    text[strnlen(text, 40)] = '\0';
    if (parcel_layout_parse(text, &layout)) {
      assert_null(layout);
      continue;
    }
    ++read;
    assert_true(parcel_layout_format(layout, written, sizeof written) < (parcel_index)sizeof written);
    assert_round_trip(layout, written);
  }
  assert_true(read > 1000);
}

static void layout_text_of_many_parts_is_complete(void **state)
{
  enum { PARTS = 20000 };
  double *weights = malloc(PARTS * sizeof *weights);
  parcel_layout *layout = NULL;
  (void)state;
  assert_non_null(weights);
  for (int part = 0; part < PARTS; ++part)
    weights[part] = part % 7;
  assert_ok(parcel_layout_weighted(INT64_MAX, PARTS, weights, &layout));
  const parcel_index needed = parcel_layout_format(layout, NULL, 0);
  char *text = malloc((size_t)needed + 1);
  assert_non_null(text);
  assert_int_equal(parcel_layout_format(layout, text, (size_t)needed + 1), needed);
  parcel_layout *again = parse(text);
  assert_true(parcel_layout_equal(layout, again));
  parcel_layout_free(&layout);
  parcel_layout_free(&again);
  free(text);
  free(weights);
}

/* FNV-1a as its authors publish it (draft-eastlake-fnv): "a" is af63dc4c8601ec8c. */
static uint64_t fnv(const char *text)
{
  uint64_t hash = 0xcbf29ce484222325U;
  for (; *text; ++text) {
    hash ^= (unsigned char)*text;
    hash *= 0x100000001b3U;
  }
  return hash;
}

/* As layout.h says, so that a stored hash stays right. */
static void layout_hash_is_of_the_documented_text(void **state)
{
  static const struct {
    const char *layout, *hashed;
  } cases[] = {
      {"block(10,4)", "4:3x2;2x2;"},
      {"block(10,5)", "5:2x5;"},
      {"ceiling(10,5)", "5:2x5;"},
      {"explicit(0,2,4,6,8,10)", "5:2x5;"},
      {"block(0,3)", "3:0x3;"},
      {"ceiling(10,7)", "7:2x5;0x2;"},
      {"aligned(1000,3,align=300)", "3:600x1;300x1;100x1;"},
      {"cyclic(10,2,block=3)", "2:10/3"},
      {"cyclic(10,2,block=7)", "2:7x1;3x1;"},
      {"cyclic(10,1,block=3)", "1:10x1;"},
      {"weighted(9,weights=1:0:0:2)", "4:3x1;0x2;6x1;"},
  };
  (void)state;
  assert_true(fnv("a") == 0xaf63dc4c8601ec8cU);
  for (int c = 0; c < LENGTH(cases); ++c) {
    parcel_layout *layout = parse(cases[c].layout);
    assert_true(parcel_layout_hash(layout) == fnv(cases[c].hashed));
    parcel_layout_free(&layout);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(layout_text_is_read_back),
      cmocka_unit_test(layout_text_of_random_layouts_is_read_back),
      cmocka_unit_test(layout_text_reads_what_people_write),
      cmocka_unit_test(layout_text_reads_weights_as_the_nearest_double),
      cmocka_unit_test(layout_text_errors_name_the_character_at_fault),
      cmocka_unit_test(layout_text_is_cut_to_its_room),
      cmocka_unit_test(layout_text_survives_any_bytes),
      cmocka_unit_test(layout_text_of_many_parts_is_complete),
      cmocka_unit_test(layout_hash_is_of_the_documented_text),
  };
  return cmocka_run_group_tests_name("layout_text", tests, NULL, NULL);
}
