/* HDF5 can shrink and grow a dataset, but frees and allocates room as it does, in several steps: a
 * process that is killed between them leaves a broken file. The extent alone is one number in the
 * dataset's header, 8 bytes in place, and the largest extent behind it. Where they stand is documented
 * (HDF5 File Format Specification 3.0, IV.A.2): a dataspace message of version 1 is 8 bytes, then the
 * extents, then the largest extents; a layout message of version 3 and class 1 says where the values are,
 * and how many bytes. Such a change in place wants headers of version 1, which have no checksum; and HDF5
 * 1.10.8 crashes on damaged ones, so it is only asked where they are. */
#include "table_impl.h"

#include <hdf5.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5_impl.h"
#include "header_impl.h"
#include "schema_impl.h"

static const char *const names[PARCEL_TABLE_COLUMNS + 1] = {"index", "code", "message", "failure"};

static const parcel_index sizes[PARCEL_TABLE_COLUMNS] = {sizeof(int64_t), sizeof(int32_t),
                                                         PARCEL_FAILURE_MESSAGE_SIZE};

/* ---- where it is ---- */

enum { EXTENT_OFFSET = 8, CONTIGUOUS = 1 };

/* What is wanted of a header: places in the file, and sizes, in bytes; 0 until it is found. */
typedef struct header {
  parcel_index extent;
  parcel_index values, values_bytes;
} header;

static void read_message(void *ctx, const parcel_header_message *message)
{
  header *out = ctx;
  const unsigned char *data = message->data;
  const bool is_line = data[0] == 1 && data[1] == 1 && (data[2] & 1);
  if (message->type == PARCEL_HEADER_DATASPACE && is_line && message->size >= 24)
    out->extent = message->place + EXTENT_OFFSET;
  if (message->type == PARCEL_HEADER_LAYOUT && data[0] == 3 && data[1] == CONTIGUOUS) {
    out->values = (parcel_index)parcel__header_number(data + 2, 8);
    out->values_bytes = (parcel_index)parcel__header_number(data + 10, 8);
  }
}

static parcel_status find_dataset(hid_t group, const parcel_file *file, int fd, int which, parcel_table *out)
{
  header header = {.extent = 0};
  parcel_index address = 0;
  parcel_status status = parcel__header_find(group, names[which], &address);
  if (status || (status = parcel__header_visit(file, fd, address, read_message, &header)))
    return status;
  const bool has_values = header.values > 0 && header.values_bytes > 0;
  out->extents[which] = header.extent;
  if (which < PARCEL_TABLE_COLUMNS && has_values) {
    const parcel_index room = header.values_bytes / sizes[which];
    out->columns[which] = header.values;
    out->room = which == 0 || room < out->room ? room : out->room;
  }
  if (header.extent == 0 || (which > 0 && which < PARCEL_TABLE_COLUMNS && !has_values))
    return parcel_fail(PARCEL_CORRUPT, "the header of 'parcel/failures/%s' is not as HDF5 makes it",
                       names[which]);
  return PARCEL_OK;
}

parcel_status parcel__table_find_in(int64_t hdf5, const parcel_file *file, int fd, parcel_table *out)
{
  parcel_table table = {.room = 0};
  const hid_t group = H5Gopen2(hdf5, "parcel/failures", H5P_DEFAULT);
  if (!parcel__hdf5_good(group, "open the group", "parcel/failures"))
    return PARCEL_HDF5;
  parcel_status status = PARCEL_OK;
  for (int d = 0; d <= PARCEL_TABLE_COLUMNS && !status && (d == 0 || table.room > 0); ++d)
    status = find_dataset(group, file, fd, d, &table);
  H5Gclose(group);
  if (!status && table.room > 0)
    status = parcel__file_read(file, fd, &table.count, sizeof table.count, table.extents[0]);
  if (!status && (table.count < 0 || table.count > table.room))
    return parcel_fail(PARCEL_CORRUPT, "'%s': %" PRId64 " failures in room for %" PRId64, file->part,
                       table.count, table.room);
  if (!status)
    *out = table;
  return status;
}

