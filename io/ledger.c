#include "ledger_impl.h"

#include <string.h>
#include <time.h>

#include "checksum_impl.h"
#include "text_impl.h"

static size_t bytes_in(const parcel_sweep *sweep, const parcel_block *block, int column)
{
  return (size_t)((block->positions.end - block->positions.begin) *
                  parcel_column_bytes(&sweep->columns[column]));
}

parcel_failure_row parcel__failure_row(const parcel_failure *failure)
{
  parcel_failure_row row = {.index = failure->index, .code = failure->code};
  memcpy(row.message, failure->message, parcel__text_fit(failure->message, sizeof row.message - 1));
  return row;
}

uint64_t parcel__ledger_add_failures(uint64_t checksum, const parcel_failure failures[], parcel_index count)
{
  for (parcel_index f = 0; f < count; ++f) {
    const parcel_failure_row row = parcel__failure_row(&failures[f]);
    checksum = parcel__checksum(&row, sizeof row, checksum);
  }
  return checksum;
}

uint64_t parcel__ledger_checksum(const parcel_sweep *sweep, uint64_t seed, const parcel_block *block)
{
  uint64_t checksum = seed + (uint64_t)block->number;
  for (int c = 0; c < sweep->column_count; ++c)
    checksum = parcel__checksum(block->columns[c], bytes_in(sweep, block, c), checksum);
  return parcel__ledger_add_failures(checksum, block->failures, block->failure_count);
}

parcel_ledger_entry parcel__ledger_entry(const parcel_sweep *sweep, uint64_t seed, const parcel_block *block,
                                         int rank)
{
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (parcel_ledger_entry){.checksum = parcel__ledger_checksum(sweep, seed, block),
                               .time = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec,
                               .rank = rank,
                               .state = PARCEL_BLOCK_DONE};
}

parcel_status parcel__ledger_write(const parcel_file *file, int fd, parcel_index offset, parcel_span blocks,
                                   const parcel_ledger_entry entries[])
{
  const char *point = entries[0].state == PARCEL_BLOCK_DONE ? "results.ledger" : "results.clear";
  const parcel_index size = (parcel_index)sizeof *entries;
  return parcel__file_write(file, fd, point, entries, (blocks.end - blocks.begin) * size,
                            offset + blocks.begin * size);
}

parcel_status parcel__ledger_read(const parcel_file *file, int fd, parcel_index offset, parcel_span blocks,
                                  parcel_ledger_entry entries[])
{
  const parcel_index size = (parcel_index)sizeof *entries;
  return parcel__file_read(file, fd, entries, (blocks.end - blocks.begin) * size,
                           offset + blocks.begin * size);
}

parcel_status parcel__ledger_count(const parcel_file *file, int fd, parcel_index offset, parcel_index blocks,
                                   parcel_index *out)
{
  enum { ENTRIES = 1024 };
  parcel_ledger_entry entries[ENTRIES];
  parcel_index done = 0;
  for (parcel_index first = 0; first < blocks; first += ENTRIES) {
    const parcel_index count = blocks - first < ENTRIES ? blocks - first : ENTRIES;
    const parcel_status status =
        parcel__ledger_read(file, fd, offset, (parcel_span){first, first + count}, entries);
    if (status)
      return status;
    for (parcel_index e = 0; e < count; ++e)
      done += entries[e].state == PARCEL_BLOCK_DONE;
  }
  *out = done;
  return PARCEL_OK;
}
