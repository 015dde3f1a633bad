/* Compressed chunks differ in size, so they have no place until all are there. Until then they wait in
 * spools, and the ledger in the .part says which of them count. At the end rank 0 makes a copy of the .part,
 * which is only structure so far, writes the chunks into it, in order, and lets the copy take the name of the
 * .part once it is on the disk. The spools go when the file has its final name: a run that is killed at any
 * instant before is resumed from the ledger and the spools, whatever chunks the .part has. */
#include "store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coder_impl.h"
#include "copy_impl.h"
#include "fault_impl.h"
#include "hdf5_file_impl.h"
#include "hdf5_impl.h"
#include "schema_impl.h"
#include "spool_impl.h"

enum { ONLY_SHUFFLED = 1 << 1 }; /* HDF5's mask: the second filter was left out */

typedef struct spooled {
  const parcel_store_site *site;
  parcel_coders coders;
  parcel_spool spool;
  parcel_spool_index index;  /* of what earlier runs have left */
  parcel_index record_bytes; /* of the largest record */
  bool has_chunks;           /* the .part has all chunks already; those with records are replaced */
} spooled;

/* ---- blocks ---- */

static parcel_index chunk_bytes_of(const parcel_store_site *site, int column)
{
  return site->grid.exact * parcel_column_bytes(&site->sweep->columns[column]);
}

static parcel_chunk chunk_of(const parcel_store_site *site, int column, parcel_span positions)
{
  return parcel__chunk_of(&site->sweep->columns[column], site->grid.exact, positions.end - positions.begin);
}

/* The sizes of a record's chunks are behind its head, the chunks behind those. */
static int64_t *sizes_in(void *record)
{
  return (int64_t *)((parcel_spool_head *)record + 1);
}

static char *chunks_in(const spooled *store, void *record)
{
  return (char *)(sizes_in(record) + store->site->sweep->column_count);
}

/* Returns the bytes behind the head. */
static parcel_index pack_block(const spooled *store, parcel_coder *coder, const parcel_block *block)
{
  const parcel_store_site *site = store->site;
  int64_t *sizes = sizes_in(coder->packed);
  char *next = chunks_in(store, coder->packed);
  for (int c = 0; c < site->sweep->column_count; ++c) {
    sizes[c] = parcel__coder_pack(coder, chunk_of(site, c, block->positions), block->columns[c], next);
    next += sizes[c];
  }
  return next - (char *)sizes;
}

static parcel_status write_block(void *ctx, const parcel_block *block, const parcel_ledger_entry *entry)
{
  spooled *store = ctx;
  const parcel_store_site *site = store->site;
  parcel_coder *coder = NULL;
  parcel_status status = parcel__coders_take(&store->coders, &coder);
  if (status)
    return status;
  const parcel_index bytes = pack_block(store, coder, block);
  status = parcel__spool_write(&store->spool, block->number, coder->packed, bytes);
  parcel__coders_give(&store->coders, coder);
  return status ? status : parcel__ledger_batch_add(site->batch, block, entry);
}

/* A record whose checksums are right may still be one of another structure. */
static parcel_status check_sizes(const spooled *store, void *record, parcel_index block)
{
  const parcel_store_site *site = store->site;
  const int columns = site->sweep->column_count;
  const parcel_spool_head *head = record;
  parcel_index left = head->bytes - (parcel_index)sizeof(int64_t) * columns;
  bool is_good = left >= 0;
  for (int c = 0; c < columns && is_good; ++c) {
    const int64_t size = sizes_in(record)[c];
    is_good = size > 0 && size <= chunk_bytes_of(site, c) && size <= left;
    left -= is_good ? size : 0;
  }
  return is_good && left == 0
             ? PARCEL_OK
             : parcel_fail(PARCEL_CORRUPT, "the record of block %lld of '%s' does not have its columns",
                           (long long)block, site->file.part);
}

static parcel_status read_record(const spooled *store, const parcel_spool_index *index, parcel_index number,
                                 void *record)
{
  const parcel_store_site *site = store->site;
  const parcel_status status =
      parcel__spool_read(&site->file, site->seed, index, number, record, store->record_bytes);
  return status ? status : check_sizes(store, record, number);
}

