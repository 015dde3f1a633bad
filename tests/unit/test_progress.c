#include "unit.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parcel/progress.h>

enum { TEXT_SIZE = 4096 };

/* ---- what is written to stderr meanwhile ---- */

static int swap_stderr(int file)
{
  const int before = dup(STDERR_FILENO);
  assert_true(before >= 0);
  assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
  return before;
}

static void restore_stderr(int before)
{
  assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
  close(before);
}

static void show_captured(parcel_meter *meter, const parcel_progress reports[], int count, char *text)
{
  FILE *file = tmpfile();
  assert_non_null(file);
  const int before = swap_stderr(fileno(file));
  for (int r = 0; r < count; ++r)
    parcel_meter_show(meter, &reports[r]);
  restore_stderr(before);
  rewind(file);
  text[fread(text, 1, TEXT_SIZE - 1, file)] = '\0';
  fclose(file);
}

static int times(const char *text, const char *part)
{
  int found = 0;
  for (; (text = strstr(text, part)); text += strlen(part))
    ++found;
  return found;
}

/* ---- the tests ---- */

static void progress_parse_knows_four_words(void **state)
{
  static const char *const names[] = {"auto", "bar", "log", "none"};
  static const char *const unknown[] = {"", "Bar", "bars", "ba", "dots"};
  parcel_progress_kind kind = PARCEL_PROGRESS_LOG;
  (void)state;
  for (int u = 0; u < LENGTH(unknown); ++u) {
    assert_refused(parcel_progress_parse(unknown[u], &kind), PARCEL_INVALID, "one of: auto, bar, log, none");
    assert_int_equal(kind, PARCEL_PROGRESS_LOG);
  }
  assert_says("'dots'");
  for (int n = 0; n < LENGTH(names); ++n) {
    assert_ok(parcel_progress_parse(names[n], &kind));
    assert_int_equal(kind, PARCEL_PROGRESS_AUTO + n);
  }
}

static void meter_bar_is_drawn_redrawn_and_erased(void **state)
{
  static const parcel_progress reports[] = {
      {.done = 0, .total = 1000, .elapsed_seconds = 0.01},
      {.done = 250, .total = 1000, .elapsed_seconds = 1},
      {.done = 260, .total = 1000, .elapsed_seconds = 1.05},
      {.done = 500, .total = 1000, .elapsed_seconds = 2},
      {.done = 1000, .total = 1000, .elapsed_seconds = 3},
      {.done = 1000, .total = 1000, .elapsed_seconds = 4, .is_over = true},
      {.done = 1000, .total = 1000, .elapsed_seconds = 5, .is_over = true},
  };
  char text[TEXT_SIZE];
  parcel_meter meter = parcel_meter_make(PARCEL_PROGRESS_BAR);
  (void)state;
  show_captured(&meter, reports, LENGTH(reports), text);
  assert_string_equal(text, "\r[======                  ]  25.0 %  250  /s  ETA 0:03 \033[K"
                            "\r[============            ]  50.0 %  250  /s  ETA 0:02 \033[K"
                            "\r[========================] 100.0 %  333  /s  ETA 0:00 \033[K"
                            "\r\033[K");
}

static void meter_bar_never_drawn_is_not_erased(void **state)
{
  static const parcel_progress over = {.done = 1000, .total = 1000, .elapsed_seconds = 9, .is_over = true};
  char text[TEXT_SIZE];
  parcel_meter meter = parcel_meter_make(PARCEL_PROGRESS_BAR);
  (void)state;
  show_captured(&meter, &over, 1, text);
  assert_string_equal(text, "");
}

static void meter_log_writes_a_line_every_five_seconds(void **state)
{
  parcel_progress reports[601];
  char text[TEXT_SIZE];
  parcel_meter meter = parcel_meter_make(PARCEL_PROGRESS_LOG);
  (void)state;
  for (int r = 0; r <= 600; ++r)
    reports[r] = (parcel_progress){.done = r * 100, .total = 60000, .elapsed_seconds = r * 0.05};
  reports[600].is_over = true;
  show_captured(&meter, reports, LENGTH(reports), text);
  assert_int_equal(times(text, "progress: "), 5);
  assert_int_equal(times(text, "\n"), 5);
  assert_int_equal(times(text, "\r") + times(text, "\033"), 0);
  assert_int_equal(times(text, "progress:  16.7 %, 10000 of 60000, 2 k/s, ETA 0:25\n"), 1);
}

static void meter_silent_kinds_write_nothing(void **state)
{
  static const parcel_progress reports[] = {{.done = 1, .total = 2, .elapsed_seconds = 100},
                                            {.done = 2, .total = 2, .elapsed_seconds = 200, .is_over = true}};
  char text[TEXT_SIZE];
  parcel_meter meter = parcel_meter_make(PARCEL_PROGRESS_NONE);
  (void)state;
  show_captured(&meter, reports, LENGTH(reports), text);
  assert_string_equal(text, "");
}

static void meter_of_nothing_to_do_is_silent(void **state)
{
  static const parcel_progress reports[] = {{.done = 0, .total = 0, .elapsed_seconds = 100},
                                            {.done = 0, .total = 0, .elapsed_seconds = 200, .is_over = true}};
  static const parcel_progress_kind kinds[] = {PARCEL_PROGRESS_BAR, PARCEL_PROGRESS_LOG};
  char text[TEXT_SIZE];
  (void)state;
  for (int k = 0; k < LENGTH(kinds); ++k) {
    parcel_meter meter = parcel_meter_make(kinds[k]);
    show_captured(&meter, reports, LENGTH(reports), text);
    assert_string_equal(text, "");
  }
}

