/* Failures on record: the run goes on, and the file tells which indices have no value. */
#include "mpi_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "every_type.h"
#include "results_test.h"

enum { POSITIONS = 1009, FIRST = 5, STEP = 2 };

/* Which positions fail, in which kernel. */
typedef struct weather {
  parcel_index bad_every; /* 0: none */
  parcel_index stops_at;  /* here the kernel is told to stop; -1: nowhere */
  bool ends_thread;       /* the kernel ends its thread where it would fail */
} weather;

static bool is_bad(const weather *weather, parcel_index position)
{
  return weather->bad_every > 0 && position % weather->bad_every == 0;
}

static parcel_status moody(void *ctx, const parcel_slice *slice, void *const columns[])
{
  const weather *weather = ctx;
  for (parcel_index i = 0; i < slice->count; ++i) {
    const parcel_index position = slice->position + i;
    if (position == weather->stops_at)
      mpi_test_raise_stop();
    if (is_bad(weather, position) && weather->ends_thread)
      pthread_exit(NULL);
    if (is_bad(weather, position))
      return parcel_fail(PARCEL_KERNEL, "no luck at %lld", (long long)position);
    ((int64_t *)columns[0])[i] = position;
    ((double *)columns[1])[i] = 0.5 * (double)position;
  }
  return PARCEL_OK;
}

static const parcel_column columns[] = {{.name = "whole", .type = PARCEL_INT64},
                                        {.name = "half", .type = PARCEL_FLOAT64}};

static parcel_sweep sweep_of(weather *weather)
{
  return (parcel_sweep){.name = "moody",
                        .range = {.first = FIRST, .step = STEP, .count = POSITIONS},
                        .columns = columns,
                        .column_count = 2,
                        .kernel = moody,
                        .ctx = weather,
                        .threads = 2,
                        .block = 16};
}

static const parcel_results_options keeping = {.keeps_failures = true, .resumes = true};
static const parcel_sweep_options recording = {.on_error = PARCEL_ON_ERROR_RECORD};

/* The table as the reader, and so HDF5, sees it. */
static bool table_is_right(const char *path, const weather *weather)
{
  parcel_failure failures[POSITIONS];
  parcel_reader *reader = NULL;
  parcel_index expected = 0;
  char message[64];
  if (parcel_reader_open(path, &reader))
    return false;
  const parcel_index count = parcel_reader_failure_count(reader);
  bool is_right =
      count <= POSITIONS && parcel_reader_failures(reader, (parcel_span){0, count}, failures) == PARCEL_OK;
  for (parcel_index p = 0; p < POSITIONS && is_right; ++p)
    if (is_bad(weather, p) && expected < count) {
      const parcel_failure *failure = &failures[expected++];
      snprintf(message, sizeof message, "no luck at %lld", (long long)p);
      if (weather->ends_thread)
        snprintf(message, sizeof message, "the thread ended inside the kernel");
      is_right = failure->index == FIRST + STEP * p && failure->code == PARCEL_KERNEL &&
                 strncmp(failure->message, message, strlen(message)) == 0;
    } else {
      is_right = is_right && !is_bad(weather, p);
    }
  parcel_reader_close(&reader);
  return is_right && expected == count;
}

static bool values_are_right(const char *path, const weather *weather)
{
  int64_t *whole = read_column(path, &columns[0]);
  double *half = read_column(path, &columns[1]);
  bool is_right = whole && half;
  for (parcel_index p = 0; p < POSITIONS && is_right; ++p)
    is_right = is_bad(weather, p) ? whole[p] == -9223372036854775806 && half[p] != half[p]
                                  : whole[p] == p && half[p] == 0.5 * (double)p;
  free(whole);
  free(half);
  return is_right;
}

