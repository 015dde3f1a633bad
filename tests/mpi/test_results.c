/* What is in a results file, read by HDF5 alone. */
#include "mpi_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <hdf5_hl.h>
#include <xxhash.h>

#include "every_type.h"
#include "results_test.h"

static parcel_range range_of(parcel_index first, parcel_index step, parcel_index count)
{
  return (parcel_range){.first = first, .step = step, .count = count};
}

static parcel_sweep sweep_of(parcel_range range)
{
  parcel_sweep sweep = every_type_sweep(range);
  sweep.threads = 2;
  sweep.block = 64;
  return sweep;
}

/* ---- values ---- */

static bool values_are_right(const char *path, parcel_range range)
{
  bool is_right = true;
  for (int c = 0; c < every_type_count; ++c) {
    void *values = read_column(path, &every_type_columns[c]);
    is_right = values && every_type_is_right(c, range, values) && is_right;
    free(values);
  }
  return is_right;
}

static void check_file(const results_fixture *fixture, parcel_range range, int threads, parcel_index block)
{
  const parcel_results_options options = {.replaces = true};
  parcel_sweep sweep = sweep_of(range);
  sweep.threads = threads;
  sweep.block = block;
  assert_status(results_make(fixture, &sweep, &options, NULL), PARCEL_OK);
  assert_all(exists(fixture->path) && !exists(fixture->part));
  assert_root(values_are_right(fixture->path, range));
  assert_root(status_is(fixture->path, "complete"));
}

static void values_of_every_type_and_width_are_in_their_places(void **state)
{
  const int ranks = mpi_test_size();
  const parcel_index counts[] = {1, ranks - 1, ranks, 97, 1009, 20011};
  for (size_t c = 0; c < sizeof counts / sizeof *counts; ++c)
    check_file(*state, range_of(1, 1, counts[c]), 1 + (int)c % 3, 0);
  check_file(*state, range_of(10, -3, 1009), 2, 1);
  check_file(*state, range_of(INT64_MAX, -1, 1009), 2, 10);
}

static void a_range_without_positions_makes_a_complete_file(void **state)
{
  check_file(*state, range_of(5, 1, 0), 2, 0);
}

/* ---- structure ---- */

static hid_t file_type(parcel_type type)
{
  switch (type) {
  case PARCEL_INT8: return H5T_STD_I8LE;
  case PARCEL_UINT8: return H5T_STD_U8LE;
  case PARCEL_INT16: return H5T_STD_I16LE;
  case PARCEL_UINT16: return H5T_STD_U16LE;
  case PARCEL_INT32: return H5T_STD_I32LE;
  case PARCEL_UINT32: return H5T_STD_U32LE;
  case PARCEL_INT64: return H5T_STD_I64LE;
  case PARCEL_UINT64: return H5T_STD_U64LE;
  case PARCEL_FLOAT32: return H5T_IEEE_F32LE;
  case PARCEL_FLOAT64: return H5T_IEEE_F64LE;
  }
  return H5I_INVALID_HID;
}

/* The length of a dimension scale, and that dataset's dimension d is attached to it. */
static bool has_dimension(hid_t file, hid_t dataset, unsigned d, const char *name, hsize_t length)
{
  hsize_t extent[2] = {0, 0};
  const hid_t scale = H5Dopen2(file, name, H5P_DEFAULT);
  const hid_t space = H5Dget_space(scale);
  const bool is_right = H5DSis_scale(scale) > 0 && H5DSis_attached(dataset, scale, d) > 0 &&
                        H5Sget_simple_extent_dims(space, extent, NULL) == 1 && extent[0] == length;
  H5Sclose(space);
  H5Dclose(scale);
  return is_right;
}

