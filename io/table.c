/* HDF5 can shrink and grow a dataset, but frees and allocates room as it does, in several steps: a
 * process that is killed between them leaves a broken file. The extent alone is one number in the
 * dataset's header, 8 bytes in place, and the largest extent behind it. Where they stand is documented
 * (HDF5 File Format Specification 3.0, IV.A.1.a, IV.A.2.b and IV.A.2.q): an object header of version 1
 * is a prefix of 16 bytes, then messages, each with 8 bytes of type, size and flags; some of them may be
 * elsewhere in the file, where a continuation message (type 16) says. A dataspace message (type 1) of
 * version 1 is 8 bytes, then the extents, then the largest extents. Headers of version 1 have no
 * checksum. */
#include "table_impl.h"

#include <hdf5.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5_impl.h"
#include "schema_impl.h"

static const char *const names[PARCEL_TABLE_COLUMNS + 1] = {"index", "code", "message", "failure"};

static const parcel_index sizes[PARCEL_TABLE_COLUMNS] = {sizeof(int64_t), sizeof(int32_t),
                                                         PARCEL_FAILURE_MESSAGE_SIZE};

#if H5_VERSION_GE(1, 12, 0)
typedef H5O_info1_t object_info;
#else
typedef H5O_info_t object_info;
#endif

/* ---- where it is ---- */

enum {
  PREFIX_BYTES = 16,
  MESSAGE_BYTES = 8,
  DATASPACE = 1,
  CONTINUATION = 16,
  EXTENT_OFFSET = 8,
  EXTENT_BYTES = 16,
  MOST_BYTES = 4096
};

static uint64_t number_at(const unsigned char *bytes, size_t size)
{
  uint64_t number = 0;
  memcpy(&number, bytes, size); /* both are little-endian */
  return number;
}

/* Messages of an object header that follow each other in the file. */
typedef struct piece {
  parcel_index begin, end;
} piece;

/* The place of the extent of a one-dimensional dataspace, if it is in this piece, else 0; and where the
 * header goes on behind it, if it does. */
static parcel_index search_piece(const unsigned char *bytes, piece piece, struct piece *next)
{
  for (parcel_index at = piece.begin; at + MESSAGE_BYTES + EXTENT_BYTES <= piece.end;) {
    const unsigned char *message = bytes + (at - piece.begin);
    const unsigned char *data = message + MESSAGE_BYTES;
    const uint64_t type = number_at(message, 2);
    if (type == DATASPACE)
      return data[0] == 1 && data[1] == 1 && (data[2] & 1) ? at + MESSAGE_BYTES + EXTENT_OFFSET : 0;
    if (type == CONTINUATION) {
      next->begin = (parcel_index)number_at(data, 8);
      next->end = next->begin + (parcel_index)number_at(data + 8, 8);
    }
    at += MESSAGE_BYTES + (parcel_index)number_at(message + 2, 2);
  }
  return 0;
}

/* The place of a dataset's extent in the file, from its header at `address`. */
static parcel_status find_extent(const parcel_file *file, int fd, parcel_index address, const char *name,
                                 parcel_index *place)
{
  unsigned char bytes[MOST_BYTES];
  parcel_status status = parcel__file_read(file, fd, bytes, PREFIX_BYTES, address);
  piece next = {address + PREFIX_BYTES, address + PREFIX_BYTES + (parcel_index)number_at(bytes + 8, 4)};
  bool is_sane = !status && bytes[0] == 1;
  parcel_index found = 0;
  while (!status && is_sane && found == 0 && next.end > next.begin) {
    const piece piece = next;
    next = (struct piece){0, 0};
    is_sane = piece.end - piece.begin <= MOST_BYTES;
    if (is_sane && !(status = parcel__file_read(file, fd, bytes, piece.end - piece.begin, piece.begin)))
      found = search_piece(bytes, piece, &next);
  }
  if (!status && found == 0)
    return parcel_fail(PARCEL_HDF5, "the extent of 'parcel/failures/%s' is not where HDF5 puts it", name);
  *place = found;
  return status;
}

static parcel_status find_dataset(hid_t group, const parcel_file *file, int fd, int which, parcel_table *out)
{
  object_info info;
  const hid_t dataset = H5Dopen2(group, names[which], H5P_DEFAULT);
  if (!parcel__hdf5_good(dataset, "open", names[which]))
    return PARCEL_HDF5;
  parcel_status status = PARCEL_OK;
  const parcel_index bytes = (parcel_index)H5Dget_storage_size(dataset);
  if (which < PARCEL_TABLE_COLUMNS)
    out->columns[which] = bytes > 0 ? (parcel_index)H5Dget_offset(dataset) : 0;
  if (which == 0)
    out->room = bytes / sizes[0];
  if (!parcel__hdf5_good(H5Oget_info1(dataset, &info), "look at", names[which]))
    status = PARCEL_HDF5;
  else
    status = find_extent(file, fd, (parcel_index)info.addr, names[which], &out->extents[which]);
  H5Dclose(dataset);
  return status;
}

static parcel_status find_in_file(hid_t hdf5, const parcel_file *file, int fd, parcel_table *out)
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
  parcel_status status =
      parcel__hdf5_good(hdf5, "open the file", path) ? find_in_file(hdf5, file, fd, out) : PARCEL_HDF5;
  if (hdf5 >= 0)
    H5Fclose(hdf5);
  H5Pclose(access);
  parcel__hdf5_restore(before);
  return status;
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

/* The position of an index in the range; -1 if it is not there. */
static parcel_index position_of(parcel_range range, parcel_index index)
{
  parcel_index distance = 0;
  if (__builtin_sub_overflow(index, range.first, &distance) || distance % range.step != 0)
    return -1;
  const parcel_index position = distance / range.step;
  return position < range.count ? position : -1;
}

parcel_status parcel__table_read(const parcel_file *file, int fd, const parcel_table *table,
                                 parcel_range range, parcel_block_grid grid, parcel_failure_records *records)
{
  parcel_status status = PARCEL_OK;
  for (parcel_index r = 0; r < table->count && !status; ++r) {
    parcel_failure_record record = {.block_checksum = 0};
    if ((status = read_row(file, fd, table, r, &record.row)))
      return status;
    record.position = position_of(range, record.row.index);
    record.block = parcel_block_grid_owner(grid, record.position);
    if (record.position < 0)
      return parcel_fail(PARCEL_CORRUPT,
                         "'%s': its failures name the index %" PRId64 ", which is not in its range",
                         file->part, (parcel_index)record.row.index);
    status = parcel__records_add(records, &record);
  }
  return status;
}
