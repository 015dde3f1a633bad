/* Rank 0 makes the file; all ranks learn where its bytes belong; each opens it once, and its workers write
 * where they like: places never overlap, so there is no lock and no gather. A block's entry in the ledger
 * is written after its bytes, by the same thread, so an entry never stands for bytes that were not handed
 * to the system. */
#include <parcel/results.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "file_impl.h"
#include "ledger_impl.h"
#include "schema_impl.h"

struct parcel_results {
  const parcel_world *world;
  const parcel_sweep *sweep;
  parcel_block_grid grid;
  parcel_file file;
  bool replaces;
  bool has_part;        /* rank 0: the .part is ours */
  int fd;               /* of the .part; -1 while closed */
  parcel_index *places; /* [1 + column_count] in bytes from the file's start: the ledger, then each column */
};

/* The checksum first, while the values are still in the cache of the core that computed them. */
static parcel_status write_block(void *ctx, const parcel_block *block)
{
  const parcel_results *results = ctx;
  const parcel_index count = block->positions.end - block->positions.begin;
  const parcel_ledger_entry entry =
      parcel__ledger_entry(results->sweep, block, parcel_world_rank(results->world));
  for (int c = 0; c < results->sweep->column_count; ++c) {
    const parcel_index bytes = parcel_column_bytes(&results->sweep->columns[c]);
    const parcel_index place = results->places[1 + c] + block->positions.begin * bytes;
    const parcel_status status =
        parcel__file_write(&results->file, results->fd, block->columns[c], count * bytes, place);
    if (status)
      return status;
  }
  return parcel__file_write(&results->file, results->fd, &entry, (parcel_index)sizeof entry,
                            results->places[0] + block->number * (parcel_index)sizeof entry);
}

parcel_sink parcel_results_sink(parcel_results *results)
{
  return (parcel_sink){.ctx = results, .grid = &results->grid, .write = write_block};
}

static parcel_status make_title(const parcel_sweep *sweep, const parcel_results_options *options, char **out)
{
  char range[PARCEL_RANGE_TEXT_SIZE];
  parcel_range_format(sweep->range, range, sizeof range);
  const int length = options && options->title ? asprintf(out, "%s", options->title)
                                               : asprintf(out, "%s of %s", sweep->name, range);
  return length < 0 ? parcel_fail(PARCEL_MEMORY, "no memory for the file's title") : PARCEL_OK;
}

/* Rank 0's work: the file, complete but for its results. */
static parcel_status make_file(parcel_results *results, const parcel_provenance *provenance,
                               const parcel_results_options *options)
{
  const parcel_file *file = &results->file;
  char *title = NULL;
  parcel_status status = make_title(results->sweep, options, &title);
  if (status)
    return status;
  const parcel_schema schema = {
      .sweep = results->sweep, .grid = results->grid, .title = title, .provenance = provenance};
  const parcel_index bytes = parcel__schema_bytes(&schema);
  if ((status = parcel__file_check(file, results->replaces, bytes)) ||
      (status = parcel__file_claim(file, results->replaces, bytes)))
    goto done;
  results->has_part = true;
  if (!(status = parcel__schema_create(file->part, &schema, &results->places[0], &results->places[1])))
    status = parcel__file_reserve(file);
done:
  free(title);
  return status;
}

static parcel_status share_places(parcel_results *results)
{
  const int count = 1 + results->sweep->column_count;
  return parcel_mpi_check(
      MPI_Bcast(results->places, count, MPI_INT64_T, 0, parcel_world_comm(results->world)),
      "MPI_Bcast of the places in the file");
}

static parcel_status create(parcel_results *results, const parcel_results_options *options)
{
  const parcel_world *world = results->world;
  parcel_provenance provenance = {.count = 0};
  parcel_status status = parcel__provenance_collect(world, results->sweep, &provenance);
  if (!status && parcel_world_rank(world) == 0)
    status = make_file(results, &provenance, options);
  parcel__provenance_free(&provenance);
  if (!(status = parcel_world_follow_root(world, status)) && !(status = share_places(results)))
    status = parcel_world_agree(world, parcel__file_open(&results->file, &results->fd));
  return status;
}