static bool column_has_shape(hid_t file, const parcel_column *column, hsize_t positions)
{
  const hsize_t width = (hsize_t)parcel_column_width(column);
  char name[32];
  hsize_t extent[2] = {0, 0};
  snprintf(name, sizeof name, "width_%d", (int)width);
  const hid_t dataset = H5Dopen2(file, column->name, H5P_DEFAULT);
  const hid_t space = H5Dget_space(dataset);
  const hid_t type = H5Dget_type(dataset);
  const hid_t layout = H5Dget_create_plist(dataset);
  bool is_right = H5Tequal(type, file_type(column->type)) > 0 && H5Pget_layout(layout) == H5D_CONTIGUOUS &&
                  H5Sget_simple_extent_dims(space, extent, NULL) == (width > 1 ? 2 : 1) &&
                  extent[0] == positions && has_dimension(file, dataset, 0, "index", positions);
  if (width > 1)
    is_right = is_right && extent[1] == width && has_dimension(file, dataset, 1, name, width);
  H5Pclose(layout);
  H5Tclose(type);
  H5Sclose(space);
  H5Dclose(dataset);
  return is_right;
}

static void columns_have_the_types_shapes_and_dimensions_they_asked_for(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(range_of(1, 1, 97));
  bool is_right = true;
  assert_status(results_make(fixture, &sweep, NULL, NULL), PARCEL_OK);
  if (mpi_test_rank() == 0) {
    const hid_t file = H5Fopen(fixture->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    for (int c = 0; c < every_type_count; ++c)
      is_right = column_has_shape(file, &every_type_columns[c], 97) && is_right;
    H5Fclose(file);
  }
  assert_all(is_right);
}

static bool is_text(const char *text, const char *expected)
{
  if (strcmp(text, expected) != 0)
    fprintf(stderr, "'%s' is not '%s'\n", text, expected);
  return strcmp(text, expected) == 0;
}

static void attributes_say_what_the_columns_are(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(range_of(7, -2, 97));
  assert_status(results_make(fixture, &sweep, NULL, NULL), PARCEL_OK);
  for (int c = 0; c < every_type_count; ++c) {
    const parcel_column *column = &every_type_columns[c];
    const char *long_name = column->long_name ? column->long_name : column->name;
    assert_root(is_text(text_attribute(fixture->path, column->name, "long_name"), long_name));
    assert_root(
        is_text(text_attribute(fixture->path, column->name, "units"), column->units ? column->units : "1"));
  }
}

static void attributes_say_what_the_file_is(void **state)
{
  const results_fixture *fixture = *state;
  const char *path = fixture->path;
  const parcel_sweep sweep = sweep_of(range_of(7, -2, 97));
  parcel_block_grid grid;
  assert_status(parcel_sweep_grid(fixture->world, &sweep, &grid), PARCEL_OK);
  assert_status(results_make(fixture, &sweep, NULL, NULL), PARCEL_OK);
  assert_root(is_text(text_attribute(path, "/", "title"), "every_type of 7..-185..-2"));
  assert_root(strstr(text_attribute(path, "/", "history"), "test_results") != NULL);
  assert_root(is_text(text_attribute(path, "/", "source"), "Parcel " PARCEL_VERSION));
  assert_root(strncmp(text_attribute(path, "/", "Conventions"), "CF-", 3) == 0);
  assert_root(integer_attribute(path, "/", "parcel_format") == 2);
  assert_root(integer_attribute(path, "/", "first") == 7);
  assert_root(integer_attribute(path, "/", "step") == -2);
  assert_root(integer_attribute(path, "/index", "first") == 7);
  assert_root(integer_attribute(path, "/index", "step") == -2);
  assert_root(integer_attribute(path, "/parcel", "positions") == grid.positions);
  assert_root(integer_attribute(path, "/parcel", "parts") == grid.parts);
  assert_root(integer_attribute(path, "/parcel", "blocks_per_part") == grid.blocks_per_part);
}

static void a_title_can_be_chosen(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_results_options options = {.title = "Zwölf Säulen"};
  const parcel_sweep sweep = sweep_of(range_of(1, 1, 10));
  assert_status(results_make(fixture, &sweep, &options, NULL), PARCEL_OK);
  assert_root(is_text(text_attribute(fixture->path, "/", "title"), "Zwölf Säulen"));
}

static void provenance_says_where_the_file_comes_from(void **state)
{
  const results_fixture *fixture = *state;
  const char *path = fixture->path;
  char ranks[16];
  char start[64];
  parcel_sweep sweep = sweep_of(range_of(1, 1, 97));
  sweep.version = "2026-b";
  snprintf(ranks, sizeof ranks, "%d", mpi_test_size());
  setenv("OMP_PARCEL_TEST", "seen", 1);
  assert_status(results_make(fixture, &sweep, NULL, NULL), PARCEL_OK);
  assert_root(is_text(text_dataset(path, "/parcel/provenance/range"), "1..97"));
  assert_root(is_text(text_dataset(path, "/parcel/provenance/kernel"), "every_type"));
  assert_root(is_text(text_dataset(path, "/parcel/provenance/kernel_version"), "2026-b"));
  assert_root(is_text(text_dataset(path, "/parcel/provenance/ranks"), ranks));
  assert_root(is_text(text_dataset(path, "/parcel/provenance/threads"), "2"));
  assert_root(is_text(text_dataset(path, "/parcel/provenance/parcel_version"), PARCEL_VERSION));
  assert_root(strstr(text_dataset(path, "/parcel/provenance/command_line"), "test_results") != NULL);
  assert_root(strstr(text_dataset(path, "/parcel/provenance/environment"), "OMP_PARCEL_TEST=seen\n") != NULL);
  snprintf(start, sizeof start, "%s",
           mpi_test_rank() ? "" : text_dataset(path, "/parcel/provenance/start_time"));
  assert_root(strlen(start) == strlen("2026-11-21T08:15:30Z") && start[10] == 'T');
  assert_root(strcmp(text_dataset(path, "/parcel/provenance/end_time"), start) >= 0);
}

/* ---- the ledger ---- */

static uint64_t checksum_of(void *const columns[], parcel_span positions, uint64_t seed)
{
  uint64_t checksum = seed;
  for (int c = 0; c < every_type_count; ++c) {
    const parcel_index row = parcel_column_bytes(&every_type_columns[c]);
    checksum = XXH3_64bits_withSeed((const char *)columns[c] + positions.begin * row,
                                    (size_t)((positions.end - positions.begin) * row), checksum);
  }
  return checksum;
}

static bool ledger_is_right(const char *path, parcel_block_grid grid, double began)
{
  void *columns[every_type_count];
  parcel_index count = 0;
  ledger_entry *entries = read_ledger(path, &count);
  const uint64_t seed = (uint64_t)integer_attribute(path, "/parcel", "seed");
  bool is_right = entries && count == parcel_block_grid_count(grid);
  for (int c = 0; c < every_type_count; ++c)
    is_right = (columns[c] = read_column(path, &every_type_columns[c])) && is_right;
  for (parcel_index b = 0; b < count && is_right; ++b)
    is_right =
        entries[b].state == 1 && entries[b].rank == b / grid.blocks_per_part &&
        entries[b].time >= began - 1 && entries[b].time <= (double)time(NULL) + 2 &&
        entries[b].checksum == checksum_of(columns, parcel_block_grid_span(grid, b), seed + (uint64_t)b);
  for (int c = 0; c < every_type_count; ++c)
    free(columns[c]);
  free(entries);
  return is_right;
}

static void ledger_has_the_checksum_of_every_block(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_index counts[] = {0, 1, 97, 5003};
  const parcel_results_options options = {.replaces = true};
  for (size_t c = 0; c < sizeof counts / sizeof *counts; ++c) {
    parcel_sweep sweep = sweep_of(range_of(-3, 2, counts[c]));
    sweep.schedule = PARCEL_SWEEP_STATIC; /* who writes what is known then */
    const double began = (double)time(NULL);
    parcel_block_grid grid;
    assert_status(parcel_sweep_grid(fixture->world, &sweep, &grid), PARCEL_OK);
    assert_status(results_make(fixture, &sweep, &options, NULL), PARCEL_OK);
    assert_root(ledger_is_right(fixture->path, grid, began));
  }
}

/* ---- while it is being made ---- */

typedef struct observer {
  const results_fixture *fixture;
  bool has_looked;
  bool is_running;   /* the .part opened and said so */
  bool is_published; /* the final name was there too early */
} observer;

/* A parcel_progress_show: on rank 0's main thread, which is the one that may call HDF5. */
static void look_at_part(void *ctx, const parcel_progress *progress)
{
  observer *observer = ctx;
  if (progress->is_over || observer->has_looked)
    return;
  observer->has_looked = true;
  observer->is_running = status_is(observer->fixture->part, "running");
  observer->is_published = exists(observer->fixture->path);
}

static parcel_status sleep_first(void *ctx, const parcel_slice *slice, void *const columns[])
{
  mpi_test_sleep(2e-3);
  return every_type_kernel(ctx, slice, columns);
}

static void part_opens_while_the_sweep_runs(void **state)
{
  observer observer = {.fixture = *state};
  const parcel_sweep_options how = {.show = look_at_part, .show_ctx = &observer};
  parcel_sweep sweep = sweep_of(range_of(1, 1, 1009));
  sweep.kernel = sleep_first;
  assert_status(results_make(*state, &sweep, NULL, &how), PARCEL_OK);
  assert_root(observer.has_looked && observer.is_running);
  assert_all(!observer.is_published);
}

/* ---- a good neighbour ---- */

typedef struct footprint {
  ssize_t handles;         /* open objects of open files */
  hsize_t ids[H5I_NTYPES]; /* all ids of HDF5, by kind */
  int files;               /* descriptors of this process */
} footprint;

static footprint take_footprint(void)
{
  footprint now = {.handles = H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL)};
  const H5I_type_t kinds[] = {H5I_FILE,    H5I_GROUP, H5I_DATATYPE,   H5I_DATASPACE,
                              H5I_DATASET, H5I_ATTR,  H5I_GENPROP_LST};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; ++k)
    H5Inmembers(kinds[k], &now.ids[kinds[k]]);
  now.files = mpi_test_count_entries("/proc/self/fd");
  return now;
}