static void failures_are_listed_and_their_values_filled(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_index bad[] = {1000, 97, 7, 1};
  for (size_t b = 0; b < sizeof bad / sizeof *bad; ++b) {
    weather weather = {.bad_every = bad[b], .stops_at = -1};
    const parcel_sweep sweep = sweep_of(&weather);
    assert_status(results_make(fixture, &sweep, &keeping, &recording), PARCEL_FAILURES);
    assert_same_text(parcel_last_error());
    assert_all(strstr(parcel_last_error(), " of 1009 indices failed, listed in ") != NULL);
    assert_root(table_is_right(fixture->path, &weather) && values_are_right(fixture->path, &weather));
    assert_root(status_is(fixture->path, "complete") && count_files(fixture->folder) == 1);
    assert_root(integer_attribute(fixture->path, "/whole", "_FillValue") == -9223372036854775806);
    assert_status(results_make(fixture, &sweep, &keeping, &recording), PARCEL_FAILURES);
    assert_root(unlink(fixture->path) == 0);
  }
}

static parcel_status index_or_nothing(void *ctx, const parcel_slice *slice, void *const values[])
{
  int64_t *index = values[0];
  (void)ctx;
  for (parcel_index i = 0; i < slice->count; ++i) {
    if ((slice->position + i) % 5 == 2)
      return parcel_fail(PARCEL_KERNEL, "no luck");
    index[i] = slice->first + i * slice->step;
  }
  return PARCEL_OK;
}

static void an_index_that_fails_is_still_that_index(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_column index = {.name = "index", .type = PARCEL_INT64};
  const parcel_sweep sweep = {.name = "index",
                              .range = {FIRST, STEP, POSITIONS},
                              .columns = &index,
                              .column_count = 1,
                              .kernel = index_or_nothing,
                              .threads = 2,
                              .block = 10};
  assert_status(results_make(fixture, &sweep, &keeping, &recording), PARCEL_FAILURES);
  int64_t *values = mpi_test_rank() == 0 ? read_column(fixture->path, &index) : NULL;
  bool is_right = values != NULL;
  for (parcel_index p = 0; p < POSITIONS && is_right; ++p)
    is_right = values[p] == FIRST + STEP * p;
  free(values);
  assert_root(is_right);
}

static void a_kernel_that_ends_its_thread_is_on_record(void **state)
{
  const results_fixture *fixture = *state;
  weather weather = {.bad_every = 97, .stops_at = -1, .ends_thread = true};
  const parcel_sweep sweep = sweep_of(&weather);
  assert_status(results_make(fixture, &sweep, &keeping, &recording), PARCEL_FAILURES);
  assert_root(table_is_right(fixture->path, &weather) && values_are_right(fixture->path, &weather));
}

static void a_run_without_failures_is_a_plain_success(void **state)
{
  const results_fixture *fixture = *state;
  weather weather = {.stops_at = -1};
  const parcel_sweep sweep = sweep_of(&weather);
  assert_status(results_make(fixture, &sweep, &keeping, &recording), PARCEL_OK);
  assert_root(table_is_right(fixture->path, &weather) && values_are_right(fixture->path, &weather));
}

/* A .part in which some blocks, with their failures, are done. */
static void make_part(const results_fixture *fixture, const parcel_sweep *sweep)
{
  int64_t whole[POSITIONS];
  double half[POSITIONS];
  parcel_failure failures[POSITIONS];
  void *const values[] = {whole, half};
  parcel_results *results = NULL;
  bool is_written = true;
  assert_status(parcel_results_create(fixture->world, sweep, fixture->path, &keeping, &results), PARCEL_OK);
  const parcel_sink sink = parcel_results_sink(results);
  for (parcel_index b = 0; b < parcel_block_grid_count(*sink.grid); ++b) {
    parcel_block block = {.number = b,
                          .positions = parcel_block_grid_span(*sink.grid, b),
                          .columns = (const void *const *)values,
                          .failures = failures};
    for (parcel_index p = block.positions.begin; p < block.positions.end; ++p) {
      whole[p - block.positions.begin] = p;
      half[p - block.positions.begin] = 0.5 * (double)p;
      if (is_bad(sweep->ctx, p)) {
        parcel_failure *failure = &failures[block.failure_count++];
        *failure = (parcel_failure){.position = p, .index = FIRST + STEP * p, .code = PARCEL_KERNEL};
        snprintf(failure->message, sizeof failure->message, "no luck at %lld", (long long)p);
        for (int c = 0; c < 2; ++c)
          parcel_column_fill(&columns[c], (char *)values[c] + 8 * (p - block.positions.begin), 1);
      }
    }
    if (b % 3 != 1 && b % mpi_test_size() == mpi_test_rank())
      is_written = sink.write(sink.ctx, &block) == PARCEL_OK && is_written;
  }
  assert_status(parcel_results_close(&results, PARCEL_STOPPED), PARCEL_STOPPED);
  assert_all(is_written);
}

