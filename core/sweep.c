/* Workers compute and write; the main thread runs the control plane, feeds the sink's communication and
 * shows progress, asleep in between. So a rank answers within milliseconds whatever its kernel does, and
 * only one thread speaks MPI.
 *
 * Blocks are divided over the ranks as positions are over parts, by parcel_block_span: with as many ranks
 * as the grid has parts, each rank does its own part. A worker reuses one buffer for all its blocks;
 * nothing here grows with n. */
#include <parcel/sweep.h>

#include <inttypes.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control_impl.h"
#include "world_impl.h"

enum { CACHE_LINE = 64, BLOCKS_PER_WORKER = 8 };

static const double show_every_seconds = 0.1;

/* The main thread's sleep between two looks at the world. While its workers compute it keeps out of their
 * way. Once they are done it looks more often, after a hundredth of the time that the sweep has run already:
 * the several steps in which a sweep ends then cost a short run little, and a long one does not burn a core
 * on waiting for others. */
static const double busy_pause_seconds = 2e-3;
static const double busy_sink_pause_seconds = 200e-6; /* workers wait for a sink that communicates */
static const double idle_pause_fraction = 0.01;
static const double shortest_idle_pause_seconds = 20e-6;
static const double longest_idle_pause_seconds = 2e-3;

/* One per thread, on cache lines of its own. Written by its worker; `positions` is read by the main thread
 * meanwhile. */
typedef struct worker {
  alignas(CACHE_LINE) _Atomic parcel_index positions;
  parcel_index blocks;
  double compute_seconds;
  double write_seconds;
  char *buffer;   /* one block of every column */
  void **columns; /* [column_count] into buffer */
} worker;

typedef struct run {
  const parcel_world *world;
  const parcel_sweep *sweep;
  const parcel_sweep_options *options;
  parcel_sink sink;
  parcel_block_grid grid;
  parcel_index first_block; /* this rank's first */
  parcel_index blocks;      /* this rank's number */
  worker *workers;          /* [threads] */
  int threads;
  parcel_pool *pool;
  parcel_control *control;
  atomic_bool has_failed; /* a worker has, and may still be finding out where */
  double started;         /* seconds() */
  double next_show;       /* of progress, in elapsed seconds */
} run;

static double seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- the grid ---- */

static parcel_status check_sweep(const parcel_sweep *sweep)
{
  if (!sweep->kernel || !sweep->name)
    return parcel_fail(PARCEL_INVALID, "a sweep needs a kernel and its name");
  if (sweep->threads < 0 || sweep->block < 0 || sweep->range.count < 0)
    return parcel_fail(PARCEL_INVALID,
                       "sweep '%s': threads, block and the range's count must not be negative", sweep->name);
  return parcel_columns_check(sweep->columns, sweep->column_count);
}

static int threads_of(const parcel_world *world, const parcel_sweep *sweep)
{
  return sweep->threads > 0 ? sweep->threads : parcel_world_cpus(world);
}

static parcel_index choose_block(const parcel_world *world, const parcel_sweep *sweep)
{
  const parcel_index workers = (parcel_index)parcel_world_size(world) * threads_of(world, sweep);
  const parcel_index largest = PARCEL_BLOCK_BYTES / parcel_columns_bytes(sweep->columns, sweep->column_count);
  const parcel_index fair = sweep->range.count / workers / BLOCKS_PER_WORKER;
  const parcel_index block = fair < largest ? fair : largest;
  return block > 0 ? block : 1;
}

parcel_status parcel_sweep_grid(const parcel_world *world, const parcel_sweep *sweep, parcel_block_grid *out)
{
  parcel_block_grid grid = {0};
  parcel_status status = check_sweep(sweep);
  if (!status)
    status = parcel_block_grid_make(sweep->range.count, parcel_world_size(world),
                                    sweep->block > 0 ? sweep->block : choose_block(world, sweep), &grid);
  if ((status = parcel_world_follow_root(world, status)) ||
      (status = parcel_mpi_check(MPI_Bcast(&grid, (int)sizeof grid, MPI_BYTE, 0, parcel_world_comm(world)),
                                 "MPI_Bcast of the block grid")))
    return status;
  *out = grid;
  return PARCEL_OK;
}

/* ---- one block, on a worker ---- */

static parcel_status call_kernel(const run *run, parcel_span positions, void *const columns[])
{
  const parcel_range range = run->sweep->range;
  const parcel_slice slice = {.first = parcel_range_at(range, positions.begin),
                              .step = range.step,
                              .count = positions.end - positions.begin,
                              .position = positions.begin};
  return run->sweep->kernel(run->sweep->ctx, &slice, columns);
}

