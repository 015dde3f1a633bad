/* The lock is held to add a line or to take all of them, never while anything is written. */
#include "ledger_batch_impl.h"

#include <stdlib.h>

void parcel__ledger_batch_open(const parcel_file *file, int fd, parcel_index ledger, parcel_ledger_batch *out)
{
  *out = (parcel_ledger_batch){.file = file, .fd = fd, .ledger = ledger, .lock = PTHREAD_MUTEX_INITIALIZER};
}

void parcel__ledger_batch_close(parcel_ledger_batch *batch)
{
  free(batch->lines);
  batch->lines = NULL;
  batch->room = batch->count = 0;
}

/* ---- adding ---- */

/* The lock is held. */
static bool make_room(parcel_ledger_batch *batch)
{
  if (batch->count < batch->room)
    return true;
  const int room = batch->room > 0 ? 2 * batch->room : PARCEL_LEDGER_BATCH;
  parcel_ledger_line *lines = realloc(batch->lines, (size_t)room * sizeof *lines);
  if (!lines)
    return false;
  batch->lines = lines;
  batch->room = room;
  return true;
}

/* Whether enough waits to be written now. */
static bool add_line(parcel_ledger_batch *batch, const parcel_ledger_line *line, double seconds)
{
  batch->lines[batch->count++] = *line;
  batch->seconds += seconds;
  return !batch->is_relayed &&
         (batch->count == PARCEL_LEDGER_BATCH || batch->seconds >= PARCEL_LEDGER_SECONDS);
}

parcel_status parcel__ledger_batch_add(parcel_ledger_batch *batch, const parcel_block *block,
                                       const parcel_ledger_entry *entry)
{
  const parcel_ledger_line line = {.number = block->number, .entry = *entry};
  pthread_mutex_lock(&batch->lock);
  const bool has_room = make_room(batch);
  const bool is_due = has_room && add_line(batch, &line, block->seconds);
  pthread_mutex_unlock(&batch->lock);
  if (!has_room)
    return parcel_fail(PARCEL_MEMORY, "no memory for the entries of blocks that are done");
  return is_due ? parcel__ledger_batch_flush(batch) : PARCEL_OK;
}

/* ---- writing ---- */

int parcel__ledger_batch_take(parcel_ledger_batch *batch, parcel_ledger_line **lines)
{
  pthread_mutex_lock(&batch->lock);
  const int count = batch->count;
  *lines = batch->lines;
  batch->lines = NULL;
  batch->room = batch->count = 0;
  batch->seconds = 0;
  pthread_mutex_unlock(&batch->lock);
  return count;
}

static int by_number(const void *left, const void *right)
{
  const parcel_index a = ((const parcel_ledger_line *)left)->number;
  const parcel_index b = ((const parcel_ledger_line *)right)->number;
  return (a > b) - (a < b);
}

/* Neighbours in the ledger go into it in one call. */
parcel_status parcel__ledger_batch_write(const parcel_ledger_batch *batch, parcel_ledger_line lines[],
                                         int count)
{
  parcel_ledger_entry run[PARCEL_LEDGER_BATCH];
  parcel_status status = PARCEL_OK;
  if (count > 1)
    qsort(lines, (size_t)count, sizeof *lines, by_number);
  for (int begin = 0, end = 0; begin < count && !status; begin = end) {
    do {
      run[end - begin] = lines[end].entry;
      ++end;
    } while (end < count && end - begin < PARCEL_LEDGER_BATCH &&
             lines[end].number == lines[end - 1].number + 1);
    status = parcel__ledger_write(batch->file, batch->fd, batch->ledger,
                                  (parcel_span){lines[begin].number, lines[end - 1].number + 1}, run);
  }
  return status;
}

parcel_status parcel__ledger_batch_flush(parcel_ledger_batch *batch)
{
  parcel_ledger_line *lines = NULL;
  const int count = parcel__ledger_batch_take(batch, &lines);
  const parcel_status status = parcel__ledger_batch_write(batch, lines, count);
  free(lines);
  return status;
}
