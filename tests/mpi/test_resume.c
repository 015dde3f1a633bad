/* Promise 4: nothing done twice, nothing trusted blindly. */
#include "mpi_test.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "every_type.h"
#include "results_test.h"

enum { POSITIONS = 1009, BLOCK = 16 };

/* What a kernel was asked for, and what was kept, on this rank. */
static atomic_llong computed;
static atomic_llong observed_sum;
static atomic_llong kept_sum;

static parcel_status count_and_copy(void *ctx, const parcel_slice *slice, void *const columns[])
{
  atomic_fetch_add(&computed, slice->count);
  return copy_index(ctx, slice, columns);
}

/* Fails unless it is asked for one position alone, after it has computed all of them. */
static parcel_status count_and_fail_together(void *ctx, const parcel_slice *slice, void *const columns[])
{
  const parcel_status status = count_and_copy(ctx, slice, columns);
  return status || slice->count == 1 ? status : parcel_fail(PARCEL_KERNEL, "too many at once");
}

static parcel_status add_to(void *ctx, const parcel_block *block)
{
  const int64_t *values = block->columns[0];
  atomic_llong *sum = ctx;
  for (parcel_index p = 0; p < block->positions.end - block->positions.begin; ++p)
    atomic_fetch_add(sum, values[p]);
  return PARCEL_OK;
}

static parcel_sweep sweep_of(parcel_index count)
{
  return (parcel_sweep){.name = "copy",
                        .range = {.first = 1, .step = 1, .count = count},
                        .columns = one_column,
                        .column_count = 1,
                        .kernel = count_and_copy,
                        .threads = 2,
                        .block = BLOCK};
}

static parcel_index sum_of_ranks(parcel_index own)
{
  int64_t sum = own;
  MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
  return sum;
}

static bool is_wanted(parcel_index block)
{
  return block % 3 != 1;
}

/* A .part in which the wanted blocks are done, as if the run had been stopped then. Returns how many
 * those are; its grid goes into *grid. */
static parcel_index make_part(const results_fixture *fixture, const parcel_sweep *sweep,
                              parcel_block_grid *grid)
{
  int64_t values[POSITIONS];
  const void *const columns[] = {values};
  parcel_results *results = NULL;
  parcel_index done = 0;
  bool is_written = true;
  assert_status(parcel_results_create(fixture->world, sweep, fixture->path, NULL, &results), PARCEL_OK);
  const parcel_sink sink = parcel_results_sink(results);
  *grid = *sink.grid;
  for (parcel_index b = 0; b < parcel_block_grid_count(*grid); ++b) {
    const parcel_block block = {
        .number = b, .positions = parcel_block_grid_span(*grid, b), .columns = columns};
    for (parcel_index p = block.positions.begin; p < block.positions.end; ++p)
      values[p - block.positions.begin] = p + 1;
    done += is_wanted(b);
    if (is_wanted(b) && b % mpi_test_size() == mpi_test_rank())
      is_written = sink.write(sink.ctx, &block) == PARCEL_OK && is_written;
  }
  assert_status(parcel_results_close(&results, PARCEL_STOPPED), PARCEL_STOPPED);
  assert_all(is_written);
  return done;
}

/* Resumes, and tells what it found. */
static parcel_results_history resume(const results_fixture *fixture, const parcel_sweep *sweep)
{
  const parcel_results_options options = {.resumes = true,
                                          .keep = add_to,
                                          .keep_ctx = &kept_sum,
                                          .observe = add_to,
                                          .observe_ctx = &observed_sum};
  parcel_results *results = NULL;
  atomic_store(&computed, 0);
  atomic_store(&kept_sum, 0);
  atomic_store(&observed_sum, 0);
  assert_status(parcel_results_create(fixture->world, sweep, fixture->path, &options, &results), PARCEL_OK);
  const parcel_results_history history = parcel_results_get_history(results);
  assert_status(parcel_sweep_run(fixture->world, sweep, parcel_results_sink(results), NULL, NULL), PARCEL_OK);
  assert_status(parcel_results_close(&results, PARCEL_OK), PARCEL_OK);
  return history;
}

