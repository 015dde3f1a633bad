/* The failures table grows, so HDF5 has it in chunks, and is asked for it. */
#include "reader_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5_impl.h"
#include "ledger_impl.h"
#include "reader_hdf5_impl.h"

/* Some rows of a dataset of the table, in memory's type. Takes type. */
static bool read_rows(hid_t group, const char *name, hid_t type, parcel_span which, void *out)
{
  const hsize_t begin = (hsize_t)which.begin;
  const hsize_t count = (hsize_t)(which.end - which.begin);
  const hid_t dataset = parcel__hdf5_open_dataset(group, name);
  const hid_t space = dataset >= 0 ? H5Dget_space(dataset) : H5I_INVALID_HID;
  const hid_t memory = H5Screate_simple(1, &count, NULL);
  const bool is_read =
      space >= 0 &&
      parcel__hdf5_good(H5Sselect_hyperslab(space, H5S_SELECT_SET, &begin, NULL, &count, NULL), "select in",
                        name) &&
      parcel__hdf5_good(H5Dread(dataset, type, memory, space, H5P_DEFAULT, out), "read", name);
  H5Sclose(memory);
  H5Tclose(type);
  if (space >= 0)
    H5Sclose(space);
  if (dataset >= 0)
    H5Dclose(dataset);
  return is_read;
}

static parcel_status take_row(const parcel_reader *reader, parcel_index index, int32_t code,
                              const char *message, parcel_failure *out)
{
  parcel_index distance = 0;
  const parcel_range range = reader->range;
  if (__builtin_sub_overflow(index, range.first, &distance) || distance % range.step != 0 ||
      distance / range.step < 0 || distance / range.step >= range.count)
    return parcel_fail(PARCEL_CORRUPT,
                       "'%s': its table of failures has the index %" PRId64 ", not in its range",
                       reader->file.part, index);
  *out = (parcel_failure){.position = distance / range.step, .index = index, .code = (parcel_status)code};
  memcpy(out->message, message, strnlen(message, PARCEL_FAILURE_MESSAGE_SIZE));
  return PARCEL_OK;
}

static parcel_status read_failures(const parcel_reader *reader, hid_t group, parcel_span which,
                                   parcel_failure out[])
{
  const size_t count = (size_t)(which.end - which.begin);
  int64_t *indices = calloc(count, sizeof *indices);
  int32_t *codes = calloc(count, sizeof *codes);
  char *messages = calloc(count, PARCEL_FAILURE_MESSAGE_SIZE);
  parcel_status status = PARCEL_OK;
  if (!indices || !codes || !messages)
    status = parcel_fail(PARCEL_MEMORY, "no memory for %zu failures of '%s'", count, reader->file.part);
  else if (!read_rows(group, "index", H5Tcopy(H5T_NATIVE_INT64), which, indices) ||
           !read_rows(group, "code", H5Tcopy(H5T_NATIVE_INT32), which, codes) ||
           !read_rows(group, "message", parcel__hdf5_text_type(PARCEL_FAILURE_MESSAGE_SIZE), which, messages))
    status = PARCEL_CORRUPT;
  for (size_t f = 0; f < count && !status; ++f)
    status = take_row(reader, indices[f], codes[f], messages + f * PARCEL_FAILURE_MESSAGE_SIZE, &out[f]);
  free(indices);
  free(codes);
  free(messages);
  return status;
}

parcel_index parcel_reader_failure_count(const parcel_reader *reader)
{
  return reader->failure_count;
}

parcel_status parcel_reader_failures(const parcel_reader *reader, parcel_span which, parcel_failure out[])
{
  if (which.begin < 0 || which.begin > which.end || which.end > reader->failure_count)
    return parcel_fail(PARCEL_INVALID,
                       "'%s' has %" PRId64 " failures; [%" PRId64 ", %" PRId64 ") are not among them",
                       reader->file.part, reader->failure_count, which.begin, which.end);
  if (which.begin == which.end)
    return PARCEL_OK;
  const parcel_hdf5_printing before = parcel__hdf5_silence();
  const hid_t group = parcel__hdf5_open_group(reader->hdf5, "parcel/failures");
  const parcel_status status = group >= 0 ? read_failures(reader, group, which, out) : PARCEL_CORRUPT;
  if (group >= 0)
    H5Gclose(group);
  parcel__hdf5_restore(before);
  return status;
}
