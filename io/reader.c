/* The structure is read once, through HDF5, by parcel__reader_load; from then on values and ledger are bytes
 * at known places, which any thread reads without HDF5 and without a lock. */
#include "reader_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checksum_impl.h"
#include "hdf5_file_impl.h"
#include "hdf5_impl.h"
#include "ledger_impl.h"
#include "seal_impl.h"

_Static_assert(sizeof(parcel_reader_entry) == sizeof(parcel_ledger_entry) &&
                   offsetof(parcel_reader_entry, checksum) == offsetof(parcel_ledger_entry, checksum) &&
                   offsetof(parcel_reader_entry, time) == offsetof(parcel_ledger_entry, time) &&
                   offsetof(parcel_reader_entry, rank) == offsetof(parcel_ledger_entry, rank) &&
                   offsetof(parcel_reader_entry, state) == offsetof(parcel_ledger_entry, state),
               "entries are read as they are in the file");

/* ---- opening and closing ---- */

static parcel_status open_file(parcel_reader *reader)
{
  struct stat info;
  const char *path = reader->file.part;
  reader->fd = open(path, O_RDONLY | O_CLOEXEC);
  if (reader->fd < 0 || fstat(reader->fd, &info) != 0)
    return parcel_fail(PARCEL_IO, "cannot open '%s': %m", path);
  if (S_ISDIR(info.st_mode))
    return parcel_fail(PARCEL_INVALID, "'%s' is a folder; name a results file", path);
  if (!S_ISREG(info.st_mode))
    return parcel_fail(PARCEL_INVALID, "'%s' is no regular file; name a results file", path);
  reader->bytes = info.st_size;
  return PARCEL_OK;
}

/* The reason that was found inside, with the name of the file before it. */
static parcel_status fail_load(const char *path, parcel_status status)
{
  char text[PARCEL_ERROR_SIZE];
  snprintf(text, sizeof text, "%s", parcel_last_error());
  return parcel_fail(status, "cannot read '%s': %s", path, text);
}

/* What was added to a file leaves its values where they were; the ledger tells whether they are good. */
static parcel_status keep_warning(parcel_reader *reader)
{
  reader->warning = strdup(parcel_last_error());
  return reader->warning ? PARCEL_OK
                         : parcel_fail(PARCEL_MEMORY, "no memory to open '%s'", reader->file.part);
}

bool parcel__reader_is_of_part(const parcel_reader *reader)
{
  const char *end = strrchr(reader->file.part, '.');
  return end && strcmp(end, ".part") == 0;
}

static parcel_status load(parcel_reader *reader)
{
  const char *path = reader->file.part;
  const bool is_part = parcel__reader_is_of_part(reader);
  parcel_status status = PARCEL_OK;
  if (!is_part)
    status = parcel__seal_check(&reader->file, reader->fd, reader->bytes, &reader->sealed);
  if (status == PARCEL_UNEQUAL)
    status = keep_warning(reader);
  if (!status && (status = parcel__reader_load(reader)))
    status = fail_load(path, status);
  if (!status && is_part)
    status = parcel__reader_add_journals(reader);
  if (!status && !is_part && reader->sealed == 0 && strcmp(reader->status, "complete") == 0)
    status = parcel_fail(PARCEL_CORRUPT, "'%s': its seal is missing: the file is damaged", path);
  return status;
}

parcel_status parcel_reader_open(const char *path, parcel_reader **out)
{
  parcel_reader *reader = calloc(1, sizeof *reader);
  if (!reader)
    return parcel_fail(PARCEL_MEMORY, "no memory to open '%s'", path);
  reader->fd = -1;
  reader->hdf5 = H5I_INVALID_HID;
  reader->file.part = strdup(path);
  parcel_status status =
      reader->file.part ? open_file(reader) : parcel_fail(PARCEL_MEMORY, "no memory to open '%s'", path);
  if (!status)
    status = load(reader);
  if (status)
    parcel_reader_close(&reader);
  else
    *out = reader;
  return status;
}

static void free_notes(parcel_reader_note *notes, int count)
{
  for (int i = 0; i < count; ++i) {
    free((char *)notes[i].name);
    free((char *)notes[i].text);
  }
  free(notes);
}

static void free_columns(parcel_column *columns, int count)
{
  for (int c = 0; c < count; ++c) {
    free((char *)columns[c].name);
    free((char *)columns[c].units);
    free((char *)columns[c].long_name);
  }
  free(columns);
}

