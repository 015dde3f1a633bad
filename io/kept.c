/* Which blocks of an earlier run may be kept: those whose bytes still have the checksum that the ledger
 * names. All ranks look, each at an equal part of the blocks, with all their threads; then all learn the
 * bits of all. */
#include "results_impl.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "failures_impl.h"

enum { ENTRIES = 64, WORD_BITS = 64, CACHE_LINE = 64 };

/* Words that go into one MPI_Allreduce: 512 MiB, as many libraries fail above 2 GiB. */
static const parcel_index most_words_per_call = (parcel_index)1 << 26;

/* A thread's room for one block. */
typedef struct scratch {
  char *buffer;
  void **columns;           /* [column_count] into buffer */
  parcel_failure *failures; /* [failure_room] of the block */
  parcel_index failure_room;
} scratch;

typedef struct search {
  parcel_results *results;
  parcel_failure_records records; /* all that are on record, sorted */
  const parcel_index *list;       /* blocks to be entered anew; NULL: all are looked at */
  parcel_index first;             /* this rank's first block, or place in the list */
  _Atomic uint64_t *done;         /* bits of all blocks */
  parcel_index words;
  atomic_llong kept, damaged, failures;
  scratch *scratches; /* [threads] */
  int threads;
} search;

/* ---- one block ---- */

