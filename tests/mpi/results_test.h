/* What the tests of results files share: a folder, a sweep into a file, and what HDF5 itself finds in it. */
#ifndef PARCEL_RESULTS_TEST_H
#define PARCEL_RESULTS_TEST_H

#include <limits.h>
#include <stdbool.h>

#include <hdf5.h>

#include <parcel/parcel.h>

/** The group's state: a quiet world and an empty folder on the disk, the same for all ranks. */
typedef struct results_fixture {
  parcel_world *world;
  char folder[PATH_MAX];
  char path[PATH_MAX + 32]; /* folder/results.h5, and its .part */
  char part[PATH_MAX + 64];
} results_fixture;

int results_setup(void **state);
int results_teardown(void **state);

/** Empties the folder between two tests: a test's setup. Collective. */
int results_clean(void **state);

/** Creates, runs, closes. Collective; the status is that of the step that failed. */
parcel_status results_make(const results_fixture *fixture, const parcel_sweep *sweep,
                           const parcel_results_options *file, const parcel_sweep_options *how);

bool exists(const char *path);
int count_files(const char *folder);
bool write_text(const char *path, const char *text);
bool has_text(const char *path, const char *text);

/** A text attribute of an object of the file, or a text dataset; "" if it is not there. In static storage. */
const char *text_attribute(const char *path, const char *object, const char *name);
const char *text_dataset(const char *path, const char *name);
int64_t integer_attribute(const char *path, const char *object,
                          const char *name); /* INT64_MIN if not there */
bool status_is(const char *path, const char *status);

/** All values of a column in memory's types. Owns: the caller, for free; NULL on failure. */
void *read_column(const char *path, const parcel_column *column);

hid_t native_type(parcel_type type);

typedef struct ledger_entry {
  uint64_t checksum;
  double time;
  int32_t rank;
  int32_t state;
} ledger_entry;

/** All entries of the ledger. Owns: the caller, for free; NULL on failure. */
ledger_entry *read_ledger(const char *path, parcel_index *count);

#endif