/* Halves the positions that failed until one is left. Costs at most one more block of kernel time.
 *
 * status  what the kernel returned for all of them; its words are in parcel_last_error() */
static parcel_status blame_index(const run *run, parcel_span bad, void *const columns[], parcel_status status)
{
  const parcel_range range = run->sweep->range;
  const parcel_span whole = bad;
  char words[PARCEL_ERROR_SIZE];
  snprintf(words, sizeof words, "%s",
           *parcel_last_error() ? parcel_last_error() : parcel_status_text(status));
  while (bad.end - bad.begin > 1) {
    const parcel_index middle = bad.begin + (bad.end - bad.begin) / 2;
    if (call_kernel(run, (parcel_span){bad.begin, middle}, columns))
      bad.end = middle;
    else
      bad.begin = middle;
  }
  if (call_kernel(run, bad, columns))
    return parcel_fail(PARCEL_KERNEL, "kernel '%s' failed at index %" PRId64 ": %s", run->sweep->name,
                       parcel_range_at(range, bad.begin), *parcel_last_error() ? parcel_last_error() : words);
  return parcel_fail(
      PARCEL_KERNEL,
      "kernel '%s' failed from index %" PRId64 " to %" PRId64 ", but not again when asked for less: %s",
      run->sweep->name, parcel_range_at(range, whole.begin), parcel_range_at(range, whole.end - 1), words);
}

/* Runs the kernel for a whole block, and finds the culprit if it fails. */
static parcel_status compute_block(run *run, parcel_span positions, void *const columns[])
{
  if (positions.begin == positions.end)
    return PARCEL_OK;
  parcel_fail(PARCEL_OK, "%s", "");
  const parcel_status status = call_kernel(run, positions, columns);
  if (!status)
    return PARCEL_OK;
  atomic_store(&run->has_failed, true);
  return blame_index(run, positions, columns, status);
}

static parcel_status run_block(run *run, worker *own, parcel_index number)
{
  const parcel_block block = {.number = number,
                              .positions = parcel_block_grid_span(run->grid, number),
                              .columns = (const void *const *)own->columns};
  const double begin = seconds();
  parcel_status status = compute_block(run, block.positions, own->columns);
  if (status)
    return status;
  const double computed = seconds();
  if ((status = run->sink.write(run->sink.ctx, &block))) {
    atomic_store(&run->has_failed, true);
    return status;
  }
  own->compute_seconds += computed - begin;
  own->write_seconds += seconds() - computed;
  ++own->blocks;
  atomic_fetch_add_explicit(&own->positions, block.positions.end - block.positions.begin,
                            memory_order_relaxed);
  return PARCEL_OK;
}

/* A parcel_body: positions of the pool's loop are this rank's blocks. */
static parcel_status run_blocks(void *ctx, parcel_span blocks, int worker_number)
{
  run *run = ctx;
  parcel_status status = PARCEL_OK;
  for (parcel_index b = blocks.begin; b < blocks.end && !status; ++b)
    status = run_block(run, &run->workers[worker_number], run->first_block + b);
  return status;
}

/* ---- a rank's resources ---- */

