/* The failures are read once and kept by position: the checksum of a block covers its rows. Those of a
 * finished file are in its table; those of a .part, in the journals beside it. */
#include "reader_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "table_impl.h"

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

bool parcel__reader_load_failures(parcel_reader *reader)
{
  parcel_table table = {.room = 0};
  parcel_failure_records records = {.items = NULL};
  if (parcel__table_find_in(reader->hdf5, &reader->file, reader->fd, &table))
    return false;
  parcel_status status =
      table.count > reader->range.count
          ? parcel_fail(PARCEL_CORRUPT, "it has more failures than indices")
          : parcel__table_read(&reader->file, reader->fd, &table, reader->range, reader->grid, &records);
  if (!status)
    status = keep(reader, &records);
  parcel__records_free(&records);
  return !status || parcel__reader_is_of_part(reader);
}

/* ---- the journals of a .part ---- */

/* Whether the block of a record is still as it was when the record was written. */
static parcel_status is_current(const parcel_reader *reader, const parcel_failure_record *record, bool *out)
{
  parcel_reader_entry entry = {.state = PARCEL_BLOCK_MISSING};
  *out = false;
  if (record->position < 0 || record->position != parcel__table_position(reader->range, record->row.index) ||
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
