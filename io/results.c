/* Rank 0 makes the file; all ranks learn where its bytes belong; a store (store_impl.h) brings them there.
 * A block's entry in the ledger is written after its bytes, so an entry never stands for bytes that were not
 * handed to the system. */
#include <parcel/results.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "file_impl.h"
#include "io_mode_impl.h"
#include "schema_impl.h"
#include "seal_impl.h"
#include "store_impl.h"

struct parcel_results {
  parcel_store_site site;
  parcel_store store;
  bool has_store; /* it is open */
  bool replaces;
  bool has_part; /* rank 0: the .part is ours */
};

/* The checksum first, while the values are still in the cache of the core that computed them. */
static parcel_status write_block(void *ctx, const parcel_block *block)
{
  const parcel_results *results = ctx;
  const parcel_store_site *site = &results->site;
  const parcel_ledger_entry entry =
      parcel__ledger_entry(site->sweep, site->seed, block, parcel_world_rank(site->world));
  return results->store.write(results->store.ctx, block, &entry);
}

static parcel_status poll_store(void *ctx)
{
  const parcel_results *results = ctx;
  return results->store.poll(results->store.ctx);
}

static parcel_status end_store(void *ctx, parcel_status outcome)
{
  const parcel_results *results = ctx;
  return results->store.end(results->store.ctx, outcome);
}

parcel_sink parcel_results_sink(parcel_results *results)
{
  return (parcel_sink){.ctx = results,
                       .grid = &results->site.grid,
                       .write = write_block,
                       .poll = results->store.poll ? poll_store : NULL,
                       .end = results->store.end ? end_store : NULL};
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
  parcel_store_site *site = &results->site;
  const parcel_file *file = &site->file;
  char *title = NULL;
  parcel_status status = make_title(site->sweep, options, &title);
  if (status)
    return status;
  const parcel_schema schema = {
      .sweep = site->sweep, .grid = site->grid, .seed = site->seed, .title = title, .provenance = provenance};
  const parcel_index bytes = parcel__schema_bytes(&schema);
  if ((status = parcel__file_check(file, results->replaces, bytes)) ||
      (status = parcel__file_claim(file, results->replaces, bytes)))
    goto done;
  results->has_part = true;
  if (!(status = parcel__schema_create(file->part, &schema, &site->ledger, site->columns)))
    status = parcel__file_reserve(file);
done:
  free(title);
  return status;
}

/* What only rank 0 knows of the file so far. */
static parcel_status share_site(parcel_store_site *site)
{
  MPI_Comm comm = parcel_world_comm(site->world);
  uint64_t numbers[] = {site->seed, (uint64_t)site->ledger};
  const parcel_status status =
      parcel_mpi_check(MPI_Bcast(numbers, 2, MPI_UINT64_T, 0, comm), "MPI_Bcast of the ledger's place");
  site->seed = numbers[0];
  site->ledger = (parcel_index)numbers[1];
  return status ? status
                : parcel_mpi_check(MPI_Bcast(site->columns, site->sweep->column_count, MPI_INT64_T, 0, comm),
                                   "MPI_Bcast of the columns' places");
}

static parcel_status open_store(parcel_results *results, const parcel_results_options *options)
{
  parcel_store_site *site = &results->site;
  parcel_io_mode mode = options ? options->io : PARCEL_IO_AUTO;
  parcel_status status = parcel_world_agree(site->world, parcel__file_open(&site->file, &site->fd));
  if (!status)
    status = parcel__io_mode_choose(site->world, &site->file, &mode);
  if (status)
    return status;
  status = mode == PARCEL_IO_COLLECTIVE
               ? parcel__store_collective_open(site, options ? options->round_bytes : 0, &results->store)
               : parcel_world_agree(site->world, parcel__store_direct_open(site, &results->store));
  results->has_store = status == PARCEL_OK;
  return status;
}

static parcel_status create(parcel_results *results, const parcel_results_options *options)
{
  parcel_store_site *site = &results->site;
  parcel_provenance provenance = {.count = 0};
  parcel_status status = parcel__provenance_collect(site->world, site->sweep, &provenance);
  if (!status && parcel_world_rank(site->world) == 0 && !(status = parcel__file_draw_seed(&site->seed)))
    status = make_file(results, &provenance, options);
  parcel__provenance_free(&provenance);
  if (!(status = parcel_world_follow_root(site->world, status)) && !(status = share_site(site)))
    status = open_store(results, options);
  return status;
}

