/* The reader gives back what a sweep wrote, checks it, and refuses what is no results file or is damaged. */
#include "mpi_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hdf5.h>

#include "every_type.h"
#include "results_test.h"

static const parcel_range small = {.first = 10, .step = -3, .count = 1009};

static parcel_sweep sweep_of(parcel_range range)
{
  parcel_sweep sweep = every_type_sweep(range);
  sweep.threads = 2;
  sweep.block = 64;
  return sweep;
}

static bool write_byte(const char *path, off_t offset, unsigned char byte)
{
  const int fd = open(path, O_WRONLY);
  const bool is_written = fd >= 0 && pwrite(fd, &byte, 1, offset) == 1;
  close(fd);
  return is_written;
}

/* Reads a column in pieces of `piece` positions. */
static bool column_is_right(const parcel_reader *reader, int c, parcel_index piece)
{
  int count = 0;
  const parcel_column *columns = parcel_reader_columns(reader, &count);
  const parcel_range range = parcel_reader_range(reader);
  const parcel_index bytes = parcel_column_bytes(&columns[c]);
  char *values = calloc((size_t)(range.count * bytes) + 1, 1);
  parcel_status status = values ? PARCEL_OK : PARCEL_MEMORY;
  for (parcel_index begin = 0; begin < range.count && !status; begin += piece) {
    const parcel_index end = begin + piece < range.count ? begin + piece : range.count;
    status = parcel_reader_values(reader, c, (parcel_span){begin, end}, values + begin * bytes);
  }
  const bool is_right = !status && every_type_is_right(c, range, values);
  free(values);
  return is_right;
}

static bool column_is_described(const parcel_column *got, const parcel_column *expected)
{
  return strcmp(got->name, expected->name) == 0 && got->type == expected->type &&
         got->width == parcel_column_width(expected) &&
         strcmp(got->units, expected->units ? expected->units : "1") == 0 &&
         strcmp(got->long_name, expected->long_name ? expected->long_name : expected->name) == 0;
}

static bool file_is_right(const char *path, const parcel_sweep *sweep)
{
  parcel_reader *reader = NULL;
  int count = 0;
  if (parcel_reader_open(path, &reader))
    return false;
  const parcel_range range = parcel_reader_range(reader);
  const parcel_column *columns = parcel_reader_columns(reader, &count);
  bool is_right = range.first == sweep->range.first && range.step == sweep->range.step &&
                  range.count == sweep->range.count && count == sweep->column_count &&
                  strcmp(parcel_reader_status(reader), "complete") == 0 &&
                  strcmp(parcel_reader_provenance_of(reader, "kernel"), sweep->name) == 0 &&
                  strcmp(parcel_reader_attribute(reader, "Conventions"), "CF-1.10") == 0 &&
                  parcel_reader_failure_count(reader) == 0;
  for (int c = 0; c < count && is_right; ++c)
    is_right = column_is_described(&columns[c], &sweep->columns[c]) && column_is_right(reader, c, 77) &&
               parcel_reader_column(reader, columns[c].name) == c;
  parcel_reader_close(&reader);
  return is_right && reader == NULL;
}

/* Blocks that do not pass; -1 if one cannot be read at all. */
static parcel_index count_bad_blocks(const char *path)
{
  parcel_reader *reader = NULL;
  parcel_index bad = 0;
  if (parcel_reader_open(path, &reader))
    return -1;
  void *scratch = malloc(parcel_reader_scratch_bytes(reader) + 1);
  const parcel_index blocks = parcel_block_grid_count(parcel_reader_grid(reader));
  for (parcel_index b = 0; b < blocks && bad >= 0; ++b) {
    parcel_reader_entry entry;
    parcel_status status = parcel_reader_entries(reader, (parcel_span){b, b + 1}, &entry);
    if (!status)
      status = parcel_reader_check_block(reader, b, &entry, scratch);
    bad = status == PARCEL_OK ? bad : status == PARCEL_CORRUPT ? bad + 1 : -1;
  }
  free(scratch);
  parcel_reader_close(&reader);
  return bad;
}

static parcel_status open_and_close(const char *path)
{
  parcel_reader *reader = NULL;
  const parcel_status status = parcel_reader_open(path, &reader);
  parcel_reader_close(&reader);
  return status;
}

/* ---- tests ---- */

static void what_was_written_is_read_back(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_index counts[] = {0, 1, 1009};
  for (size_t c = 0; c < sizeof counts / sizeof *counts; ++c) {
    const parcel_sweep sweep = sweep_of((parcel_range){.first = 10, .step = -3, .count = counts[c]});
    const parcel_results_options options = {.replaces = true};
    assert_status(results_make(fixture, &sweep, &options, NULL), PARCEL_OK);
    assert_root(file_is_right(fixture->path, &sweep));
    assert_root(count_bad_blocks(fixture->path) == 0);
  }
}