static void release(parcel_results **results)
{
  if ((*results)->fd >= 0)
    close((*results)->fd);
  parcel__file_free(&(*results)->file);
  free((*results)->places);
  free(*results);
  *results = NULL;
}

parcel_status parcel_results_create(const parcel_world *world, const parcel_sweep *sweep, const char *path,
                                    const parcel_results_options *options, parcel_results **out)
{
  parcel_block_grid grid;
  parcel_status status = parcel_sweep_grid(world, sweep, &grid);
  if (status)
    return status;
  parcel_results *results = calloc(1, sizeof *results);
  parcel_index *places = calloc(1 + (size_t)sweep->column_count, sizeof *places);
  if (results && places) {
    *results = (parcel_results){.world = world, .sweep = sweep, .grid = grid, .fd = -1, .places = places};
    results->replaces = options && options->replaces;
    status = parcel__file_make(path, &results->file);
  } else {
    status = parcel_fail(PARCEL_MEMORY, "no memory for the results '%s'", path);
  }
  if (!(status = parcel_world_agree(world, status)) && !(status = create(results, options))) {
    *out = results;
    return PARCEL_OK;
  }
  if (!results) {
    free(places);
    return status;
  }
  if (results->has_part)
    unlink(results->file.part);
  release(&results);
  return status;
}

/* ---- the end ---- */

static parcel_status count_done(const parcel_results *results, parcel_index *done)
{
  return parcel__ledger_count(&results->file, results->fd, results->places[0],
                              parcel_block_grid_count(results->grid), done);
}

/* Rank 0's work after a success: checked, marked, on the disk, named. */
static parcel_status finish_file(const parcel_results *results)
{
  const parcel_file *file = &results->file;
  const parcel_index blocks = parcel_block_grid_count(results->grid);
  parcel_index done = 0;
  parcel_status status = count_done(results, &done);
  if (status)
    return status;
  if (done < blocks)
    return parcel_fail(PARCEL_IO, "only %" PRId64 " of %" PRId64 " blocks of '%s' are in its ledger", done,
                       blocks, file->part);
  if ((status = parcel__schema_set_outcome(file->part, "complete")) ||
      (status = parcel__file_sync(file, results->fd)))
    return status;
  return parcel__file_publish(file, results->replaces);
}

/* Rank 0's work after a failure; what goes wrong here must not hide what went wrong before. */
static void abandon_file(const parcel_results *results, parcel_status outcome)
{
  char text[PARCEL_ERROR_SIZE];
  parcel_index done = 0;
  snprintf(text, sizeof text, "%s", parcel_last_error());
  const bool is_empty = count_done(results, &done) == PARCEL_OK && done == 0;
  if (is_empty && outcome != PARCEL_STOPPED)
    unlink(results->file.part);
  else if (parcel__schema_set_outcome(results->file.part, outcome == PARCEL_STOPPED ? "stopped" : "failed"))
    parcel_world_warn(results->world, "%s", parcel_last_error());
  parcel_fail(outcome, "%s", text);
}

/* A complete file whose name has been taken meanwhile stays complete, as a .part. */
static parcel_status finish_or_abandon(const parcel_results *results)
{
  const parcel_status status = finish_file(results);
  if (status && status != PARCEL_EXISTS)
    abandon_file(results, status);
  return status;
}

parcel_status parcel_results_close(parcel_results **results, parcel_status outcome)
{
  parcel_results *ending = *results;
  if (!ending)
    return outcome;
  const bool is_root = parcel_world_rank(ending->world) == 0;
  if (outcome) {
    if (is_root)
      abandon_file(ending, outcome);
  } else if (!(outcome = parcel_world_agree(ending->world, parcel__file_sync(&ending->file, ending->fd)))) {
    outcome = parcel_world_follow_root(ending->world, is_root ? finish_or_abandon(ending) : PARCEL_OK);
  }
  release(results);
  return outcome;
}