static bool is_same_footprint(const footprint *a, const footprint *b)
{
  return a->handles == 0 && b->handles == 0 && memcmp(a->ids, b->ids, sizeof a->ids) == 0 &&
         a->files == b->files;
}

static void no_handle_stays_open(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_results_options options = {.replaces = true};
  const parcel_sweep sweep = sweep_of(range_of(1, 1, 1009));
  assert_status(results_make(fixture, &sweep, &options, NULL), PARCEL_OK);
  const footprint before = take_footprint();
  for (int i = 0; i < 10; ++i)
    assert_status(results_make(fixture, &sweep, &options, NULL), PARCEL_OK);
  const footprint after = take_footprint();
  assert_all(is_same_footprint(&before, &after));
}

static void no_handle_stays_open_after_a_failure(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(range_of(1, 1, 1009));
  parcel_results *results = NULL;
  const footprint before = take_footprint();
  for (int i = 0; i < 10; ++i) {
    assert_status(parcel_results_create(fixture->world, &sweep, "/no/such/folder/x.h5", NULL, &results),
                  PARCEL_IO);
    assert_status(parcel_results_create(fixture->world, &sweep, fixture->path, NULL, &results), PARCEL_OK);
    assert_status(parcel_results_close(&results, PARCEL_KERNEL), PARCEL_KERNEL);
  }
  const footprint after = take_footprint();
  assert_all(is_same_footprint(&before, &after));
}

