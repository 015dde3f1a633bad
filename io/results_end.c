/* The end of a results file: bytes, then ledger, then failures, then status, then name; each on the disk
 * before the next where the order matters to a power cut. Only the rename makes a file that anybody
 * believes in. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "failures_impl.h"
#include "results_impl.h"
#include "seal_impl.h"
#include "state_impl.h"

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

/* Rank 0's last work after a success: failures, status, seal, all of it on the disk, name. */
static parcel_status publish_file(parcel_results *results)
{
  const parcel_store_site *site = &results->site;
  parcel_status status = PARCEL_OK;
  if ((status = parcel__file_check_part(&site->file, site->fd)))
    return status;
  if (results->state != PARCEL_OUTPUT_RETRIED)
    status = parcel__failures_settle(site, &results->failed);
  results->history.failures = results->failed.count;
  if (status || (status = parcel__state_complete(&site->file, site->fd, site->sweep, &results->failed)) ||
      (status = parcel__seal_make(&site->file, site->fd)) ||
      (status = parcel__file_sync(&site->file, site->fd)) ||
      (status = parcel__file_publish(&site->file, site->fd, results->replaces)))
    return status;
  results->is_published = true;
  return parcel__file_sync_folder(&site->file);
}

/* Rank 0's work after a failure; what goes wrong here must not hide what went wrong before. False: nothing
 * was worth keeping, or the .part was lost, and nothing else may be touched. */
static bool abandon_file(parcel_results *results, parcel_status outcome)
{
  const parcel_store_site *site = &results->site;
  char text[PARCEL_ERROR_SIZE];
  parcel_index done = 0;
  snprintf(text, sizeof text, "%s", parcel_last_error());
  if (site->is_incoherent && parcel__file_open_again(&site->file, site->fd))
    parcel_world_warn(site->world, "%s", parcel_last_error());
  results->is_lost = !parcel__plain_has_name(site->fd, site->file.part);
  const bool is_empty = count_done(results, &done) == PARCEL_OK && done == 0;
  const bool is_copy = results->state == PARCEL_OUTPUT_RETRIED; /* of a file that is as it was */
  const bool keeps = !results->is_lost && !is_copy && (!is_empty || outcome == PARCEL_STOPPED);
  if (!keeps && !results->is_lost) {
    unlink(site->file.part);
  } else if (keeps &&
             parcel__state_end(&site->file, site->fd, outcome == PARCEL_STOPPED ? "stopped" : "failed")) {
    parcel_world_warn(site->world, "%s", parcel_last_error());
  }
  parcel_fail(outcome, "%s", text);
  return keeps;
}

/* Where hosts do not see at once what others write, they do after all have synced and each has opened the
 * file again. Values that hosts have overwritten for each other are found before the file gets its name;
 * those of compressed columns were written by rank 0 alone. */
static parcel_status look_again(parcel_results *results)
{
  const parcel_store_site *site = &results->site;
  const parcel_status status =
      parcel_world_agree(site->world, parcel__file_open_again(&site->file, site->fd));
  return status || site->grid.exact > 0 ? status : parcel__kept_compare(results);
}

/* All ranks' work after a success. */
static parcel_status finish(parcel_results *results)
{
  const parcel_world *world = results->site.world;
  const parcel_store *store = &results->store;
  const bool is_root = parcel_world_rank(world) == 0;
  parcel_status status = store->sync(store->ctx);
  if (!status)
    status = parcel__journal_sync(&results->journal);
  status = parcel_world_agree(world, status);
  if (!status && results->site.is_incoherent)
    status = look_again(results);
  if (!status && results->state == PARCEL_OUTPUT_RETRIED && !(status = parcel__retry_end(results)))
    status = parcel_world_agree(world, store->sync(store->ctx));
  if (!status)
    status = parcel_world_follow_root(world, is_root ? check_ledger(results) : PARCEL_OK);
  if (!status && store->finish)
    status = store->finish(store->ctx);
  return status ? status : parcel_world_follow_root(world, is_root ? publish_file(results) : PARCEL_OK);
}

/* Entries that still wait are worth as much after a failure as after a success; what goes wrong with them
 * must not hide what went wrong before. */
static parcel_status enter_last_blocks(parcel_results *results, parcel_status outcome)
{
  char text[PARCEL_ERROR_SIZE];
  snprintf(text, sizeof text, "%s", parcel_last_error());
  const parcel_status status =
      parcel_world_agree(results->site.world, parcel__ledger_batch_flush(&results->batch));
  return outcome ? parcel_fail(outcome, "%s", text) : status;
}

/* A complete file whose name has been taken meanwhile stays complete, as a .part. */
static parcel_status end_file(parcel_results *results, parcel_status outcome, bool *keeps)
{
  parcel_status status = enter_last_blocks(results, outcome);
  if (!status)
    status = finish(results);
  *keeps = status == PARCEL_EXISTS;
  if (status && !*keeps && !results->is_published && parcel_world_rank(results->site.world) == 0)
    *keeps = abandon_file(results, status);
  return status;
}

/* Words for a file that is complete but for its failures. */
static parcel_status fail_for_failures(const parcel_results *results, parcel_index failures)
{
  return parcel_fail(PARCEL_FAILURES,
                     "complete, but %" PRId64 " of %" PRId64 " indices failed, listed in %s:/parcel/failures",
                     failures, results->site.sweep->range.count, results->site.file.path);
}

static parcel_status close_watched(parcel_results **results, parcel_status outcome)
{
  parcel_results *ending = *results;
  bool keeps = true;
  parcel_status status = outcome;
  if (ending->state != PARCEL_OUTPUT_COMPLETE)
    status = end_file(ending, outcome, &keeps);
  int64_t told[3] = {keeps, ending->history.failures, ending->is_lost};
  const parcel_status shared = parcel_world_check_mpi(
      ending->site.world, MPI_Bcast(told, 3, MPI_INT64_T, 0, parcel_world_comm(ending->site.world)),
      "MPI_Bcast of a file's end");
  if (!status && !(status = shared) && told[1] > 0)
    status = fail_for_failures(ending, told[1]);
  if (status == PARCEL_STOPPED && told[2])
    status = parcel__file_fail_lost(&ending->site.file); /* there is nothing to go on with */
  parcel__results_release(results, told[0] || shared);
  return status;
}

parcel_status parcel_results_close(parcel_results **results, parcel_status outcome)
{
  if (!*results)
    return outcome;
  const parcel_world *world = (*results)->site.world;
  const char *before = parcel_world_step(world, "the output is completed");
  const parcel_status status = close_watched(results, outcome);
  parcel_world_step(world, before);
  return status;
}
