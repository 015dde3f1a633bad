#include "unit.h"

#include <inttypes.h>
#include <limits.h>

#include <parcel/block.h>
#include <parcel/schedule.h>

static const parcel_schedule_kind with_chunk[] = {PARCEL_SCHEDULE_FIXED, PARCEL_SCHEDULE_GUIDED,
                                                  PARCEL_SCHEDULE_TRAPEZOID, PARCEL_SCHEDULE_FACTORING};

static parcel_schedule make(parcel_schedule_kind kind, parcel_index n, int parts, parcel_index chunk)
{
  parcel_schedule schedule = {0};
  assert_ok(parcel_schedule_make(kind, n, parts, chunk, &schedule));
  assert_int_equal(parcel_schedule_steps(&schedule), schedule.steps);
  return schedule;
}

static parcel_schedule make_weighted(parcel_index n, const parcel_layout *shares, parcel_index chunk)
{
  parcel_schedule schedule = {0};
  assert_ok(parcel_schedule_make_weighted(n, shares, chunk, &schedule));
  return schedule;
}

static parcel_index length_of(const parcel_schedule *schedule, parcel_index step)
{
  const parcel_span span = parcel_schedule_span(schedule, step);
  return span.end - span.begin;
}

static void check(const parcel_schedule *schedule, parcel_index step, bool claim, const char *text)
{
  const parcel_span span = parcel_schedule_span(schedule, step);
  if (!claim)
    fail_msg("%s over n = %" PRId64 ", %d parts, chunk %" PRId64 ": step %" PRId64 " of %" PRId64
             " is [%" PRId64 ", %" PRId64 "); not so: %s",
             parcel_schedule_name(schedule->kind), schedule->n, schedule->parts, schedule->chunk, step,
             schedule->steps, span.begin, span.end, text);
}
#define CHECK(schedule, step, claim) check((schedule), (step), (claim), #claim)

/* What holds of any step: it follows the one before, and none but a weighted one, or the last, is too small.
 * */
static void check_step(const parcel_schedule *schedule, parcel_index step)
{
  const parcel_span span = parcel_schedule_span(schedule, step);
  const bool is_last = step == schedule->steps - 1;
  const parcel_index least = schedule->kind == PARCEL_SCHEDULE_WEIGHTED ? 0 : schedule->chunk;
  CHECK(schedule, step, span.begin == (step == 0 ? 0 : parcel_schedule_span(schedule, step - 1).end));
  CHECK(schedule, step, !is_last || span.end == schedule->n);
  CHECK(schedule, step, span.end - span.begin >= (is_last && least > 1 ? 1 : least));
}

static void check_all_steps(const parcel_schedule *schedule)
{
  for (parcel_index step = 0; step < schedule->steps; ++step)
    check_step(schedule, step);
  CHECK(schedule, 0, (schedule->steps == 0) == (schedule->n == 0));
  for (int off = 0; off < 2; ++off) {
    const parcel_span none = parcel_schedule_span(schedule, off ? -1 : schedule->steps);
    CHECK(schedule, 0, none.begin == 0 && none.end == 0);
  }
}

/* Every magnitude, and often next to INT64_MAX. */
static parcel_index random_size_of(uint64_t *seed)
{
  return random_below(seed, 4) == 0 ? INT64_MAX - random_below(seed, 5) : random_from(seed, 0);
}

/* ---- small ones ---- */

static void schedule_every_position_in_one_step(void **state)
{
  static const parcel_index chunks[] = {1, 3, 17};
  (void)state;
  for (int n = 0; n <= 200; ++n)
    for (int parts = 1; parts <= 40; ++parts) {
      const parcel_schedule fixed = make(PARCEL_SCHEDULE_STATIC, n, parts, 0);
      const parcel_schedule self = make(PARCEL_SCHEDULE_SELF, n, parts, 0);
      check_all_steps(&fixed);
      assert_int_equal(self.steps, n);
      if (n > 0)
        check_step(&self, n / 2);
      for (int k = 0; k < LENGTH(with_chunk); ++k)
        for (int c = 0; c < LENGTH(chunks); ++c) {
          const parcel_schedule schedule = make(with_chunk[k], n, parts, chunks[c]);
          check_all_steps(&schedule);
        }
    }
}