static parcel_status read_block(void *ctx, parcel_index number, void *const columns[])
{
  spooled *store = ctx;
  const parcel_store_site *site = store->site;
  const parcel_span positions = parcel_block_grid_span(site->grid, number);
  parcel_coder *coder = NULL;
  parcel_status status = parcel__coders_take(&store->coders, &coder);
  if (status)
    return status;
  status = read_record(store, &store->index, number, coder->packed);
  const char *next = status ? NULL : chunks_in(store, coder->packed);
  for (int c = 0; c < site->sweep->column_count && !status; ++c) {
    const int64_t size = sizes_in(coder->packed)[c];
    status = parcel__coder_unpack(coder, chunk_of(site, c, positions), next, size, columns[c]);
    next += size;
  }
  parcel__coders_give(&store->coders, coder);
  return status;
}

/* Spools need not be on the disk: rank 0 reads them now, with their checksums, and what of them a power cut
 * takes before that is computed again. But where hosts do not see at once what others have written, they see
 * what is there. */
static parcel_status sync_files(void *ctx)
{
  const spooled *store = ctx;
  const parcel_store_site *site = store->site;
  const parcel_status status =
      site->batch->is_relayed ? parcel__file_sync(&store->spool.file, store->spool.fd) : PARCEL_OK;
  return status ? status : parcel__file_sync(&site->file, site->fd);
}

/* ---- the end: rank 0 puts all chunks into a copy of the .part ---- */

typedef struct publication {
  const spooled *store;
  parcel_spool_index index; /* of all spools, this run's too */
  hid_t file;
  hid_t *datasets; /* [column_count] */
  void *record;
} publication;

static bool open_datasets(publication *publication)
{
  const parcel_sweep *sweep = publication->store->site->sweep;
  for (int c = 0; c < sweep->column_count; ++c) {
    publication->datasets[c] = H5Dopen2(publication->file, sweep->columns[c].name, H5P_DEFAULT);
    if (!parcel__hdf5_good(publication->datasets[c], "open the dataset", sweep->columns[c].name))
      return false;
  }
  return true;
}

static parcel_status write_chunks(const publication *publication, parcel_index block)
{
  const parcel_store_site *site = publication->store->site;
  const hsize_t place[2] = {(hsize_t)parcel_block_grid_span(site->grid, block).begin, 0};
  const char *next = chunks_in(publication->store, publication->record);
  if (parcel__fault("results.chunk"))
    return parcel__file_fail("write", site->file.fresh);
  for (int c = 0; c < site->sweep->column_count; ++c) {
    const int64_t size = sizes_in(publication->record)[c];
    const uint32_t mask = size == chunk_bytes_of(site, c) ? ONLY_SHUFFLED : 0;
    if (!parcel__hdf5_good(
            H5Dwrite_chunk(publication->datasets[c], H5P_DEFAULT, mask, place, (size_t)size, next),
            "write a chunk into", site->file.fresh))
      return PARCEL_HDF5;
    next += size;
  }
  return PARCEL_OK;
}

static parcel_status write_all_chunks(publication *publication)
{
  const parcel_store_site *site = publication->store->site;
  const parcel_index blocks = parcel_block_grid_count(site->grid);
  parcel_status status = PARCEL_OK;
  for (parcel_index b = 0; b < blocks && !status; ++b) {
    if (publication->store->has_chunks && publication->index.places[b].rank < 0)
      continue;
    if (!(status = parcel_signals_check("the compressed file is completed")))
      status = read_record(publication->store, &publication->index, b, publication->record);
    if (!status)
      status = write_chunks(publication, b);
  }
  return status;
}

static parcel_status fill_copy(publication *publication, int fd)
{
  const parcel_store_site *site = publication->store->site;
  const char *path = site->file.fresh;
  publication->file = parcel__hdf5_file_open(path, fd, PARCEL_HDF5_WRITE);
  if (publication->file < 0)
    return PARCEL_HDF5;
  const parcel_status status = open_datasets(publication) ? write_all_chunks(publication) : PARCEL_HDF5;
  for (int c = 0; c < site->sweep->column_count; ++c)
    if (publication->datasets[c] > 0)
      H5Dclose(publication->datasets[c]);
  return parcel__hdf5_file_close(publication->file, path, status);
}

static parcel_status fill_from_spools(const spooled *store, int fd)
{
  const parcel_store_site *site = store->site;
  publication publication = {.store = store,
                             .file = H5I_INVALID_HID,
                             .datasets = calloc((size_t)site->sweep->column_count, sizeof(hid_t)),
                             .record = malloc((size_t)store->record_bytes)};
  parcel_status status = publication.datasets && publication.record
                             ? PARCEL_OK
                             : parcel_fail(PARCEL_MEMORY, "no memory to complete '%s'", site->file.part);
  if (!status)
    status = parcel__spool_index_make(&site->file, site->seed, parcel_block_grid_count(site->grid),
                                      &publication.index);
  if (!status) {
    const parcel_hdf5_printing before = parcel__hdf5_silence();
    status = fill_copy(&publication, fd);
    parcel__hdf5_restore(before);
  }
  parcel__spool_index_free(&publication.index);
  free(publication.datasets);
  free(publication.record);
  return status;
}

