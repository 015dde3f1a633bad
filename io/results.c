/* Rank 0 makes the file; all ranks learn where its bytes belong; a store (store_impl.h) brings them there.
 * A block's entry in the ledger is written after its bytes, so an entry never stands for bytes that were
 * not handed to the system. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checksum_impl.h"
#include "claim_impl.h"
#include "compression_impl.h"
#include "file_lock_impl.h"
#include "identity_impl.h"
#include "io_mode_impl.h"
#include "results_impl.h"

parcel_status parcel__results_observe(const parcel_results *results, const parcel_block *block)
{
  return results->observe ? results->observe(results->observe_ctx, block) : PARCEL_OK;
}

/* The checksum first, while the values are still in the cache of the core that computed them. */
static parcel_status write_block(void *ctx, const parcel_block *block)
{
  parcel_results *results = ctx;
  const parcel_store_site *site = &results->site;
  const parcel_ledger_entry entry =
      parcel__ledger_entry(site->sweep, site->seed, block, parcel_world_rank(site->world));
  parcel_status status =
      block->failure_count > 0 ? parcel__journal_write(&results->journal, block, entry.checksum) : PARCEL_OK;
  if (status || (status = results->store.write(results->store.ctx, block, &entry)))
    return status;
  return parcel__results_observe(results, block);
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

static parcel_status poll_relay(void *ctx)
{
  return parcel__ledger_relay_poll(&((parcel_results *)ctx)->relay);
}

static parcel_status end_relay(void *ctx, parcel_status outcome)
{
  return parcel__ledger_relay_end(&((parcel_results *)ctx)->relay, outcome);
}

parcel_sink parcel_results_sink(parcel_results *results)
{
  if (results->state == PARCEL_OUTPUT_RETRIED)
    return (parcel_sink){.ctx = results,
                         .grid = &results->retry_grid,
                         .positions = results->retried,
                         .keeps_failures = true,
                         .write = parcel__retry_write};
  parcel_sink sink = {.ctx = results,
                      .grid = &results->site.grid,
                      .done = results->done,
                      .keeps_failures = results->keeps_failures,
                      .write = write_block,
                      .poll = results->store.poll ? poll_store : NULL,
                      .end = results->store.end ? end_store : NULL};
  if (results->batch.is_relayed) {
    sink.poll = poll_relay;
    sink.end = end_relay;
  }
  return sink;
}

parcel_results_history parcel_results_get_history(const parcel_results *results)
{
  return results->history;
}

/* ---- the beginning ---- */

/* What only rank 0 knows of the file so far. */
typedef struct knowledge {
  parcel_output_state state;
  parcel_block_grid grid;
  uint64_t seed;
  parcel_index ledger;
  parcel_compression compression;
  parcel_results_history history;
  uint64_t inode;
  uint64_t beginning; /* checksum of the file's first bytes */
} knowledge;

/* How the .part looks from this rank: its inode and its first bytes, which tell when and how it was
 * made. */
static parcel_status look_at_part(const parcel_store_site *site, knowledge *out)
{
  char beginning[4096] = "";
  struct stat info;
  if (fstat(site->fd, &info) != 0)
    return parcel__file_fail("look at", site->file.part);
  const parcel_index bytes = info.st_size < (off_t)sizeof beginning ? info.st_size : (off_t)sizeof beginning;
  const parcel_status status = parcel__file_read(&site->file, site->fd, beginning, bytes, 0);
  out->inode = (uint64_t)info.st_ino;
  out->beginning = parcel__checksum(beginning, sizeof beginning, 0);
  return status;
}

static parcel_status gather_knowledge(const parcel_results *results, knowledge *out)
{
  const parcel_store_site *site = &results->site;
  *out = (knowledge){.state = results->state,
                     .grid = site->grid,
                     .seed = site->seed,
                     .ledger = site->ledger,
                     .compression = results->compression,
                     .history = results->history};
  return results->state == PARCEL_OUTPUT_COMPLETE ? PARCEL_OK : look_at_part(site, out);
}

static parcel_status share(parcel_results *results, knowledge *known)
{
  parcel_store_site *site = &results->site;
  MPI_Comm comm = parcel_world_comm(site->world);
  const parcel_status status = parcel_world_check_mpi(
      site->world, MPI_Bcast(known, (int)sizeof *known, MPI_BYTE, 0, comm), "MPI_Bcast of what the file is");
  results->state = known->state;
  results->history = known->history;
  results->compression = known->compression;
  site->grid = known->grid;
  site->seed = known->seed;
  site->ledger = known->ledger;
  return status ? status
                : parcel_world_check_mpi(
                      site->world, MPI_Bcast(site->columns, site->sweep->column_count, MPI_INT64_T, 0, comm),
                      "MPI_Bcast of the columns' places");
}

/* A rank that looks at another disk under the same name would write its results where nobody finds them. */
static parcel_status check_same_file(const parcel_store_site *site, const knowledge *known)
{
  knowledge own = {.state = known->state};
  const parcel_status status = look_at_part(site, &own);
  if (status || (own.inode == known->inode && own.beginning == known->beginning))
    return status;
  return parcel_fail(
      PARCEL_IO,
      "'%s' is another file here than on rank 0; the output must be in a folder that all hosts share",
      site->file.part);
}

static parcel_status open_part(parcel_store_site *site, const knowledge *known)
{
  parcel_status status = site->fd < 0 ? parcel__file_open(&site->file, &site->fd) : PARCEL_OK;
  if (status && errno == ENOENT)
    return parcel_fail(
        status,
        "cannot open '%s', which rank 0 has made; the output must be in a folder that all hosts "
        "share",
        site->file.part);
  return status ? status : check_same_file(site, known);
}

static parcel_status open_rank(parcel_results *results, const knowledge *known)
{
  parcel_store_site *site = &results->site;
  const parcel_status status = open_part(site, known);
  if (status)
    return status;
  parcel__ledger_batch_open(&site->file, site->fd, site->ledger, &results->batch);
  site->batch = &results->batch;
  if (!results->keeps_failures)
    return PARCEL_OK;
  return parcel__journal_open(&site->file, parcel_world_rank(site->world), &results->journal);
}

/* Each rank writes its own spool; what all share is the ledger. */
static parcel_status open_packed_store(parcel_results *results)
{
  const bool is_resumed = results->state == PARCEL_OUTPUT_RESUMED;
  if (results->state == PARCEL_OUTPUT_RETRIED)
    return parcel__store_repack_open(results, &results->store);
  return parcel__store_spool_open(&results->site, results->compression,
                                  is_resumed ? PARCEL_SPOOL_RESUMES : PARCEL_SPOOL_NEW, &results->store);
}

/* Rank 0 alone writes the ledger where hosts might undo each other's entries, unless all write it together.
 * */
static parcel_status open_relay(parcel_results *results, parcel_io_mode mode)
{
  const parcel_store_site *site = &results->site;
  const bool is_packed = site->grid.exact > 0;
  const bool is_together = mode == PARCEL_IO_COLLECTIVE;
  if (results->state == PARCEL_OUTPUT_RETRIED ||
      (is_packed ? !is_together && !site->is_incoherent : is_together || !site->is_incoherent))
    return PARCEL_OK;
  return parcel_world_agree(site->world,
                            parcel__ledger_relay_open(site->world, &results->batch, &results->relay));
}

static parcel_status choose_mode(parcel_results *results, parcel_io_mode *mode)
{
  parcel_store_site *site = &results->site;
  if (results->state == PARCEL_OUTPUT_RETRIED)
    *mode = PARCEL_IO_DIRECT;
  const parcel_status status = parcel__io_mode_choose(site->world, &site->file, mode, &site->is_incoherent);
  if (!status && site->is_incoherent && results->state == PARCEL_OUTPUT_RETRIED)
    return parcel_fail(PARCEL_INVALID,
                       "cannot retry the failed indices of '%s' on several hosts, which may not see at once "
                       "what others write there; retry them on one host",
                       site->file.path);
  return status;
}

static parcel_status open_store(parcel_results *results, const knowledge *known,
                                const parcel_results_options *options)
{
  parcel_store_site *site = &results->site;
  parcel_io_mode mode = options->io;
  parcel_status status = parcel_world_agree(site->world, open_rank(results, known));
  if (status || (status = choose_mode(results, &mode)) || (status = open_relay(results, mode)))
    return status;
  if (site->grid.exact > 0)
    status = open_packed_store(results);
  else if (mode == PARCEL_IO_COLLECTIVE)
    status = parcel__store_collective_open(site, options->round_bytes, &results->store);
  else
    status = parcel_world_agree(site->world, parcel__store_direct_open(site, &results->store));
  results->has_store = status == PARCEL_OK;
  return status;
}

/* All blocks of a finished file are there. */
static parcel_status mark_all_done(parcel_results *results)
{
  const parcel_index blocks = parcel_block_grid_count(results->site.grid);
  const size_t bytes = (size_t)(blocks / 64 + 1) * sizeof *results->done;
  results->done = malloc(bytes);
  if (!results->done)
    return parcel_fail(PARCEL_MEMORY, "no memory for a bit for each of %" PRId64 " blocks", blocks);
  memset(results->done, 0xff, bytes);
  results->history.is_complete = true;
  results->history.kept = blocks;
  return PARCEL_OK;
}

/* Sees to what an earlier run has left. */
static parcel_status go_on(parcel_results *results)
{
  const parcel_world *world = results->site.world;
  if (results->state == PARCEL_OUTPUT_NEW)
    return PARCEL_OK;
  if (results->state == PARCEL_OUTPUT_COMPLETE)
    return parcel_world_agree(world, mark_all_done(results));
  if (results->state == PARCEL_OUTPUT_RETRIED)
    return parcel__retry_share(results);
  parcel_world_step(world, "the blocks of an earlier run are compared");
  return parcel__kept_find(results);
}

static parcel_status create(parcel_results *results, const parcel_results_options *options)
{
  const parcel_world *world = results->site.world;
  const bool is_root = parcel_world_rank(world) == 0;
  knowledge known = {.inode = 0};
  parcel_provenance provenance = {.count = 0};
  parcel_status status = parcel__provenance_collect(world, results->site.sweep, &provenance);
  if (!status && is_root && !(status = parcel__output_open(results, &provenance, options)))
    status = gather_knowledge(results, &known);
  parcel__provenance_free(&provenance);
  if ((status = parcel_world_follow_root(world, status)) || (status = share(results, &known)))
    return status;
  if (results->state != PARCEL_OUTPUT_COMPLETE)
    status = open_store(results, &known, options);
  return status ? status : go_on(results);
}

void parcel__results_release(parcel_results **results, bool keeps)
{
  parcel_store_site *site = &(*results)->site;
  if ((*results)->has_store)
    (*results)->store.close((*results)->store.ctx);
  parcel__journal_close(&(*results)->journal);
  parcel__ledger_batch_close(&(*results)->batch);
  if ((*results)->batch.is_relayed)
    parcel__ledger_relay_close(&(*results)->relay);
  if (!keeps && parcel__lock_is_held(&site->file, (*results)->lock))
    parcel__claim_clear(&site->file);
  if (site->fd >= 0)
    close(site->fd);
  parcel__lock_release(&site->file, &(*results)->lock);
  parcel__file_free(&site->file);
  free(site->columns);
  free((*results)->done);
  free((*results)->retried);
  parcel__records_free(&(*results)->failed);
  free(*results);
  *results = NULL;
}

/* What all ranks must have been started with, besides the sweep. */
static parcel_status agree_on_arguments(const parcel_world *world, const parcel_sweep *sweep,
                                        const char *path, const parcel_results_options *options)
{
  char *more = NULL;
  char compression[PARCEL_COMPRESSION_TEXT_SIZE];
  const int length =
      asprintf(&more,
               "block\t%" PRId64 "\nreplaces\t%d\nresumes\t%d\nkeeps failures\t%d\nretries\t%d\n"
               "compression\t%s\n",
               sweep->block, options->replaces, options->resumes, options->keeps_failures, options->retries,
               parcel__compression_text(options->compression, compression));
  parcel_status status = length < 0 ? parcel_fail(PARCEL_MEMORY, "no memory for the arguments") : PARCEL_OK;
  if (!(status = parcel_world_agree(world, status)))
    status = parcel__identity_agree(world, sweep, path, more);
  if (length >= 0)
    free(more);
  return status;
}

/* Nothing is no chunk. */
static parcel_status settle_compression(const parcel_sweep *sweep, const parcel_results_options *options,
                                        parcel_block_grid *grid)
{
  const parcel_status status = parcel__compression_check(options->compression);
  if (status || options->compression.kind == PARCEL_COMPRESSION_NONE || grid->positions == 0)
    return status;
  if (options->retries)
    return parcel_fail(PARCEL_INVALID, "a file whose failed indices are retried keeps its own compression");
  return parcel__compression_grid(sweep, grid);
}

static parcel_status make(const parcel_world *world, const parcel_sweep *sweep, const char *path,
                          const parcel_results_options *options, parcel_results **out)
{
  parcel_results *results = calloc(1, sizeof *results);
  parcel_index *columns = calloc((size_t)sweep->column_count, sizeof *columns);
  if (!results || !columns) {
    free(results);
    free(columns);
    return parcel_fail(PARCEL_MEMORY, "no memory for the results '%s'", path);
  }
  results->site = (parcel_store_site){.world = world, .sweep = sweep, .fd = -1, .columns = columns};
  results->lock = -1;
  results->replaces = options->replaces;
  results->keep = options->keep;
  results->keep_ctx = options->keep_ctx;
  results->observe = options->observe;
  results->observe_ctx = options->observe_ctx;
  results->keeps_failures = options->keeps_failures || options->retries;
  *out = results;
  return parcel__file_make(path, &results->site.file);
}

static parcel_status create_watched(const parcel_world *world, const parcel_sweep *sweep, const char *path,
                                    const parcel_results_options *options, parcel_results **out)
{
  static const parcel_results_options defaults = PARCEL_RESULTS_OPTIONS_INIT;
  const parcel_results_options *how = options ? options : &defaults;
  parcel_results *results = NULL;
  parcel_block_grid grid;
  parcel_status status = parcel_sweep_grid(world, sweep, &grid);
  if (status || (status = agree_on_arguments(world, sweep, path, how)) ||
      (status = parcel_world_agree(world, settle_compression(sweep, how, &grid))))
    return status;
  status = parcel_world_agree(world, make(world, sweep, path, how, &results));
  if (!status) {
    results->site.grid = grid;
    status = create(results, how);
  }
  if (!status) {
    *out = results;
    return PARCEL_OK;
  }
  if (results && results->has_part && parcel__plain_has_name(results->site.fd, results->site.file.part))
    unlink(results->site.file.part);
  if (results)
    parcel__results_release(&results, !results->has_part);
  return status;
}

parcel_status parcel_results_create(const parcel_world *world, const parcel_sweep *sweep, const char *path,
                                    const parcel_results_options *options, parcel_results **out)
{
  const char *before = parcel_world_step(world, "the output is opened");
  const parcel_status status = create_watched(world, sweep, path, options, out);
  parcel_world_step(world, before);
  return status;
}
