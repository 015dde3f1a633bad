/* Promise 3: a file under its final name is complete, and nobody else's file is touched. */
#include "mpi_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "every_type.h"
#include "results_test.h"

static parcel_sweep sweep_of(parcel_index count)
{
  return (parcel_sweep){.name = "copy",
                        .range = {.first = 1, .step = 1, .count = count},
                        .columns = one_column,
                        .column_count = 1,
                        .kernel = copy_index,
                        .threads = 2,
                        .block = 16};
}

static parcel_index count_done(const char *path)
{
  parcel_index count = 0;
  parcel_index done = 0;
  ledger_entry *entries = read_ledger(path, &count);
  for (parcel_index b = 0; b < count && entries; ++b)
    done += entries[b].state == 1;
  free(entries);
  return done;
}

/* Blocks of the ledger hold what they say, or are missing: 1-based values in one column. */
static bool done_blocks_are_right(const char *path, parcel_block_grid grid)
{
  parcel_index count = 0;
  ledger_entry *entries = read_ledger(path, &count);
  int64_t *values = read_column(path, &one_column[0]);
  bool is_right = entries && values && count == parcel_block_grid_count(grid);
  for (parcel_index b = 0; b < count && is_right; ++b) {
    const parcel_span span = parcel_block_grid_span(grid, b);
    for (parcel_index p = span.begin; p < span.end && entries[b].state == 1; ++p)
      is_right = is_right && values[p] == p + 1;
    is_right = is_right && (entries[b].state == 0 || entries[b].state == 1);
  }
  free(values);
  free(entries);
  return is_right;
}

/* ---- outputs that cannot be ---- */

static void check_refused(const results_fixture *fixture, const char *path, parcel_status expected,
                          const char *word)
{
  const parcel_sweep sweep = sweep_of(100);
  parcel_results *results = NULL;
  assert_status(parcel_results_create(fixture->world, &sweep, path, NULL, &results), expected);
  assert_all(results == NULL);
  assert_same_text(parcel_last_error());
  assert_all(strstr(parcel_last_error(), word) != NULL);
}

static void an_existing_file_is_refused_and_left_as_it_is(void **state)
{
  const results_fixture *fixture = *state;
  assert_root(write_text(fixture->path, "mine"));
  check_refused(fixture, fixture->path, PARCEL_EXISTS, "results.h5' exists");
  assert_root(has_text(fixture->path, "mine"));
  assert_root(count_files(fixture->folder) == 1);
}

static void an_existing_part_is_refused_and_left_as_it_is(void **state)
{
  const results_fixture *fixture = *state;
  assert_root(write_text(fixture->part, "half of mine"));
  check_refused(fixture, fixture->path, PARCEL_EXISTS, "results.h5.part' exists");
  assert_root(has_text(fixture->part, "half of mine"));
  assert_root(count_files(fixture->folder) == 1);
}

static void a_dangling_link_counts_as_existing(void **state)
{
  const results_fixture *fixture = *state;
  assert_root(symlink("/no/such/file", fixture->path) == 0);
  check_refused(fixture, fixture->path, PARCEL_EXISTS, "is a symbolic link");
}

static void a_missing_folder_is_named(void **state)
{
  check_refused(*state, "/no/such/folder/x.h5", PARCEL_IO, "/no/such/folder");
}

static void a_folder_is_no_file(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_results_options options = {.replaces = true};
  const parcel_sweep sweep = sweep_of(100);
  parcel_results *results = NULL;
  check_refused(fixture, fixture->folder, PARCEL_IO, "folder");
  assert_root(mkdir(fixture->part, 0777) == 0);
  check_refused(fixture, fixture->path, PARCEL_IO, "folder");
  assert_status(parcel_results_create(fixture->world, &sweep, fixture->folder, &options, &results),
                PARCEL_IO);
  assert_root(exists(fixture->folder));
}

static void an_empty_name_is_refused(void **state)
{
  check_refused(*state, "", PARCEL_INVALID, "empty");
}

static void a_file_larger_than_the_disk_is_refused_and_nothing_left(void **state)
{
  const results_fixture *fixture = *state;
  parcel_sweep sweep = sweep_of((parcel_index)1 << 50);
  parcel_results *results = NULL;
  sweep.block = 0;
  assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, NULL, &results), PARCEL_SPACE);
  assert_all(strstr(parcel_last_error(), "free on the disk") != NULL);
  assert_same_text(parcel_last_error());
  assert_root(count_files(fixture->folder) == 0);
}

static void a_bad_sweep_makes_no_file(void **state)
{
  const results_fixture *fixture = *state;
  parcel_results *results = NULL;
  parcel_sweep sweep = sweep_of(10);
  sweep.kernel = NULL;
  assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, NULL, &results), PARCEL_INVALID);
  assert_root(count_files(fixture->folder) == 0);
}

/* ---- replacing ---- */