static void schedule_weighted_every_position_in_one_step(void **state)
{
  uint64_t seed = 1;
  double weights[40];
  (void)state;
  for (int n = 0; n <= 200; n += 1 + (n > 40) * 6)
    for (int parts = 1; parts <= 40; ++parts) {
      parcel_layout *shares = NULL;
      for (int part = 0; part < parts; ++part)
        weights[part] = (double)random_below(&seed, 4);
      weights[random_below(&seed, parts)] = 1;
      assert_ok(parcel_layout_weighted(1000, parts, weights, &shares));
      const parcel_schedule schedule = make_weighted(n, shares, 1 + random_below(&seed, 5));
      check_all_steps(&schedule);
      assert_int_equal(schedule.steps % parts, 0);
      for (parcel_index step = 0; step < schedule.steps; ++step)
        if (weights[step % parts] == 0)
          assert_int_equal(length_of(&schedule, step), 0);
      parcel_layout_free(&shares);
    }
}

/* ---- the papers ---- */

/* The sequences as the papers print them, or as their formulas give them by hand. */
static void schedule_agrees_with_the_papers(void **state)
{
  static const struct {
    parcel_schedule_kind kind;
    parcel_index n;
    int parts;
    int lengths[40];
  } cases[] = {
      {PARCEL_SCHEDULE_STATIC, 10, 4, {3, 3, 2, 2}},
      {PARCEL_SCHEDULE_FACTORING, 100, 4, {13, 13, 13, 13, 6, 6, 6, 6, 3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1}},
      {PARCEL_SCHEDULE_FACTORING, 1000, 4, {125, 125, 125, 125, 63, 63, 63, 63, 31, 31, 31,
                                            31,  16,  16,  16,  16, 8,  8,  8,  8,  4,  4,
                                            4,   4,   2,   2,   2,  2,  1,  1,  1,  1}},
      {PARCEL_SCHEDULE_TRAPEZOID, 1000, 4, {125, 117, 109, 101, 93, 85, 77, 69, 61, 53, 45, 37, 28}},
      /* GSS by real powers; the paper's, by remainders, is 25 19 14 11 8 6 5 3 3 2 1 1 1 1 */
      {PARCEL_SCHEDULE_GUIDED, 100, 4, {25, 19, 14, 11, 8, 6, 4, 3, 3, 2, 1, 1, 1, 1, 1}},
      {PARCEL_SCHEDULE_GUIDED, 100, 1, {100}},
  };
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    const parcel_schedule schedule = make(cases[c].kind, cases[c].n, cases[c].parts, 0);
    for (parcel_index step = 0; step < 40; ++step)
      CHECK(&schedule, step, length_of(&schedule, step) == cases[c].lengths[step]);
  }
}

/* Step by step, as the algorithms are published. */
static void schedule_factoring_is_its_recurrence(void **state)
{
  uint64_t seed = 2;
  (void)state;
  for (int draw = 0; draw < 300; ++draw) {
    const int parts = 1 + (int)random_below(&seed, 50);
    const parcel_index least = 1 + random_below(&seed, 4);
    const parcel_schedule schedule =
        make(PARCEL_SCHEDULE_FACTORING, random_from(&seed, 8) >> 3, parts, least);
    parcel_index remaining = schedule.n;
    parcel_index chunk = 0;
    for (parcel_index step = 0; step < schedule.steps; ++step) {
      if (step % parts == 0)
        chunk = (remaining + 2 * parts - 1) / (2 * parts);
      chunk = chunk > schedule.chunk ? chunk : schedule.chunk;
      const parcel_index taken = chunk < remaining ? chunk : remaining;
      CHECK(&schedule, step, length_of(&schedule, step) == taken);
      remaining -= taken;
    }
    assert_int_equal(remaining, 0);
  }
}

