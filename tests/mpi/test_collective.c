/* Collective writing makes the same file as direct writing, whatever the rounds, and ends on every rank when
 * anything fails on one. */
#include "mpi_test.h"

#include <stdlib.h>
#include <string.h>

#include "every_type.h"
#include "results_test.h"

static parcel_results_options collective(parcel_index round_bytes)
{
  return (parcel_results_options){.io = PARCEL_IO_COLLECTIVE, .round_bytes = round_bytes, .replaces = true};
}

static bool columns_are_right(const char *path, parcel_range range)
{
  bool is_right = true;
  for (int c = 0; c < every_type_count && is_right; ++c) {
    void *values = read_column(path, &every_type_columns[c]);
    is_right = values && every_type_is_right(c, range, values);
    free(values);
  }
  return is_right;
}

static bool ledger_is_full(const char *path)
{
  parcel_index count = 0;
  ledger_entry *entries = read_ledger(path, &count);
  bool is_full = entries != NULL && count > 0;
  for (parcel_index b = 0; b < count && is_full; ++b)
    is_full = entries[b].state == 1;
  free(entries);
  return is_full;
}

static void check_file(const results_fixture *fixture, parcel_index count, parcel_index block,
                       parcel_index round_bytes)
{
  const parcel_range range = {.first = -3, .step = 2, .count = count};
  const parcel_results_options how = collective(round_bytes);
  parcel_sweep sweep = every_type_sweep(range);
  sweep.block = block;
  sweep.threads = 2;
  assert_status(results_make(fixture, &sweep, &how, NULL), PARCEL_OK);
  assert_root(columns_are_right(fixture->path, range));
  assert_root(ledger_is_full(fixture->path));
  assert_root(status_is(fixture->path, "complete"));
  assert_all(!mpi_test_has_leftovers(parcel_world_comm(fixture->world)));
}

static void every_type_is_written_whatever_the_rounds(void **state)
{
  check_file(*state, 0, 0, 0);
  check_file(*state, 1009, 0, 0);
  check_file(*state, 31, 10, 1);
  check_file(*state, 211, 20, 99);
  check_file(*state, 31, 1, 1 << 20);
}

static void ranks_without_blocks_take_part(void **state)
{
  check_file(*state, 1, 0, 0);
  check_file(*state, 2, 1, 1);
}

static void a_cartesian_communicator_does_no_harm(void **state)
{
  const results_fixture *fixture = *state;
  const int dims[] = {mpi_test_size()};
  const int periods[] = {1};
  results_fixture own = *fixture;
  MPI_Comm cart = MPI_COMM_NULL;
  MPI_Cart_create(MPI_COMM_WORLD, 1, dims, periods, 0, &cart);
  assert_status(parcel_world_open(cart, &own.world), PARCEL_OK);
  parcel_world_set_quiet(own.world, true);
  check_file(&own, 10007, 1000, 0);
  assert_all(parcel_world_close(&own.world, PARCEL_OK) == 0);
  MPI_Comm_free(&cart);
}

/* ---- ends ---- */

static parcel_status slow_index(void *ctx, const parcel_slice *slice, void *const columns[])
{
  const parcel_index *bad = ctx;
  mpi_test_sleep(2e-3);
  if (*bad == slice->position)
    mpi_test_raise_stop();
  if (-*bad == slice->position)
    return parcel_fail(PARCEL_KERNEL, "no more");
  return copy_index(NULL, slice, columns);
}

static parcel_sweep slow_sweep(parcel_index *bad)
{
  return (parcel_sweep){.name = "slow",
                        .range = {.first = 0, .step = 1, .count = 4000},
                        .columns = one_column,
                        .column_count = 1,
                        .kernel = slow_index,
                        .ctx = bad,
                        .threads = 2,
                        .block = 4};
}

static bool done_blocks_are_right(const char *path, parcel_block_grid grid)
{
  parcel_index count = 0;
  ledger_entry *entries = read_ledger(path, &count);
  int64_t *values = read_column(path, &one_column[0]);
  bool is_right = entries && values && count == parcel_block_grid_count(grid);
  for (parcel_index b = 0; b < count && is_right; ++b)
    for (parcel_index p = parcel_block_grid_span(grid, b).begin;
         p < parcel_block_grid_span(grid, b).end && entries[b].state == 1; ++p)
      is_right = is_right && values[p] == p;
  free(values);
  free(entries);
  return is_right;
}

static void check_end(const results_fixture *fixture, parcel_index bad, parcel_status expected,
                      const char *status)
{
  const parcel_results_options how = collective(0);
  const parcel_sweep sweep = slow_sweep(&bad);
  const parcel_sweep_options options = {.signals = mpi_test_signals()};
  parcel_block_grid grid;
  assert_status(parcel_sweep_grid(fixture->world, &sweep, &grid), PARCEL_OK);
  assert_status(results_make(fixture, &sweep, &how, &options), expected);
  assert_root(!exists(fixture->path));
  assert_root(status_is(fixture->part, status));
  assert_root(done_blocks_are_right(fixture->part, grid));
  assert_all(!mpi_test_has_leftovers(parcel_world_comm(fixture->world)));
}

static void a_stop_leaves_whole_blocks(void **state)
{
  check_end(*state, 100, PARCEL_STOPPED, "stopped");
}

static void a_failing_kernel_ends_all_ranks(void **state)
{
  check_end(*state, -100, PARCEL_KERNEL, "failed");
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(every_type_is_written_whatever_the_rounds, results_clean),
      cmocka_unit_test_setup(ranks_without_blocks_take_part, results_clean),
      cmocka_unit_test_setup(a_cartesian_communicator_does_no_harm, results_clean),
      cmocka_unit_test_setup(a_stop_leaves_whole_blocks, results_clean),
      cmocka_unit_test_setup(a_failing_kernel_ends_all_ranks, results_clean),
  };
  return mpi_test_run(tests, results_setup, results_teardown);
}
