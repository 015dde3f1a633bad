/* The lock is held to add a line or to take all of them, never while anything is written. */
#include "ledger_batch_impl.h"

#include <stdlib.h>
#include <string.h>

void parcel__ledger_batch_open(const parcel_file *file, int fd, parcel_index ledger, parcel_ledger_batch *out)
{
  *out = (parcel_ledger_batch){.file = file, .fd = fd, .ledger = ledger, .lock = PTHREAD_MUTEX_INITIALIZER};
}

static int by_number(const void *left, const void *right)
{
  const parcel_index a = ((const parcel_ledger_line *)left)->number;
  const parcel_index b = ((const parcel_ledger_line *)right)->number;
  return (a > b) - (a < b);
}

/* Neighbours in the ledger go into it in one call. */
static parcel_status write_lines(const parcel_ledger_batch *batch, parcel_ledger_line lines[], int count)
{
  parcel_ledger_entry run[PARCEL_LEDGER_BATCH];
  parcel_status status = PARCEL_OK;
  qsort(lines, (size_t)count, sizeof *lines, by_number);
  for (int begin = 0, end = 0; begin < count && !status; begin = end) {
    do {
      run[end - begin] = lines[end].entry;
      ++end;
    } while (end < count && lines[end].number == lines[end - 1].number + 1);
    status = parcel__ledger_write(batch->file, batch->fd, batch->ledger,
                                  (parcel_span){lines[begin].number, lines[end - 1].number + 1}, run);
  }
  return status;
}

/* Empties the batch into lines[PARCEL_LEDGER_BATCH]; how many there were. The lock is held. */
static int take_lines(parcel_ledger_batch *batch, parcel_ledger_line lines[])
{
  const int count = batch->count;
  memcpy(lines, batch->lines, (size_t)count * sizeof *lines);
  batch->count = 0;
  batch->seconds = 0;
  return count;
}

parcel_status parcel__ledger_batch_add(parcel_ledger_batch *batch, const parcel_block *block,
                                       const parcel_ledger_entry *entry)
{
  parcel_ledger_line lines[PARCEL_LEDGER_BATCH];
  int count = 0;
  pthread_mutex_lock(&batch->lock);
  batch->lines[batch->count++] = (parcel_ledger_line){.number = block->number, .entry = *entry};
  batch->seconds += block->seconds;
  if (batch->count == PARCEL_LEDGER_BATCH || batch->seconds >= PARCEL_LEDGER_SECONDS)
    count = take_lines(batch, lines);
  pthread_mutex_unlock(&batch->lock);
  return write_lines(batch, lines, count);
}

parcel_status parcel__ledger_batch_flush(parcel_ledger_batch *batch)
{
  parcel_ledger_line lines[PARCEL_LEDGER_BATCH];
  pthread_mutex_lock(&batch->lock);
  const int count = take_lines(batch, lines);
  pthread_mutex_unlock(&batch->lock);
  return write_lines(batch, lines, count);
}