parcel_status parcel__table_find(const char *path, const parcel_file *file, int fd, parcel_table *out)
{
  const parcel_hdf5_printing before = parcel__hdf5_silence();
  const hid_t access = parcel__schema_access();
  const hid_t hdf5 = H5Fopen(path, H5F_ACC_RDONLY, access);
  const parcel_status status = parcel__hdf5_good(hdf5, "open the file", path)
                                   ? parcel__table_find_in(hdf5, file, fd, out)
                                   : PARCEL_HDF5;
  if (hdf5 >= 0)
    H5Fclose(hdf5);
  H5Pclose(access);
  parcel__hdf5_restore(before);
  return status;
}

parcel_index parcel__table_room(bool keeps_failures, parcel_index most)
{
  if (!keeps_failures)
    return 0;
  return most > 0 ? most : PARCEL_TABLE_ROOM;
}

/* ---- what is in it ---- */

parcel_status parcel__table_set_count(const parcel_file *file, int fd, parcel_table *table,
                                      parcel_index count)
{
  const parcel_index extent_and_largest[2] = {count, count};
  parcel_status status = PARCEL_OK;
  for (int d = 0; d <= PARCEL_TABLE_COLUMNS && !status && table->room > 0; ++d)
    status = parcel__file_write(file, fd, "results.failures", extent_and_largest, sizeof extent_and_largest,
                                table->extents[d]);
  if (!status)
    table->count = count;
  return status;
}

static parcel_status write_row(const parcel_file *file, int fd, const parcel_table *table,
                               parcel_index number, const parcel_failure_row *row)
{
  const void *const values[PARCEL_TABLE_COLUMNS] = {&row->index, &row->code, row->message};
  parcel_status status = PARCEL_OK;
  for (int c = 0; c < PARCEL_TABLE_COLUMNS && !status; ++c)
    status = parcel__file_write(file, fd, "results.failures", values[c], sizes[c],
                                table->columns[c] + number * sizes[c]);
  return status;
}

parcel_status parcel__table_write(const parcel_file *file, int fd, parcel_table *table,
                                  const parcel_failure_records *records)
{
  parcel_status status = PARCEL_OK;
  if (records->count > table->room)
    return parcel_fail(PARCEL_FULL,
                       "%" PRId64 " indices failed, but the failures table of '%s' has room for %" PRId64
                       "; --force with a larger --max-failures makes more",
                       records->count, file->part, table->room);
  for (parcel_index r = 0; r < records->count && !status; ++r)
    status = write_row(file, fd, table, r, &records->items[r].row);
  return status ? status : parcel__table_set_count(file, fd, table, records->count);
}

static parcel_status read_row(const parcel_file *file, int fd, const parcel_table *table, parcel_index number,
                              parcel_failure_row *out)
{
  void *const values[PARCEL_TABLE_COLUMNS] = {&out->index, &out->code, out->message};
  parcel_status status = PARCEL_OK;
  for (int c = 0; c < PARCEL_TABLE_COLUMNS && !status; ++c)
    status = parcel__file_read(file, fd, values[c], sizes[c], table->columns[c] + number * sizes[c]);
  return status;
}

parcel_index parcel__table_position(parcel_range range, parcel_index index)
{
  parcel_index distance = 0;
  if (__builtin_sub_overflow(index, range.first, &distance) || (distance == INT64_MIN && range.step == -1) ||
      distance % range.step != 0)
    return -1;
  const parcel_index position = distance / range.step;
  return position >= 0 && position < range.count ? position : -1;
}

parcel_status parcel__table_read(const parcel_file *file, int fd, const parcel_table *table,
                                 parcel_range range, parcel_block_grid grid, parcel_failure_records *records)
{
  parcel_status status = PARCEL_OK;
  for (parcel_index r = 0; r < table->count && !status; ++r) {
    parcel_failure_record record = {.block_checksum = 0};
    if ((status = read_row(file, fd, table, r, &record.row)))
      return status;
    record.position = parcel__table_position(range, record.row.index);
    if (record.position < 0)
      return parcel_fail(PARCEL_CORRUPT,
                         "'%s': its failures name the index %" PRId64 ", which is not in its range",
                         file->part, (parcel_index)record.row.index);
    record.block = parcel_block_grid_owner(grid, record.position);
    status = parcel__records_add(records, &record);
  }
  return status;
}