static void meter_before_the_first_block_has_no_estimate(void **state)
{
  static const parcel_progress none = {.done = 0, .total = 7, .elapsed_seconds = 6};
  char text[TEXT_SIZE];
  parcel_meter meter = parcel_meter_make(PARCEL_PROGRESS_LOG);
  (void)state;
  show_captured(&meter, &none, 1, text);
  assert_string_equal(text, "progress:   0.0 %, 0 of 7, 0  /s, ETA -\n");
}

static void meter_rates_and_times_stay_short(void **state)
{
  static const struct {
    parcel_progress report;
    const char *words;
  } cases[] = {
      {{.done = 9994, .total = 9994, .elapsed_seconds = 10}, ", 999  /s, ETA 0:00"},
      {{.done = 9996, .total = 9996, .elapsed_seconds = 10}, ", 1 k/s, ETA 0:00"},
      {{.done = 123456789, .total = 123456789, .elapsed_seconds = 10}, ", 12.3 M/s, "},
      {{.done = 10, .total = 600, .elapsed_seconds = 10}, ", 1  /s, ETA 9:50"},
      {{.done = 10, .total = 3609, .elapsed_seconds = 10}, ", 1  /s, ETA 59:59"},
      {{.done = 10, .total = 3610, .elapsed_seconds = 10}, ", 1  /s, ETA 1:00:00"},
      {{.done = 10, .total = 360010, .elapsed_seconds = 10}, ", 1  /s, ETA 100:00:00"},
      {{.done = INT64_MAX, .total = INT64_MAX, .elapsed_seconds = 10}, ", 922 P/s, ETA 0:00"},
  };
  char text[TEXT_SIZE];
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    parcel_meter meter = parcel_meter_make(PARCEL_PROGRESS_LOG);
    show_captured(&meter, &cases[c].report, 1, text);
    if (!strstr(text, cases[c].words))
      fail_msg("'%s' does not say '%s'", text, cases[c].words);
  }
}

static void meter_estimate_of_ages_is_not_negative(void **state)
{
  static const parcel_progress ages = {.done = 1, .total = INT64_MAX, .elapsed_seconds = 100};
  char text[TEXT_SIZE];
  parcel_meter meter = parcel_meter_make(PARCEL_PROGRESS_LOG);
  (void)state;
  show_captured(&meter, &ages, 1, text);
  const char *estimate = strstr(text, "ETA ");
  assert_non_null(estimate);
  const char *minus = strchr(estimate, '-');
  assert_false(minus && isdigit((unsigned char)minus[1]));
}

/* ---- auto ---- */

static int open_terminal(void)
{
  const int controller = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  assert_true(controller >= 0);
  assert_int_equal(grantpt(controller), 0);
  assert_int_equal(unlockpt(controller), 0);
  return controller;
}

static parcel_progress_kind kind_with_stderr(int file)
{
  const int before = swap_stderr(file);
  const parcel_progress_kind kind = parcel_meter_make(PARCEL_PROGRESS_AUTO).kind;
  restore_stderr(before);
  return kind;
}

static void meter_auto_is_a_bar_on_a_terminal_only(void **state)
{
  const int controller = open_terminal();
  const int terminal = open(ptsname(controller), O_RDWR | O_NOCTTY | O_CLOEXEC);
  const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  (void)state;
  assert_true(terminal >= 0 && null >= 0);
  assert_int_equal(kind_with_stderr(terminal), PARCEL_PROGRESS_BAR);
  assert_int_equal(kind_with_stderr(null), PARCEL_PROGRESS_LOG);
  close(null);
  close(terminal);
  close(controller);
}

/* A child whose own stderr is no terminal, as mpirun's are; it exits with the kind that it chose. */
static parcel_progress_kind kind_of_child(const char *launcher, int launcher_stderr)
{
  int how = 0;
  char name[16] = "";
  prctl(PR_GET_NAME, name);
  prctl(PR_SET_NAME, launcher);
  const int before = swap_stderr(launcher_stderr);
  const pid_t child = fork();
  if (child == 0) {
    dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    _exit((int)parcel_meter_make(PARCEL_PROGRESS_AUTO).kind);
  }
  const pid_t ended = waitpid(child, &how, 0);
  restore_stderr(before);
  prctl(PR_SET_NAME, name);
  assert_true(child > 0 && ended == child && WIFEXITED(how));
  return (parcel_progress_kind)WEXITSTATUS(how);
}

static void meter_auto_finds_the_terminal_behind_mpirun(void **state)
{
  const int controller = open_terminal();
  const int terminal = open(ptsname(controller), O_RDWR | O_NOCTTY | O_CLOEXEC);
  const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  (void)state;
  assert_true(terminal >= 0 && null >= 0);
  assert_int_equal(kind_of_child("mpirun", terminal), PARCEL_PROGRESS_BAR);
  assert_int_equal(kind_of_child("mpirun", null), PARCEL_PROGRESS_LOG);
  assert_int_equal(kind_of_child("bash", terminal), PARCEL_PROGRESS_LOG);
  close(null);
  close(terminal);
  close(controller);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(progress_parse_knows_four_words),
      cmocka_unit_test(meter_bar_is_drawn_redrawn_and_erased),
      cmocka_unit_test(meter_bar_never_drawn_is_not_erased),
      cmocka_unit_test(meter_log_writes_a_line_every_five_seconds),
      cmocka_unit_test(meter_silent_kinds_write_nothing),
      cmocka_unit_test(meter_of_nothing_to_do_is_silent),
      cmocka_unit_test(meter_before_the_first_block_has_no_estimate),
      cmocka_unit_test(meter_rates_and_times_stay_short),
      cmocka_unit_test(meter_estimate_of_ages_is_not_negative),
      cmocka_unit_test(meter_auto_is_a_bar_on_a_terminal_only),
      cmocka_unit_test(meter_auto_finds_the_terminal_behind_mpirun),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