/* The first record that is not below this block and checksum. */
static parcel_index find_record(const parcel_failure_records *records, parcel_index block, uint64_t checksum)
{
  parcel_index low = 0;
  parcel_index high = records->count;
  while (low < high) {
    const parcel_index middle = low + (high - low) / 2;
    const parcel_failure_record *record = &records->items[middle];
    if (record->block < block || (record->block == block && record->block_checksum < checksum))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static parcel_status make_failure_room(scratch *own, parcel_index count)
{
  if (count == 0 || count <= own->failure_room)
    return PARCEL_OK;
  parcel_failure *failures = realloc(own->failures, (size_t)count * sizeof *failures);
  if (!failures)
    return parcel_fail(PARCEL_MEMORY, "no memory for %" PRId64 " failures of a block", count);
  own->failures = failures;
  own->failure_room = count;
  return PARCEL_OK;
}

/* The failures on record for a block whose entry has this checksum. */
static parcel_status get_failures(const search *search, scratch *own, uint64_t checksum, parcel_block *block)
{
  const parcel_failure_records *records = &search->records;
  const parcel_index first = find_record(records, block->number, checksum);
  parcel_index end = first;
  while (end < records->count && records->items[end].block == block->number &&
         records->items[end].block_checksum == checksum)
    ++end;
  const parcel_status status = make_failure_room(own, end - first);
  if (status)
    return status;
  for (parcel_index f = first; f < end; ++f) {
    const parcel_failure_record *record = &records->items[f];
    parcel_failure *failure = &own->failures[f - first];
    *failure = (parcel_failure){
        .position = record->position, .index = record->row.index, .code = (parcel_status)record->row.code};
    memcpy(failure->message, record->row.message, sizeof record->row.message);
  }
  block->failures = own->failures;
  block->failure_count = end - first;
  return PARCEL_OK;
}

static parcel_status keep_block(search *search, const parcel_block *block)
{
  const parcel_results *results = search->results;
  atomic_fetch_or(&search->done[block->number / WORD_BITS], (uint64_t)1 << block->number % WORD_BITS);
  atomic_fetch_add(&search->kept, 1);
  atomic_fetch_add(&search->failures, block->failure_count);
  const parcel_status status = results->keep ? results->keep(results->keep_ctx, block) : PARCEL_OK;
  return status ? status : parcel__results_observe(results, block);
}

static parcel_status clear_entry(const parcel_store_site *site, parcel_index number)
{
  const parcel_ledger_entry missing = {.state = PARCEL_BLOCK_MISSING};
  return parcel__ledger_write(&site->file, site->fd, site->ledger, (parcel_span){number, number + 1},
                              &missing);
}

static parcel_status check_block(search *search, scratch *own, parcel_index number,
                                 const parcel_ledger_entry *entry)
{
  const parcel_store_site *site = &search->results->site;
  const parcel_store *store = &search->results->store;
  parcel_block block = {.number = number,
                        .positions = parcel_block_grid_span(site->grid, number),
                        .columns = (const void *const *)own->columns};
  if (entry->state == PARCEL_BLOCK_MISSING)
    return PARCEL_OK;
  parcel_status status = get_failures(search, own, entry->checksum, &block);
  if (!status)
    status = store->read(store->ctx, number, own->columns);
  if (status && status != PARCEL_CORRUPT)
    return status;
  if (!status && entry->state == PARCEL_BLOCK_DONE &&
      entry->checksum == parcel__ledger_checksum(site->sweep, site->seed, &block))
    return keep_block(search, &block);
  atomic_fetch_add(&search->damaged, 1);
  return clear_entry(site, number);
}

/* A parcel_body over this rank's blocks, in pieces of the ledger. */
static parcel_status check_blocks(void *ctx, parcel_span blocks, int worker)
{
  search *search = ctx;
  const parcel_store_site *site = &search->results->site;
  const parcel_span piece = {search->first + blocks.begin, search->first + blocks.end};
  parcel_ledger_entry entries[ENTRIES];
  parcel_status status = parcel__ledger_read(&site->file, site->fd, site->ledger, piece, entries);
  for (parcel_index b = piece.begin; b < piece.end && !status; ++b)
    if (!(status = parcel_signals_check("the blocks of an earlier run are compared")))
      status = check_block(search, &search->scratches[worker], b, &entries[b - piece.begin]);
  return status;
}

/* Enters a block with the values that are in the file now. */
static parcel_status enter_block(search *search, scratch *own, parcel_index number)
{
  const parcel_store_site *site = &search->results->site;
  parcel_block block = {.number = number,
                        .positions = parcel_block_grid_span(site->grid, number),
                        .columns = (const void *const *)own->columns};
  parcel_status status = PARCEL_OK;
  if ((status = get_failures(search, own, 0, &block)) ||
      (status = search->results->store.read(search->results->store.ctx, number, own->columns)))
    return status;
  const parcel_ledger_entry entry =
      parcel__ledger_entry(site->sweep, site->seed, &block, parcel_world_rank(site->world));
  return search->results->store.enter(search->results->store.ctx, &block, &entry);
}

/* A parcel_body over this rank's part of the list. */
static parcel_status enter_blocks(void *ctx, parcel_span places, int worker)
{
  search *search = ctx;
  parcel_status status = PARCEL_OK;
  for (parcel_index p = places.begin; p < places.end && !status; ++p)
    status = enter_block(search, &search->scratches[worker], search->list[search->first + p]);
  return status;
}

/* ---- a rank's resources ---- */

static parcel_status make_scratch(const parcel_store_site *site, scratch *own)
{
  const parcel_sweep *sweep = site->sweep;
  const parcel_index largest = parcel_block_grid_largest(site->grid);
  const parcel_index row = parcel_columns_bytes(sweep->columns, sweep->column_count);
  const size_t bytes = (size_t)(largest * row) + ((size_t)sweep->column_count + 1) * CACHE_LINE;
  own->columns = calloc((size_t)sweep->column_count, sizeof *own->columns);
  own->buffer = aligned_alloc(CACHE_LINE, bytes / CACHE_LINE * CACHE_LINE);
  if (!own->columns || !own->buffer)
    return parcel_fail(PARCEL_MEMORY, "no memory for a block of %" PRId64 " positions", largest);
  size_t offset = 0;
  for (int c = 0; c < sweep->column_count; ++c) {
    own->columns[c] = own->buffer + offset;
    offset += ((size_t)(largest * parcel_column_bytes(&sweep->columns[c])) + CACHE_LINE - 1) / CACHE_LINE *
              CACHE_LINE;
  }
  return PARCEL_OK;
}

static parcel_status acquire(search *search, parcel_pool **pool)
{
  const parcel_store_site *site = &search->results->site;
  const parcel_index blocks = parcel_block_grid_count(site->grid);
  const parcel_pool_options how = {.threads = search->threads};
  search->words = (blocks + WORD_BITS - 1) / WORD_BITS;
  search->done = calloc((size_t)search->words + 1, sizeof *search->done);
  search->scratches = calloc((size_t)search->threads, sizeof *search->scratches);
  parcel_status status =
      search->done && search->scratches
          ? PARCEL_OK
          : parcel_fail(PARCEL_MEMORY, "no memory for a bit for each of %" PRId64 " blocks", blocks);
  for (int t = 0; t < search->threads && !status; ++t)
    status = make_scratch(site, &search->scratches[t]);
  return status ? status : parcel_pool_create(&how, pool);
}

static void release(search *search, parcel_pool **pool)
{
  parcel_pool_destroy(pool);
  for (int t = 0; t < search->threads && search->scratches; ++t) {
    free(search->scratches[t].buffer);
    free(search->scratches[t].columns);
    free(search->scratches[t].failures);
  }
  free(search->scratches);
  parcel__records_free(&search->records);
}

/* ---- all ranks ---- */

/* Every rank gets the bits that any rank has set, and the sums of what all have counted. */
static parcel_status share_bits(search *search)
{
  parcel_results *results = search->results;
  MPI_Comm comm = parcel_world_comm(results->site.world);
  int64_t counts[3] = {search->kept, search->damaged, search->failures};
  parcel_status status = parcel_world_check_mpi(
      results->site.world, MPI_Allreduce(MPI_IN_PLACE, counts, 3, MPI_INT64_T, MPI_SUM, comm),
      "adding up the blocks that are kept");
  for (parcel_index first = 0; first < search->words && !status; first += most_words_per_call) {
    const parcel_index words = search->words - first;
    const int count = (int)(words < most_words_per_call ? words : most_words_per_call);
    status = parcel_world_check_mpi(
        results->site.world,
        MPI_Allreduce(MPI_IN_PLACE, (uint64_t *)search->done + first, count, MPI_UINT64_T, MPI_BOR, comm),
        "telling all ranks which blocks are done");
  }
  results->history.kept = counts[0];
  results->history.damaged = counts[1];
  results->history.missing = parcel_block_grid_count(results->site.grid) - counts[0] - counts[1];
  results->history.failures = counts[2];
  return status;
}

static parcel_status run(search *search)
{
  const parcel_world *world = search->results->site.world;
  const parcel_index blocks = parcel_block_grid_count(search->results->site.grid);
  const parcel_span own = parcel_block_span(blocks, parcel_world_size(world), parcel_world_rank(world));
  parcel_pool *pool = NULL;
  search->first = own.begin;
  parcel_status status = PARCEL_OK;
  if (parcel_world_rank(world) == 0)
    status = parcel__failures_load(&search->results->site, &search->records);
  if (!(status = parcel_world_follow_root(world, status)))
    status = parcel__failures_share(world, &search->records);
  if (!status && !(status = acquire(search, &pool)))
    status = parcel_pool_for(pool, own.end - own.begin, ENTRIES, check_blocks, search);
  /* A host that wrote its page of the ledger later could undo what others have entered there by then. */
  if (!status && search->damaged > 0)
    status = parcel__file_sync(&search->results->site.file, search->results->site.fd);
  status = parcel_world_agree(world, status);
  release(search, &pool);
  return status;
}

static int threads_of(const parcel_store_site *site)
{
  return site->sweep->threads > 0 ? site->sweep->threads : parcel_world_cpus(site->world);
}

parcel_status parcel__kept_find(parcel_results *results)
{
  search search = {.results = results, .threads = threads_of(&results->site)};
  parcel_status status = run(&search);
  if (!status)
    status = share_bits(&search);
  if (status)
    free((void *)search.done);
  else
    results->done = (uint64_t *)search.done;
  return status;
}

parcel_status parcel__kept_compare(parcel_results *results)
{
  const parcel_results_history history = results->history;
  uint64_t *done = results->done;
  results->keep = results->observe = NULL; /* they have seen all blocks */
  parcel_status status = parcel__kept_find(results);
  const parcel_index damaged = results->history.damaged;
  if (!status)
    free(results->done);
  results->done = done;
  results->history = history;
  if (!status && damaged > 0)
    status = parcel_fail(PARCEL_IO,
                         "hosts have overwritten each other's bytes in %" PRId64 " of %" PRId64
                         " blocks of '%s'; resume the run on one host, or with all ranks writing together",
                         damaged, parcel_block_grid_count(results->site.grid), results->site.file.part);
  return status;
}

parcel_status parcel__kept_enter(parcel_results *results, const parcel_index blocks[], parcel_index count,
                                 const parcel_failure_records *records)
{
  const parcel_store_site *site = &results->site;
  const parcel_span own =
      parcel_block_span(count, parcel_world_size(site->world), parcel_world_rank(site->world));
  parcel_pool *pool = NULL;
  search search = {.results = results,
                   .records = *records,
                   .list = blocks,
                   .first = own.begin,
                   .threads = threads_of(site)};
  parcel_status status = acquire(&search, &pool);
  if (!status)
    status = parcel_pool_for(pool, own.end - own.begin, 1, enter_blocks, &search);
  if (!status)
    status = parcel__ledger_batch_flush(site->batch);
  search.records.items = NULL; /* the caller's */
  release(&search, &pool);
  free((void *)search.done);
  return parcel_world_agree(site->world, status);
}
