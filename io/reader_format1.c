/* The failures table of a file of format 1. Parcel 0.1 reserved its room when the file was made, and set the
 * extents of its datasets in their headers, which are of version 1, without a checksum. HDF5 1.10.8 crashes
 * on damaged ones, and 1.14 refuses a dataset that has more room than its extent. So the headers are read
 * without HDF5 (HDF5 File Format Specification 3.0, IV.A.2): a dataspace message of version 1 is 8 bytes,
 * then the extents; a layout message of version 3 and class 1 says where the values are, and how many bytes.
 * */
#include <inttypes.h>

#include "header_impl.h"
#include "reader_hdf5_impl.h"
#include "reader_impl.h"

enum { EXTENT_OFFSET = 8, CONTIGUOUS = 1 };

static const char *const names[PARCEL_FAILURE_COLUMNS] = {"index", "code", "message"};
static const parcel_index sizes[PARCEL_FAILURE_COLUMNS] = {sizeof(int64_t), sizeof(int32_t),
                                                           PARCEL_FAILURE_MESSAGE_SIZE};

/* What is wanted of a header. */
typedef struct header {
  bool has_extent;
  parcel_index extent;
  parcel_index values, values_bytes; /* in bytes; 0 until they are found */
} header;

static void read_message(void *ctx, const parcel_header_message *message)
{
  header *out = ctx;
  const unsigned char *data = message->data;
  const bool is_line = data[0] == 1 && data[1] == 1;
  if (message->type == PARCEL_HEADER_DATASPACE && is_line && message->size >= EXTENT_OFFSET + 8) {
    out->extent = (parcel_index)parcel__header_number(data + EXTENT_OFFSET, 8);
    out->has_extent = true;
  }
  if (message->type == PARCEL_HEADER_LAYOUT && data[0] == 3 && data[1] == CONTIGUOUS) {
    out->values = (parcel_index)parcel__header_number(data + 2, 8);
    out->values_bytes = (parcel_index)parcel__header_number(data + 10, 8);
  }
}

static parcel_status fail_header(const char *name)
{
  return parcel_fail(PARCEL_CORRUPT, "the header of 'parcel/failures/%s' is not as Parcel 0.1 made it", name);
}

static parcel_status find_column(const parcel_reader *reader, hid_t group, int column,
                                 parcel_reader_table *table)
{
  header header = {.has_extent = false};
  parcel_index address = 0;
  parcel_status status = parcel__header_find(group, names[column], &address);
  if (status || (status = parcel__header_visit(&reader->file, reader->fd, address, read_message, &header)))
    return status;
  if (column == 0)
    table->count = header.extent;
  if (!header.has_extent || header.extent < 0 || header.extent != table->count)
    return fail_header(names[column]);
  if (table->count > 0 && (header.values <= 0 || table->count > header.values_bytes / sizes[column]))
    return fail_header(names[column]);
  table->columns[column] = header.values;
  return PARCEL_OK;
}

parcel_status parcel__reader_find_old_table(const parcel_reader *reader, hid_t parcel,
                                            parcel_reader_table *out)
{
  parcel_reader_table table = {.count = 0};
  parcel_status status = PARCEL_OK;
  const hid_t group = parcel__hdf5_open_group(parcel, "failures");
  if (group < 0)
    return PARCEL_HDF5;
  for (int c = 0; c < PARCEL_FAILURE_COLUMNS && !status; ++c)
    status = find_column(reader, group, c, &table);
  H5Gclose(group);
  if (!status)
    *out = table;
  return status;
}
