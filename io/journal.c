/* Failures are rare, so a lock for each rank is enough, and the file is made at the first of them. */
#include "journal_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "beside_impl.h"
#include "checksum_impl.h"
#include "fault_impl.h"

static uint64_t checksum_of(const parcel_failure_record *record)
{
  return parcel__checksum(&record->block_checksum, sizeof *record - sizeof record->checksum, 0);
}

/* ---- writing ---- */

parcel_status parcel__journal_open(const parcel_file *file, int rank, parcel_journal *out)
{
  char *path = NULL;
  if (asprintf(&path, "%s" PARCEL_BESIDE_JOURNAL "%d", file->part, rank) < 0)
    return parcel_fail(PARCEL_MEMORY, "no memory for the journal of '%s'", file->part);
  *out = (parcel_journal){.path = path, .fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER};
  return PARCEL_OK;
}

void parcel__journal_close(parcel_journal *journal)
{
  if (journal->path && journal->fd >= 0)
    close(journal->fd);
  free(journal->path);
  journal->path = NULL;
}

/* Behind the records of an earlier run, the last of which may be torn. */
static parcel_status open_journal(parcel_journal *journal)
{
  struct stat info;
  const parcel_index size = (parcel_index)sizeof(parcel_failure_record);
  const parcel_status status =
      parcel__plain_open(journal->path, O_WRONLY | O_CREAT | O_APPEND, 0666, &journal->fd);
  if (status)
    return status;
  if (fstat(journal->fd, &info) == 0 && ftruncate(journal->fd, info.st_size / size * size) == 0)
    return PARCEL_OK;
  return parcel__file_fail("go on with", journal->path);
}

/* The lock is held. */
static parcel_status append(parcel_journal *journal, const void *data, size_t size)
{
  for (size_t done = 0; done < size;) {
    const ssize_t written =
        parcel__fault("results.journal") ? -1 : write(journal->fd, (const char *)data + done, size - done);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return parcel__file_fail("write", journal->path);
    done += (size_t)written;
  }
  return PARCEL_OK;
}

parcel_status parcel__journal_write(parcel_journal *journal, const parcel_block *block,
                                    uint64_t block_checksum)
{
  parcel_status status = PARCEL_OK;
  pthread_mutex_lock(&journal->lock);
  if (journal->fd < 0)
    status = open_journal(journal);
  for (parcel_index f = 0; f < block->failure_count && !status; ++f) {
    parcel_failure_record record = {.block_checksum = block_checksum,
                                    .block = block->number,
                                    .position = block->failures[f].position,
                                    .row = parcel__failure_row(&block->failures[f])};
    record.checksum = checksum_of(&record);
    status = append(journal, &record, sizeof record);
  }
  pthread_mutex_unlock(&journal->lock);
  return status;
}

parcel_status parcel__journal_sync(const parcel_journal *journal)
{
  if (!journal->path || journal->fd < 0 || fsync(journal->fd) == 0)
    return PARCEL_OK;
  return parcel__file_fail("bring to the disk", journal->path);
}

/* ---- records ---- */

parcel_status parcel__records_add(parcel_failure_records *records, const parcel_failure_record *record)
{
  if (records->count == records->room) {
    const parcel_index room = records->room > 0 ? 2 * records->room : 64;
    parcel_failure_record *items = realloc(records->items, (size_t)room * sizeof *items);
    if (!items)
      return parcel_fail(PARCEL_MEMORY, "no memory for the records of failures");
    records->items = items;
    records->room = room;
  }
  records->items[records->count++] = *record;
  return PARCEL_OK;
}

void parcel__records_free(parcel_failure_records *records)
{
  free(records->items);
  *records = (parcel_failure_records){.items = NULL};
}

static int compare(const void *a, const void *b)
{
  const parcel_failure_record *left = a;
  const parcel_failure_record *right = b;
  if (left->block != right->block)
    return left->block < right->block ? -1 : 1;
  if (left->block_checksum != right->block_checksum)
    return left->block_checksum < right->block_checksum ? -1 : 1;
  return (left->position > right->position) - (left->position < right->position);
}

void parcel__records_sort(parcel_failure_records *records)
{
  parcel_index kept = 0;
  if (records->count == 0)
    return;
  qsort(records->items, (size_t)records->count, sizeof *records->items, compare);
  for (parcel_index r = 1; r < records->count; ++r)
    if (compare(&records->items[kept], &records->items[r]) != 0)
      records->items[++kept] = records->items[r];
  records->count = kept + 1;
}

/* ---- all journals of a file ---- */

/* A parcel__beside_visit. */
static parcel_status read_journal(void *ctx, char *path, const char *rest)
{
  parcel_failure_records *records = ctx;
  parcel_failure_record record;
  int fd = -1;
  parcel_status status = parcel__plain_open(path, O_RDONLY, 0, &fd);
  (void)rest;
  if (status)
    return status;
  FILE *file = fdopen(fd, "r");
  if (!file) {
    close(fd);
    return parcel__file_fail("open", path);
  }
  while (!status && fread(&record, sizeof record, 1, file) == 1)
    if (record.checksum == checksum_of(&record))
      status = parcel__records_add(records, &record);
  if (!status && ferror(file))
    status = parcel__file_fail("read", path);
  fclose(file);
  return status;
}

parcel_status parcel__journals_read(const parcel_file *file, parcel_failure_records *records)
{
  return parcel__beside_visit(file, PARCEL_BESIDE_JOURNAL, read_journal, records);
}