static void a_changed_value_is_found_in_its_block(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(small);
  assert_status(results_make(fixture, &sweep, NULL, NULL), PARCEL_OK);
  if (mpi_test_rank() == 0) {
    const hid_t file = H5Fopen(fixture->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t dataset = H5Dopen2(file, "odd_bytes", H5P_DEFAULT);
    const off_t offset = (off_t)H5Dget_offset(dataset);
    H5Dclose(dataset);
    H5Fclose(file);
    write_byte(fixture->path, offset + 7 * 500, 0xa5);
    write_byte(fixture->path, offset + 7 * 500 + 1, 0xa5);
  }
  assert_root(count_bad_blocks(fixture->path) == 1);
}

/* Byte after byte, in strides: wherever it is, one that changed is noticed. */
static void any_changed_byte_of_a_finished_file_is_found(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(small);
  struct stat info = {0};
  off_t unnoticed = 0;
  assert_status(results_make(fixture, &sweep, NULL, NULL), PARCEL_OK);
  assert_all(stat(fixture->path, &info) == 0);
  const int fd = open(fixture->path, O_RDWR);
  for (off_t offset = 0; mpi_test_rank() == 0 && offset < info.st_size && unnoticed == 0; offset += 1009) {
    unsigned char byte = 0;
    if (pread(fd, &byte, 1, offset) != 1 || !write_byte(fixture->path, offset, byte ^ 0x10) ||
        (open_and_close(fixture->path) == PARCEL_OK && count_bad_blocks(fixture->path) != 1) ||
        !write_byte(fixture->path, offset, byte))
      unnoticed = offset + 1;
  }
  close(fd);
  if (unnoticed)
    fprintf(stderr, "byte %lld was changed, and nobody noticed\n", (long long)unnoticed - 1);
  assert_all(unnoticed == 0);
  assert_root(count_bad_blocks(fixture->path) == 0);
}

static void a_part_tells_what_is_done(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(small);
  parcel_results *results = NULL;
  parcel_index done = -1;
  assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, NULL, &results), PARCEL_OK);
  if (mpi_test_rank() == 0) {
    parcel_reader *reader = NULL;
    if (parcel_reader_open(fixture->part, &reader) == PARCEL_OK &&
        strcmp(parcel_reader_status(reader), "running") == 0 &&
        parcel_reader_count_done(reader, &done) != PARCEL_OK)
      done = -1;
    parcel_reader_close(&reader);
  }
  assert_status(parcel_results_close(&results, PARCEL_STOPPED), PARCEL_STOPPED);
  assert_root(done == 0);
}

static void what_is_no_results_file_is_refused(void **state)
{
  const results_fixture *fixture = *state;
  if (mpi_test_rank() == 0)
    H5Fclose(H5Fcreate(fixture->part, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
  assert_root(open_and_close(fixture->part) == PARCEL_INVALID);
  assert_root(open_and_close(fixture->folder) == PARCEL_INVALID);
  assert_root(open_and_close(fixture->path) == PARCEL_IO);
  assert_root(write_text(fixture->path, "text") && open_and_close(fixture->path) != PARCEL_OK);
  assert_root(strstr(parcel_last_error(), fixture->path));
  assert_root(write_text(fixture->path, "") && open_and_close(fixture->path) != PARCEL_OK);
}

static void a_file_that_was_cut_short_is_refused(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(small);
  assert_status(results_make(fixture, &sweep, NULL, NULL), PARCEL_OK);
  struct stat info = {0};
  assert_all(stat(fixture->path, &info) == 0);
  for (off_t bytes = info.st_size - 4096; bytes > 0; bytes /= 2)
    assert_root(truncate(fixture->path, bytes) == 0 && open_and_close(fixture->path) == PARCEL_CORRUPT);
}

static void what_is_not_there_is_refused(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(small);
  parcel_reader *reader = NULL;
  parcel_reader_entry entry = {0};
  char byte = 0;
  assert_status(results_make(fixture, &sweep, NULL, NULL), PARCEL_OK);
  assert_status(parcel_reader_open(fixture->path, &reader), PARCEL_OK);
  const parcel_index blocks = parcel_block_grid_count(parcel_reader_grid(reader));
  const bool are_refused =
      parcel_reader_values(reader, every_type_count, (parcel_span){0, 1}, &byte) == PARCEL_INVALID &&
      parcel_reader_values(reader, -1, (parcel_span){0, 1}, &byte) == PARCEL_INVALID &&
      parcel_reader_values(reader, 0, (parcel_span){-1, 1}, &byte) == PARCEL_INVALID &&
      parcel_reader_values(reader, 0, (parcel_span){1009, 1010}, &byte) == PARCEL_INVALID &&
      parcel_reader_values(reader, 0, (parcel_span){2, 1}, &byte) == PARCEL_INVALID &&
      parcel_reader_entries(reader, (parcel_span){blocks, blocks + 1}, &entry) == PARCEL_INVALID &&
      parcel_reader_check_block(reader, blocks, &entry, &byte) == PARCEL_INVALID &&
      parcel_reader_check_block(reader, -1, &entry, &byte) == PARCEL_INVALID &&
      parcel_reader_failures(reader, (parcel_span){0, 1}, NULL) == PARCEL_INVALID;
  parcel_reader_close(&reader);
  assert_all(are_refused);
}

static void no_handle_stays_open(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(small);
  assert_status(results_make(fixture, &sweep, NULL, NULL), PARCEL_OK);
  const int files = mpi_test_count_entries("/proc/self/fd");
  assert_status(open_and_close(fixture->path), PARCEL_OK);
  assert_all(mpi_test_count_entries("/proc/self/fd") == files);
  assert_all(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0);
}

#define reader_test(test) cmocka_unit_test_setup(test, results_clean)

int main(void)
{
  const struct CMUnitTest reader[] = {
      reader_test(what_was_written_is_read_back),
      reader_test(a_changed_value_is_found_in_its_block),
      reader_test(any_changed_byte_of_a_finished_file_is_found),
      reader_test(a_part_tells_what_is_done),
      reader_test(what_is_no_results_file_is_refused),
      reader_test(a_file_that_was_cut_short_is_refused),
      reader_test(what_is_not_there_is_refused),
      reader_test(no_handle_stays_open),
  };
  mpi_test_init(MPI_THREAD_FUNNELED);
  return mpi_test_run(reader, results_setup, results_teardown);
}