static bool values_are_right(const char *path, parcel_index count)
{
  int64_t *values = read_column(path, &one_column[0]);
  bool is_right = values != NULL;
  for (parcel_index p = 0; p < count && is_right; ++p)
    is_right = values[p] == p + 1;
  free(values);
  return is_right;
}

static parcel_index count_entries(const results_fixture *fixture)
{
  char part[PATH_MAX + 64];
  parcel_reader *reader = NULL;
  parcel_index done = -1;
  snprintf(part, sizeof part, "%s.part", fixture->path);
  if (parcel_reader_open(part, &reader) == PARCEL_OK && parcel_reader_count_done(reader, &done) != PARCEL_OK)
    done = -1;
  parcel_reader_close(&reader);
  return done;
}

/* Writes blocks [begin, end), each computed in so many seconds; how many entries the file has then. */
static parcel_index entries_after(const results_fixture *fixture, parcel_sink sink, parcel_index begin,
                                  parcel_index end, double seconds)
{
  static const int64_t values[BLOCK];
  const void *const columns[] = {values};
  for (parcel_index b = begin; b < end; ++b) {
    const parcel_block block = {.number = b,
                                .positions = parcel_block_grid_span(*sink.grid, b),
                                .columns = columns,
                                .seconds = seconds};
    if (sink.write(sink.ctx, &block) != PARCEL_OK)
      return -1;
  }
  return count_entries(fixture);
}

static parcel_index positions_of(parcel_block_grid grid, bool wanted)
{
  parcel_index positions = 0;
  for (parcel_index b = 0; b < parcel_block_grid_count(grid); ++b) {
    const parcel_span span = parcel_block_grid_span(grid, b);
    positions += is_wanted(b) == wanted ? span.end - span.begin : 0;
  }
  return positions;
}

/* ---- going on ---- */

static void entries_of_quick_blocks_wait_for_each_other(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of((parcel_index)POSITIONS * BLOCK);
  parcel_results *results = NULL;
  parcel_index entries[5] = {0};
  assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, NULL, &results), PARCEL_OK);
  const parcel_sink sink = parcel_results_sink(results);
  if (mpi_test_rank() == 0) {
    entries[0] = entries_after(fixture, sink, 0, 10, 0); /* wait */
    entries[1] =
        entries_after(fixture, sink, 10, 11, 1); /* is too dear to wait, and takes the others along */
    entries[2] = entries_after(fixture, sink, 11, 11 + 64, 0);
    entries[3] = entries_after(fixture, sink, 100, 103, 0.003);
    entries[4] = entries_after(fixture, sink, 103, 104, 0.003);
  }
  assert_status(parcel_results_close(&results, PARCEL_STOPPED), PARCEL_STOPPED);
  const parcel_index last = count_entries(fixture);
  assert_all(mpi_test_rank() != 0 || (entries[0] == 0 && entries[1] == 11 && entries[2] == 75 &&
                                      entries[3] == 75 && entries[4] == 79));
  assert_all(last == 79);
}

static void exactly_the_missing_blocks_are_computed(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_index counts[] = {0, 1, 2, 97, POSITIONS};
  for (size_t c = 0; c < sizeof counts / sizeof *counts; ++c) {
    const parcel_sweep sweep = sweep_of(counts[c]);
    parcel_block_grid grid;
    const parcel_index done = make_part(fixture, &sweep, &grid);
    const parcel_results_history history = resume(fixture, &sweep);
    assert_all(history.kept == done && history.damaged == 0 && !history.is_complete);
    assert_all(history.missing == parcel_block_grid_count(grid) - done);
    assert_all(sum_of_ranks(atomic_load(&computed)) == positions_of(grid, false));
    assert_root(values_are_right(fixture->path, counts[c]) && status_is(fixture->path, "complete"));
    assert_root(count_files(fixture->folder) == 1 && unlink(fixture->path) == 0);
  }
}