static void schedule_trapezoid_is_its_recurrence(void **state)
{
  uint64_t seed = 3;
  (void)state;
  for (int draw = 0; draw < 1000; ++draw) {
    const int parts = 1 + (int)random_below(&seed, 50);
    const parcel_index n = random_from(&seed, 8) >> 3;
    const parcel_index last = 1 + random_below(&seed, 4);
    const parcel_schedule schedule = make(PARCEL_SCHEDULE_TRAPEZOID, n, parts, last);
    const parcel_index least = last < n ? last : n;
    parcel_index chunk = (n + 2 * parts - 1) / (2 * parts);
    chunk = chunk > least ? chunk : least;
    const parcel_index most = (2 * n + chunk + least - 1) / (chunk + least);
    const parcel_index decrement = most > 1 ? (chunk - least) / (most - 1) : 0;
    parcel_index remaining = n;
    for (parcel_index step = 0; step < schedule.steps; ++step, chunk -= decrement) {
      const parcel_index taken = chunk < remaining ? chunk : remaining;
      CHECK(&schedule, step, length_of(&schedule, step) == taken);
      remaining -= taken;
    }
    assert_int_equal(remaining, 0);
    assert_true(schedule.steps <= most);
  }
}

/* The paper's remainders are rounded down in each step, ours once. */
static void schedule_guided_stays_within_parts_of_its_recurrence(void **state)
{
  uint64_t seed = 4;
  (void)state;
  for (int draw = 0; draw < 200; ++draw) {
    const int parts = 1 + (int)random_below(&seed, draw % 2 ? 8 : 200);
    const parcel_schedule schedule = make(PARCEL_SCHEDULE_GUIDED, random_size_of(&seed), parts, 0);
    parcel_index remaining = schedule.n;
    for (parcel_index step = 0; step <= schedule.head && step < schedule.steps; ++step) {
      const parcel_index ours = schedule.n - parcel_schedule_span(&schedule, step).begin;
      CHECK(&schedule, step, ours - remaining >= -1 && ours - remaining < parts);
      remaining -= remaining / parts + (remaining % parts != 0);
    }
  }
}

static void schedule_weighted_by_equal_weights_is_factoring(void **state)
{
  uint64_t seed = 5;
  (void)state;
  for (int draw = 0; draw < 300; ++draw) {
    const int parts = 1 + (int)random_below(&seed, 50);
    const parcel_index n = random_from(&seed, 1);
    parcel_layout *shares = NULL;
    assert_ok(parcel_layout_block(parts, parts, &shares));
    const parcel_schedule schedule = make_weighted(n, shares, 0);
    const parcel_schedule factoring = make(PARCEL_SCHEDULE_FACTORING, n, parts, 0);
    for (parcel_index step = 0; step < schedule.steps - 2 * parts; ++step)
      CHECK(&schedule, step, length_of(&schedule, step) == length_of(&factoring, step));
    parcel_layout_free(&shares);
  }
}

static void schedule_weighted_shares_are_in_proportion(void **state)
{
  static const parcel_index offsets[] = {0, 1, 3, 3, 10};
  parcel_layout *shares = NULL;
  (void)state;
  assert_ok(parcel_layout_explicit(4, offsets, &shares));
  const parcel_schedule schedule = make_weighted(1000000, shares, 0);
  static const int first_batch[] = {50000, 100000, 0, 350000, 25000, 50000, 0, 175000};
  for (int step = 0; step < LENGTH(first_batch); ++step)
    CHECK(&schedule, step, length_of(&schedule, step) == first_batch[step]);
  parcel_layout_free(&shares);
}

/* ---- all of int64 ---- */

static int random_parts(uint64_t *seed)
{
  const int parts = (int)(random_from(seed, 1) & INT_MAX);
  return random_below(seed, 8) == 0 ? INT_MAX - (int)random_below(seed, 3) : parts > 0 ? parts : 1;
}

/* Some step, and those around where its kind goes over to another formula. */
static void check_somewhere(const parcel_schedule *schedule, uint64_t *seed)
{
  if (schedule->steps == 0)
    return;
  const parcel_index some[] = {0,
                               random_below(seed, schedule->steps),
                               schedule->head - 1,
                               schedule->head,
                               schedule->steps - 2,
                               schedule->steps - 1};
  for (int s = 0; s < LENGTH(some); ++s)
    if (some[s] >= 0 && some[s] < schedule->steps)
      check_step(schedule, some[s]);
}

static void check_random_draws(parcel_schedule_kind kind, bool has_chunk, int draws)
{
  uint64_t seed = 6;
  for (int draw = 0; draw < draws; ++draw) {
    const parcel_index n = random_size_of(&seed);
    const parcel_index chunk = !has_chunk ? 0 : random_below(&seed, 2) ? 1 : random_size_of(&seed);
    const parcel_schedule schedule = make(kind, n, random_parts(&seed), has_chunk && chunk < 1 ? 1 : chunk);
    check_somewhere(&schedule, &seed);
  }
}

