/* Places never overlap, so threads of all ranks write where they like, without a lock and without a
 * gather. */
#include "store_impl.h"

static parcel_status write_values(const parcel_store_site *site, const parcel_block *block)
{
  const parcel_index count = block->positions.end - block->positions.begin;
  parcel_status status = PARCEL_OK;
  for (int c = 0; c < site->sweep->column_count && !status; ++c) {
    const parcel_index bytes = parcel_column_bytes(&site->sweep->columns[c]);
    const parcel_index place = site->columns[c] + block->positions.begin * bytes;
    status =
        parcel__file_write(&site->file, site->fd, "results.write", block->columns[c], count * bytes, place);
  }
  return status;
}

static parcel_status write_block(void *ctx, const parcel_block *block, const parcel_ledger_entry *entry)
{
  const parcel_store_site *site = ctx;
  const parcel_status status = write_values(site, block);
  return status ? status : parcel__ledger_batch_add(site->batch, block, entry);
}

static parcel_status write_row(void *ctx, parcel_index row, parcel_index position,
                               const void *const columns[])
{
  const parcel_store_site *site = ctx;
  const parcel_block one = {.positions = {position, position + 1}, .columns = columns};
  (void)row;
  return write_values(site, &one);
}

static parcel_status enter_block(void *ctx, const parcel_block *block, const parcel_ledger_entry *entry)
{
  const parcel_store_site *site = ctx;
  return parcel__ledger_batch_add(site->batch, block, entry);
}

parcel_status parcel__store_read_placed(void *ctx, parcel_index number, void *const columns[])
{
  const parcel_store_site *site = ctx;
  const parcel_span positions = parcel_block_grid_span(site->grid, number);
  parcel_status status = PARCEL_OK;
  for (int c = 0; c < site->sweep->column_count && !status; ++c) {
    const parcel_index bytes = parcel_column_bytes(&site->sweep->columns[c]);
    status = parcel__file_read(&site->file, site->fd, columns[c], (positions.end - positions.begin) * bytes,
                               site->columns[c] + positions.begin * bytes);
  }
  return status;
}

static parcel_status sync_file(void *ctx)
{
  const parcel_store_site *site = ctx;
  return parcel__file_sync(&site->file, site->fd);
}

static void close_nothing(void *ctx)
{
  (void)ctx;
}

parcel_status parcel__store_direct_open(const parcel_store_site *site, parcel_store *out)
{
  *out = (parcel_store){.ctx = (void *)site,
                        .write = write_block,
                        .read = parcel__store_read_placed,
                        .write_row = write_row,
                        .enter = enter_block,
                        .sync = sync_file,
                        .close = close_nothing};
  return PARCEL_OK;
}
