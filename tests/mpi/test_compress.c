/* Compressed files: the same values, and the same promises to who is interrupted. */
#include "mpi_test.h"

#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "every_type.h"
#include "results_test.h"

enum { POSITIONS = 1009, BLOCK = 16, BLOCKS = (POSITIONS + BLOCK - 1) / BLOCK, RECORD = 512 };

static const parcel_results_options compressed = {
    .compression = {.kind = PARCEL_COMPRESSION_DEFLATE, .level = 4}};
static const parcel_results_options resumed = {
    .resumes = true, .compression = {.kind = PARCEL_COMPRESSION_DEFLATE, .level = 4}};

static atomic_llong computed; /* on this rank */

static parcel_status count_and_copy(void *ctx, const parcel_slice *slice, void *const columns[])
{
  atomic_fetch_add(&computed, slice->count);
  return copy_index(ctx, slice, columns);
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

/* ---- values ---- */

/* As HDF5 reads them. */
static bool columns_are_right(const char *path, parcel_range range)
{
  bool is_right = true;
  for (int c = 0; c < every_type_count && is_right; ++c) {
    void *values = read_column(path, &every_type_columns[c]);
    is_right = values && every_type_is_right(c, range, values);
    free(values);
  }
  return is_right;
}

/* As Parcel reads them: every block, and spans that begin and end within blocks. */
static bool reader_is_content(const char *path, parcel_range range)
{
  parcel_reader *reader = NULL;
  parcel_status status = parcel_reader_open(path, &reader);
  void *scratch = status ? NULL : malloc(parcel_reader_scratch_bytes(reader) + 1);
  for (parcel_index b = 0; !status && b < parcel_block_grid_count(parcel_reader_grid(reader)); ++b) {
    parcel_reader_entry entry;
    if (!(status = parcel_reader_entries(reader, (parcel_span){b, b + 1}, &entry)))
      status = parcel_reader_check_block(reader, b, &entry, scratch);
  }
  for (parcel_index cut = 0; !status && cut <= range.count; cut += 5) {
    const parcel_range tail = {parcel_range_at(range, cut), range.step, range.count - cut};
    for (int c = 0; !status && c < every_type_count; ++c) {
      const parcel_index bytes = parcel_column_bytes(&every_type_columns[c]);
      void *values = malloc((size_t)(tail.count * bytes) + 1);
      status = parcel_reader_values(reader, c, (parcel_span){cut, range.count}, values);
      if (!status && cut == 0 && !every_type_is_right(c, range, values))
        status = PARCEL_CORRUPT;
      free(values);
    }
  }
  free(scratch);
  parcel_reader_close(&reader);
  return status == PARCEL_OK;
}

/* An empty range is not compressed, so that writing it together takes a parallel HDF5. */
static parcel_io_mode io_of(int level, parcel_index count)
{
#ifdef H5_HAVE_PARALLEL
  (void)count;
  return level == 5 ? PARCEL_IO_COLLECTIVE : PARCEL_IO_DIRECT;
#else
  return level == 5 && count > 0 ? PARCEL_IO_COLLECTIVE : PARCEL_IO_DIRECT;
#endif
}

static void every_type_reads_as_it_was_computed(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_index counts[] = {0, 1, 2, 7, 96, POSITIONS};
  for (size_t c = 0; c < sizeof counts / sizeof *counts; ++c)
    for (int level = 1; level <= 9; level += 4) {
      const parcel_results_options options = {
          .io = io_of(level, counts[c]), .compression = {.kind = PARCEL_COMPRESSION_DEFLATE, .level = level}};
      const parcel_range range = {.first = -300, .step = 3, .count = counts[c]};
      parcel_sweep sweep = every_type_sweep(range);
      sweep.block = level == 1 ? 0 : BLOCK;
      assert_status(results_make(fixture, &sweep, &options, NULL), PARCEL_OK);
      assert_root(columns_are_right(fixture->path, range) && reader_is_content(fixture->path, range));
      assert_root(count_files(fixture->folder) == 1 && unlink(fixture->path) == 0);
    }
}

static uint64_t noise(parcel_index index)
{
  uint64_t value = (uint64_t)index * UINT64_C(0x9e3779b97f4a7c15);
  value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  return value ^ value >> 27;
}

static parcel_status make_noise(void *ctx, const parcel_slice *slice, void *const columns[])
{
  (void)ctx;
  for (parcel_index i = 0; i < slice->count; ++i)
    ((uint64_t *)columns[0])[i] = noise(slice->position + i);
  return PARCEL_OK;
}

static void what_cannot_be_compressed_is_right_and_no_larger(void **state)
{
  const results_fixture *fixture = *state;
  static const parcel_column column = {.name = "value", .type = PARCEL_UINT64};
  parcel_sweep sweep = sweep_of(POSITIONS * 100);
  sweep.columns = &column;
  sweep.kernel = make_noise;
  sweep.block = 1000;
  assert_status(results_make(fixture, &sweep, &compressed, NULL), PARCEL_OK);
  bool is_right = true;
  if (mpi_test_rank() == 0) {
    struct stat info;
    uint64_t *values = read_column(fixture->path, &column);
    for (parcel_index p = 0; values && p < sweep.range.count && is_right; ++p)
      is_right = values[p] == noise(p);
    is_right = is_right && values && stat(fixture->path, &info) == 0 &&
               info.st_size < (sweep.range.count + sweep.block) * 8 + (1 << 17);
    free(values);
  }
  assert_all(is_right);
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

/* ---- going on ---- */

static bool is_wanted(parcel_index block)
{
  return block % 3 != 1;
}

/* A .part in which the wanted blocks are done, as if the run had been stopped then. */
static parcel_index make_part(const results_fixture *fixture, const parcel_sweep *sweep)
{
  int64_t values[BLOCK];
  const void *const columns[] = {values};
  parcel_results *results = NULL;
  parcel_index done = 0;
  bool is_written = true;
  assert_status(parcel_results_create(fixture->world, sweep, fixture->path, &compressed, &results),
                PARCEL_OK);
  const parcel_sink sink = parcel_results_sink(results);
  for (parcel_index b = 0; b < parcel_block_grid_count(*sink.grid); ++b) {
    const parcel_block block = {
        .number = b, .positions = parcel_block_grid_span(*sink.grid, b), .columns = columns};
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

static parcel_results_history resume(const results_fixture *fixture, const parcel_sweep *sweep)
{
  parcel_results *results = NULL;
  atomic_store(&computed, 0);
  assert_status(parcel_results_create(fixture->world, sweep, fixture->path, &resumed, &results), PARCEL_OK);
  const parcel_results_history history = parcel_results_get_history(results);
  assert_status(parcel_sweep_run(fixture->world, sweep, parcel_results_sink(results), NULL, NULL), PARCEL_OK);
  assert_status(parcel_results_close(&results, PARCEL_OK), PARCEL_OK);
  assert_root(values_are_right(fixture->path, sweep->range.count) && status_is(fixture->path, "complete"));
  assert_root(count_files(fixture->folder) == 1);
  return history;
}

static void exactly_the_missing_blocks_are_computed(void **state)
{
  const parcel_sweep sweep = sweep_of(POSITIONS);
  const parcel_index done = make_part(*state, &sweep);
  const parcel_results_history history = resume(*state, &sweep);
  assert_all(history.kept == done && history.damaged == 0 && history.missing == BLOCKS - done);
  assert_all(sum_of_ranks(atomic_load(&computed)) == (BLOCKS - done) * BLOCK);
}

/* What a run with other ranks has left, which this one has not. */
static void spools_of_other_ranks_are_read(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(POSITIONS);
  const parcel_index done = make_part(fixture, &sweep);
  char from[PATH_MAX + 96];
  char to[PATH_MAX + 96];
  snprintf(from, sizeof from, "%s.spool.%d", fixture->part, mpi_test_rank());
  snprintf(to, sizeof to, "%s.spool.%d", fixture->part, 100 + mpi_test_rank());
  assert_all(rename(from, to) == 0);
  const parcel_results_history history = resume(fixture, &sweep);
  assert_all(history.kept == done && history.damaged == 0);
}

/* Writes over rank 0's spool; negative places count from its end. */
static bool overwrite_spool(const results_fixture *fixture, off_t place, size_t size)
{
  char path[PATH_MAX + 96];
  char bytes[RECORD];
  struct stat info;
  memset(bytes, 0x5a, sizeof bytes);
  snprintf(path, sizeof path, "%s.spool.0", fixture->part);
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  bool is_written = fd >= 0 && fstat(fd, &info) == 0;
  if (is_written)
    is_written = pwrite(fd, bytes, size, place < 0 ? info.st_size + place : place) == (ssize_t)size;
  close(fd);
  return is_written;
}

static void damaged_records_are_made_again(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(POSITIONS);
  const struct {
    off_t place;
    size_t size;
  } damages[] = {{0, 1}, {16, 1}, {24, 8}, {41, 1}, {RECORD + 60, 1}, {RECORD, RECORD}, {-1, 1}};
  for (size_t d = 0; d < sizeof damages / sizeof *damages; ++d) {
    const parcel_index done = make_part(fixture, &sweep);
    assert_root(overwrite_spool(fixture, damages[d].place, damages[d].size));
    const parcel_results_history history = resume(fixture, &sweep);
    assert_all(history.kept == done - 1 && history.damaged == 1);
    assert_root(unlink(fixture->path) == 0);
  }
}

/* The old record of a block is still there when the new one is made; the latest counts, run after run. */
static void a_record_made_again_counts_from_then_on(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(POSITIONS);
  parcel_results *results = NULL;
  const parcel_index done = make_part(fixture, &sweep);
  assert_root(overwrite_spool(fixture, RECORD + 60, 1));
  assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, &resumed, &results), PARCEL_OK);
  assert_all(parcel_results_get_history(results).kept == done - 1);
  assert_status(parcel_sweep_run(fixture->world, &sweep, parcel_results_sink(results), NULL, NULL),
                PARCEL_OK);
  assert_status(parcel_results_close(&results, PARCEL_STOPPED), PARCEL_STOPPED);
  assert_all(resume(fixture, &sweep).kept == BLOCKS);
  assert_all(sum_of_ranks(atomic_load(&computed)) == 0);
}

static void lost_spools_are_made_again(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(POSITIONS);
  char path[PATH_MAX + 96];
  make_part(fixture, &sweep);
  snprintf(path, sizeof path, "%s.spool.%d", fixture->part, mpi_test_rank());
  assert_all(unlink(path) == 0);
  assert_all(resume(fixture, &sweep).kept == 0);
}

static void spools_of_another_file_do_not_count(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(POSITIONS);
  char from[PATH_MAX + 96];
  char to[PATH_MAX + 96];
  make_part(fixture, &sweep);
  snprintf(from, sizeof from, "%s.spool.%d", fixture->part, mpi_test_rank());
  snprintf(to, sizeof to, "%s/kept.%d", fixture->folder, mpi_test_rank());
  assert_all(rename(from, to) == 0);
  assert_root(unlink(fixture->part) == 0);
  make_part(fixture, &sweep);
  assert_all(rename(to, from) == 0);
  assert_all(resume(fixture, &sweep).kept == 0);
}

/* ---- failures on record ---- */

static atomic_int fails_every; /* position; 0: none fails */

static parcel_status fail_at_some(void *ctx, const parcel_slice *slice, void *const columns[])
{
  const int every = fails_every;
  for (parcel_index i = 0; i < slice->count && every > 0; ++i)
    if ((slice->position + i) % every == 0)
      return parcel_fail(PARCEL_KERNEL, "no luck");
  return count_and_copy(ctx, slice, columns);
}

static int failing_positions(int every)
{
  return every > 0 ? (POSITIONS - 1) / every + 1 : 0;
}

/* Values, failures and checksums are as when every so many positions have failed. */
static bool is_right_but_for(const char *path, int every)
{
  static int64_t values[POSITIONS];
  parcel_reader *reader = NULL;
  bool is_right = parcel_reader_open(path, &reader) == PARCEL_OK &&
                  parcel_reader_failure_count(reader) == failing_positions(every) &&
                  parcel_reader_values(reader, 0, (parcel_span){0, POSITIONS}, values) == PARCEL_OK;
  for (parcel_index p = 0; p < POSITIONS && is_right; ++p)
    is_right = values[p] == (every > 0 && p % every == 0 ? -9223372036854775806 : p + 1);
  char *scratch = is_right ? malloc(parcel_reader_scratch_bytes(reader) + 1) : NULL;
  for (parcel_index b = 0; b < BLOCKS && is_right; ++b) {
    parcel_reader_entry entry;
    is_right = parcel_reader_entries(reader, (parcel_span){b, b + 1}, &entry) == PARCEL_OK &&
               parcel_reader_check_block(reader, b, &entry, scratch) == PARCEL_OK;
  }
  free(scratch);
  parcel_reader_close(&reader);
  return is_right;
}

static void failures_are_on_record_and_exactly_they_are_retried(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep_options recording = {.on_error = PARCEL_ON_ERROR_RECORD};
  const parcel_results_options retrying = {.retries = true};
  static const int fails[] = {7, 35, 700, 0};
  const parcel_compression kinds[] = {{.kind = PARCEL_COMPRESSION_DEFLATE, .level = 4},
                                      {.kind = PARCEL_COMPRESSION_ZSTD, .level = 3}};
  parcel_sweep sweep = sweep_of(POSITIONS);
  sweep.kernel = fail_at_some;
  for (int run = 0; run < 8; ++run) {
    const bool is_first = run % 4 == 0;
    const parcel_results_options making = {
        .compression = kinds[run / 4], .keeps_failures = true, .replaces = true};
    const int every = fails[run % 4];
    const int before = is_first ? POSITIONS : failing_positions(fails[run % 4 - 1]);
    fails_every = every;
    computed = 0;
    assert_status(results_make(fixture, &sweep, is_first ? &making : &retrying, &recording),
                  every > 0 ? PARCEL_FAILURES : PARCEL_OK);
    assert_all(sum_of_ranks(computed) == before - failing_positions(every));
    assert_root(is_right_but_for(fixture->path, every));
    assert_root(count_files(fixture->folder) == 1);
  }
}

/* ---- refusals ---- */

static void what_does_not_go_together_is_refused(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(POSITIONS);
  parcel_results *results = NULL;
  parcel_results_options options = compressed;
  options.retries = true;
  assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, &options, &results),
                PARCEL_INVALID);
  options = compressed;
  options.compression.level = 10;
  assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, &options, &results),
                PARCEL_INVALID);
  assert_same_text(parcel_last_error());
  assert_root(count_files(fixture->folder) == 0);
}

