/* The failures are read once and kept by position: the checksum of a block covers its rows. Those of a
 * finished file are in its table; those of a .part, in the journals beside it. */
#include "reader_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "journal_impl.h"
#include "reader_hdf5_impl.h"
#include "text_impl.h"

static int compare_positions(const void *a, const void *b)
{
  const parcel_reader_failure *one = a;
  const parcel_reader_failure *other = b;
  return (one->position > other->position) - (one->position < other->position);
}

static parcel_reader_failure failure_of(const parcel_failure_record *record)
{
  parcel_reader_failure failure = {.position = record->position, .code = record->row.code};
  memcpy(failure.message, record->row.message, sizeof failure.message - 1);
  return failure;
}

static parcel_status keep(parcel_reader *reader, const parcel_failure_records *records)
{
  reader->failures = calloc((size_t)records->count + 1, sizeof *reader->failures);
  if (!reader->failures)
    return parcel_fail(PARCEL_MEMORY, "no memory for %" PRId64 " failures", records->count);
  for (parcel_index r = 0; r < records->count; ++r)
    reader->failures[r] = failure_of(&records->items[r]);
  reader->failure_count = records->count;
  qsort(reader->failures, (size_t)records->count, sizeof *reader->failures, compare_positions);
  return PARCEL_OK;
}

/* ---- the table of a finished file ---- */

static const struct {
  const char *name;
  parcel_index bytes; /* of a row */
} table_columns[PARCEL_FAILURE_COLUMNS] = {
    {"index", sizeof(int64_t)}, {"code", sizeof(int32_t)}, {"message", PARCEL_FAILURE_MESSAGE_SIZE}};

static bool is_row_type(hid_t type, int column)
{
  switch (column) {
  case 0: return H5Tequal(type, H5T_STD_I64LE) > 0;
  case 1: return H5Tequal(type, H5T_STD_I32LE) > 0;
  default: return H5Tget_class(type) == H5T_STRING && H5Tget_size(type) == 1;
  }
}

/* The first column says how many rows there are. */
static bool find_column(const parcel_reader *reader, hid_t dataset, int column, parcel_reader_table *out)
{
  const char *name = table_columns[column].name;
  parcel_reader_shape shape = {0};
  const hid_t type = H5Dget_type(dataset);
  const bool is_typed = type >= 0 && is_row_type(type, column);
  if (type >= 0)
    H5Tclose(type);
  if (!parcel__reader_shape(dataset, name, &shape))
    return false;
  const bool is_text = column == PARCEL_FAILURE_COLUMNS - 1;
  const bool is_shaped =
      is_text ? shape.rank == 2 && shape.extent[1] == PARCEL_FAILURE_MESSAGE_SIZE : shape.rank == 1;
  if (column == 0)
    out->count = shape.extent[0] <= (hsize_t)reader->range.count ? (parcel_index)shape.extent[0] : -1;
  if (!is_typed || !is_shaped || out->count < 0 || shape.extent[0] != (hsize_t)out->count) {
    parcel_fail(PARCEL_CORRUPT, "the failures' '%s' is not as Parcel makes it", name);
    return false;
  }
  return parcel__reader_place(reader, dataset, name, out->count * table_columns[column].bytes,
                              &out->columns[column]);
}

/* Neither a file without failures nor one that is being made has a table. */
static bool find_table(const parcel_reader *reader, hid_t parcel, parcel_reader_table *out)
{
  if (H5Lexists(parcel, "failures", H5P_DEFAULT) <= 0)
    return true;
  const hid_t group = parcel__hdf5_open_group(parcel, "failures");
  const bool is_empty = group >= 0 && H5Lexists(group, "index", H5P_DEFAULT) <= 0;
  bool is_found = group >= 0;
  for (int c = 0; c < PARCEL_FAILURE_COLUMNS && is_found && !is_empty; ++c) {
    const hid_t dataset = parcel__hdf5_open_dataset(group, table_columns[c].name);
    is_found = dataset >= 0 && find_column(reader, dataset, c, out);
    if (dataset >= 0)
      H5Dclose(dataset);
  }
  if (group >= 0)
    H5Gclose(group);
  return is_found;
}

static parcel_status read_row(const parcel_reader *reader, const parcel_reader_table *table,
                              parcel_index number, parcel_failure_row *out)
{
  void *const values[PARCEL_FAILURE_COLUMNS] = {&out->index, &out->code, out->message};
  parcel_status status = PARCEL_OK;
  for (int c = 0; c < PARCEL_FAILURE_COLUMNS && !status; ++c)
    status = parcel__file_read(&reader->file, reader->fd, values[c], table_columns[c].bytes,
                               table->columns[c] + number * table_columns[c].bytes);
  return status;
}

/* Where an index is in the range; -1 if it is not there. */
static parcel_index position_of(parcel_range range, parcel_index index)
{
  parcel_index distance = 0;
  if (__builtin_sub_overflow(index, range.first, &distance) || (distance == INT64_MIN && range.step == -1) ||
      distance % range.step != 0)
    return -1;
  const parcel_index position = distance / range.step;
  return position >= 0 && position < range.count ? position : -1;
}