void parcel_reader_close(parcel_reader **reader)
{
  parcel_reader *ending = *reader;
  if (!ending)
    return;
  parcel__hdf5_file_forget(ending->hdf5);
  if (ending->fd >= 0)
    close(ending->fd);
  free_columns(ending->columns, ending->column_count);
  for (int c = 0; c < ending->column_count && ending->places; ++c)
    free(ending->places[c].chunks);
  free(ending->places);
  parcel__reader_close_coders(ending);
  free_notes(ending->attributes, ending->attribute_count);
  free_notes(ending->provenance, ending->provenance_count);
  free(ending->failures);
  free(ending->status);
  free(ending->warning);
  parcel__file_free(&ending->file);
  free(ending);
  *reader = NULL;
}

/* ---- what it holds ---- */

const char *parcel_reader_path(const parcel_reader *reader)
{
  return reader->file.part;
}

parcel_index parcel_reader_bytes(const parcel_reader *reader)
{
  return reader->bytes;
}

parcel_range parcel_reader_range(const parcel_reader *reader)
{
  return reader->range;
}

parcel_block_grid parcel_reader_grid(const parcel_reader *reader)
{
  return reader->grid;
}

const parcel_column *parcel_reader_columns(const parcel_reader *reader, int *count)
{
  *count = reader->column_count;
  return reader->columns;
}

int parcel_reader_column(const parcel_reader *reader, const char *name)
{
  for (int c = 0; c < reader->column_count; ++c)
    if (strcmp(reader->columns[c].name, name) == 0)
      return c;
  return -1;
}

const char *parcel_reader_status(const parcel_reader *reader)
{
  return reader->status;
}

const char *parcel_reader_warning(const parcel_reader *reader)
{
  return reader->warning ? reader->warning : "";
}

static const char *text_of(const parcel_reader_note *notes, int count, const char *name)
{
  for (int i = 0; i < count; ++i)
    if (strcmp(notes[i].name, name) == 0)
      return notes[i].text;
  return "";
}

const char *parcel_reader_attribute(const parcel_reader *reader, const char *name)
{
  return text_of(reader->attributes, reader->attribute_count, name);
}

const parcel_reader_note *parcel_reader_provenance(const parcel_reader *reader, int *count)
{
  *count = reader->provenance_count;
  return reader->provenance;
}

const char *parcel_reader_provenance_of(const parcel_reader *reader, const char *name)
{
  return text_of(reader->provenance, reader->provenance_count, name);
}

/* ---- the ledger ---- */

static parcel_status check_span(const parcel_reader *reader, parcel_span span, parcel_index count,
                                const char *what)
{
  if (span.begin >= 0 && span.begin <= span.end && span.end <= count)
    return PARCEL_OK;
  return parcel_fail(PARCEL_INVALID, "'%s' has %" PRId64 " %s; [%" PRId64 ", %" PRId64 ") is not in it",
                     reader->file.part, count, what, span.begin, span.end);
}

parcel_status parcel_reader_entries(const parcel_reader *reader, parcel_span blocks,
                                    parcel_reader_entry out[])
{
  const parcel_index size = (parcel_index)sizeof *out;
  const parcel_status status = check_span(reader, blocks, parcel_block_grid_count(reader->grid), "blocks");
  if (status)
    return status;
  return parcel__file_read(&reader->file, reader->fd, out, (blocks.end - blocks.begin) * size,
                           reader->ledger + blocks.begin * size);
}

parcel_status parcel_reader_count_done(const parcel_reader *reader, parcel_index *out)
{
  return parcel__ledger_count(&reader->file, reader->fd, reader->ledger,
                              parcel_block_grid_count(reader->grid), out);
}

/* ---- values ---- */

static parcel_status check_values(const parcel_reader *reader, int column, parcel_span positions)
{
  if (column < 0 || column >= reader->column_count)
    return parcel_fail(PARCEL_INVALID, "'%s' has %d columns, none of number %d", reader->file.part,
                       reader->column_count, column);
  return check_span(reader, positions, reader->range.count, "positions");
}

parcel_status parcel_reader_values(const parcel_reader *reader, int column, parcel_span positions,
                                   void *values)
{
  const parcel_status status = check_values(reader, column, positions);
  if (status)
    return status;
  if (reader->places[column].chunks)
    return parcel__reader_read_chunks(reader, column, positions, values);
  const parcel_index bytes = parcel_column_bytes(&reader->columns[column]);
  return parcel__file_read(&reader->file, reader->fd, values, (positions.end - positions.begin) * bytes,
                           reader->places[column].offset + positions.begin * bytes);
}

