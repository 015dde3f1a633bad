#include "failures_impl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <parcel/reader.h>

#include "reader_impl.h"
#include "seal_impl.h"

/* Many MPI libraries fail above 2 GiB. */
static const parcel_index most_bytes_per_call = (parcel_index)1 << 29;

static parcel_status read_entry(const parcel_store_site *site, parcel_index block, parcel_ledger_entry *out)
{
  return parcel__ledger_read(&site->file, site->fd, site->ledger, (parcel_span){block, block + 1}, out);
}

parcel_status parcel__failures_load(const parcel_store_site *site, parcel_failure_records *out)
{
  parcel_failure_records records = {.items = NULL};
  const parcel_status status = parcel__journals_read(&site->file, &records);
  if (status) {
    parcel__records_free(&records);
    return status;
  }
  parcel__records_sort(&records);
  *out = records;
  return PARCEL_OK;
}

/* The rows do not say which entry they belong to: they are as old as the file. */
static parcel_status journal_row(const parcel_store_site *site, parcel_journal *journal,
                                 const parcel_failure_record *record)
{
  parcel_ledger_entry entry = {.checksum = 0};
  parcel_failure failure = {
      .position = record->position, .index = record->row.index, .code = (parcel_status)record->row.code};
  const parcel_block block = {.number = record->block, .failures = &failure, .failure_count = 1};
  memcpy(failure.message, record->row.message, sizeof record->row.message);
  const parcel_status status = read_entry(site, record->block, &entry);
  return status ? status : parcel__journal_write(journal, &block, entry.checksum);
}

parcel_status parcel__failures_of_file(const char *path, parcel_failure_records *out)
{
  parcel_reader *reader = NULL;
  parcel_failure_records records = {.items = NULL};
  parcel_status status = parcel_reader_open(path, &reader);
  const parcel_index count = status ? 0 : parcel_reader_failure_count(reader);
  for (parcel_index f = 0; f < count && !status; ++f) {
    parcel_failure failure;
    if ((status = parcel__reader_failure_rows(reader, (parcel_span){f, f + 1}, &failure)))
      break;
    const parcel_failure_record record = {
        .block = parcel_block_grid_owner(parcel_reader_grid(reader), failure.position),
        .position = failure.position,
        .row = parcel__failure_row(&failure)};
    status = parcel__records_add(&records, &record);
  }
  parcel_reader_close(&reader);
  if (status)
    parcel__records_free(&records);
  *out = records;
  return status;
}

static parcel_status journal_table(const parcel_store_site *site)
{
  parcel_failure_records records = {.items = NULL};
  parcel_journal journal = {.fd = -1};
  parcel_status status = parcel__failures_of_file(site->file.part, &records);
  if (!status)
    status = parcel__journal_open(&site->file, parcel_world_rank(site->world), &journal);
  for (parcel_index r = 0; r < records.count && !status; ++r)
    status = journal_row(site, &journal, &records.items[r]);
  if (!status)
    status = parcel__journal_sync(&journal);
  parcel__journal_close(&journal);
  parcel__records_free(&records);
  return status;
}

static parcel_status check_seal(const parcel_store_site *site, bool *is_sealed)
{
  struct stat info;
  if (fstat(site->fd, &info) != 0)
    return parcel__file_fail("look at", site->file.part);
  parcel_index sealed = 0;
  const parcel_status status = parcel__seal_check(&site->file, site->fd, info.st_size, &sealed);
  *is_sealed = sealed > 0 && !status;
  return status == PARCEL_CORRUPT || status == PARCEL_UNEQUAL ? PARCEL_OK : status;
}

parcel_status parcel__failures_recover(const parcel_store_site *site)
{
  bool is_sealed = false;
  parcel_status status = check_seal(site, &is_sealed);
  if (!status && is_sealed)
    status = journal_table(site);
  return status;
}

/* Leaves those whose block is done with the checksum that they name. */
static parcel_status drop_stale(const parcel_store_site *site, parcel_failure_records *records)
{
  parcel_index kept = 0;
  for (parcel_index r = 0; r < records->count; ++r) {
    const parcel_failure_record *record = &records->items[r];
    parcel_ledger_entry entry = {.checksum = 0};
    const parcel_status status = read_entry(site, record->block, &entry);
    if (status)
      return status;
    if (entry.state == PARCEL_BLOCK_DONE && entry.checksum == record->block_checksum)
      records->items[kept++] = *record;
  }
  records->count = kept;
  return PARCEL_OK;
}

parcel_status parcel__failures_settle(const parcel_store_site *site, parcel_failure_records *out)
{
  parcel_failure_records records = {.items = NULL};
  parcel_status status = parcel__failures_load(site, &records);
  if (!status && (status = drop_stale(site, &records)))
    parcel__records_free(&records);
  *out = records;
  return status;
}

parcel_status parcel__failures_share(const parcel_world *world, parcel_failure_records *records)
{
  MPI_Comm comm = parcel_world_comm(world);
  const parcel_index most = most_bytes_per_call / (parcel_index)sizeof *records->items;
  parcel_index count = records->count;
  parcel_status status = parcel_world_check_mpi(world, MPI_Bcast(&count, 1, MPI_INT64_T, 0, comm),
                                                "MPI_Bcast of the number of failures");
  if (status || count == 0)
    return status;
  if (parcel_world_rank(world) != 0) {
    records->items = calloc((size_t)count, sizeof *records->items);
    records->count = records->room = count;
    status = records->items ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory for the records of failures");
  }
  status = parcel_world_agree(world, status);
  for (parcel_index first = 0; first < count && !status; first += most) {
    const parcel_index items = count - first < most ? count - first : most;
    status = parcel_world_check_mpi(world,
                                    MPI_Bcast(records->items + first,
                                              (int)(items * (parcel_index)sizeof *records->items), MPI_BYTE,
                                              0, comm),
                                    "MPI_Bcast of the failures");
  }
  return status;
}
