/* The failures are read once and kept by position: the checksum of a block covers its rows. Those of a
 * finished file are in its table; those of a .part, in the journals beside it. */
#include "reader_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5_impl.h"
#include "journal_impl.h"
#include "reader_hdf5_impl.h"

/* One dataset of the table, all of it, by its bytes in the file. Takes type. */
static bool read_all(const parcel_reader *reader, hid_t group, const char *name, hid_t type, void *out)
{
  const parcel_index bytes = reader->failure_count * (parcel_index)H5Tget_size(type);
  const hid_t dataset = parcel__hdf5_open_dataset(group, name);
  const hid_t space = dataset >= 0 ? H5Dget_space(dataset) : H5I_INVALID_HID;
  const hid_t own = dataset >= 0 ? H5Dget_type(dataset) : H5I_INVALID_HID;
  parcel_index place = 0;
  bool is_read = space >= 0 && own >= 0;
  if (is_read && (H5Tget_size(own) != H5Tget_size(type) || H5Tget_class(own) != H5Tget_class(type) ||
                  H5Sget_simple_extent_npoints(space) != (hssize_t)reader->failure_count)) {
    parcel_fail(PARCEL_CORRUPT, "'%s' of its table of failures has another type or length", name);
    is_read = false;
  }
  is_read = is_read && parcel__reader_place(reader, dataset, name, bytes, &place) &&
            !parcel__file_read(&reader->file, reader->fd, out, bytes, place);
  if (own >= 0)
    H5Tclose(own);
  if (space >= 0)
    H5Sclose(space);
  if (dataset >= 0)
    H5Dclose(dataset);
  H5Tclose(type);
  return is_read;
}

/* Where an index is in the range; -1 outside. */
static parcel_index position_of(parcel_range range, parcel_index index)
{
  parcel_index distance = 0;
  if (__builtin_sub_overflow(index, range.first, &distance) || (distance == INT64_MIN && range.step == -1) ||
      distance % range.step != 0)
    return -1;
  const parcel_index position = distance / range.step;
  return position >= 0 && position < range.count ? position : -1;
}

static int compare_positions(const void *a, const void *b)
{
  const parcel_reader_failure *one = a;
  const parcel_reader_failure *other = b;
  return (one->position > other->position) - (one->position < other->position);
}

static bool keep(parcel_reader *reader, const int64_t *indices, const int32_t *codes, const char *messages)
{
  for (parcel_index f = 0; f < reader->failure_count; ++f) {
    parcel_reader_failure *failure = &reader->failures[f];
    const char *message = messages + f * PARCEL_FAILURE_MESSAGE_SIZE;
    failure->position = position_of(reader->range, indices[f]);
    failure->code = codes[f];
    memcpy(failure->message, message, PARCEL_FAILURE_MESSAGE_SIZE - 1);
    if (failure->position < 0) {
      parcel_fail(PARCEL_CORRUPT, "the index %" PRId64 " of its table of failures is not in its range",
                  indices[f]);
      return false;
    }
  }
  qsort(reader->failures, (size_t)reader->failure_count, sizeof *reader->failures, compare_positions);
  return true;
}

bool parcel__reader_load_failures(parcel_reader *reader, hid_t parcel)
{
  const size_t count = (size_t)reader->failure_count;
  if (count == 0)
    return true;
  const hid_t message = parcel__hdf5_text_type(PARCEL_FAILURE_MESSAGE_SIZE);
  const hid_t group = parcel__hdf5_open_group(parcel, "failures");
  int64_t *indices = calloc(count, sizeof *indices);
  int32_t *codes = calloc(count, sizeof *codes);
  char *messages = calloc(count, PARCEL_FAILURE_MESSAGE_SIZE);
  reader->failures = calloc(count, sizeof *reader->failures);
  bool is_loaded = indices && codes && messages && reader->failures;
  if (!is_loaded)
    parcel_fail(PARCEL_MEMORY, "no memory for %zu failures", count);
  is_loaded = is_loaded && group >= 0 && read_all(reader, group, "index", H5Tcopy(H5T_STD_I64LE), indices) &&
              read_all(reader, group, "code", H5Tcopy(H5T_STD_I32LE), codes) &&
              read_all(reader, group, "message", H5Tcopy(message), messages) &&
              keep(reader, indices, codes, messages);
  free(indices);
  free(codes);
  free(messages);
  H5Tclose(message);
  if (group >= 0)
    H5Gclose(group);
  if (!is_loaded && parcel__reader_is_of_part(reader)) {
    reader->failure_count = 0;
    is_loaded = true;
  }
  return is_loaded;
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
    parcel_reader_failure *failure = &failures[end++];
    *failure = (parcel_reader_failure){.position = record->position, .code = record->row.code};
    memcpy(failure->message, record->row.message, sizeof failure->message - 1);
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

parcel_status parcel_reader_failures(const parcel_reader *reader, parcel_span which, parcel_failure out[])
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
