/* The failed indices of a finished file are computed again in a copy of it, the .part, which then takes
 * its place: until then the file is as it was. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "beside_impl.h"
#include "claim_impl.h"
#include "copy_impl.h"
#include "failures_impl.h"
#include "file_lock_impl.h"
#include "reader_impl.h"
#include "results_impl.h"
#include "state_impl.h"

/* ---- the copy, on rank 0 ---- */

static parcel_status copy_file(parcel_store_site *site)
{
  const parcel_file *file = &site->file;
  struct stat info;
  int from = -1;
  parcel_status status = parcel__plain_open(file->path, O_RDONLY, 0, &from);
  if (status)
    return status;
  status = fstat(from, &info) == 0 ? parcel__claim_make(file, false, info.st_size, &site->fd)
                                   : parcel__file_fail("look at", file->path);
  if (!status && (status = parcel__copy_bytes(file->path, from, site->fd)))
    unlink(file->fresh);
  close(from);
  return status;
}

static parcel_status show_copy(parcel_results *results)
{
  const parcel_file *file = &results->site.file;
  parcel_status status = PARCEL_OK;
  if ((status = parcel__state_begin_copy(file, results->site.fd)) ||
      (status = parcel__claim_show(file, results->site.fd)))
    unlink(file->fresh);
  results->has_part = status == PARCEL_OK;
  return status;
}

/* Whether a .part is what a retry has made of the finished file: it has the file's seed, which no other
 * output has, but an owner of its own, and has not ended, or has ended later. A backup of the file is as old
 * as it, or older. */
static bool is_copy(const parcel_reader *part, const parcel_reader *file)
{
  const char *part_end = parcel_reader_provenance_of(part, "end_time");
  const char *part_owner = parcel_reader_provenance_of(part, "owner");
  return part->seed == file->seed && strcmp(part_owner, parcel_reader_provenance_of(file, "owner")) != 0 &&
         (*part_end == '\0' || strcmp(part_end, parcel_reader_provenance_of(file, "end_time")) >= 0);
}

static bool is_copy_of_file(const parcel_file *file)
{
  parcel_reader *finished = NULL;
  parcel_reader *part = NULL;
  const bool is_so = !parcel_reader_open(file->path, &finished) && !parcel_reader_open(file->part, &part) &&
                     is_copy(part, finished);
  parcel_reader_close(&part);
  parcel_reader_close(&finished);
  return is_so;
}

/* Removes what a retry that was killed has left, and nothing else. The lock is held. */
static parcel_status remove_dead_copy(const parcel_file *file)
{
  bool exists = false;
  struct stat info;
  parcel_status status = parcel__plain_look(file->part, &exists, &info);
  if (status || !exists)
    return status;
  if (!is_copy_of_file(file)) {
    status = parcel_fail(
        PARCEL_EXISTS,
        "'%s' exists: an unfinished output, and no copy that a retry of '%s' has left; remove it before "
        "failed indices are retried",
        file->part, file->path);
  } else if (unlink(file->part) != 0) {
    status = parcel__file_fail("remove", file->part);
  }
  return status;
}

parcel_status parcel__retry_open(parcel_results *results)
{
  const parcel_file *file = &results->site.file;
  parcel_status status = remove_dead_copy(file);
  if (!status && !(status = copy_file(&results->site)))
    status = show_copy(results);
  if (!status) {
    results->state = PARCEL_OUTPUT_RETRIED;
    results->replaces = true;
  }
  return status;
}

/* ---- what is to be computed ---- */

/* All ranks learn which positions failed. */
parcel_status parcel__retry_share(parcel_results *results)
{
  const parcel_store_site *site = &results->site;
  parcel_failure_records records = {.items = NULL};
  parcel_status status = PARCEL_OK;
  if (parcel_world_rank(site->world) == 0)
    status = parcel__failures_of_file(site->file.path, &records);
  parcel__records_sort(&records);
  if (!(status = parcel_world_follow_root(site->world, status)))
    status = parcel__failures_share(site->world, &records);
  parcel_index *positions = calloc((size_t)records.count + 1, sizeof *positions);
  if (!status && !positions)
    status = parcel_fail(PARCEL_MEMORY, "no memory for the positions of %" PRId64 " failures", records.count);
  for (parcel_index r = 0; r < records.count && positions; ++r)
    positions[r] = records.items[r].position;
  results->retried = positions;
  results->retry_grid = (parcel_block_grid){
      .positions = records.count, .parts = 1, .blocks_per_part = records.count > 0 ? records.count : 1};
  results->history.retried = records.count;
  results->history.failures = 0;
  parcel__records_free(&records);
  return parcel_world_agree(site->world, status);
}

/* One position, its own block of the retry's grid. */
parcel_status parcel__retry_write(void *ctx, const parcel_block *block)
{
  parcel_results *results = ctx;
  const parcel_store_site *site = &results->site;
  const parcel_index position = results->retried[block->number];
  parcel_block whole = *block;
  parcel_status status = PARCEL_OK;
  whole.number = parcel_block_grid_owner(site->grid, position);
  if (block->failure_count > 0)
    status = parcel__journal_write(&results->journal, &whole, 0);
  return status ? status
                : results->store.write_row(results->store.ctx, block->number, position, block->columns);
}

/* ---- the end ---- */

/* The blocks that hold retried positions, each once; room for as many as there are positions. */
static parcel_index list_blocks(const parcel_results *results, parcel_index blocks[])
{
  parcel_index count = 0;
  for (parcel_index r = 0; r < results->history.retried; ++r) {
    const parcel_index block = parcel_block_grid_owner(results->site.grid, results->retried[r]);
    if (count == 0 || blocks[count - 1] != block)
      blocks[count++] = block;
  }
  return count;
}

/* What failed again was journaled with the checksum 0: the block had none yet. */
parcel_status parcel__retry_end(parcel_results *results)
{
  const parcel_store_site *site = &results->site;
  const bool is_root = parcel_world_rank(site->world) == 0;
  parcel_failure_records records = {.items = NULL};
  parcel_index *blocks = calloc((size_t)results->history.retried + 1, sizeof *blocks);
  parcel_status status = blocks ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory for a list of blocks");
  if (!status && is_root)
    status = parcel__journals_read(&site->file, &records);
  parcel__records_sort(&records);
  if (!(status = parcel_world_agree(site->world, status)))
    status = parcel__failures_share(site->world, &records);
  if (!status)
    status = parcel__kept_enter(results, blocks, list_blocks(results, blocks), &records);
  free(blocks);
  results->failed = records;
  return parcel_world_follow_root(site->world, status);
}