static void schedule_random_static_and_self_steps_are_exact(void **state)
{
  (void)state;
  check_random_draws(PARCEL_SCHEDULE_STATIC, false, 100000);
  check_random_draws(PARCEL_SCHEDULE_SELF, false, 100000);
  check_random_draws(PARCEL_SCHEDULE_FIXED, true, 200000);
}

static void schedule_random_guided_steps_are_exact(void **state)
{
  (void)state;
  check_random_draws(PARCEL_SCHEDULE_GUIDED, true, 30000);
}

static void schedule_random_trapezoid_steps_are_exact(void **state)
{
  (void)state;
  check_random_draws(PARCEL_SCHEDULE_TRAPEZOID, true, 150000);
}

static void schedule_random_factoring_steps_are_exact(void **state)
{
  (void)state;
  check_random_draws(PARCEL_SCHEDULE_FACTORING, true, 200000);
}

static void schedule_random_weighted_steps_are_exact(void **state)
{
  uint64_t seed = 7;
  (void)state;
  for (int draw = 0; draw < 200000; ++draw) {
    const int parts = random_parts(&seed);
    parcel_layout *shares = NULL;
    assert_ok(parcel_layout_ceiling(1 + random_size_of(&seed) / 2, parts, &shares));
    const parcel_schedule schedule =
        make_weighted(random_size_of(&seed), shares, random_below(&seed, 2) ? 0 : random_size_of(&seed));
    check_somewhere(&schedule, &seed);
    parcel_layout_free(&shares);
  }
}

/* The claim of schedule.c at its tightest: what is left is just above chunk * parts, and chunks must not yet
 * be less than the smallest. */
static void schedule_guided_keeps_to_the_smallest_chunk_up_to_the_last_step(void **state)
{
  uint64_t seed = 8;
  (void)state;
  for (int draw = 0; draw < 2000; ++draw) {
    const int parts = random_parts(&seed);
    const parcel_index most = INT64_MAX / parts;
    const parcel_index chunk = 1 + random_below(&seed, draw % 2 ? most : 3 < most ? 3 : most);
    const parcel_schedule schedule = make(PARCEL_SCHEDULE_GUIDED, random_size_of(&seed), parts, chunk);
    for (parcel_index back = 0; back < 20 && back < schedule.head; ++back)
      check_step(&schedule, schedule.head - 1 - back);
  }
}

/* ---- making and naming ---- */

static void schedule_refuses_what_it_cannot_make(void **state)
{
  static const struct {
    parcel_schedule_kind kind;
    parcel_index n;
    int parts;
    parcel_index chunk;
    const char *words;
  } cases[] = {
      {PARCEL_SCHEDULE_GUIDED, -1, 4, 0, "-1 positions"},
      {PARCEL_SCHEDULE_GUIDED, 1, 0, 0, "0 parts"},
      {PARCEL_SCHEDULE_FACTORING, 1, 4, -1, "chunks of -1"},
      {PARCEL_SCHEDULE_FIXED, 1, 4, -1, "chunks of -1"},
      {PARCEL_SCHEDULE_FIXED, 10, 4, 0, "needs a chunk"},
      {PARCEL_SCHEDULE_STATIC, 10, 4, 5, "a static schedule takes no chunk"},
      {PARCEL_SCHEDULE_SELF, 10, 4, 5, "a self schedule takes no chunk"},
      {PARCEL_SCHEDULE_WEIGHTED, 10, 4, 0, "parcel_schedule_make_weighted"},
      {(parcel_schedule_kind)99, 10, 4, 0, "99 is no kind"},
  };
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    parcel_schedule schedule = {.n = 77};
    assert_refused(parcel_schedule_make(cases[c].kind, cases[c].n, cases[c].parts, cases[c].chunk, &schedule),
                   PARCEL_INVALID, cases[c].words);
    assert_int_equal(schedule.n, 77);
  }
}

