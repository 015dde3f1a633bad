#include "unit.h"

#include <pthread.h>
#include <stdlib.h>

static const struct {
  const char *name;
  parcel_status status;
  int value;
  int exit_code;
} published[] = {
    {"OK", PARCEL_OK, 0, 0},
    {"INVALID", PARCEL_INVALID, -1, 2},
    {"RANGE", PARCEL_RANGE, -2, 2},
    {"MEMORY", PARCEL_MEMORY, -3, 1},
    {"IO", PARCEL_IO, -4, 1},
    {"MPI", PARCEL_MPI, -5, 1},
    {"HDF5", PARCEL_HDF5, -6, 1},
    {"SYSTEM", PARCEL_SYSTEM, -7, 1},
    {"KERNEL", PARCEL_KERNEL, -8, 1},
    {"EXISTS", PARCEL_EXISTS, -9, 2},
    {"SPACE", PARCEL_SPACE, -10, 1},
    {"STOPPED", PARCEL_STOPPED, -11, 75},
    {"TIMEOUT", PARCEL_TIMEOUT, -12, 1},
    {"CRASHED", PARCEL_CRASHED, -13, 1},
    {"CANCELLED", PARCEL_CANCELLED, -14, 1},
    {"FULL", PARCEL_FULL, -15, 1},
    {"FAILURES", PARCEL_FAILURES, -16, 3},
    {"STALLED", PARCEL_STALLED, -17, 1},
    {"DIFFERS", PARCEL_DIFFERS, -18, 2},
    {"CORRUPT", PARCEL_CORRUPT, -19, 1},
    {"UNEQUAL", PARCEL_UNEQUAL, -20, 1},
};

static const parcel_status all[] = {
#define LISTED(name, value, text, exit_code) PARCEL_##name,
    PARCEL_STATUS_MAP(LISTED)
#undef LISTED
};

static void status_published_values_never_change(void **state)
{
  (void)state;
  assert_true(LENGTH(all) >= LENGTH(published));
  for (int s = 0; s < LENGTH(published); ++s) {
    assert_int_equal(all[s], published[s].status);
    assert_int_equal(published[s].status, published[s].value);
    assert_string_equal(parcel_status_name(published[s].status), published[s].name);
    assert_int_equal(parcel_status_exit_code(published[s].status), published[s].exit_code);
  }
}

static void status_values_names_and_texts_are_unique(void **state)
{
  (void)state;
  for (int s = 0; s < LENGTH(all); ++s) {
    assert_true(*parcel_status_text(all[s]) != '\0');
    for (int other = 0; other < s; ++other) {
      assert_int_not_equal(all[s], all[other]);
      assert_string_not_equal(parcel_status_name(all[s]), parcel_status_name(all[other]));
      assert_string_not_equal(parcel_status_text(all[s]), parcel_status_text(all[other]));
    }
  }
}

static void status_only_ok_exits_with_zero(void **state)
{
  (void)state;
  for (int s = 0; s < LENGTH(all); ++s) {
    const int code = parcel_status_exit_code(all[s]);
    assert_int_equal(code == 0, all[s] == PARCEL_OK);
    assert_true(code == 0 || code == 1 || code == 2 || code == 3 || code == 75);
  }
}

static void status_unknown_number_is_called_so(void **state)
{
  static const int unknown[] = {1, -1000, 75, INT32_MIN, INT32_MAX};
  (void)state;
  for (int u = 0; u < LENGTH(unknown); ++u) {
    assert_string_equal(parcel_status_name((parcel_status)unknown[u]), "UNKNOWN");
    assert_string_equal(parcel_status_text((parcel_status)unknown[u]), "unknown status");
    assert_int_equal(parcel_status_exit_code((parcel_status)unknown[u]), 1);
  }
}

static void fail_returns_its_status_and_keeps_the_text(void **state)
{
  (void)state;
  assert_int_equal(parcel_fail(PARCEL_IO, "no %s at %d", "disk", 7), PARCEL_IO);
  assert_string_equal(parcel_last_error(), "no disk at 7");
  assert_int_equal(parcel_fail(PARCEL_KERNEL, "%s", ""), PARCEL_KERNEL);
  assert_string_equal(parcel_last_error(), "");
}

