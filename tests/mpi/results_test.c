#include "results_test.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mpi_test.h"

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
  (void)info;
  (void)kind;
  return where->level > 0 ? remove(path) : 0;
}

int results_clean(void **state)
{
  const results_fixture *fixture = *state;
  int code = 0;
  if (mpi_test_rank() == 0)
    code = nftw(fixture->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
  MPI_Barrier(MPI_COMM_WORLD);
  return code;
}

int results_setup(void **state)
{
  static results_fixture fixture;
  const char *where = getenv("TMPDIR");
  if (parcel_world_open(MPI_COMM_WORLD, &fixture.world))
    return -1;
  parcel_world_set_quiet(fixture.world, true);
  snprintf(fixture.folder, sizeof fixture.folder, "%s/parcel-results-XXXXXX", where ? where : "/tmp");
  const bool is_made = mpi_test_rank() != 0 || mkdtemp(fixture.folder);
  MPI_Bcast(fixture.folder, (int)sizeof fixture.folder, MPI_CHAR, 0, MPI_COMM_WORLD);
  snprintf(fixture.path, sizeof fixture.path, "%s/results.h5", fixture.folder);
  snprintf(fixture.part, sizeof fixture.part, "%s.part", fixture.path);
  *state = &fixture;
  return is_made ? 0 : -1;
}

int results_teardown(void **state)
{
  results_fixture *fixture = *state;
  const int code = results_clean(state);
  if (mpi_test_rank() == 0)
    rmdir(fixture->folder);
  return parcel_world_close(&fixture->world, PARCEL_OK) + code;
}

parcel_status results_make(const results_fixture *fixture, const parcel_sweep *sweep,
                           const parcel_results_options *file, const parcel_sweep_options *how)
{
  parcel_results *results = NULL;
  parcel_status status = parcel_results_create(fixture->world, sweep, fixture->path, file, &results);
  if (!status)
    status = parcel_sweep_run(fixture->world, sweep, parcel_results_sink(results), how, NULL);
  return parcel_results_close(&results, status);
}

/* ---- files ---- */

bool exists(const char *path)
{
  struct stat info;
  return lstat(path, &info) == 0;
}

int count_files(const char *folder)
{
  return mpi_test_count_entries(folder);
}

bool write_text(const char *path, const char *text)
{
  FILE *file = fopen(path, "we");
  return file && fputs(text, file) >= 0 && fclose(file) == 0;
}

bool has_text(const char *path, const char *text)
{
  char found[256] = "";
  FILE *file = fopen(path, "re");
  const size_t length = file ? fread(found, 1, sizeof found - 1, file) : 0;
  if (file)
    fclose(file);
  return length == strlen(text) && strcmp(found, text) == 0;
}

/* ---- HDF5 ---- */

enum { LONGEST_TEXT = 1 << 16 };
static char text[LONGEST_TEXT];

/* Texts are padded with zeros to the length of their type; what they are meant to say ends at the first. */
static const char *cut(hid_t type, herr_t result)
{
  const size_t size = H5Tget_size(type);
  text[result >= 0 && size < sizeof text ? size : 0] = '\0';
  return text;
}

const char *text_attribute(const char *path, const char *object, const char *name)
{
  const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t attribute = H5Aopen_by_name(file, object, name, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t type = H5Aget_type(attribute);
  cut(type, H5Tget_size(type) < sizeof text ? H5Aread(attribute, type, text) : -1);
  H5Tclose(type);
  H5Aclose(attribute);
  H5Fclose(file);
  return text;
}

const char *text_dataset(const char *path, const char *name)
{
  const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
  const hid_t type = H5Dget_type(dataset);
  cut(type,
      H5Tget_size(type) < sizeof text ? H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) : -1);
  H5Tclose(type);
  H5Dclose(dataset);
  H5Fclose(file);
  return text;
}

int64_t integer_attribute(const char *path, const char *object, const char *name)
{
  int64_t value = INT64_MIN;
  const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t attribute = H5Aopen_by_name(file, object, name, H5P_DEFAULT, H5P_DEFAULT);
  if (attribute < 0 || H5Aread(attribute, H5T_NATIVE_INT64, &value) < 0)
    value = INT64_MIN;
  H5Aclose(attribute);
  H5Fclose(file);
  return value;
}

bool status_is(const char *path, const char *status)
{
  return strcmp(text_attribute(path, "/", "status"), status) == 0;
}

hid_t native_type(parcel_type type)
{
  switch (type) {
  case PARCEL_INT8: return H5T_NATIVE_INT8;
  case PARCEL_UINT8: return H5T_NATIVE_UINT8;
  case PARCEL_INT16: return H5T_NATIVE_INT16;
  case PARCEL_UINT16: return H5T_NATIVE_UINT16;
  case PARCEL_INT32: return H5T_NATIVE_INT32;
  case PARCEL_UINT32: return H5T_NATIVE_UINT32;
  case PARCEL_INT64: return H5T_NATIVE_INT64;
  case PARCEL_UINT64: return H5T_NATIVE_UINT64;
  case PARCEL_FLOAT32: return H5T_NATIVE_FLOAT;
  case PARCEL_FLOAT64: return H5T_NATIVE_DOUBLE;
  }
  return H5I_INVALID_HID;
}

/* Everything of a dataset; `size` bytes each. */
static void *read_all(const char *path, const char *name, hid_t type, size_t size, parcel_index *count)
{
  const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
  const hid_t space = H5Dget_space(dataset);
  const hssize_t points = H5Sget_simple_extent_npoints(space);
  void *values = points >= 0 ? malloc((size_t)points * size + 1) : NULL;
  if (values && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) {
    free(values);
    values = NULL;
  }
  *count = (parcel_index)points;
  H5Sclose(space);
  H5Dclose(dataset);
  H5Fclose(file);
  return values;
}

void *read_column(const char *path, const parcel_column *column)
{
  parcel_index count = 0;
  return read_all(path, column->name, native_type(column->type), parcel_type_size(column->type), &count);
}

ledger_entry *read_ledger(const char *path, parcel_index *count)
{
  const hid_t type = H5Tcreate(H5T_COMPOUND, sizeof(ledger_entry));
  H5Tinsert(type, "checksum", HOFFSET(ledger_entry, checksum), H5T_NATIVE_UINT64);
  H5Tinsert(type, "time", HOFFSET(ledger_entry, time), H5T_NATIVE_DOUBLE);
  H5Tinsert(type, "rank", HOFFSET(ledger_entry, rank), H5T_NATIVE_INT32);
  H5Tinsert(type, "state", HOFFSET(ledger_entry, state), H5T_NATIVE_INT32);
  ledger_entry *entries = read_all(path, "/parcel/ledger", type, sizeof *entries, count);
  H5Tclose(type);
  return entries;
}
