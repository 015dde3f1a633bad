/* A compressed block cannot be changed in place. So the new values of indices that failed wait in a file
 * without a name, row by row in the order of the positions; at the end each block that has any of them is
 * unpacked from the finished file, patched, and packed again into a spool, and the copy is completed from
 * the spools as after any other run. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <parcel/reader.h>

#include "beside_impl.h"
#include "results_impl.h"
#include "scratch_impl.h"

typedef struct repack {
  const parcel_results *results; /* which positions were retried */
  parcel_store spool;
  bool has_spool;
  parcel_reader *finished;
  parcel_file rows; /* by its .part */
  int fd;
  parcel_index row_bytes;
} repack;

static parcel_status move_row(const repack *store, parcel_index row, void *const columns[], bool is_read)
{
  const parcel_sweep *sweep = store->results->site.sweep;
  parcel_index offset = row * store->row_bytes;
  parcel_status status = PARCEL_OK;
  for (int c = 0; c < sweep->column_count && !status; ++c) {
    const parcel_index bytes = parcel_column_bytes(&sweep->columns[c]);
    status = is_read
                 ? parcel__file_read(&store->rows, store->fd, columns[c], bytes, offset)
                 : parcel__file_write(&store->rows, store->fd, "results.write", columns[c], bytes, offset);
    offset += bytes;
  }
  return status;
}

static parcel_status write_row(void *ctx, parcel_index row, parcel_index position,
                               const void *const columns[])
{
  (void)position;
  return move_row(ctx, row, (void *const *)columns, false);
}

/* The first retried position that is not below this one. */
static parcel_index find_row(const parcel_results *results, parcel_index position)
{
  parcel_index low = 0;
  for (parcel_index high = results->history.retried; low < high;) {
    const parcel_index middle = low + (high - low) / 2;
    if (results->retried[middle] < position)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static parcel_status patch(const repack *store, parcel_span positions, void *const columns[])
{
  const parcel_results *results = store->results;
  const parcel_sweep *sweep = results->site.sweep;
  char **places = calloc((size_t)sweep->column_count, sizeof *places);
  parcel_status status = places ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory to patch a block");
  for (parcel_index row = find_row(results, positions.begin);
       !status && row < results->history.retried && results->retried[row] < positions.end; ++row) {
    for (int c = 0; c < sweep->column_count; ++c)
      places[c] = (char *)columns[c] +
                  (results->retried[row] - positions.begin) * parcel_column_bytes(&sweep->columns[c]);
    status = move_row(store, row, (void *const *)places, true);
  }
  free(places);
  return status;
}

/* What the block holds now. */
static parcel_status read_block(void *ctx, parcel_index number, void *const columns[])
{
  const repack *store = ctx;
  const parcel_sweep *sweep = store->results->site.sweep;
  const parcel_span positions = parcel_block_grid_span(store->results->site.grid, number);
  parcel_status status = PARCEL_OK;
  for (int c = 0; c < sweep->column_count && !status; ++c)
    status = parcel_reader_values(store->finished, c, positions, columns[c]);
  return status ? status : patch(store, positions, columns);
}

static parcel_status enter_block(void *ctx, const parcel_block *block, const parcel_ledger_entry *entry)
{
  const repack *store = ctx;
  return store->spool.write(store->spool.ctx, block, entry);
}

static parcel_status sync_files(void *ctx)
{
  const repack *store = ctx;
  return store->spool.sync(store->spool.ctx);
}

static parcel_status finish_store(void *ctx)
{
  const repack *store = ctx;
  return store->spool.finish(store->spool.ctx);
}

static void close_store(void *ctx)
{
  repack *store = ctx;
  if (store->has_spool)
    store->spool.close(store->spool.ctx);
  parcel_reader_close(&store->finished);
  if (store->fd >= 0)
    close(store->fd);
  parcel__file_free(&store->rows);
  free(store);
}

static parcel_status open_finished(repack *store, char **rows)
{
  const parcel_store_site *site = &store->results->site;
  store->row_bytes = parcel_columns_bytes(site->sweep->columns, site->sweep->column_count);
  if (asprintf(rows, "%s" PARCEL_BESIDE_SPOOL "rows", site->file.part) < 0) {
    *rows = NULL;
    return parcel_fail(PARCEL_MEMORY, "no memory to retry '%s'", site->file.path);
  }
  return parcel_reader_open(site->file.path, &store->finished);
}

static parcel_status open_rows(repack *store)
{
  const parcel_world *world = store->results->site.world;
  char *rows = NULL;
  parcel_status status = parcel_world_agree(world, open_finished(store, &rows));
  if (!status)
    status = parcel__scratch_open(world, rows, &store->rows, &store->fd);
  free(rows);
  return status;
}

parcel_status parcel__store_repack_open(const parcel_results *results, parcel_store *out)
{
  const parcel_store_site *site = &results->site;
  repack *store = calloc(1, sizeof *store);
  parcel_status status =
      store ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory to retry '%s'", site->file.path);
  if (store)
    *store = (repack){.results = results, .fd = -1};
  if (!(status = parcel_world_agree(site->world, status)) && !(status = open_rows(store))) {
    status = parcel__store_spool_open(site, results->compression, PARCEL_SPOOL_RETRIES, &store->spool);
    store->has_spool = status == PARCEL_OK;
  }
  if (status) {
    if (store)
      close_store(store);
    return status;
  }
  *out = (parcel_store){.ctx = store,
                        .read = read_block,
                        .write_row = write_row,
                        .enter = enter_block,
                        .sync = sync_files,
                        .finish = finish_store,
                        .close = close_store};
  return PARCEL_OK;
}