static void fail_takes_its_own_last_error_as_argument(void **state)
{
  (void)state;
  parcel_fail(PARCEL_IO, "disk full");
  parcel_fail(PARCEL_IO, "block 3: %s; %s", parcel_last_error(), parcel_last_error());
  assert_string_equal(parcel_last_error(), "block 3: disk full; disk full");
}

static void fail_cuts_only_what_does_not_fit(void **state)
{
  static const size_t lengths[] = {PARCEL_ERROR_SIZE - 2, PARCEL_ERROR_SIZE - 1, PARCEL_ERROR_SIZE, 5000};
  char text[5001];
  (void)state;
  for (int l = 0; l < LENGTH(lengths); ++l) {
    const size_t kept = lengths[l] < PARCEL_ERROR_SIZE ? lengths[l] : PARCEL_ERROR_SIZE - 1;
    for (size_t c = 0; c < lengths[l]; ++c)
      text[c] = (char)('a' + c % 26);
    text[lengths[l]] = '\0';
    parcel_fail(PARCEL_IO, "%s", text);
    assert_int_equal(strlen(parcel_last_error()), kept);
    assert_memory_equal(parcel_last_error(), text, kept);
  }
}

/* 510 bytes, and then a character of 2 bytes that ends at the last byte, or would end behind it. */
static void fail_cuts_between_characters(void **state)
{
  char text[PARCEL_ERROR_SIZE + 8];
  (void)state;
  for (int before = PARCEL_ERROR_SIZE - 4; before < PARCEL_ERROR_SIZE; ++before) {
    const int fit = (PARCEL_ERROR_SIZE - 1 - before) / 2;
    memset(text, 'x', sizeof text);
    strcpy(text + before, "\xc3\xa9\xc3\xa9\xc3\xa9");
    parcel_fail(PARCEL_IO, "%s", text);
    assert_int_equal(strlen(parcel_last_error()), before + 2 * fit);
    assert_memory_equal(parcel_last_error(), text, (size_t)(before + 2 * fit));
  }
}

static void fail_makes_one_line_of_utf8(void **state)
{
  (void)state;
  parcel_fail(PARCEL_IO, "cannot read '%s':\n%s\r\n\tdone\x1b[0m\x7f", "caf\xe9", "\xc3\xa9t\xc3\xa9");
  assert_string_equal(parcel_last_error(), "cannot read 'caf\xef\xbf\xbd': \xc3\xa9t\xc3\xa9   done [0m ");
}

typedef struct other_thread {
  char before[PARCEL_ERROR_SIZE];
  char after[PARCEL_ERROR_SIZE];
} other_thread;

static void *fail_elsewhere(void *argument)
{
  other_thread *other = argument;
  strcpy(other->before, parcel_last_error());
  parcel_fail(PARCEL_MPI, "theirs");
  strcpy(other->after, parcel_last_error());
  return NULL;
}

static void last_error_belongs_to_its_thread(void **state)
{
  other_thread other;
  pthread_t thread;
  (void)state;
  parcel_fail(PARCEL_IO, "mine");
  assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, &other), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_string_equal(other.before, "");
  assert_string_equal(other.after, "theirs");
  assert_string_equal(parcel_last_error(), "mine");
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(status_published_values_never_change),
      cmocka_unit_test(status_values_names_and_texts_are_unique),
      cmocka_unit_test(status_only_ok_exits_with_zero),
      cmocka_unit_test(status_unknown_number_is_called_so),
      cmocka_unit_test(fail_returns_its_status_and_keeps_the_text),
      cmocka_unit_test(fail_takes_its_own_last_error_as_argument),
      cmocka_unit_test(fail_cuts_only_what_does_not_fit),
      cmocka_unit_test(fail_cuts_between_characters),
      cmocka_unit_test(fail_makes_one_line_of_utf8),
      cmocka_unit_test(last_error_belongs_to_its_thread),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