static herr_t own_printing(hid_t stack, void *data)
{
  (void)stack;
  (void)data;
  return 0;
}

static void error_printing_of_the_caller_is_restored(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(range_of(1, 1, 97));
  H5E_auto2_t before = NULL;
  H5E_auto2_t during = NULL;
  void *before_data = NULL;
  void *data = NULL;
  parcel_results *results = NULL;
  int own = 0;
  H5Eget_auto2(H5E_DEFAULT, &before, &before_data);
  H5Eset_auto2(H5E_DEFAULT, own_printing, &own);
  const parcel_status status = results_make(fixture, &sweep, NULL, NULL);
  const parcel_status refused =
      parcel_results_create(fixture->world, &sweep, "/no/such/folder/x.h5", NULL, &results);
  H5Eget_auto2(H5E_DEFAULT, &during, &data);
  H5Eset_auto2(H5E_DEFAULT, before, before_data);
  assert_status(status, PARCEL_OK);
  assert_status(refused, PARCEL_IO);
  assert_all(during == own_printing && data == &own);
}

/* A column may be called like the dimension that another column needs: neither may get in the other's way. */
static void check_width_name(const results_fixture *fixture, const parcel_column columns[2], int wide)
{
  const parcel_sweep sweep = {.name = "copy",
                              .range = {.first = 1, .step = 1, .count = 5},
                              .columns = columns,
                              .column_count = 2,
                              .kernel = copy_index};
  parcel_results *results = NULL;
  const parcel_status status = parcel_results_create(fixture->world, &sweep, fixture->path, NULL, &results);
  bool is_right = true;
  if (mpi_test_rank() == 0 && !status) {
    const hid_t file = H5Fopen(fixture->part, H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t dataset = H5Dopen2(file, columns[!wide].name, H5P_DEFAULT);
    is_right = H5DSis_scale(dataset) == 0;
    H5Dclose(dataset);
    H5Fclose(file);
  }
  const parcel_status closed = parcel_results_close(&results, status ? status : PARCEL_STOPPED);
  assert_all(status == PARCEL_OK || status == PARCEL_INVALID);
  assert_all(closed == (status ? status : PARCEL_STOPPED));
  assert_all(is_right);
}

static void a_column_called_like_a_dimension_of_width_is_refused_or_right(void **state)
{
  static const parcel_column plain_first[] = {{.name = "width_3", .type = PARCEL_INT64},
                                              {.name = "vector", .type = PARCEL_INT64, .width = 3}};
  check_width_name(*state, plain_first, 1);
}

static void a_column_called_like_an_earlier_dimension_is_refused_or_right(void **state)
{
  static const parcel_column wide_first[] = {{.name = "vector", .type = PARCEL_INT64, .width = 3},
                                             {.name = "width_3", .type = PARCEL_INT64}};
  check_width_name(*state, wide_first, 0);
}

#define results_test(test) cmocka_unit_test_setup(test, results_clean)

int main(void)
{
  const struct CMUnitTest results[] = {
      results_test(values_of_every_type_and_width_are_in_their_places),
      results_test(a_range_without_positions_makes_a_complete_file),
      results_test(columns_have_the_types_shapes_and_dimensions_they_asked_for),
      results_test(attributes_say_what_the_columns_are),
      results_test(attributes_say_what_the_file_is),
      results_test(a_title_can_be_chosen),
      results_test(provenance_says_where_the_file_comes_from),
      results_test(ledger_has_the_checksum_of_every_block),
      results_test(part_opens_while_the_sweep_runs),
      results_test(no_handle_stays_open),
      results_test(no_handle_stays_open_after_a_failure),
      results_test(error_printing_of_the_caller_is_restored),
      results_test(a_column_called_like_a_dimension_of_width_is_refused_or_right),
      results_test(a_column_called_like_an_earlier_dimension_is_refused_or_right),
  };
  mpi_test_init(MPI_THREAD_FUNNELED);
  return mpi_test_run(results, results_setup, results_teardown);
}