static void a_file_is_replaced_when_the_new_one_is_complete(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_results_options options = {.replaces = true};
  const parcel_sweep sweep = sweep_of(1000);
  parcel_results *results = NULL;
  assert_root(write_text(fixture->path, "old") && write_text(fixture->part, "older"));
  assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, &options, &results), PARCEL_OK);
  assert_root(has_text(fixture->path, "old"));
  assert_status(parcel_sweep_run(fixture->world, &sweep, parcel_results_sink(results), NULL, NULL),
                PARCEL_OK);
  assert_root(has_text(fixture->path, "old"));
  assert_status(parcel_results_close(&results, PARCEL_OK), PARCEL_OK);
  assert_all(results == NULL);
  assert_root(status_is(fixture->path, "complete") && count_done(fixture->path) > 0);
  assert_root(count_files(fixture->folder) == 1);
}

static void a_failed_replacement_leaves_the_old_file(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_results_options options = {.replaces = true};
  const parcel_sweep sweep = sweep_of(1000);
  parcel_results *results = NULL;
  assert_root(write_text(fixture->path, "old"));
  assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, &options, &results), PARCEL_OK);
  parcel_fail(PARCEL_KERNEL, "no luck");
  assert_status(parcel_results_close(&results, PARCEL_KERNEL), PARCEL_KERNEL);
  assert_root(has_text(fixture->path, "old"));
  assert_root(count_files(fixture->folder) == 1);
}

static parcel_status slow_copy(void *ctx, const parcel_slice *slice, void *const columns[])
{
  mpi_test_sleep(2e-3);
  return copy_index(ctx, slice, columns);
}

/* A parcel_progress_show that makes a file of the final name; ctx is the fixture. */
static void claim_the_name(void *ctx, const parcel_progress *progress)
{
  const results_fixture *fixture = ctx;
  if (!progress->is_over && !exists(fixture->path))
    write_text(fixture->path, "mine");
}

static void a_name_that_appears_during_the_run_is_not_overwritten(void **state)
{
  results_fixture *fixture = *state;
  const parcel_sweep_options how = {.show = claim_the_name, .show_ctx = fixture};
  parcel_sweep sweep = sweep_of(1009);
  sweep.kernel = slow_copy;
  assert_status(results_make(fixture, &sweep, NULL, &how), PARCEL_EXISTS);
  assert_same_text(parcel_last_error());
  assert_all(strstr(parcel_last_error(), "results.h5.part") != NULL);
  assert_root(has_text(fixture->path, "mine"));
  assert_root(status_is(fixture->part, "complete"));
}

/* ---- runs that do not come to their end ---- */

static void a_failure_before_any_block_leaves_nothing(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_index counts[] = {0, 1, 1000};
  for (size_t c = 0; c < sizeof counts / sizeof *counts; ++c) {
    const parcel_sweep sweep = sweep_of(counts[c]);
    parcel_results *results = NULL;
    assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, NULL, &results), PARCEL_OK);
    assert_root(exists(fixture->part) && status_is(fixture->part, "running"));
    parcel_fail(PARCEL_SYSTEM, "something else went wrong");
    assert_status(parcel_results_close(&results, PARCEL_SYSTEM), PARCEL_SYSTEM);
    assert_all(strcmp(parcel_last_error(), "something else went wrong") == 0);
    assert_root(count_files(fixture->folder) == 0);
  }
}

static parcel_status fail_late(void *ctx, const parcel_slice *slice, void *const columns[])
{
  const parcel_index bad = *(const parcel_index *)ctx;
  mpi_test_sleep(1e-3);
  if (bad >= slice->first && bad < slice->first + slice->count) {
    mpi_test_sleep(50e-3);
    return parcel_fail(PARCEL_KERNEL, "not this one");
  }
  return copy_index(NULL, slice, columns);
}

static void a_failed_run_leaves_its_blocks_in_the_part(void **state)
{
  const results_fixture *fixture = *state;
  parcel_index bad = 1000;
  parcel_block_grid grid;
  parcel_sweep sweep = sweep_of(2000);
  sweep.kernel = fail_late;
  sweep.ctx = &bad;
  assert_status(parcel_sweep_grid(fixture->world, &sweep, &grid), PARCEL_OK);
  assert_status(results_make(fixture, &sweep, NULL, NULL), PARCEL_KERNEL);
  assert_same_text(parcel_last_error());
  assert_all(strstr(parcel_last_error(), "index 1000: not this one") != NULL);
  assert_all(!exists(fixture->path));
  assert_root(status_is(fixture->part, "failed"));
  assert_root(count_done(fixture->part) > 0 && count_done(fixture->part) < parcel_block_grid_count(grid));
  assert_root(done_blocks_are_right(fixture->part, grid));
}

