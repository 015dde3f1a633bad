/* Blocks are divided over the ranks as positions are over parts, by parcel_block_span: with as many ranks as
 * the grid has parts, each rank does its own part; of a sweep that is resumed, ranks share what is left in
 * the same way. A worker reuses one buffer for all its blocks; nothing here grows with n. */
#include <parcel/sweep.h>

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sweep_impl.h"

enum { BLOCKS_PER_WORKER = 8 };

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

int parcel__sweep_threads(const parcel_world *world, const parcel_sweep *sweep)
{
  return sweep->threads > 0 ? sweep->threads : parcel_world_cpus(world);
}

static parcel_index choose_block(const parcel_world *world, const parcel_sweep *sweep)
{
  const parcel_index workers = (parcel_index)parcel_world_size(world) * parcel__sweep_threads(world, sweep);
  const parcel_index largest = PARCEL_BLOCK_BYTES / parcel_columns_bytes(sweep->columns, sweep->column_count);
  const parcel_index fair = sweep->range.count / workers / BLOCKS_PER_WORKER;
  const parcel_index block = fair < largest ? fair : largest;
  return block > 0 ? block : 1;
}

static parcel_status make_grid(const parcel_world *world, const parcel_sweep *sweep, parcel_block_grid *out)
{
  parcel_block_grid grid = {0};
  parcel_status status = check_sweep(sweep);
  if (!status)
    status = parcel_block_grid_make(sweep->range.count, parcel_world_size(world),
                                    sweep->block > 0 ? sweep->block : choose_block(world, sweep), &grid);
  if ((status = parcel_world_follow_root(world, status)) ||
      (status = parcel_world_check_mpi(
           world, MPI_Bcast(&grid, (int)sizeof grid, MPI_BYTE, 0, parcel_world_comm(world)),
           "MPI_Bcast of the block grid")))
    return status;
  *out = grid;
  return PARCEL_OK;
}

parcel_status parcel_sweep_grid(const parcel_world *world, const parcel_sweep *sweep, parcel_block_grid *out)
{
  parcel_block_grid grid;
  parcel_status status = make_grid(world, sweep, &grid);
  if (!status)
    status = parcel__sweep_check_memory(world, sweep, grid, parcel__sweep_threads(world, sweep));
  if (!status)
    *out = grid;
  return status;
}

/* ---- a rank's resources ---- */

/* The sweep as a whole, from the blocks that the sink lacks. The same on every rank. */
static parcel_status share_blocks(parcel_run *run)
{
  const parcel_index blocks = parcel_block_grid_count(run->grid);
  const uint64_t *done = run->sink.done;
  const parcel_status status = parcel__todo_make(done, blocks, &run->todo);
  if (status)
    return status;
  run->positions = run->grid.positions;
  for (parcel_index b = 0; done && b < blocks; ++b)
    if (done[b / 64] >> (b % 64) & 1) {
      const parcel_span kept = parcel_block_grid_span(run->grid, b);
      run->positions -= kept.end - kept.begin;
    }
  return PARCEL_OK;
}

static parcel_status acquire(parcel_run *run)
{
  const parcel_pool_options pool = {.threads = run->threads};
  parcel_status status = share_blocks(run);
  if (!status)
    status = parcel__sweep_make_workers(run);
  if (!status && !run->options->pool)
    status = parcel_pool_create(&pool, &run->pool);
  if (!status)
    status = parcel__trace_begin(run->options->trace, run->world, run->threads);
  return status ? status : parcel__control_open(run->world, &run->control);
}

static void release(parcel_run *run)
{
  parcel__control_close(&run->control);
  parcel__scheduler_close(&run->scheduler);
  if (!run->options->pool)
    parcel_pool_destroy(&run->pool);
  parcel__sweep_free_workers(run);
  parcel__todo_free(&run->todo);
}

/* ---- the end ---- */

/* "by SIGTERM", "by the deadline of 60 s". */
static void describe_stop(const parcel_run *run, char *text, size_t size)
{
  const parcel_stop stop = parcel__control_stopping(run->control);
  if (stop.reason == PARCEL_STOP_SIGNAL && sigabbrev_np(stop.detail))
    snprintf(text, size, "by SIG%s", sigabbrev_np(stop.detail));
  else if (stop.reason == PARCEL_STOP_DEADLINE)
    snprintf(text, size, "by the deadline of %g s", run->options->deadline_seconds);
  else if (stop.reason == PARCEL_STOP_HALT_FILE)
    snprintf(text, size, "by the file '%s'", run->options->halt_file);
  else
    snprintf(text, size, "on request");
}

