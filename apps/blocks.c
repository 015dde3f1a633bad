/* Each rank has its equal part of the blocks, and writes its verdicts side by side: no lock, and adjacent
 * ones are easily told in one line. */
#include "blocks.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <parcel/pool.h>

enum {
  AT_ONCE = 4,
  CACHE_LINE = 64 /* bytes; what does not begin on one takes longer to copy and to add up */
};

typedef struct checking {
  const parcel_reader *reader;
  parcel_span blocks;      /* of this rank */
  unsigned char *verdicts; /* [blocks.end - blocks.begin] */
  char **scratch;          /* [threads] a block each */
} checking;

static double seconds_now(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

const char *blocks_verdict_name(parcel_index verdict)
{
  static const char *const names[BLOCKS_VERDICTS] = {"good", "missing", "damaged", "unreadable",
                                                     "different through HDF5"};
  return names[verdict];
}

static blocks_verdict judge(const parcel_reader *reader, parcel_index block, const parcel_reader_entry *entry,
                            char *scratch)
{
  if (entry->state == 0)
    return BLOCKS_MISSING;
  if (entry->state != 1)
    return BLOCKS_DAMAGED;
  const parcel_status status = parcel_reader_check_block(reader, block, entry, scratch);
  return status == PARCEL_OK ? BLOCKS_GOOD : status == PARCEL_CORRUPT ? BLOCKS_DAMAGED : BLOCKS_UNREADABLE;
}

/* At most AT_ONCE blocks of this rank, whose entries are read in one call. */
static parcel_status judge_span(void *ctx, parcel_span own, int worker)
{
  const checking *checking = ctx;
  const parcel_span blocks = {checking->blocks.begin + own.begin, checking->blocks.begin + own.end};
  parcel_reader_entry entries[AT_ONCE];
  const parcel_status status = parcel_reader_entries(checking->reader, blocks, entries);
  for (parcel_index b = own.begin; b < own.end; ++b)
    checking->verdicts[b] = status ? BLOCKS_UNREADABLE
                                   : (unsigned char)judge(checking->reader, checking->blocks.begin + b,
                                                          &entries[b - own.begin], checking->scratch[worker]);
  return PARCEL_OK;
}

/* ---- through HDF5, by the main thread ---- */

/* One column of a good block once more.
 *
 * here, there  room for a block's values each
 * INVALID: HDF5 cannot read this file here, whatever is in it. */
static parcel_status compare_column(const checking *checking, parcel_index b, int c, void *here, void *there)
{
  int columns = 0;
  const parcel_column *column = &parcel_reader_columns(checking->reader, &columns)[c];
  const parcel_span span =
      parcel_block_grid_span(parcel_reader_grid(checking->reader), checking->blocks.begin + b);
  const size_t bytes = (size_t)((span.end - span.begin) * parcel_column_bytes(column));
  const parcel_status status = parcel_reader_values_by_hdf5(checking->reader, c, span, there);
  if (status == PARCEL_INVALID)
    return status;
  if (parcel_reader_values(checking->reader, c, span, here))
    checking->verdicts[b] = BLOCKS_UNREADABLE;
  else if (status || memcmp(here, there, bytes) != 0)
    checking->verdicts[b] = BLOCKS_STRANGE;
  return PARCEL_OK;
}

static parcel_status judge_deeply(const checking *checking)
{
  int columns = 0;
  parcel_reader_columns(checking->reader, &columns);
  const size_t room = parcel_reader_scratch_bytes(checking->reader);
  char *here = malloc(room + 1);
  char *there = malloc(room + 1);
  parcel_status status = here && there ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory for two blocks");
  for (parcel_index b = 0; b < checking->blocks.end - checking->blocks.begin; ++b)
    for (int c = 0; c < columns && !status && checking->verdicts[b] == BLOCKS_GOOD; ++c)
      status = compare_column(checking, b, c, here, there);
  free(here);
  free(there);
  return status;
}

/* ---- the report ---- */

static void count_verdicts(const checking *checking, blocks_report *report)
{
  const parcel_index count = checking->blocks.end - checking->blocks.begin;
  for (parcel_index b = 0; b < count; ++b) {
    const parcel_index verdict = checking->verdicts[b];
    const parcel_index block = checking->blocks.begin + b;
    const parcel_span span = parcel_block_grid_span(parcel_reader_grid(checking->reader), block);
    blocks_run *last = report->run_count > 0 ? &report->runs[report->run_count - 1] : NULL;
    ++report->counts[verdict];
    if (verdict != BLOCKS_MISSING)
      report->bytes += span.end - span.begin;
    if (verdict == BLOCKS_GOOD)
      continue;
    if (last && last->verdict == verdict && last->last == block - 1)
      last->last = block;
    else if (report->run_count < BLOCKS_RUNS)
      report->runs[report->run_count++] = (blocks_run){.first = block, .last = block, .verdict = verdict};
    else
      report->has_more_runs = true;
  }
}

/* Rank 0 puts all ranks' runs together; they come in order. */
static void join_runs(const blocks_report reports[], int count, blocks_report *out)
{
  for (int r = 0; r < count; ++r) {
    for (int i = 0; i < reports[r].run_count; ++i) {
      const blocks_run *run = &reports[r].runs[i];
      blocks_run *last = out->run_count > 0 ? &out->runs[out->run_count - 1] : NULL;
      if (last && last->verdict == run->verdict && last->last == run->first - 1)
        last->last = run->last;
      else if (out->run_count < BLOCKS_RUNS)
        out->runs[out->run_count++] = *run;
      else
        out->has_more_runs = true;
    }
    for (int v = 0; v < BLOCKS_VERDICTS; ++v)
      out->counts[v] += reports[r].counts[v];
    out->bytes += reports[r].bytes;
    out->has_more_runs = out->has_more_runs || reports[r].has_more_runs;
  }
}

static parcel_status share(const parcel_world *world, const blocks_report *own, blocks_report *out)
{
  MPI_Comm comm = parcel_world_comm(world);
  const int size = parcel_world_size(world);
  blocks_report *all = parcel_world_rank(world) == 0 ? calloc((size_t)size, sizeof *all) : NULL;
  parcel_status status = all || parcel_world_rank(world) != 0
                             ? PARCEL_OK
                             : parcel_fail(PARCEL_MEMORY, "no memory for the reports of %d ranks", size);
  if (!(status = parcel_world_follow_root(world, status)))
    status = parcel_world_check_mpi(
        world, MPI_Gather(own, (int)sizeof *own, MPI_BYTE, all, (int)sizeof *own, MPI_BYTE, 0, comm),
        "MPI_Gather of reports");
  if (!status && all)
    join_runs(all, size, out);
  free(all);
  return status ? status
                : parcel_world_check_mpi(world, MPI_Bcast(out, (int)sizeof *out, MPI_BYTE, 0, comm),
                                         "MPI_Bcast of a report");
}

/* ---- the check ---- */

static parcel_status make_room(checking *checking, int threads)
{
  const parcel_index blocks = checking->blocks.end - checking->blocks.begin;
  const size_t lines = parcel_reader_scratch_bytes(checking->reader) / CACHE_LINE + 1;
  checking->verdicts = calloc((size_t)blocks + 1, 1);
  checking->scratch = calloc((size_t)threads, sizeof *checking->scratch);
  bool has_room = checking->verdicts && checking->scratch;
  for (int t = 0; t < threads && has_room; ++t)
    has_room = (checking->scratch[t] = aligned_alloc(CACHE_LINE, lines * CACHE_LINE));
  return has_room ? PARCEL_OK
                  : parcel_fail(PARCEL_MEMORY, "no memory for a block in each of %d threads", threads);
}

static void free_room(checking *checking, int threads)
{
  for (int t = 0; checking->scratch && t < threads; ++t)
    free(checking->scratch[t]);
  free(checking->scratch);
  free(checking->verdicts);
}

parcel_status blocks_check(const parcel_world *world, const parcel_reader *reader, int threads, bool is_deep,
                           blocks_report *out)
{
  const double begin = seconds_now();
  const parcel_index blocks = parcel_block_grid_count(parcel_reader_grid(reader));
  const parcel_pool_options options = {.threads = threads > 0 ? threads : parcel_world_cpus(world)};
  checking checking = {.reader = reader,
                       .blocks =
                           parcel_block_span(blocks, parcel_world_size(world), parcel_world_rank(world))};
  const parcel_index count = checking.blocks.end - checking.blocks.begin;
  blocks_report own = {.blocks = blocks};
  parcel_pool *pool = NULL;
  parcel_status status = make_room(&checking, options.threads);
  if (!status && !(status = parcel_pool_create(&options, &pool)))
    status = parcel_pool_for(pool, count, AT_ONCE, judge_span, &checking);
  if (!status && is_deep)
    status = judge_deeply(&checking);
  parcel_pool_destroy(&pool);
  if (!(status = parcel_world_agree(world, status))) {
    int columns = 0;
    const parcel_column *column = parcel_reader_columns(reader, &columns);
    count_verdicts(&checking, &own);
    own.bytes *= parcel_columns_bytes(column, columns);
    *out = (blocks_report){.blocks = blocks};
    status = share(world, &own, out);
    out->seconds = seconds_now() - begin;
  }
  free_room(&checking, options.threads);
  return status;
}