static parcel_results_history resume(const results_fixture *fixture, const parcel_sweep *sweep)
{
  parcel_results *results = NULL;
  assert_status(parcel_results_create(fixture->world, sweep, fixture->path, &keeping, &results), PARCEL_OK);
  const parcel_results_history history = parcel_results_get_history(results);
  assert_status(parcel_sweep_run(fixture->world, sweep, parcel_results_sink(results), &recording, NULL),
                PARCEL_OK);
  assert_status(parcel_results_close(&results, PARCEL_OK), PARCEL_FAILURES);
  return history;
}

static void records_of_kept_blocks_are_kept(void **state)
{
  const results_fixture *fixture = *state;
  weather weather = {.bad_every = 7, .stops_at = -1};
  const parcel_sweep sweep = sweep_of(&weather);
  make_part(fixture, &sweep);
  const parcel_results_history history = resume(fixture, &sweep);
  assert_all(history.damaged == 0 && history.kept > 0 && history.failures > 0);
  assert_root(table_is_right(fixture->path, &weather) && values_are_right(fixture->path, &weather));
  assert_root(count_files(fixture->folder) == 1);
}

/* The records are in the journals still. */
static void a_reader_of_the_part_knows_the_failures(void **state)
{
  const results_fixture *fixture = *state;
  weather weather = {.bad_every = 7, .stops_at = -1};
  const parcel_sweep sweep = sweep_of(&weather);
  parcel_index failed = 0;
  bool is_good = true;
  double scratch[2 * POSITIONS];
  parcel_reader *reader = NULL;
  make_part(fixture, &sweep);
  assert_status(parcel_reader_open(fixture->part, &reader), PARCEL_OK);
  const parcel_block_grid grid = parcel_reader_grid(reader);
  for (parcel_index b = 0; b < parcel_block_grid_count(grid) && is_good; ++b) {
    const parcel_span span = parcel_block_grid_span(grid, b);
    parcel_reader_entry entry;
    is_good = parcel_reader_entries(reader, (parcel_span){b, b + 1}, &entry) == PARCEL_OK;
    if (entry.state == 0)
      continue;
    for (parcel_index p = span.begin; p < span.end; ++p)
      failed += is_bad(&weather, p);
    is_good = is_good && parcel_reader_check_block(reader, b, &entry, scratch) == PARCEL_OK;
  }
  assert_all(is_good && failed > 0 && parcel_reader_failure_count(reader) == failed);
  parcel_reader_close(&reader);
}

/* A power cut may keep the ledger and lose a journal: a block with fill values must not pass for a good
 * one. */
static void a_block_whose_records_are_lost_is_computed_again(void **state)
{
  const results_fixture *fixture = *state;
  weather weather = {.bad_every = 7, .stops_at = -1};
  const parcel_sweep sweep = sweep_of(&weather);
  char journal[PATH_MAX + 96];
  make_part(fixture, &sweep);
  snprintf(journal, sizeof journal, "%s.failures.%d", fixture->part, mpi_test_rank());
  const bool is_there = exists(journal);
  assert_all(!is_there || truncate(journal, 100) == 0);
  assert_all(mpi_test_rank() != 0 || is_there);
  const parcel_results_history history = resume(fixture, &sweep);
  assert_all(history.damaged > 0 && history.failures == 0);
  assert_root(table_is_right(fixture->path, &weather) && values_are_right(fixture->path, &weather));
}

static void journals_of_a_replaced_part_do_not_count(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_results_options replacing = {.keeps_failures = true, .replaces = true};
  weather weather = {.bad_every = 7, .stops_at = -1};
  const parcel_sweep sweep = sweep_of(&weather);
  make_part(fixture, &sweep);
  weather.bad_every = 0;
  assert_status(results_make(fixture, &sweep, &replacing, &recording), PARCEL_OK);
  assert_root(table_is_right(fixture->path, &weather) && count_files(fixture->folder) == 1);
}

/* ---- trying again ---- */