/* Rank 0, the root of the control plane, alone knows how far all were and why they stopped. */
static parcel_status judge(const parcel_run *run, parcel_status status)
{
  const parcel_tally tally = parcel__control_tally(run->control);
  const parcel_index most = run->options->max_failures;
  char reason[256];
  if (most > 0 && tally.failures > most)
    return parcel_fail(PARCEL_KERNEL,
                       "kernel '%s' failed at %" PRId64 " indices, more than the %" PRId64
                       " that may go on record",
                       run->sweep->name, tally.failures, most);
  if (!status || tally.positions == run->positions) /* the request came too late */
    return PARCEL_OK;
  describe_stop(run, reason, sizeof reason);
  return parcel_fail(status, "stopped early %s, with %" PRId64 " of %" PRId64 " positions done", reason,
                     run->grid.positions - run->positions + tally.positions, run->grid.positions);
}

static parcel_status agree_on_outcome(const parcel_run *run, parcel_status status)
{
  if (!status && parcel__control_stopping(run->control).reason)
    status = parcel_fail(PARCEL_STOPPED, "blocks are left");
  status = parcel_world_agree(run->world, status);
  if (status ? status != PARCEL_STOPPED : run->options->max_failures == 0)
    return status;
  return parcel_world_follow_root(run->world, judge(run, status));
}

/* Sums over this rank's workers, then over all ranks. */
static parcel_status report_run(const parcel_run *run, double elapsed, parcel_sweep_report *out)
{
  int64_t counts[4] = {0, 0, run->threads, 0};
  double times[2] = {0, 0};
  double longest[2] = {elapsed, 0};
  for (int w = 0; w < run->threads; ++w) {
    const parcel_worker *own = &run->workers[w];
    const double busy = own->compute_seconds + own->write_seconds;
    counts[0] += own->positions;
    counts[1] += own->blocks;
    counts[3] += own->recorded;
    times[0] += own->compute_seconds;
    times[1] += own->write_seconds;
    longest[1] = busy > longest[1] ? busy : longest[1];
  }
  MPI_Comm comm = parcel_world_comm(run->world);
  parcel_status status = PARCEL_OK;
  if ((status = parcel_world_check_mpi(run->world,
                                       MPI_Allreduce(MPI_IN_PLACE, counts, 4, MPI_INT64_T, MPI_SUM, comm),
                                       "MPI_Allreduce")) ||
      (status = parcel_world_check_mpi(
           run->world, MPI_Allreduce(MPI_IN_PLACE, times, 2, MPI_DOUBLE, MPI_SUM, comm), "MPI_Allreduce")) ||
      (status = parcel_world_check_mpi(
           run->world, MPI_Allreduce(MPI_IN_PLACE, longest, 2, MPI_DOUBLE, MPI_MAX, comm), "MPI_Allreduce")))
    return status;
  *out = (parcel_sweep_report){.positions = counts[0],
                               .blocks = counts[1],
                               .workers = counts[2],
                               .failures = counts[3],
                               .elapsed_seconds = longest[0],
                               .compute_seconds = times[0],
                               .write_seconds = times[1],
                               .busiest_seconds = longest[1]};
  return PARCEL_OK;
}

/* A run without its profile is a run. */
static void gather_trace(const parcel_run *run, double elapsed)
{
  char text[PARCEL_ERROR_SIZE];
  snprintf(text, sizeof text, "%s", parcel_last_error());
  if (parcel__trace_gather(run->options->trace, run->world, run->grid, elapsed))
    parcel_world_warn(run->world, "there is no profile of this run: %s", parcel_last_error());
  parcel_fail(PARCEL_OK, "%s", text);
}

static parcel_status run_agreed(parcel_run *run, parcel_sweep_report *report)
{
  run->started = parcel__seconds();
  parcel__trace_start(run->options->trace, run->started);
  parcel_status status = parcel__sweep_watch(run);
  const double elapsed = parcel__seconds() - run->started;
  status = agree_on_outcome(run, status);
  if (run->sink.end)
    status = run->sink.end(run->sink.ctx, status);
  gather_trace(run, elapsed);
  return status || !report ? status : report_run(run, elapsed, report);
}