static parcel_status read_rows(const parcel_reader *reader, const parcel_reader_table *table,
                               parcel_failure_records *records)
{
  parcel_status status = PARCEL_OK;
  for (parcel_index r = 0; r < table->count && !status; ++r) {
    parcel_failure_record record = {.block_checksum = 0};
    if ((status = read_row(reader, table, r, &record.row)))
      return status;
    record.position = position_of(reader->range, record.row.index);
    if (record.position < 0)
      return parcel_fail(PARCEL_CORRUPT, "its failures name the index %" PRId64 ", which is not in its range",
                         (parcel_index)record.row.index);
    status = parcel__records_add(records, &record);
  }
  return status;
}

bool parcel__reader_load_failures(parcel_reader *reader, hid_t parcel)
{
  parcel_reader_table table = {.count = 0};
  parcel_failure_records records = {.items = NULL};
  const bool is_part = parcel__reader_is_of_part(reader);
  const bool is_found = reader->format == 1
                            ? parcel__reader_find_old_table(reader, parcel, &table) == PARCEL_OK
                            : find_table(reader, parcel, &table);
  if (!is_found)
    return is_part;
  parcel_status status = table.count > reader->range.count
                             ? parcel_fail(PARCEL_CORRUPT, "it has more failures than indices")
                             : read_rows(reader, &table, &records);
  if (!status)
    status = keep(reader, &records);
  parcel__records_free(&records);
  return !status || is_part;
}

/* ---- the journals of a .part ---- */

/* Whether the block of a record is still as it was when the record was written. */
static parcel_status is_current(const parcel_reader *reader, const parcel_failure_record *record, bool *out)
{
  parcel_reader_entry entry = {.state = PARCEL_BLOCK_MISSING};
  *out = false;
  if (record->position < 0 || record->position != position_of(reader->range, record->row.index) ||
      record->block != parcel_block_grid_owner(reader->grid, record->position))
    return PARCEL_OK;
  const parcel_span block = {record->block, record->block + 1};
  const parcel_status status = parcel_reader_entries(reader, block, &entry);
  *out = !status && entry.state == PARCEL_BLOCK_DONE && entry.checksum == record->block_checksum;
  return status;
}

/* The records come by position, each once: only what the table has already could come twice. */
static parcel_status add_records(parcel_reader *reader, const parcel_failure_record records[],
                                 parcel_index count)
{
  const size_t room = (size_t)(reader->failure_count + count);
  parcel_reader_failure *failures = realloc(reader->failures, (room + 1) * sizeof *failures);
  parcel_index end = reader->failure_count;
  parcel_status status = PARCEL_OK;
  if (!failures)
    return parcel_fail(PARCEL_MEMORY, "no memory for %zu failures", room);
  reader->failures = failures;
  for (parcel_index r = 0; r < count && !status; ++r) {
    const parcel_failure_record *record = &records[r];
    const parcel_span known =
        parcel_reader_failures_in(reader, (parcel_span){record->position, record->position + 1});
    bool counts = false;
    if (known.begin < known.end || (status = is_current(reader, record, &counts)) || !counts)
      continue;
    failures[end++] = failure_of(record);
  }
  reader->failure_count = end;
  qsort(failures, (size_t)end, sizeof *failures, compare_positions);
  return status;
}

parcel_status parcel__reader_add_journals(parcel_reader *reader)
{
  parcel_failure_records records = {.items = NULL};
  parcel_status status = parcel__journals_read(&reader->file, &records);
  parcel__records_sort(&records);
  if (!status && records.count > 0)
    status = add_records(reader, records.items, records.count);
  parcel__records_free(&records);
  return status;
}

/* ---- asking ---- */

parcel_index parcel_reader_failure_count(const parcel_reader *reader)
{
  return reader->failure_count;
}

parcel_status parcel__reader_failure_rows(const parcel_reader *reader, parcel_span which,
                                          parcel_failure out[])
{
  if (which.begin < 0 || which.begin > which.end || which.end > reader->failure_count)
    return parcel_fail(PARCEL_INVALID,
                       "'%s' has %" PRId64 " failures; [%" PRId64 ", %" PRId64 ") are not among them",
                       reader->file.part, reader->failure_count, which.begin, which.end);
  for (parcel_index f = which.begin; f < which.end; ++f) {
    const parcel_reader_failure *failure = &reader->failures[f];
    parcel_failure *to = &out[f - which.begin];
    *to = (parcel_failure){.position = failure->position,
                           .index = parcel_range_at(reader->range, failure->position),
                           .code = (parcel_status)failure->code};
    memcpy(to->message, failure->message, sizeof failure->message);
  }
  return PARCEL_OK;
}

parcel_status parcel_reader_failures(const parcel_reader *reader, parcel_span which, parcel_failure out[])
{
  const parcel_status status = parcel__reader_failure_rows(reader, which, out);
  for (parcel_index f = which.begin; f < which.end && !status; ++f)
    parcel__text_copy(out[f - which.begin].message, sizeof out->message, reader->failures[f].message);
  return status;
}

parcel_span parcel_reader_failures_in(const parcel_reader *reader, parcel_span positions)
{
  parcel_span found = {0, reader->failure_count};
  for (parcel_index after = found.end; found.begin < after;) {
    const parcel_index middle = found.begin + (after - found.begin) / 2;
    if (reader->failures[middle].position < positions.begin)
      found.begin = middle + 1;
    else
      after = middle;
  }
  found.end = found.begin;
  while (found.end < reader->failure_count && reader->failures[found.end].position < positions.end)
    ++found.end;
  return found;
}
