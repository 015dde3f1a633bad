/* What a sweep does when all goes well: who computes what, how often, and what is reported of it. */
#include "mpi_test.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parcel/parcel.h>

#include "every_type.h"

/* ---- a kernel and a sink that take notes ---- */

typedef struct notes {
  parcel_range range;
  parcel_block_grid grid;
  atomic_int *visits; /* [range.count] by the kernel */
  atomic_int *writes; /* [blocks of the grid] by the sink */
  atomic_bool is_wrong;
  atomic_int ends;
  parcel_status outcome;
} notes;

static parcel_status note_slice(void *ctx, const parcel_slice *slice, void *const columns[])
{
  notes *notes = ctx;
  const bool is_inside =
      slice->position >= 0 && slice->count >= 1 && slice->count <= notes->range.count - slice->position;
  if (!is_inside || slice->step != notes->range.step ||
      slice->first != parcel_range_at(notes->range, slice->position) || (uintptr_t)columns[0] % 64 != 0) {
    atomic_store(&notes->is_wrong, true);
    return PARCEL_OK;
  }
  for (parcel_index p = 0; p < slice->count; ++p)
    atomic_fetch_add(&notes->visits[slice->position + p], 1);
  return copy_index(NULL, slice, columns);
}

static parcel_status note_block(void *ctx, const parcel_block *block)
{
  notes *notes = ctx;
  const parcel_span expected = parcel_block_grid_span(notes->grid, block->number);
  const int64_t *values = block->columns[0];
  if (block->positions.begin != expected.begin || block->positions.end != expected.end)
    atomic_store(&notes->is_wrong, true);
  for (parcel_index p = expected.begin; p < expected.end; ++p)
    if (values[p - expected.begin] != parcel_range_at(notes->range, p))
      atomic_store(&notes->is_wrong, true);
  atomic_fetch_add(&notes->writes[block->number], 1);
  return PARCEL_OK;
}

static parcel_status note_end(void *ctx, parcel_status outcome)
{
  notes *notes = ctx;
  notes->outcome = outcome;
  atomic_fetch_add(&notes->ends, 1);
  return outcome;
}