/* What cannot be counted may still be worth a lot to its owner. */
static void a_part_whose_ledger_cannot_be_read_is_kept(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(1000);
  parcel_results *results = NULL;
  assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, NULL, &results), PARCEL_OK);
  assert_status(parcel_sweep_run(fixture->world, &sweep, parcel_results_sink(results), NULL, NULL),
                PARCEL_OK);
  assert_root(truncate(fixture->part, 100) == 0);
  parcel_fail(PARCEL_SYSTEM, "something else went wrong");
  assert_status(parcel_results_close(&results, PARCEL_SYSTEM), PARCEL_SYSTEM);
  assert_root(exists(fixture->part));
}

static parcel_status stop_soon(void *ctx, const parcel_slice *slice, void *const columns[])
{
  if (slice->position > 0)
    mpi_test_raise_stop();
  return slow_copy(ctx, slice, columns);
}

static void a_stopped_run_leaves_its_blocks_in_the_part(void **state)
{
  const results_fixture *fixture = *state;
  parcel_block_grid grid;
  const parcel_sweep_options how = {.signals = mpi_test_signals()};
  parcel_sweep sweep = sweep_of(100000);
  sweep.kernel = stop_soon;
  assert_status(parcel_sweep_grid(fixture->world, &sweep, &grid), PARCEL_OK);
  assert_status(results_make(fixture, &sweep, NULL, &how), PARCEL_STOPPED);
  assert_all(!exists(fixture->path));
  assert_root(status_is(fixture->part, "stopped"));
  assert_root(strlen(text_dataset(fixture->part, "/parcel/provenance/end_time")) ==
              strlen("2026-11-21T08:15:30Z"));
  assert_root(done_blocks_are_right(fixture->part, grid));
  assert_root(count_done(fixture->part) < parcel_block_grid_count(grid));
}

static void a_stop_before_any_block_leaves_the_part(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(1000);
  parcel_results *results = NULL;
  assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, NULL, &results), PARCEL_OK);
  assert_status(parcel_results_close(&results, PARCEL_STOPPED), PARCEL_STOPPED);
  assert_root(status_is(fixture->part, "stopped") && count_done(fixture->part) == 0);
}

static void a_success_without_all_blocks_is_a_failure(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(1000);
  parcel_results *results = NULL;
  assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, NULL, &results), PARCEL_OK);
  assert_status(parcel_results_close(&results, PARCEL_OK), PARCEL_IO);
  assert_same_text(parcel_last_error());
  assert_all(strstr(parcel_last_error(), "only 0 of") != NULL);
  assert_all(!exists(fixture->path));
}

static void a_part_that_vanishes_during_the_run_is_missed(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(1000);
  parcel_results *results = NULL;
  assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, NULL, &results), PARCEL_OK);
  assert_root(unlink(fixture->part) == 0);
  assert_status(parcel_sweep_run(fixture->world, &sweep, parcel_results_sink(results), NULL, NULL),
                PARCEL_OK);
  const parcel_status status = parcel_results_close(&results, PARCEL_OK);
  assert_all(status != PARCEL_OK);
  assert_same_text(parcel_last_error());
  assert_all(strstr(parcel_last_error(), "results.h5.part") != NULL);
  assert_root(count_files(fixture->folder) == 0);
}

static void closing_nothing_returns_the_outcome(void **state)
{
  parcel_results *none = NULL;
  (void)state;
  assert_status(parcel_results_close(&none, PARCEL_OK), PARCEL_OK);
  assert_status(parcel_results_close(&none, PARCEL_KERNEL), PARCEL_KERNEL);
}

#define results_test(test) cmocka_unit_test_setup(test, results_clean)

int main(void)
{
  const struct CMUnitTest failures[] = {
      results_test(an_existing_file_is_refused_and_left_as_it_is),
      results_test(an_existing_part_is_refused_and_left_as_it_is),
      results_test(a_dangling_link_counts_as_existing),
      results_test(a_missing_folder_is_named),
      results_test(a_folder_is_no_file),
      results_test(an_empty_name_is_refused),
      results_test(a_file_larger_than_the_disk_is_refused_and_nothing_left),
      results_test(a_bad_sweep_makes_no_file),
      results_test(a_file_is_replaced_when_the_new_one_is_complete),
      results_test(a_failed_replacement_leaves_the_old_file),
      results_test(a_name_that_appears_during_the_run_is_not_overwritten),
      results_test(a_failure_before_any_block_leaves_nothing),
      results_test(a_failed_run_leaves_its_blocks_in_the_part),
      results_test(a_part_whose_ledger_cannot_be_read_is_kept),
      results_test(a_stopped_run_leaves_its_blocks_in_the_part),
      results_test(a_stop_before_any_block_leaves_the_part),
      results_test(a_success_without_all_blocks_is_a_failure),
      results_test(a_part_that_vanishes_during_the_run_is_missed),
      results_test(closing_nothing_returns_the_outcome),
  };
  mpi_test_init(MPI_THREAD_FUNNELED);
  return mpi_test_run(failures, results_setup, results_teardown);
}
