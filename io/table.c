/* HDF5 can shrink and grow a dataset, but frees and allocates room as it does, in several steps: a
 * process that is killed between them leaves a broken file. The extent alone is one number in the
 * dataset's header, 8 bytes in place, and the largest extent behind it. Where they stand is documented
 * (HDF5 File Format Specification 3.0, IV.A.1.a and, for the messages, IV.A.2): an object header of version
 * 1 is a prefix of 16 bytes, then messages, each with 8 bytes of type, size and flags; some of them may be
 * elsewhere in the file, where a continuation message (type 16) says. A dataspace message (type 1) of
 * version 1 is 8 bytes, then the extents, then the largest extents. A layout message (type 8) of version 3
 * and class 1 says where the values are, and how many bytes. Headers of version 1 have no checksum, and
 * HDF5 1.10.8 crashes on damaged ones: HDF5 is only asked where they are. */
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
typedef H5L_info1_t link_info;
#else
typedef H5L_info_t link_info;
#define H5Lget_info1 H5Lget_info
#endif

/* ---- where it is ---- */

enum {
  PREFIX_BYTES = 16,
  MESSAGE_BYTES = 8,
  DATASPACE = 1,
  LAYOUT = 8,
  CONTINUATION = 16,
  EXTENT_OFFSET = 8,
  EXTENT_BYTES = 16,
  CONTIGUOUS = 1,
  LEAST_BYTES = 16, /* of a message of these types, at least */
  MOST_BYTES = 4096
};

/* What is wanted of a header: places in the file, and sizes, in bytes; 0 until it is found. */
typedef struct header {
  parcel_index extent;
  parcel_index values, values_bytes;
  parcel_index next, next_bytes; /* more messages */
} header;

static uint64_t number_at(const unsigned char *bytes, size_t size)
{
  uint64_t number = 0;
  memcpy(&number, bytes, size); /* both are little-endian */
  return number;
}

/* place  of the message's data in the file */
static void read_message(uint64_t type, const unsigned char *data, parcel_index place, header *out)
{
  const bool is_line = type == DATASPACE && data[0] == 1 && data[1] == 1 && (data[2] & 1);
  if (is_line)
    out->extent = place + EXTENT_OFFSET;
  if (type == LAYOUT && data[0] == 3 && data[1] == CONTIGUOUS) {
    out->values = (parcel_index)number_at(data + 2, 8);
    out->values_bytes = (parcel_index)number_at(data + 10, 8);
  }
  if (type == CONTINUATION) {
    out->next = (parcel_index)number_at(data, 8);
    out->next_bytes = (parcel_index)number_at(data + 8, 8);
  }
}

/* Messages that follow each other in the file. */
static parcel_status read_piece(const parcel_file *file, int fd, parcel_index begin, parcel_index size,
                                header *out)
{
  unsigned char bytes[MOST_BYTES + LEAST_BYTES] = {0};
  if (begin < 0 || size < 0 || size > MOST_BYTES)
    return parcel_fail(PARCEL_CORRUPT, "%" PRId64 " bytes of a header at %" PRId64 "", size, begin);
  const parcel_status status = parcel__file_read(file, fd, bytes, size, begin);
  for (parcel_index at = 0; at + MESSAGE_BYTES + LEAST_BYTES <= size && !status;
       at += MESSAGE_BYTES + (parcel_index)number_at(bytes + at + 2, 2))
    read_message(number_at(bytes + at, 2), bytes + at + MESSAGE_BYTES, begin + at + MESSAGE_BYTES, out);
  return status;
}

/* A damaged header may lead in circles: none of ours has as many pieces. */
static parcel_status read_header(const parcel_file *file, int fd, parcel_index address, header *out)
{
  enum { MOST_PIECES = 16 };
  unsigned char prefix[PREFIX_BYTES];
  *out = (header){.next = address + PREFIX_BYTES};
  parcel_status status = parcel__file_read(file, fd, prefix, PREFIX_BYTES, address);
  if (!status && prefix[0] != 1)
    return parcel_fail(PARCEL_CORRUPT, "a header of version %d", prefix[0]);
  if (!status)
    out->next_bytes = (parcel_index)number_at(prefix + 8, 4);
  for (int piece = 0; piece < MOST_PIECES && out->next_bytes != 0 && !status; ++piece) {
    const parcel_index begin = out->next;
    const parcel_index size = out->next_bytes;
    out->next_bytes = 0;
    status = read_piece(file, fd, begin, size, out);
  }
  return status;
}

static parcel_status find_dataset(hid_t group, const parcel_file *file, int fd, int which, parcel_table *out)
{
  link_info link = {.type = H5L_TYPE_ERROR};
  header header;
  if (!parcel__hdf5_good(H5Lget_info1(group, names[which], &link, H5P_DEFAULT), "find", names[which]))
    return PARCEL_HDF5;
  if (link.type != H5L_TYPE_HARD || link.u.address > INT64_MAX - PREFIX_BYTES)
    return parcel_fail(PARCEL_CORRUPT, "'parcel/failures/%s' leads elsewhere", names[which]);
  const parcel_status status = read_header(file, fd, (parcel_index)link.u.address, &header);
  if (status)
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
