/* HDF5 writes each change in place and in one call, within a page: texts, and headers that the schema has put
 * into pages of their own. So the file opens whenever the process is killed. */
#include "state_impl.h"

#include <hdf5.h>

#include "fault_impl.h"
#include "file_lock_impl.h"
#include "hdf5_file_impl.h"
#include "hdf5_impl.h"
#include "provenance_impl.h"
#include "schema_impl.h"
#include "table_impl.h"

static bool set_state(hid_t hdf5, const char *status, const char *end_time)
{
  return parcel__hdf5_set_text_attribute(hdf5, "status", status) &&
         parcel__hdf5_set_text(hdf5, "parcel/provenance/end_time", end_time);
}

static bool set_running(hid_t hdf5)
{
  char owner[PARCEL_OWNER_SIZE];
  return set_state(hdf5, "running", "") &&
         parcel__hdf5_set_text(hdf5, "parcel/provenance/owner", parcel__lock_owner(owner));
}

static bool set_ended(hid_t hdf5, const char *status)
{
  char now[PARCEL_TIME_SIZE];
  return set_state(hdf5, status, parcel__time_text(now));
}

/* Opens the file, which is closed after the change. */
static hid_t begin_change(const char *path, int fd, parcel_hdf5_printing *before)
{
  *before = parcel__hdf5_silence();
  return parcel__fault("results.outcome") ? H5I_INVALID_HID
                                          : parcel__hdf5_file_open(path, fd, PARCEL_HDF5_WRITE_PAGES);
}

static parcel_status end_change(hid_t hdf5, const char *path, parcel_status status,
                                parcel_hdf5_printing before)
{
  status = hdf5 < 0 ? PARCEL_HDF5 : parcel__hdf5_file_close(hdf5, path, status);
  parcel__hdf5_restore(before);
  return status;
}

/* First of all changes: a reader of format 1 would take the failures for damaged, one of format 2 knows that
 * those of an unfinished file may not be there. */
static bool set_format(hid_t hdf5)
{
  const int32_t format = PARCEL_SCHEMA_FORMAT;
  const hid_t attribute = H5Aopen(hdf5, "parcel_format", H5P_DEFAULT);
  const bool is_set = attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_INT32, &format) >= 0;
  if (attribute >= 0)
    H5Aclose(attribute);
  return is_set || parcel__hdf5_good(-1, "write the attribute", "parcel_format");
}

/* ---- beginning ---- */

static bool has_failures(hid_t hdf5)
{
  return H5Lexists(hdf5, "parcel/failures", H5P_DEFAULT) > 0 &&
         H5Lexists(hdf5, "parcel/failures/index", H5P_DEFAULT) > 0;
}

parcel_status parcel__state_begin(const parcel_file *file, int fd)
{
  parcel_hdf5_printing before;
  parcel_status status = PARCEL_OK;
  const hid_t hdf5 = begin_change(file->part, fd, &before);
  if (hdf5 >= 0 && !set_format(hdf5))
    status = PARCEL_HDF5;
  if (hdf5 >= 0 && !status && has_failures(hdf5))
    status = parcel__table_replace(hdf5, file, fd, NULL);
  if (hdf5 >= 0 && !status)
    status = set_running(hdf5) ? PARCEL_OK : PARCEL_HDF5;
  return end_change(hdf5, file->part, status, before);
}

parcel_status parcel__state_begin_copy(const parcel_file *file, int fd)
{
  parcel_hdf5_printing before;
  const hid_t hdf5 = begin_change(file->fresh, fd, &before);
  const parcel_status status = hdf5 >= 0 && set_running(hdf5) ? PARCEL_OK : PARCEL_HDF5;
  return end_change(hdf5, file->fresh, status, before);
}

/* ---- the end ---- */

static bool settle_fill_value(hid_t hdf5, const parcel_column *column, bool is_wanted)
{
  const hid_t dataset = H5Dopen2(hdf5, column->name, H5P_DEFAULT);
  if (!parcel__hdf5_good(dataset, "open the column", column->name))
    return false;
  bool is_settled = true;
  const bool is_there = H5Aexists(dataset, "_FillValue") > 0;
  if (is_wanted && !is_there)
    is_settled = parcel__schema_add_fill_value(dataset, column);
  else if (is_there && !is_wanted)
    is_settled = parcel__hdf5_good(H5Adelete(dataset, "_FillValue"), "change the column", column->name);
  H5Dclose(dataset);
  return is_settled;
}

static bool settle_fill_values(hid_t hdf5, const parcel_sweep *sweep, bool is_wanted)
{
  bool is_settled = true;
  for (int c = parcel_column_is_index(&sweep->columns[0]); c < sweep->column_count && is_settled; ++c)
    is_settled = settle_fill_value(hdf5, &sweep->columns[c], is_wanted);
  return is_settled;
}

parcel_status parcel__state_complete(const parcel_file *file, int fd, const parcel_sweep *sweep,
                                     const parcel_failure_records *records)
{
  parcel_hdf5_printing before;
  parcel_status status = PARCEL_OK;
  const hid_t hdf5 = begin_change(file->part, fd, &before);
  if (hdf5 >= 0 && !set_format(hdf5))
    status = PARCEL_HDF5;
  if (hdf5 >= 0 && !status)
    status = records->count > 0 ? parcel__table_replace(hdf5, file, fd, records) : parcel__table_remove(hdf5);
  if (hdf5 >= 0 && !status &&
      !(settle_fill_values(hdf5, sweep, records->count > 0) && set_ended(hdf5, "complete")))
    status = PARCEL_HDF5;
  return end_change(hdf5, file->part, status, before);
}

parcel_status parcel__state_end(const parcel_file *file, int fd, const char *outcome)
{
  parcel_hdf5_printing before;
  const hid_t hdf5 = begin_change(file->part, fd, &before);
  const parcel_status status = hdf5 >= 0 && set_ended(hdf5, outcome) ? PARCEL_OK : PARCEL_HDF5;
  return end_change(hdf5, file->part, status, before);
}