static void another_compression_does_not_resume(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(POSITIONS);
  const parcel_results_options others[] = {
      {.resumes = true}, {.resumes = true, .compression = {.kind = PARCEL_COMPRESSION_DEFLATE, .level = 1}}};
  const char *const words[] = {"deflate,4 there, none here", "deflate,4 there, deflate,1 here"};
  parcel_results *results = NULL;
  const parcel_index done = make_part(fixture, &sweep);
  for (int o = 0; o < 2; ++o) {
    assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, &others[o], &results),
                  PARCEL_DIFFERS);
    assert_all(strstr(parcel_last_error(), words[o]) != NULL);
  }
  assert_all(resume(fixture, &sweep).kept == done);
}

#define results_test(test) cmocka_unit_test_setup(test, results_clean)

int main(void)
{
  const struct CMUnitTest compress[] = {
      results_test(every_type_reads_as_it_was_computed),
      results_test(what_cannot_be_compressed_is_right_and_no_larger),
      results_test(exactly_the_missing_blocks_are_computed),
      results_test(spools_of_other_ranks_are_read),
      results_test(damaged_records_are_made_again),
      results_test(a_record_made_again_counts_from_then_on),
      results_test(lost_spools_are_made_again),
      results_test(spools_of_another_file_do_not_count),
      results_test(failures_are_on_record_and_exactly_they_are_retried),
      results_test(what_does_not_go_together_is_refused),
      results_test(another_compression_does_not_resume),
  };
  mpi_test_init(MPI_THREAD_FUNNELED);
  return mpi_test_run(compress, results_setup, results_teardown);
}