static void every_block_is_observed_once_whether_kept_or_written(void **state)
{
  const parcel_sweep sweep = sweep_of(POSITIONS);
  parcel_block_grid grid;
  assert_all(make_part(*state, &sweep, &grid) > 0);
  assert_all(resume(*state, &sweep).missing > 0);
  assert_all(sum_of_ranks(atomic_load(&observed_sum)) == (parcel_index)POSITIONS * (POSITIONS + 1) / 2);
}

static void only_kept_blocks_are_shown_as_kept(void **state)
{
  const parcel_sweep sweep = sweep_of(POSITIONS);
  parcel_block_grid grid;
  parcel_index expected = 0;
  make_part(*state, &sweep, &grid);
  resume(*state, &sweep);
  for (parcel_index p = 0; p < POSITIONS; ++p)
    expected += is_wanted(parcel_block_grid_owner(grid, p)) ? p + 1 : 0;
  assert_all(expected > 0 && sum_of_ranks(atomic_load(&kept_sum)) == expected);
}

/* The kernel is called again for what it fails at: the position that it fails at by itself alone goes on
 * record. */
static void a_slice_computed_again_is_observed_once(void **state)
{
  const results_fixture *fixture = *state;
  parcel_sweep sweep = sweep_of(POSITIONS);
  const parcel_results_options options = {
      .keeps_failures = true, .observe = add_to, .observe_ctx = &observed_sum};
  const parcel_sweep_options how = {.on_error = PARCEL_ON_ERROR_RECORD};
  parcel_results *results = NULL;
  sweep.kernel = count_and_fail_together;
  atomic_store(&computed, 0);
  atomic_store(&observed_sum, 0);
  assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, &options, &results), PARCEL_OK);
  assert_status(parcel_sweep_run(fixture->world, &sweep, parcel_results_sink(results), &how, NULL),
                PARCEL_OK);
  assert_status(parcel_results_close(&results, PARCEL_OK), PARCEL_OK);
  assert_all(sum_of_ranks(atomic_load(&computed)) > POSITIONS);
  assert_all(sum_of_ranks(atomic_load(&observed_sum)) == (parcel_index)POSITIONS * (POSITIONS + 1) / 2);
}

static void the_grid_of_the_file_is_kept_whatever_block_is_asked_for(void **state)
{
  parcel_sweep sweep = sweep_of(POSITIONS);
  parcel_block_grid grid;
  const parcel_index done = make_part(*state, &sweep, &grid);
  sweep.block = 7;
  sweep.threads = 1;
  const parcel_results_history history = resume(*state, &sweep);
  assert_all(history.kept == done && history.damaged == 0);
}

static void without_a_part_it_starts_afresh(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(POSITIONS);
  const parcel_results_history history = resume(fixture, &sweep);
  assert_all(history.kept == 0 && history.missing == 0 && !history.is_complete);
  assert_all(sum_of_ranks(atomic_load(&computed)) == POSITIONS);
  assert_root(values_are_right(fixture->path, POSITIONS));
}

static void a_complete_file_is_left_alone(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(POSITIONS);
  struct stat before;
  struct stat after;
  resume(fixture, &sweep);
  assert_root(stat(fixture->path, &before) == 0);
  const parcel_results_history history = resume(fixture, &sweep);
  assert_root(stat(fixture->path, &after) == 0);
  assert_all(history.is_complete && atomic_load(&computed) == 0);
  assert_root(before.st_ino == after.st_ino && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec &&
              before.st_mtim.tv_sec == after.st_mtim.tv_sec);
  assert_root(count_files(fixture->folder) == 1);
}

static void a_replacement_is_resumed_while_the_old_file_stays(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_results_options options = {.replaces = true, .resumes = true};
  const parcel_sweep sweep = sweep_of(POSITIONS);
  parcel_block_grid grid;
  make_part(fixture, &sweep, &grid);
  assert_root(write_text(fixture->path, "old"));
  atomic_store(&computed, 0);
  assert_status(results_make(fixture, &sweep, &options, NULL), PARCEL_OK);
  assert_all(sum_of_ranks(atomic_load(&computed)) == positions_of(grid, false));
  assert_root(values_are_right(fixture->path, POSITIONS));
}

