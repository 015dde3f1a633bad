#include "unit.h"

#include "text_impl.h"

enum { LARGE = 64 };

static const char *copied(char to[], size_t size, const char *from)
{
  memset(to, 'x', size);
  const size_t length = parcel__text_copy(to, size, from);
  assert_true(length < size);
  assert_int_equal(length, strlen(to));
  return to;
}

static void text_valid_utf8_is_copied_as_it_is(void **state)
{
  static const char *const texts[] = {"",
                                      "squares",
                                      "line\nbreak\ttab\x7f",
                                      "\xc2\x80 \xdf\xbf",
                                      "\xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf",
                                      "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf"};
  char to[LARGE];
  (void)state;
  for (int t = 0; t < LENGTH(texts); ++t)
    assert_string_equal(copied(to, sizeof to, texts[t]), texts[t]);
}

/* Each byte that is not part of a character stands for itself. */
static void text_invalid_bytes_are_replaced(void **state)
{
  static const struct {
    const char *from, *to;
  } cases[] = {
      {"caf\xe9", "caf\xef\xbf\xbd"},                           /* Latin-1 */
      {"caf\xe9 noir", "caf\xef\xbf\xbd noir"},                 /* a letter is not swallowed */
      {"\x80\xbf", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* no first byte */
      {"\xc3", "\xef\xbf\xbd"},                                 /* cut off */
      {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* cut off */
      {"\xf0\x9f\x98", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* cut off */
      {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong */
      {"\xe0\x9f\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* overlong */
      {"\xf0\x8f\xbf\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* overlong */
      {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                 /* a surrogate */
      {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* above U+10FFFF */
      {"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
  };
  char to[LARGE];
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c)
    assert_string_equal(copied(to, sizeof to, cases[c].from), cases[c].to);
}

/* "aé€😀": characters of 1, 2, 3 and 4 bytes. */
static void text_is_cut_between_characters(void **state)
{
  static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
  static const size_t kept[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
  char to[LARGE];
  (void)state;
  for (size_t size = 1; size <= LENGTH(kept); ++size) {
    copied(to, size, text);
    assert_int_equal(strlen(to), kept[size - 1]);
    assert_memory_equal(to, text, kept[size - 1]);
    assert_int_equal(parcel__text_fit(text, size - 1), kept[size - 1]);
  }
}

static void text_replacement_that_does_not_fit_is_a_question_mark(void **state)
{
  char to[LARGE];
  (void)state;
  assert_string_equal(copied(to, 1, "\xff"), "");
  assert_string_equal(copied(to, 2, "\xff"), "?");
  assert_string_equal(copied(to, 3, "\xff\xff\xff"), "??");
  assert_string_equal(copied(to, 4, "\xff\xff"), "\xef\xbf\xbd");
  assert_string_equal(copied(to, 5, "\xff\xff"), "\xef\xbf\xbd?");
}

/* Random bytes become valid; what is valid does not change any more. */
static void text_any_bytes_become_valid(void **state)
{
  uint64_t random = 12;
  char from[LARGE], to[3 * LARGE], again[3 * LARGE];
  (void)state;
  for (int round = 0; round < 20000; ++round) {
    const parcel_index length = random_below(&random, LARGE);
    for (parcel_index i = 0; i < length; ++i)
      from[i] = (char)(1 + random_below(&random, 255));
    from[length] = '\0';
    const size_t size = (size_t)(1 + random_below(&random, sizeof to));
    copied(to, size, from);
    for (const char *c = to; *c != '\0'; c += parcel__text_character(c))
      assert_true(parcel__text_character(c) > 0);
    assert_string_equal(copied(again, sizeof again, to), to);
  }
}

static void text_line_has_no_control_characters(void **state)
{
  char text[] = "a\nb\r\tc\x1b[1m\x7f \xc2\x85\xc2\x9b \xc2\xa0\xc3\xa9";
  (void)state;
  assert_string_equal(parcel__text_line(text), "a b  c [1m       \xc2\xa0\xc3\xa9");
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_valid_utf8_is_copied_as_it_is),
      cmocka_unit_test(text_invalid_bytes_are_replaced),
      cmocka_unit_test(text_is_cut_between_characters),
      cmocka_unit_test(text_replacement_that_does_not_fit_is_a_question_mark),
      cmocka_unit_test(text_any_bytes_become_valid),
      cmocka_unit_test(text_line_has_no_control_characters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