static parcel_status make_buffer(const run *run, worker *own)
{
  const parcel_sweep *sweep = run->sweep;
  const parcel_index largest = parcel_block_grid_largest(run->grid);
  const parcel_index row = parcel_columns_bytes(sweep->columns, sweep->column_count);
  const parcel_index padding = (parcel_index)sweep->column_count * CACHE_LINE;
  parcel_index bytes = 0;
  if (__builtin_mul_overflow(largest, row, &bytes) ||
      __builtin_add_overflow(bytes, padding + CACHE_LINE, &bytes))
    return parcel_fail(PARCEL_MEMORY,
                       "a block of %" PRId64 " positions is larger than any memory; use a smaller block",
                       largest);
  own->columns = calloc((size_t)sweep->column_count, sizeof *own->columns);
  own->buffer = aligned_alloc(CACHE_LINE, (size_t)(bytes / CACHE_LINE * CACHE_LINE));
  if (!own->columns || !own->buffer)
    return parcel_fail(PARCEL_MEMORY,
                       "no memory for %d threads with blocks of %" PRId64 " positions (%" PRId64
                       " bytes each); use a smaller block",
                       run->threads, largest, bytes);
  parcel_index offset = 0;
  for (int c = 0; c < sweep->column_count; ++c) {
    own->columns[c] = own->buffer + offset;
    offset += (largest * parcel_column_bytes(&sweep->columns[c]) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
  }
  return PARCEL_OK;
}

static parcel_status make_workers(run *run)
{
  const size_t bytes = (size_t)run->threads * sizeof(worker);
  run->workers = aligned_alloc(CACHE_LINE, bytes);
  if (!run->workers)
    return parcel_fail(PARCEL_MEMORY, "no memory for %d workers", run->threads);
  memset(run->workers, 0, bytes);
  parcel_status status = PARCEL_OK;
  for (int w = 0; w < run->threads && !status; ++w)
    status = make_buffer(run, &run->workers[w]);
  return status;
}

static parcel_status acquire(run *run)
{
  const parcel_pool_options pool = {.threads = run->threads};
  parcel_status status = make_workers(run);
  if (!status && !run->options->pool)
    status = parcel_pool_create(&pool, &run->pool);
  return status ? status : parcel__control_open(run->world, &run->control);
}

static void release(run *run)
{
  parcel__control_close(&run->control);
  if (!run->options->pool)
    parcel_pool_destroy(&run->pool);
  for (int w = 0; w < run->threads && run->workers; ++w) {
    free(run->workers[w].buffer);
    free(run->workers[w].columns);
  }
  free(run->workers);
}

/* ---- the main thread ---- */

static parcel_index positions_done(const run *run)
{
  parcel_index positions = 0;
  for (int w = 0; w < run->threads; ++w)
    positions += atomic_load_explicit(&run->workers[w].positions, memory_order_relaxed);
  return positions;
}

static void show_progress(run *run, bool is_over)
{
  const double elapsed = seconds() - run->started;
  if (!run->options->show || parcel_world_rank(run->world) != 0 || (elapsed < run->next_show && !is_over))
    return;
  run->next_show = elapsed + show_every_seconds;
  const parcel_progress progress = {.done = parcel__control_positions(run->control),
                                    .total = run->grid.positions,
                                    .elapsed_seconds = elapsed,
                                    .is_over = is_over};
  run->options->show(run->options->show_ctx, &progress);
}

static double busy_pause(const run *run)
{
  return run->sink.poll ? busy_sink_pause_seconds : busy_pause_seconds;
}

static void pause_idly(const run *run)
{
  double pause = idle_pause_fraction * (seconds() - run->started);
  if (pause < shortest_idle_pause_seconds)
    pause = shortest_idle_pause_seconds;
  if (pause > longest_idle_pause_seconds)
    pause = longest_idle_pause_seconds;
  const struct timespec time = {.tv_nsec = (long)(pause * 1e9)};
  nanosleep(&time, NULL);
}

static bool should_stop(const run *run)
{
  return atomic_load(&run->has_failed) || (run->options->stop && *run->options->stop);
}

/* Begins this rank's blocks, on the pool's threads or, where only the main thread may exist, on none. */
static parcel_status begin_blocks(run *run)
{
  if (parcel__world_is_single(run->world))
    return PARCEL_OK;
  return parcel_pool_start(run->pool, run->blocks, 1, run_blocks, run);
}

/* Lets time pass while this rank's blocks are being done; true once none is left, and then *status says
 * how they went. The main thread does a block itself where it is the only one. */
static bool await_blocks(run *run, parcel_status *status)
{
  if (!parcel__world_is_single(run->world)) {
    const bool is_over = parcel_pool_wait(run->pool, busy_pause(run));
    if (is_over)
      *status = parcel_pool_finish(run->pool);
    return is_over;
  }
  const parcel_index done = run->workers[0].blocks;
  if (done < run->blocks)
    *status = parcel__control_is_stopping(run->control)
                  ? parcel_fail(PARCEL_STOPPED, "the sweep was stopped")
                  : run_block(run, &run->workers[0], run->first_block + done);
  return *status || run->workers[0].blocks == run->blocks;
}

/* From the first block to the moment when every rank is done or has stopped. Returns how this rank fared. */
static parcel_status supervise(run *run)
{
  char poll_error[PARCEL_ERROR_SIZE] = "";
  parcel_status poll_status = PARCEL_OK;
  parcel_status status = begin_blocks(run);
  bool is_over = status != PARCEL_OK;

  while (!parcel__control_poll(run->control, positions_done(run), is_over)) {
    if (should_stop(run) || status || poll_status)
      parcel__control_stop(run->control);
    if (parcel__control_is_stopping(run->control) && !is_over)
      parcel_pool_cancel(run->pool);
    if (run->sink.poll && !poll_status && (poll_status = run->sink.poll(run->sink.ctx)))
      snprintf(poll_error, sizeof poll_error, "%s", parcel_last_error());
    show_progress(run, false);
    if (is_over)
      pause_idly(run);
    else
      is_over = await_blocks(run, &status);
  }
  show_progress(run, true);
  return poll_status ? parcel_fail(poll_status, "%s", poll_error) : status;
}

/* Only rank 0, the root of the control plane, knows how far all were when they were stopped. */
static parcel_status agree_on_outcome(const run *run, parcel_status status)
{
  status = parcel_world_agree(run->world, status);
  if (status != PARCEL_STOPPED)
    return status;
  parcel_fail(status, "stopped early on request, with %" PRId64 " of %" PRId64 " positions done",
              parcel__control_positions(run->control), run->grid.positions);
  return parcel_world_follow_root(run->world, status);
}

/* Sums over this rank's workers, then over all ranks. */
static parcel_status report_run(const run *run, double elapsed, parcel_sweep_report *out)
{
  int64_t counts[3] = {0, 0, run->threads};
  double times[2] = {0, 0};
  double longest[2] = {elapsed, 0};
  for (int w = 0; w < run->threads; ++w) {
    const worker *own = &run->workers[w];
    const double busy = own->compute_seconds + own->write_seconds;
    counts[0] += own->positions;
    counts[1] += own->blocks;
    times[0] += own->compute_seconds;
    times[1] += own->write_seconds;
    longest[1] = busy > longest[1] ? busy : longest[1];
  }
  MPI_Comm comm = parcel_world_comm(run->world);
  parcel_status status = PARCEL_OK;
  if ((status = parcel_mpi_check(MPI_Allreduce(MPI_IN_PLACE, counts, 3, MPI_INT64_T, MPI_SUM, comm),
                                 "MPI_Allreduce")) ||
      (status = parcel_mpi_check(MPI_Allreduce(MPI_IN_PLACE, times, 2, MPI_DOUBLE, MPI_SUM, comm),
                                 "MPI_Allreduce")) ||
      (status = parcel_mpi_check(MPI_Allreduce(MPI_IN_PLACE, longest, 2, MPI_DOUBLE, MPI_MAX, comm),
                                 "MPI_Allreduce")))
    return status;
  *out = (parcel_sweep_report){.positions = counts[0],
                               .blocks = counts[1],
                               .workers = counts[2],
                               .elapsed_seconds = longest[0],
                               .compute_seconds = times[0],
                               .write_seconds = times[1],
                               .busiest_seconds = longest[1]};
  return PARCEL_OK;
}

static parcel_status run_agreed(run *run, parcel_sweep_report *report)
{
  run->started = seconds();
  parcel_status status = supervise(run);
  const double elapsed = seconds() - run->started;
  status = agree_on_outcome(run, status);
  if (run->sink.end)
    status = run->sink.end(run->sink.ctx, status);
  return status || !report ? status : report_run(run, elapsed, report);
}

/* The sink's grid, if it insists on one, and otherwise the sweep's own. Collective. */
static parcel_status choose_grid(const parcel_world *world, const parcel_sweep *sweep, parcel_sink sink,
                                 parcel_block_grid *out)
{
  if (!sink.grid)
    return parcel_sweep_grid(world, sweep, out);
  parcel_status status = check_sweep(sweep);
  if (!status && sink.grid->positions != sweep->range.count)
    status = parcel_fail(PARCEL_INVALID, "sweep '%s' has %" PRId64 " positions, but its sink is for %" PRId64,
                         sweep->name, sweep->range.count, sink.grid->positions);
  *out = *sink.grid;
  return parcel_world_follow_root(world, status);
}

parcel_status parcel_sweep_run(const parcel_world *world, const parcel_sweep *sweep, parcel_sink sink,
                               const parcel_sweep_options *options, parcel_sweep_report *report)
{
  static const parcel_sweep_options defaults = PARCEL_SWEEP_OPTIONS_INIT;
  run run = {.world = world, .sweep = sweep, .options = options ? options : &defaults, .sink = sink};
  parcel_status status = PARCEL_OK;

  if ((status = choose_grid(world, sweep, sink, &run.grid)))
    return status;
  const parcel_span own = parcel_block_span(parcel_block_grid_count(run.grid), parcel_world_size(world),
                                            parcel_world_rank(world));
  run.first_block = own.begin;
  run.blocks = own.end - own.begin;
  run.pool = run.options->pool;
  run.threads = run.pool ? parcel_pool_threads(run.pool) : threads_of(world, sweep);
  if (!(status = parcel_world_check_threads(world, run.threads)))
    status = acquire(&run);
  if (!(status = parcel_world_agree(world, status)))
    status = run_agreed(&run, report);
  release(&run);
  return status;
}