static void a_file_that_was_being_created_is_made_again(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(POSITIONS);
  char fresh[PATH_MAX + 80];
  snprintf(fresh, sizeof fresh, "%s.new", fixture->part);
  assert_root(write_text(fresh, "half a structure"));
  resume(fixture, &sweep);
  assert_root(values_are_right(fixture->path, POSITIONS) && count_files(fixture->folder) == 1);
}

/* ---- damage ---- */

/* Where a dataset's bytes begin in the file. */
static off_t place_of(const char *path, const char *name)
{
  const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
  const haddr_t place = H5Dget_offset(dataset);
  H5Dclose(dataset);
  H5Fclose(file);
  return (off_t)place;
}

static bool overwrite(const char *path, off_t place, const void *bytes, size_t size)
{
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  const bool is_written = fd >= 0 && pwrite(fd, bytes, size, place) == (ssize_t)size;
  close(fd);
  return is_written;
}

static void a_block_whose_bytes_changed_is_computed_again(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(POSITIONS);
  const int64_t wrong = -1;
  parcel_block_grid grid;
  const parcel_index done = make_part(fixture, &sweep, &grid);
  const parcel_index position = parcel_block_grid_span(grid, 3).end - 1;
  assert_root(overwrite(fixture->part, place_of(fixture->part, "/value") + (off_t)position * 8, &wrong, 8));
  const parcel_results_history history = resume(fixture, &sweep);
  assert_all(history.damaged == 1 && history.kept == done - 1);
  assert_root(values_are_right(fixture->path, POSITIONS));
}

/* As a disk does that brings the ledger's page back, but not that of the bytes. */
static void an_entry_of_another_block_does_not_pass(void **state)
{
  const results_fixture *fixture = *state;
  parcel_sweep sweep = sweep_of(POSITIONS);
  parcel_block_grid grid;
  const parcel_index done = make_part(fixture, &sweep, &grid);
  bool is_written = true;
  if (mpi_test_rank() == 0) {
    parcel_index count = 0;
    ledger_entry *entries = read_ledger(fixture->part, &count);
    const off_t place = place_of(fixture->part, "/parcel/ledger");
    is_written = overwrite(fixture->part, place + (off_t)sizeof *entries, &entries[0], sizeof *entries);
    free(entries);
  }
  assert_all(is_written);
  const parcel_results_history history = resume(fixture, &sweep);
  assert_all(history.damaged == 1 && history.kept == done);
  assert_root(values_are_right(fixture->path, POSITIONS));
}

static void a_damaged_part_is_refused(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_results_options options = {.resumes = true};
  const parcel_sweep sweep = sweep_of(POSITIONS);
  parcel_results *results = NULL;
  parcel_block_grid grid;
  make_part(fixture, &sweep, &grid);
  assert_root(truncate(fixture->part, 100) == 0);
  assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, &options, &results),
                PARCEL_CORRUPT);
  assert_same_text(parcel_last_error());
  assert_root(exists(fixture->part));
}

/* ---- refusals ---- */

static void check_differs(const results_fixture *fixture, const parcel_sweep *sweep, const char *word)
{
  const parcel_results_options options = {.resumes = true};
  parcel_results *results = NULL;
  assert_status(parcel_results_create(fixture->world, sweep, fixture->path, &options, &results),
                PARCEL_DIFFERS);
  assert_same_text(parcel_last_error());
  if (!strstr(parcel_last_error(), word))
    fprintf(stderr, "'%s' is not in: %s\n", word, parcel_last_error());
  assert_all(strstr(parcel_last_error(), word) != NULL);
}