static bool is_one_each(atomic_int *own, parcel_index count)
{
  int *all = calloc((size_t)count + 1, sizeof *all);
  for (parcel_index i = 0; i < count; ++i)
    all[i] = atomic_load(&own[i]);
  MPI_Allreduce(MPI_IN_PLACE, all, (int)count, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  bool is_right = true;
  for (parcel_index i = 0; i < count; ++i)
    is_right = is_right && all[i] == 1;
  free(all);
  return is_right;
}

static bool report_adds_up(const parcel_sweep_report *report, parcel_index positions, parcel_block_grid grid,
                           parcel_index workers)
{
  const double slack = 0.1; /* clocks of different ranks begin at different moments */
  return report->positions == positions && report->blocks == parcel_block_grid_count(grid) &&
         report->workers == workers && report->compute_seconds >= 0 && report->write_seconds >= 0 &&
         report->busiest_seconds <= report->elapsed_seconds + slack &&
         report->busiest_seconds <= report->compute_seconds + report->write_seconds + 1e-9 &&
         report->compute_seconds + report->write_seconds <=
             (double)workers * report->busiest_seconds * (1 + 1e-9) + 1e-9;
}

static parcel_index sum_over_ranks(parcel_index own)
{
  parcel_index sum = 0;
  MPI_Allreduce(&own, &sum, 1, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
  return sum;
}

/* Runs copy_index over the range with notes taken of everything, and checks them. */
static void check_sweep(const parcel_world *world, parcel_range range, int threads, parcel_index block,
                        parcel_pool *pool)
{
  notes notes = {.range = range, .outcome = PARCEL_SYSTEM};
  parcel_sweep sweep = {.name = "notes", .columns = one_column, .column_count = 1, .kernel = note_slice};
  sweep.ctx = &notes;
  sweep.range = range;
  sweep.threads = threads;
  sweep.block = block;
  parcel_sweep_options options = PARCEL_SWEEP_OPTIONS_INIT;
  options.pool = pool;
  parcel_sweep_report report;
  memset(&report, 0, sizeof report);
  assert_status(parcel_sweep_grid(world, &sweep, &notes.grid), PARCEL_OK);
  const parcel_index blocks = parcel_block_grid_count(notes.grid);
  notes.visits = calloc((size_t)range.count + 1, sizeof *notes.visits);
  notes.writes = calloc((size_t)blocks + 1, sizeof *notes.writes);
  const parcel_sink sink = {.ctx = &notes, .write = note_block, .end = note_end};
  assert_status(parcel_sweep_run(world, &sweep, sink, &options, &report), PARCEL_OK);
  const bool is_covered = is_one_each(notes.visits, range.count);
  const bool is_written = is_one_each(notes.writes, blocks);
  free(notes.visits);
  free(notes.writes);
  const int own_threads = pool ? parcel_pool_threads(pool) : threads > 0 ? threads : parcel_world_cpus(world);
  assert_all(is_covered);
  assert_all(is_written);
  assert_all(!notes.is_wrong);
  assert_all(notes.ends == 1 && notes.outcome == PARCEL_OK);
  assert_all(report_adds_up(&report, range.count, notes.grid, sum_over_ranks(own_threads)));
}

static parcel_range range_of(parcel_index first, parcel_index step, parcel_index count)
{
  return (parcel_range){.first = first, .step = step, .count = count};
}

/* ---- coverage ---- */

static void every_position_is_computed_and_written_once(void **state)
{
  const int ranks = mpi_test_size();
  const parcel_index counts[] = {0, 1, 2, ranks - 1, ranks, ranks + 1, 97, 1000, 100003};
  for (size_t c = 0; c < sizeof counts / sizeof *counts; ++c)
    for (int threads = 1; threads <= 3; ++threads)
      check_sweep(*state, range_of(1, 1, counts[c]), threads, 0, NULL);
}

static void blocks_of_any_size_cover_the_range(void **state)
{
  const parcel_index blocks[] = {1, 2, 7, 64, 1000, 100000, INT64_MAX};
  for (size_t b = 0; b < sizeof blocks / sizeof *blocks; ++b)
    check_sweep(*state, range_of(-17, 3, 1009), 2, blocks[b], NULL);
}

static void ranges_at_the_ends_of_int64_are_walked_exactly(void **state)
{
  check_sweep(*state, range_of(INT64_MAX - 96, 1, 97), 2, 5, NULL);
  check_sweep(*state, range_of(INT64_MAX, -1, 97), 2, 5, NULL);
  check_sweep(*state, range_of(INT64_MIN, 1, 97), 2, 5, NULL);
  check_sweep(*state, range_of(INT64_MIN, INT64_MAX, 3), 1, 0, NULL);
  check_sweep(*state, range_of(50, -7, 1009), 3, 11, NULL);
}

static void threads_default_to_the_cpus_of_the_rank(void **state)
{
  check_sweep(*state, range_of(0, 1, 1009), 0, 10, NULL);
}

static void grid_is_the_same_on_every_rank_and_bounded(void **state)
{
  const parcel_range ranges[] = {{0, 1, 0}, {0, 1, 5}, {0, 1, 1000000}, {0, 1, INT64_MAX / 1024}};
  for (size_t r = 0; r < sizeof ranges / sizeof *ranges; ++r) {
    const parcel_sweep sweep = every_type_sweep(ranges[r]);
    parcel_block_grid grid = {0};
    char text[128];
    assert_status(parcel_sweep_grid(*state, &sweep, &grid), PARCEL_OK);
    snprintf(text, sizeof text, "%" PRId64 " %" PRId64 " %" PRId64, grid.positions, grid.parts,
             grid.blocks_per_part);
    assert_same_text(text);
    assert_all(grid.positions == ranges[r].count && grid.parts == mpi_test_size());
    assert_all(parcel_block_grid_largest(grid) * parcel_columns_bytes(every_type_columns, every_type_count) <=
               PARCEL_BLOCK_BYTES);
  }
}

static void block_option_bounds_every_block(void **state)
{
  parcel_sweep sweep = every_type_sweep(range_of(0, 1, 100003));
  parcel_block_grid grid = {0};
  sweep.block = 100;
  assert_status(parcel_sweep_grid(*state, &sweep, &grid), PARCEL_OK);
  assert_all(parcel_block_grid_largest(grid) <= 100);
}

/* ---- pools ---- */

static void a_pool_of_the_caller_serves_several_sweeps(void **state)
{
  const parcel_pool_options options = {.threads = 3};
  parcel_pool *pool = NULL;
  assert_status(parcel_pool_create(&options, &pool), PARCEL_OK);
  const int threads = mpi_test_count_entries("/proc/self/task");
  for (int i = 0; i < 5; ++i)
    check_sweep(*state, range_of(i, 1, 1009), 1, 10, pool);
  /* one more than before: the seat of the caller, who supervises */
  assert_all(mpi_test_count_entries("/proc/self/task") == threads + 1);
  parcel_pool_destroy(&pool);
  assert_all(pool == NULL);
}

static void ranks_may_bring_pools_of_different_sizes(void **state)
{
  const parcel_pool_options options = {.threads = mpi_test_rank() % 3 + 1};
  parcel_pool *pool = NULL;
  assert_status(parcel_pool_create(&options, &pool), PARCEL_OK);
  check_sweep(*state, range_of(0, 1, 1009), 0, 10, pool);
  parcel_pool_destroy(&pool);
}

static void a_sweep_leaves_no_thread_and_no_message_behind(void **state)
{
  const int threads = mpi_test_count_entries("/proc/self/task");
  const int files = mpi_test_count_entries("/proc/self/fd");
  for (int i = 0; i < 20; ++i)
    check_sweep(*state, range_of(0, 1, 100), 3, 1, NULL);
  assert_all(mpi_test_count_entries("/proc/self/task") == threads);
  assert_all(mpi_test_count_entries("/proc/self/fd") == files);
  assert_all(!mpi_test_has_leftovers(parcel_world_comm(*state)));
}

/* ---- reports and progress ---- */

static parcel_status work_and_sleep(void *ctx, const parcel_slice *slice, void *const columns[])
{
  mpi_test_sleep(*(const double *)ctx);
  return copy_index(NULL, slice, columns);
}

static void report_is_the_same_everywhere_and_counts_kernel_time(void **state)
{
  double nap = 2e-3;
  const parcel_sweep sweep = {.name = "sleep",
                              .range = {.first = 0, .step = 1, .count = 80},
                              .columns = one_column,
                              .column_count = 1,
                              .kernel = work_and_sleep,
                              .ctx = &nap,
                              .threads = 2,
                              .block = 1};
  parcel_sweep_report report;
  parcel_block_grid grid;
  char text[512];
  assert_status(parcel_sweep_grid(*state, &sweep, &grid), PARCEL_OK);
  assert_status(parcel_sweep_run(*state, &sweep, parcel_sink_null(), NULL, &report), PARCEL_OK);
  assert_all(report_adds_up(&report, 80, grid, 2 * mpi_test_size()));
  assert_all(report.compute_seconds >= 80 * nap);
  assert_all(report.elapsed_seconds >= 80 * nap / (double)report.workers);
  snprintf(text, sizeof text, "%" PRId64 " %" PRId64 " %" PRId64 " %a %a %a %a", report.positions,
           report.blocks, report.workers, report.elapsed_seconds, report.compute_seconds,
           report.write_seconds, report.busiest_seconds);
  assert_same_text(text);
}

typedef struct viewer {
  int calls;
  int ends;
  parcel_progress last;
  bool is_wrong;
} viewer;

static void look(void *ctx, const parcel_progress *progress)
{
  viewer *viewer = ctx;
  if (viewer->ends > 0 || progress->done < viewer->last.done || progress->done > progress->total ||
      progress->elapsed_seconds < viewer->last.elapsed_seconds)
    viewer->is_wrong = true;
  viewer->last = *progress;
  viewer->ends += progress->is_over;
  ++viewer->calls;
}

static void progress_is_shown_to_root_rises_and_ends(void **state)
{
  double nap = 5e-3;
  viewer viewer = {.calls = 0};
  const parcel_index count = 100 * mpi_test_size();
  const parcel_sweep sweep = {.name = "sleep",
                              .range = {.first = 0, .step = 1, .count = count},
                              .columns = one_column,
                              .column_count = 1,
                              .kernel = work_and_sleep,
                              .ctx = &nap,
                              .threads = 1,
                              .block = 1};
  const parcel_sweep_options options = {.show = look, .show_ctx = &viewer};
  assert_status(parcel_sweep_run(*state, &sweep, parcel_sink_null(), &options, NULL), PARCEL_OK);
  assert_all(mpi_test_rank() == 0 || viewer.calls == 0);
  assert_root(!viewer.is_wrong);
  assert_root(viewer.ends == 1 && viewer.last.is_over);
  assert_root(viewer.calls >= 3 && viewer.calls <= 3 + (int)(viewer.last.elapsed_seconds / 0.1));
  assert_root(viewer.last.done == count && viewer.last.total == count);
}

int main(void)
{
  const struct CMUnitTest sweeps[] = {
      cmocka_unit_test(every_position_is_computed_and_written_once),
      cmocka_unit_test(blocks_of_any_size_cover_the_range),
      cmocka_unit_test(ranges_at_the_ends_of_int64_are_walked_exactly),
      cmocka_unit_test(threads_default_to_the_cpus_of_the_rank),
      cmocka_unit_test(grid_is_the_same_on_every_rank_and_bounded),
      cmocka_unit_test(block_option_bounds_every_block),
      cmocka_unit_test(a_pool_of_the_caller_serves_several_sweeps),
      cmocka_unit_test(ranks_may_bring_pools_of_different_sizes),
      cmocka_unit_test(a_sweep_leaves_no_thread_and_no_message_behind),
      cmocka_unit_test(report_is_the_same_everywhere_and_counts_kernel_time),
      cmocka_unit_test(progress_is_shown_to_root_rises_and_ends),
  };
  mpi_test_init(MPI_THREAD_FUNNELED);
  return mpi_test_run(sweeps, mpi_test_open_quiet_world, mpi_test_close_world);
}