static void schedule_weighted_refuses_shares_that_are_none(void **state)
{
  parcel_schedule schedule = {.n = 77};
  parcel_layout *none = NULL;
  parcel_layout *cyclic = NULL;
  (void)state;
  assert_ok(parcel_layout_block(0, 4, &none));
  assert_ok(parcel_layout_cyclic(10, 4, 1, &cyclic));
  assert_refused(parcel_schedule_make_weighted(10, none, 0, &schedule), PARCEL_INVALID, "all 0");
  assert_refused(parcel_schedule_make_weighted(10, cyclic, 0, &schedule), PARCEL_INVALID, "contiguous");
  assert_int_equal(schedule.n, 77);
  parcel_layout_free(&none);
  parcel_layout_free(&cyclic);
}

static void schedule_names_are_read_back(void **state)
{
  static const parcel_schedule_kind kinds[] = {
#define KIND(name, value, text) PARCEL_SCHEDULE_##name,
      PARCEL_SCHEDULE_MAP(KIND)
#undef KIND
  };
  parcel_schedule_kind kind = PARCEL_SCHEDULE_STATIC;
  parcel_index chunk = 5;
  (void)state;
  for (int k = 0; k < LENGTH(kinds); ++k) {
    assert_ok(parcel_schedule_parse(parcel_schedule_name(kinds[k]), &kind, &chunk));
    assert_int_equal(kind, kinds[k]);
    assert_int_equal(chunk, 0);
  }
  assert_ok(parcel_schedule_parse("fixed,1_000", &kind, &chunk));
  assert_int_equal(kind, PARCEL_SCHEDULE_FIXED);
  assert_int_equal(chunk, 1000);
  assert_string_equal(parcel_schedule_name((parcel_schedule_kind)99), "unknown");
}

static void schedule_unknown_names_are_refused(void **state)
{
  static const struct {
    const char *text;
    parcel_status status;
    const char *words;
  } cases[] = {
      {"dinamic", PARCEL_INVALID,
       "'dinamic'; one of: static, self, fixed, guided, trapezoid, factoring, weighted"},
      {"", PARCEL_INVALID, "''; one of: static"},
      {"guide", PARCEL_INVALID, "'guide'; one of"},
      {"guidedd", PARCEL_INVALID, "'guidedd'; one of"},
      {"Guided", PARCEL_INVALID, "one of"},
      {"guided,", PARCEL_INVALID, "a digit at character 8"},
      {"guided,0", PARCEL_INVALID, "chunk at character 8 is 0"},
      {"guided,-3", PARCEL_INVALID, "chunk at character 8 is -3"},
      {"guided,3 ", PARCEL_INVALID, "the end at character 9"},
      {"guided,9223372036854775808", PARCEL_RANGE, "number at character 8"},
  };
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    parcel_schedule_kind kind = PARCEL_SCHEDULE_FACTORING;
    parcel_index chunk = 5;
    assert_refused(parcel_schedule_parse(cases[c].text, &kind, &chunk), cases[c].status, cases[c].words);
    assert_true(kind == PARCEL_SCHEDULE_FACTORING && chunk == 5);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(schedule_every_position_in_one_step),
      cmocka_unit_test(schedule_weighted_every_position_in_one_step),
      cmocka_unit_test(schedule_agrees_with_the_papers),
      cmocka_unit_test(schedule_factoring_is_its_recurrence),
      cmocka_unit_test(schedule_trapezoid_is_its_recurrence),
      cmocka_unit_test(schedule_guided_stays_within_parts_of_its_recurrence),
      cmocka_unit_test(schedule_weighted_by_equal_weights_is_factoring),
      cmocka_unit_test(schedule_weighted_shares_are_in_proportion),
      cmocka_unit_test(schedule_random_static_and_self_steps_are_exact),
      cmocka_unit_test(schedule_random_guided_steps_are_exact),
      cmocka_unit_test(schedule_random_trapezoid_steps_are_exact),
      cmocka_unit_test(schedule_random_factoring_steps_are_exact),
      cmocka_unit_test(schedule_random_weighted_steps_are_exact),
      cmocka_unit_test(schedule_guided_keeps_to_the_smallest_chunk_up_to_the_last_step),
      cmocka_unit_test(schedule_refuses_what_it_cannot_make),
      cmocka_unit_test(schedule_weighted_refuses_shares_that_are_none),
      cmocka_unit_test(schedule_names_are_read_back),
      cmocka_unit_test(schedule_unknown_names_are_refused),
  };
  return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
