/* HDF5 makes a group with datasets in many writes, and a process that is killed between two of them would
 * leave a broken file. So the table is made without a name, in space that nothing refers to, and brought to
 * the disk. Then its link takes the place of the old one in the header of /parcel, which HDF5 writes at once,
 * and within a page (schema.c sees to that). */
#include "table_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fault_impl.h"
#include "hdf5_impl.h"
#include "schema_object_impl.h"

enum { STRUCTURE_BYTES = 1 << 17 }; /* more than the headers of a table take */

/* The values of the columns, one after the other, as HDF5 takes them. */
typedef struct values {
  int64_t *index;                               /* [count] */
  int32_t *code;                                /* [count] */
  char (*message)[PARCEL_FAILURE_MESSAGE_SIZE]; /* [count] */
} values;

static void free_values(values *values)
{
  free(values->index);
  free(values->code);
  free(values->message);
}

static bool take_values(const parcel_failure_records *records, values *out)
{
  const size_t count = (size_t)records->count;
  *out = (values){calloc(count, sizeof *out->index), calloc(count, sizeof *out->code),
                  calloc(count, sizeof *out->message)};
  if (!out->index || !out->code || !out->message) {
    parcel_fail(PARCEL_MEMORY, "no memory for the table of %zu failures", count);
    return false;
  }
  for (size_t r = 0; r < count; ++r) {
    const parcel_failure_row *row = &records->items[r].row;
    out->index[r] = row->index;
    out->code[r] = row->code;
    memcpy(out->message[r], row->message, sizeof row->message);
  }
  return true;
}

static bool add_column(const parcel_object *object, const void *values)
{
  const hid_t dataset = parcel__object_make(object, parcel__object_placed());
  const bool is_written =
      dataset >= 0 &&
      parcel__hdf5_good(H5Dwrite(dataset, object->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values),
                        "write the dataset", object->name) &&
      (object->rank == 1 || parcel__hdf5_add_text_attribute(dataset, "_Encoding", "utf-8", 0));
  if (dataset >= 0)
    H5Dclose(dataset);
  return is_written;
}

/* Messages are characters, (failure, message_length): netCDF's library crashes on arrays of fixed texts. */
static bool add_columns(hid_t group, hid_t failure, hid_t length, hsize_t count, const values *values)
{
  const hsize_t bytes = PARCEL_FAILURE_MESSAGE_SIZE;
  const hid_t character = parcel__hdf5_text_type(1);
  const parcel_object index = {group, "index", H5T_STD_I64LE, 1, {count}, {failure}};
  const parcel_object code = {group, "code", H5T_STD_I32LE, 1, {count}, {failure}};
  const parcel_object message = {group, "message", character, 2, {count, bytes}, {failure, length}};
  const bool is_added = character >= 0 && add_column(&index, values->index) &&
                        add_column(&code, values->code) && add_column(&message, values->message);
  if (character >= 0)
    H5Tclose(character);
  return is_added;
}

static bool fill(hid_t group, const parcel_failure_records *records)
{
  values values = {NULL, NULL, NULL};
  const hid_t failure = parcel__object_dimension(group, "failure", records->count);
  const hid_t length = parcel__object_dimension(group, "message_length", PARCEL_FAILURE_MESSAGE_SIZE);
  const bool is_filled = failure >= 0 && length >= 0 && take_values(records, &values) &&
                         add_columns(group, failure, length, (hsize_t)records->count, &values);
  free_values(&values);
  if (length >= 0)
    H5Dclose(length);
  if (failure >= 0)
    H5Dclose(failure);
  return is_filled;
}

bool parcel__table_reserve(hid_t parcel)
{
  const hid_t group = parcel__object_group(parcel, "failures");
  if (group >= 0)
    H5Gclose(group);
  return group >= 0;
}

/* What HDF5 has changed so far, on the disk. */
static parcel_status flush(hid_t hdf5, const parcel_file *file, int fd)
{
  if (!parcel__hdf5_good(H5Fflush(hdf5, H5F_SCOPE_LOCAL), "write the structure of", file->part))
    return PARCEL_HDF5;
  return parcel__file_sync(file, fd);
}

/* The group's header counts its link before there is one: else a kill between the two headers would leave a
 * link to a group that counts none, which HDF5 cannot remove. */
static bool count_link(hid_t group)
{
  return parcel__hdf5_good(H5Oincr_refcount(group), "name", "parcel/failures");
}

static bool add_counted_link(hid_t parcel, hid_t group)
{
  if (H5Lexists(parcel, "failures", H5P_DEFAULT) > 0 &&
      !parcel__hdf5_good(H5Ldelete(parcel, "failures", H5P_DEFAULT), "replace", "parcel/failures"))
    return false;
  return parcel__hdf5_good(H5Olink(group, parcel, "failures", H5P_DEFAULT, H5P_DEFAULT), "name",
                           "parcel/failures") &&
         parcel__hdf5_good(H5Odecr_refcount(group), "name", "parcel/failures");
}

/* A disk that is full is found before HDF5 writes, which is lost when it runs out of space. */
static parcel_status reserve_space(const parcel_file *file, int fd, const parcel_failure_records *records)
{
  const parcel_index rows = records ? records->count : 0;
  if (parcel__fault("results.failures"))
    return parcel__file_fail("write the failures of", file->part);
  return parcel__file_extend(file, fd, rows * (parcel_index)sizeof(parcel_failure_row) + STRUCTURE_BYTES);
}

parcel_status parcel__table_replace(hid_t hdf5, const parcel_file *file, int fd,
                                    const parcel_failure_records *records)
{
  parcel_status status = reserve_space(file, fd, records);
  if (status)
    return status;
  const hid_t parcel = H5Gopen2(hdf5, "parcel", H5P_DEFAULT);
  const hid_t group = parcel >= 0 ? parcel__object_group(parcel, NULL) : H5I_INVALID_HID;
  const bool is_made = group >= 0 && (!records || fill(group, records)) && count_link(group);
  status = is_made ? flush(hdf5, file, fd) : PARCEL_HDF5;
  if (!status)
    status = add_counted_link(parcel, group) ? flush(hdf5, file, fd) : PARCEL_HDF5;
  if (group >= 0)
    H5Gclose(group);
  if (parcel >= 0)
    H5Gclose(parcel);
  return status;
}

parcel_status parcel__table_remove(hid_t hdf5)
{
  const hid_t parcel = H5Gopen2(hdf5, "parcel", H5P_DEFAULT);
  const bool is_removed = parcel >= 0 && (H5Lexists(parcel, "failures", H5P_DEFAULT) <= 0 ||
                                          parcel__hdf5_good(H5Ldelete(parcel, "failures", H5P_DEFAULT),
                                                            "remove", "parcel/failures"));
  if (parcel >= 0)
    H5Gclose(parcel);
  return is_removed ? PARCEL_OK : PARCEL_HDF5;
}