static void a_part_of_another_sweep_is_refused_with_what_differs(void **state)
{
  const results_fixture *fixture = *state;
  static const parcel_column others[] = {{.name = "value", .type = PARCEL_INT32, .units = "m"},
                                         {.name = "more", .type = PARCEL_FLOAT64, .width = 3}};
  const parcel_sweep sweep = sweep_of(POSITIONS);
  parcel_block_grid grid;
  const parcel_index done = make_part(fixture, &sweep, &grid);
  parcel_sweep other = sweep;
  other.range.step = 2;
  check_differs(fixture, &other, "range is 1..1009 there, 1..2017..2 here");
  other = sweep;
  other.name = "paste";
  other.version = "2";
  check_differs(fixture, &other, "kernel is copy there, paste here; kernel version is 1 there, 2 here");
  other = sweep;
  other.parameters = "mass 3";
  check_differs(fixture, &other, "parameters is none there, mass 3 here");
  other = sweep;
  other.columns = others;
  other.column_count = 2;
  check_differs(fixture, &other,
                "column 1 is value INT64 [1] there, value INT32 [m] here; column 2 is none there, more "
                "FLOAT64 x 3 [1] here");
  assert_all(resume(fixture, &sweep).kept == done);
}

static void a_complete_file_of_another_sweep_is_refused(void **state)
{
  const parcel_sweep sweep = sweep_of(POSITIONS);
  parcel_sweep other = sweep_of(POSITIONS - 1);
  resume(*state, &sweep);
  check_differs(*state, &other, "range is 1..1009 there, 1..1008 here");
}

static void a_part_that_is_being_written_is_refused_naming_its_owner(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(POSITIONS);
  parcel_results *first = NULL;
  parcel_results *second = NULL;
  char owner[64] = "";
  assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, NULL, &first), PARCEL_OK);
  for (int o = 0; o < 3; ++o) {
    const parcel_results_options options = {.resumes = o == 1, .replaces = o == 2};
    assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, &options, &second),
                  PARCEL_EXISTS);
    assert_same_text(parcel_last_error());
    snprintf(owner, sizeof owner, "is being written by process %ld on ", (long)getpid());
    assert_root(strstr(parcel_last_error(), owner) != NULL);
  }
  assert_status(parcel_sweep_run(fixture->world, &sweep, parcel_results_sink(first), NULL, NULL), PARCEL_OK);
  assert_status(parcel_results_close(&first, PARCEL_OK), PARCEL_OK);
  assert_root(values_are_right(fixture->path, POSITIONS));
}

static void a_rank_with_other_arguments_is_named(void **state)
{
  const results_fixture *fixture = *state;
  parcel_sweep sweep = sweep_of(POSITIONS);
  parcel_results *results = NULL;
  char rank[32];
  if (mpi_test_size() == 1)
    return;
  if (mpi_test_rank() == mpi_test_size() - 1)
    sweep.range.first = 2;
  assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, NULL, &results), PARCEL_INVALID);
  snprintf(rank, sizeof rank, "rank %d on ", mpi_test_size() - 1);
  assert_all(strstr(parcel_last_error(), rank) != NULL);
  assert_all(strstr(parcel_last_error(), "range is 2..1010 here, 1..1009 on rank 0") != NULL);
  assert_root(count_files(fixture->folder) == 0);
}

#define results_test(test) cmocka_unit_test_setup(test, results_clean)

int main(void)
{
  const struct CMUnitTest resume[] = {
      results_test(entries_of_quick_blocks_wait_for_each_other),
      results_test(exactly_the_missing_blocks_are_computed),
      results_test(every_block_is_observed_once_whether_kept_or_written),
      results_test(only_kept_blocks_are_shown_as_kept),
      results_test(a_slice_computed_again_is_observed_once),
      results_test(the_grid_of_the_file_is_kept_whatever_block_is_asked_for),
      results_test(without_a_part_it_starts_afresh),
      results_test(a_complete_file_is_left_alone),
      results_test(a_replacement_is_resumed_while_the_old_file_stays),
      results_test(a_file_that_was_being_created_is_made_again),
      results_test(a_block_whose_bytes_changed_is_computed_again),
      results_test(an_entry_of_another_block_does_not_pass),
      results_test(a_damaged_part_is_refused),
      results_test(a_part_of_another_sweep_is_refused_with_what_differs),
      results_test(a_complete_file_of_another_sweep_is_refused),
      results_test(a_part_that_is_being_written_is_refused_naming_its_owner),
      results_test(a_rank_with_other_arguments_is_named),
  };
  mpi_test_init(MPI_THREAD_FUNNELED);
  return mpi_test_run(resume, results_setup, results_teardown);
}