static parcel_status retry(const results_fixture *fixture, const parcel_sweep *sweep, parcel_index *positions)
{
  const parcel_results_options retrying = {.retries = true};
  parcel_results *results = NULL;
  parcel_sweep_report report = {0};
  parcel_status status = parcel_results_create(fixture->world, sweep, fixture->path, &retrying, &results);
  if (!status)
    status = parcel_sweep_run(fixture->world, sweep, parcel_results_sink(results), &recording, &report);
  *positions = report.positions;
  return parcel_results_close(&results, status);
}

/* Every block has its checksum, failures included: as a .part, the file is kept in whole. */
static void check_checksums(const results_fixture *fixture, const parcel_sweep *sweep, parcel_status expected)
{
  parcel_results *results = NULL;
  assert_root(rename(fixture->path, fixture->part) == 0);
  assert_status(parcel_results_create(fixture->world, sweep, fixture->path, &keeping, &results), PARCEL_OK);
  const parcel_results_history history = parcel_results_get_history(results);
  assert_status(parcel_results_close(&results, PARCEL_OK), expected);
  assert_all(history.kept > 0 && history.missing == 0 && history.damaged == 0);
}

static void exactly_the_failed_indices_are_retried(void **state)
{
  const results_fixture *fixture = *state;
  weather weather = {.bad_every = 7, .stops_at = -1};
  const parcel_sweep sweep = sweep_of(&weather);
  parcel_index positions = 0;
  assert_status(results_make(fixture, &sweep, &keeping, &recording), PARCEL_FAILURES);
  check_checksums(fixture, &sweep, PARCEL_FAILURES);
  weather.bad_every = 49;
  assert_status(retry(fixture, &sweep, &positions), PARCEL_FAILURES);
  assert_all(positions == POSITIONS / 7 + 1);
  check_checksums(fixture, &sweep, PARCEL_FAILURES);
  assert_root(table_is_right(fixture->path, &weather) && values_are_right(fixture->path, &weather));
  assert_root(count_files(fixture->folder) == 1);
  weather.bad_every = 0;
  assert_status(retry(fixture, &sweep, &positions), PARCEL_OK);
  assert_all(positions == POSITIONS / 49 + 1);
  check_checksums(fixture, &sweep, PARCEL_OK);
  assert_root(table_is_right(fixture->path, &weather) && values_are_right(fixture->path, &weather));
  assert_root(status_is(fixture->path, "complete"));
  assert_status(retry(fixture, &sweep, &positions), PARCEL_OK);
  assert_all(positions == 0);
}

static void a_retry_that_does_not_end_leaves_the_file_as_it_was(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_results_options retrying = {.retries = true};
  weather weather = {.bad_every = 7, .stops_at = -1};
  const parcel_sweep sweep = sweep_of(&weather);
  parcel_results *results = NULL;
  assert_status(results_make(fixture, &sweep, &keeping, &recording), PARCEL_FAILURES);
  assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, &retrying, &results), PARCEL_OK);
  assert_status(parcel_results_close(&results, PARCEL_STOPPED), PARCEL_STOPPED);
  assert_root(table_is_right(fixture->path, &weather) && values_are_right(fixture->path, &weather));
  assert_root(count_files(fixture->folder) == 1);
  check_checksums(fixture, &sweep, PARCEL_FAILURES);
}

#define results_test(test) cmocka_unit_test_setup(test, results_clean)

int main(void)
{
  const struct CMUnitTest record[] = {
      results_test(failures_are_listed_and_their_values_filled),
      results_test(an_index_that_fails_is_still_that_index),
      results_test(a_kernel_that_ends_its_thread_is_on_record),
      results_test(a_run_without_failures_is_a_plain_success),
      results_test(records_of_kept_blocks_are_kept),
      results_test(a_reader_of_the_part_knows_the_failures),
      results_test(a_block_whose_records_are_lost_is_computed_again),
      results_test(journals_of_a_replaced_part_do_not_count),
      results_test(exactly_the_failed_indices_are_retried),
      results_test(a_retry_that_does_not_end_leaves_the_file_as_it_was),
  };
  mpi_test_init(MPI_THREAD_FUNNELED);
  return mpi_test_run(record, results_setup, results_teardown);
}