/* Whether sink and options fit the sweep. */
static parcel_status check_fit(const parcel_sweep *sweep, parcel_sink sink,
                               const parcel_sweep_options *options)
{
  if (options->on_error == PARCEL_ON_ERROR_RECORD && !sink.keeps_failures)
    return parcel_fail(PARCEL_INVALID, "sweep '%s': failures cannot go on record, for its sink keeps none",
                       sweep->name);
  if (options->max_failures < 0 || !(options->deadline_seconds >= 0) || !(options->stall_seconds >= 0) ||
      !(options->slice_seconds >= 0))
    return parcel_fail(PARCEL_INVALID, "sweep '%s': a limit must not be negative", sweep->name);
  if (options->slice_seconds > 0 && !options->in_processes)
    return parcel_fail(PARCEL_INVALID, "sweep '%s': only a kernel in a process can be ended after a time",
                       sweep->name);
  if (sink.positions ? parcel_block_grid_largest(*sink.grid) > 1
                     : sink.grid && sink.grid->positions != sweep->range.count)
    return parcel_fail(PARCEL_INVALID, "sweep '%s' has %" PRId64 " positions, but its sink is for %" PRId64,
                       sweep->name, sweep->range.count, sink.grid->positions);
  return PARCEL_OK;
}

/* The sink's grid, if it insists on one, and otherwise the sweep's own. Collective. */
static parcel_status choose_grid(const parcel_world *world, const parcel_sweep *sweep, parcel_sink sink,
                                 const parcel_sweep_options *options, parcel_block_grid *out)
{
  parcel_status status = check_sweep(sweep);
  if (!status)
    status = check_fit(sweep, sink, options);
  if ((status = parcel_world_follow_root(world, status)))
    return status;
  if (!sink.grid)
    return make_grid(world, sweep, out);
  *out = *sink.grid;
  return PARCEL_OK;
}

/* When a block may still be begun: a twentieth of the time, but at most a second, is kept for what comes
 * after the last block. */
static double last_start(const parcel_world *world, double deadline)
{
  if (deadline == 0)
    return INFINITY;
  return parcel__world_opened(world) + deadline - (deadline < 20 ? deadline / 20 : 1);
}

static parcel_status run_watched(const parcel_world *world, const parcel_sweep *sweep, parcel_sink sink,
                                 const parcel_sweep_options *options, parcel_sweep_report *report)
{
  static const parcel_sweep_options defaults = PARCEL_SWEEP_OPTIONS_INIT;
  parcel_run run = {.world = world, .sweep = sweep, .options = options ? options : &defaults, .sink = sink};
  parcel_status status = PARCEL_OK;

  if ((status = choose_grid(world, sweep, sink, run.options, &run.grid)))
    return status;
  run.last_start = last_start(world, run.options->deadline_seconds);
  run.records = run.options->on_error == PARCEL_ON_ERROR_RECORD;
  run.pool = run.options->pool;
  run.threads = run.pool ? parcel_pool_threads(run.pool) : parcel__sweep_threads(world, sweep);
  if ((status = parcel__sweep_check_memory(world, sweep, run.grid, run.threads)))
    return status;
  if (!(status = parcel__world_check_threads(world, run.threads, run.options->threads_wait,
                                             sweep->threads == 0 && !run.options->pool)))
    status = acquire(&run);
  if (!(status = parcel_world_agree(world, status)) &&
      !(status = parcel__scheduler_open(world, sweep->schedule, parcel__todo_count(run.todo), run.threads,
                                        &run.scheduler)))
    status = run_agreed(&run, report);
  release(&run);
  return status;
}

/* A world that is not watched is for as long as the sweep takes: its main thread may itself be stuck. What
 * this rank cannot have, it does without. */
parcel_status parcel_sweep_run(const parcel_world *world, const parcel_sweep *sweep, parcel_sink sink,
                               const parcel_sweep_options *options, parcel_sweep_report *report)
{
  parcel_watch **watch = parcel__world_watch(world);
  const bool is_own = options && options->stall_seconds > 0 && !*watch && !parcel__world_is_single(world);
  if (is_own && parcel__watch_open(MPI_COMM_NULL, parcel_world_rank(world), options->stall_seconds, watch))
    parcel_world_warn(world, "%s", parcel_last_error());
  const char *before = parcel_world_step(world, "the sweep runs");
  const parcel_status status = run_watched(world, sweep, sink, options, report);
  parcel_world_step(world, before);
  if (is_own)
    parcel__watch_close(watch);
  return status;
}