/* The copy takes over the descriptor by which the .part is known. */
static parcel_status take_name(const parcel_store_site *site, int fd)
{
  const parcel_file *file = &site->file;
  parcel_status status = parcel__file_sync(file, fd);
  if (status || (status = parcel__file_check_part(file, site->fd)))
    return status;
  if (parcel__fault("results.swap") || rename(file->fresh, file->part) != 0)
    return parcel__file_fail("replace", file->part);
  return dup3(fd, site->fd, O_CLOEXEC) < 0 ? parcel__file_fail("go on with", file->part) : PARCEL_OK;
}

/* As private as the .part. */
static parcel_status take_mode(const parcel_store_site *site, int fd)
{
  struct stat info;
  return fstat(site->fd, &info) == 0 ? parcel__plain_take_mode(fd, &info, 0, site->file.fresh)
                                     : parcel__file_fail("look at", site->file.part);
}

static parcel_status publish(const spooled *store)
{
  const parcel_store_site *site = store->site;
  const parcel_file *file = &site->file;
  int fd = -1;
  parcel_status status = parcel__plain_open(file->fresh, O_RDWR | O_CREAT | O_EXCL, 0600, &fd);
  if (status)
    return status;
  if ((status = take_mode(site, fd)) || (status = parcel__copy_bytes(file->part, site->fd, fd)) ||
      (status = fill_from_spools(store, fd)) || (status = take_name(site, fd)))
    unlink(file->fresh);
  close(fd);
  return status;
}

static parcel_status finish_store(void *ctx)
{
  const spooled *store = ctx;
  const parcel_world *world = store->site->world;
  return parcel_world_follow_root(world, parcel_world_rank(world) == 0 ? publish(store) : PARCEL_OK);
}

/* ---- opening and closing ---- */

static void close_store(void *ctx)
{
  spooled *store = ctx;
  parcel__spool_close(&store->spool);
  parcel__spool_index_free(&store->index);
  parcel__coders_close(&store->coders);
  free(store);
}

/* Head, sizes and chunks, none of which is larger than its values. */
static parcel_index largest_record(const parcel_store_site *site, parcel_index *largest_chunk)
{
  parcel_index bytes =
      (parcel_index)sizeof(parcel_spool_head) + (parcel_index)sizeof(int64_t) * site->sweep->column_count;
  *largest_chunk = 0;
  for (int c = 0; c < site->sweep->column_count; ++c) {
    const parcel_index chunk = chunk_bytes_of(site, c);
    bytes += chunk;
    *largest_chunk = chunk > *largest_chunk ? chunk : *largest_chunk;
  }
  return bytes;
}

static parcel_status open_rank(spooled *store, parcel_spool_past past)
{
  const parcel_store_site *site = store->site;
  const parcel_index blocks = parcel_block_grid_count(site->grid);
  parcel_status status = PARCEL_OK;
  if (past == PARCEL_SPOOL_RESUMES)
    status = parcel__spool_index_make(&site->file, site->seed, blocks, &store->index);
  return status ? status
                : parcel__spool_open(&site->file, parcel_world_rank(site->world), site->seed,
                                     store->index.runs, &store->spool);
}

parcel_status parcel__store_spool_open(const parcel_store_site *site, parcel_compression compression,
                                       parcel_spool_past past, parcel_store *out)
{
  spooled *store = calloc(1, sizeof *store);
  parcel_index largest_chunk = 0;
  parcel_status status = parcel_fail(PARCEL_MEMORY, "no memory to compress '%s'", site->file.part);
  if (store) {
    *store = (spooled){.site = site,
                       .record_bytes = largest_record(site, &largest_chunk),
                       .has_chunks = past == PARCEL_SPOOL_RETRIES};
    store->spool.fd = -1;
    parcel__coders_open(&store->coders, compression, largest_chunk, store->record_bytes);
    status = open_rank(store, past);
  }
  if ((status = parcel_world_agree(site->world, status))) {
    if (store)
      close_store(store);
    return status;
  }
  *out = (parcel_store){.ctx = store,
                        .write = write_block,
                        .read = read_block,
                        .sync = sync_files,
                        .finish = finish_store,
                        .close = close_store};
  return PARCEL_OK;
}