parcel_status parcel_reader_values_by_hdf5(const parcel_reader *reader, int column, parcel_span positions,
                                           void *values)
{
  const parcel_status status = check_values(reader, column, positions);
  if (status || positions.begin == positions.end)
    return status;
  if (reader->compression.kind == PARCEL_COMPRESSION_ZSTD && H5Zfilter_avail(PARCEL_HDF5_ZSTD) <= 0)
    return parcel_fail(
        PARCEL_INVALID,
        "'%s' is compressed by zstd, and HDF5 finds no plugin for it here (filter %d, looked for "
        "in HDF5_PLUGIN_PATH)",
        reader->file.part, PARCEL_HDF5_ZSTD);
  return parcel__reader_read_by_hdf5(reader, column, positions, values);
}

size_t parcel_reader_scratch_bytes(const parcel_reader *reader)
{
  return (size_t)(parcel_block_grid_largest(reader->grid) *
                  parcel_columns_bytes(reader->columns, reader->column_count));
}

static parcel_status fail_block(const parcel_reader *reader, parcel_index block, parcel_span positions)
{
  const bool is_empty = positions.begin == positions.end;
  const parcel_index first = is_empty ? 0 : parcel_range_at(reader->range, positions.begin);
  const parcel_index last = is_empty ? 0 : parcel_range_at(reader->range, positions.end - 1);
  if (is_empty)
    return parcel_fail(PARCEL_CORRUPT,
                       "'%s': the ledger entry of block %" PRId64 ", an empty one, is damaged",
                       reader->file.part, block);
  return parcel_fail(PARCEL_CORRUPT,
                     "'%s': block %" PRId64 ", indices %" PRId64 "..%" PRId64
                     ", does not have the checksum of its ledger entry",
                     reader->file.part, block, first, last);
}

/* Values are added up piece by piece, in the L2 cache; of a compressed file, block by block. */
enum { PIECE_BYTES = 1 << 18 };

static parcel_status add_column(const parcel_reader *reader, int c, parcel_span positions,
                                XXH3_state_t *state, void *scratch)
{
  const parcel_index bytes = parcel_column_bytes(&reader->columns[c]);
  const parcel_index all = positions.end - positions.begin;
  const parcel_index piece = reader->grid.exact > 0 || bytes > PIECE_BYTES ? all : PIECE_BYTES / bytes;
  parcel_status status = PARCEL_OK;
  for (parcel_index at = positions.begin; at < positions.end && !status; at += piece) {
    const parcel_index end = at + piece < positions.end ? at + piece : positions.end;
    status = parcel_reader_values(reader, c, (parcel_span){at, end}, scratch);
    if (!status)
      parcel__checksum_add(state, scratch, (size_t)((end - at) * bytes));
  }
  return status;
}

static parcel_status add_up_values(const parcel_reader *reader, parcel_index block, parcel_span positions,
                                   void *scratch, uint64_t *checksum)
{
  XXH3_state_t *state = XXH3_createState();
  parcel_status status = PARCEL_OK;
  *checksum = reader->seed + (uint64_t)block;
  if (!state)
    return parcel_fail(PARCEL_MEMORY, "no memory to check a block of '%s'", reader->file.part);
  for (int c = 0; c < reader->column_count && !status; ++c) {
    XXH3_64bits_reset_withSeed(state, *checksum);
    status = add_column(reader, c, positions, state, scratch);
    *checksum = XXH3_64bits_digest(state);
  }
  XXH3_freeState(state);
  return status;
}

static parcel_status add_up_failures(const parcel_reader *reader, parcel_span positions, uint64_t *checksum)
{
  const parcel_span failed = parcel_reader_failures_in(reader, positions);
  const parcel_index count = failed.end - failed.begin;
  if (count == 0)
    return PARCEL_OK;
  parcel_failure *failures = calloc((size_t)count, sizeof *failures);
  if (!failures)
    return parcel_fail(PARCEL_MEMORY, "no memory to check a block of '%s'", reader->file.part);
  const parcel_status status = parcel__reader_failure_rows(reader, failed, failures);
  *checksum = parcel__ledger_add_failures(*checksum, failures, count);
  free(failures);
  return status;
}

parcel_status parcel_reader_check_block(const parcel_reader *reader, parcel_index block,
                                        const parcel_reader_entry *entry, void *scratch)
{
  uint64_t checksum = 0;
  parcel_status status =
      check_span(reader, (parcel_span){block, block + 1}, parcel_block_grid_count(reader->grid), "blocks");
  if (status)
    return status;
  const parcel_span positions = parcel_block_grid_span(reader->grid, block);
  if (!(status = add_up_values(reader, block, positions, scratch, &checksum)))
    status = add_up_failures(reader, positions, &checksum);
  return status || checksum == entry->checksum ? status : fail_block(reader, block, positions);
}