/* keeps: the .part stays for a later run. */
static void release(parcel_results **results, bool keeps)
{
  parcel_store_site *site = &(*results)->site;
  if ((*results)->has_store)
    (*results)->store.close((*results)->store.ctx, keeps);
  if (site->fd >= 0)
    close(site->fd);
  parcel__file_free(&site->file);
  free(site->columns);
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
  parcel_index *columns = calloc((size_t)sweep->column_count, sizeof *columns);
  if (results && columns) {
    results->site =
        (parcel_store_site){.world = world, .sweep = sweep, .grid = grid, .fd = -1, .columns = columns};
    results->replaces = options && options->replaces;
    status = parcel__file_make(path, &results->site.file);
  } else {
    status = parcel_fail(PARCEL_MEMORY, "no memory for the results '%s'", path);
  }
  if (!(status = parcel_world_agree(world, status)) && !(status = create(results, options))) {
    *out = results;
    return PARCEL_OK;
  }
  if (!results || !columns) {
    free(results);
    free(columns);
    return status;
  }
  if (results->has_part)
    unlink(results->site.file.part);
  release(&results, false);
  return status;
}

/* ---- the end ---- */

static parcel_status count_done(const parcel_results *results, parcel_index *done)
{
  const parcel_store_site *site = &results->site;
  return parcel__ledger_count(&site->file, site->fd, site->ledger, parcel_block_grid_count(site->grid), done);
}

static parcel_status check_ledger(const parcel_results *results)
{
  const parcel_index blocks = parcel_block_grid_count(results->site.grid);
  parcel_index done = 0;
  const parcel_status status = count_done(results, &done);
  if (!status && done < blocks)
    return parcel_fail(PARCEL_IO, "only %" PRId64 " of %" PRId64 " blocks of '%s' are in its ledger", done,
                       blocks, results->site.file.part);
  return status;
}

/* Rank 0's last work after a success: marked, on the disk, named. */
static parcel_status publish_file(const parcel_results *results)
{
  const parcel_store_site *site = &results->site;
  parcel_status status = PARCEL_OK;
  if ((status = parcel__schema_set_outcome(site->file.part, "complete")) ||
      (status = parcel__seal_make(&site->file, site->fd)) ||
      (status = parcel__file_sync(&site->file, site->fd)))
    return status;
  return parcel__file_publish(&site->file, results->replaces);
}

/* Rank 0's work after a failure; what goes wrong here must not hide what went wrong before. False: nothing was
 * worth keeping. */
static bool abandon_file(const parcel_results *results, parcel_status outcome)
{
  const parcel_store_site *site = &results->site;
  char text[PARCEL_ERROR_SIZE];
  parcel_index done = 0;
  snprintf(text, sizeof text, "%s", parcel_last_error());
  const bool is_empty = count_done(results, &done) == PARCEL_OK && done == 0;
  const bool keeps = !is_empty || outcome == PARCEL_STOPPED;
  if (!keeps)
    unlink(site->file.part);
  else if (parcel__schema_set_outcome(site->file.part, outcome == PARCEL_STOPPED ? "stopped" : "failed"))
    parcel_world_warn(site->world, "%s", parcel_last_error());
  parcel_fail(outcome, "%s", text);
  return keeps;
}

/* All ranks' work after a success: bytes, then ledger, then name. */
static parcel_status finish(const parcel_results *results)
{
  const parcel_world *world = results->site.world;
  const parcel_store *store = &results->store;
  const bool is_root = parcel_world_rank(world) == 0;
  parcel_status status = parcel_world_agree(world, store->sync(store->ctx));
  if (!status)
    status = parcel_world_follow_root(world, is_root ? check_ledger(results) : PARCEL_OK);
  if (!status && store->finish)
    status = store->finish(store->ctx);
  return status ? status : parcel_world_follow_root(world, is_root ? publish_file(results) : PARCEL_OK);
}

/* A complete file whose name has been taken meanwhile stays complete, as a .part. */
static parcel_status end_file(const parcel_results *results, parcel_status outcome, int *keeps)
{
  const parcel_world *world = results->site.world;
  const parcel_status status = outcome ? outcome : finish(results);
  *keeps = status == PARCEL_EXISTS;
  if (status && !*keeps && parcel_world_rank(world) == 0)
    *keeps = abandon_file(results, status);
  return status;
}

parcel_status parcel_results_close(parcel_results **results, parcel_status outcome)
{
  if (!*results)
    return outcome;
  int keeps = 0;
  const parcel_world *world = (*results)->site.world;
  const parcel_status status = end_file(*results, outcome, &keeps);
  const parcel_status shared = parcel_mpi_check(MPI_Bcast(&keeps, 1, MPI_INT, 0, parcel_world_comm(world)),
                                                "MPI_Bcast of the end of a results file");
  release(results, keeps || shared);
  return status ? status : shared;
}
