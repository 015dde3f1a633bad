/* Sweeps that do less than everything: blocks that are there already, indices that fail and go on record, a
 * deadline, a file that says halt. */
#include "mpi_test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <parcel/parcel.h>

enum { COUNT = 1009, BLOCK = 7 };

/* ---- a kernel that fails at multiples, and a sink that keeps all in memory ---- */

typedef struct ground {
  parcel_index fails_at; /* multiples of this fail; 0: none */
  double nap;            /* per call of the kernel, in seconds */
  atomic_int calls;
  atomic_bool is_wrong;
  atomic_int visits[COUNT];      /* written, by position */
  atomic_llong values[COUNT];    /* by position */
  atomic_int failures[COUNT];    /* listed, by position */
  const parcel_index *positions; /* as in the sink */
} ground;

static const parcel_column columns[] = {{.name = "value", .type = PARCEL_INT64}};

static bool fails(const ground *ground, parcel_index position)
{
  return ground->fails_at > 0 && position % ground->fails_at == 0;
}

/* Stops at the first bad position, with the values after it still unset. */
static parcel_status kernel(void *ctx, const parcel_slice *slice, void *const out[])
{
  ground *ground = ctx;
  int64_t *values = out[0];
  atomic_fetch_add(&ground->calls, 1);
  if (ground->nap > 0)
    mpi_test_sleep(ground->nap);
  for (parcel_index i = 0; i < slice->count; ++i) {
    if (fails(ground, slice->position + i))
      return parcel_fail(PARCEL_RANGE, "no luck with %lld", (long long)(slice->first + i * slice->step));
    values[i] = slice->first + i * slice->step;
  }
  return PARCEL_OK;
}

static void note_failure(ground *ground, const parcel_failure *failure)
{
  char expected[64];
  snprintf(expected, sizeof expected, "no luck with %lld", (long long)failure->index);
  if (failure->index != 3 * failure->position || failure->code != PARCEL_RANGE ||
      strcmp(failure->message, expected) != 0)
    atomic_store(&ground->is_wrong, true);
  atomic_fetch_add(&ground->failures[failure->position], 1);
}

static parcel_status write_block(void *ctx, const parcel_block *block)
{
  ground *ground = ctx;
  const int64_t *values = block->columns[0];
  for (parcel_index p = block->positions.begin; p < block->positions.end; ++p) {
    const parcel_index place = ground->positions ? ground->positions[p] : p;
    atomic_fetch_add(&ground->visits[place], 1);
    atomic_store(&ground->values[place], values[p - block->positions.begin]);
  }
  for (parcel_index f = 0; f < block->failure_count; ++f) {
    if (f > 0 && block->failures[f].position <= block->failures[f - 1].position)
      atomic_store(&ground->is_wrong, true);
    note_failure(ground, &block->failures[f]);
  }
  return PARCEL_OK;
}

static parcel_sweep sweep_over(ground *ground)
{
  return (parcel_sweep){.name = "ground",
                        .range = {.first = 0, .step = 3, .count = COUNT},
                        .columns = columns,
                        .column_count = 1,
                        .kernel = kernel,
                        .ctx = ground,
                        .threads = 2,
                        .block = BLOCK};
}

static parcel_sink sink_of(ground *ground, const parcel_block_grid *grid)
{
  return (parcel_sink){.ctx = ground,
                       .grid = grid,
                       .positions = ground->positions,
                       .keeps_failures = true,
                       .write = write_block};
}

static int sum_over_ranks(int own)
{
  int sum = 0;
  MPI_Allreduce(&own, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  return sum;
}

/* How often a position was written, and listed as failed, by all ranks together; its value. */
typedef struct fate {
  int visits, failures;
  long long value;
} fate;

static fate fate_of(ground *ground, parcel_index position)
{
  long long own[3] = {atomic_load(&ground->visits[position]), atomic_load(&ground->failures[position]),
                      atomic_load(&ground->values[position])};
  MPI_Allreduce(MPI_IN_PLACE, own, 3, MPI_LONG_LONG, MPI_SUM, MPI_COMM_WORLD);
  return (fate){.visits = (int)own[0], .failures = (int)own[1], .value = own[2]};
}

/* ---- done blocks ---- */

static void set_bit(uint64_t bits[], parcel_index bit)
{
  bits[bit / 64] |= (uint64_t)1 << (bit % 64);
}

/* Every block but those that a residue picks is there already. */
static void check_done(const parcel_world *world, parcel_index modulus, parcel_index residue)
{
  ground *ground = calloc(1, sizeof *ground);
  const parcel_sweep sweep = sweep_over(ground);
  parcel_block_grid grid;
  parcel_sweep_report report;
  uint64_t done[COUNT / 64 + 1] = {0};
  assert_status(parcel_sweep_grid(world, &sweep, &grid), PARCEL_OK);
  const parcel_index blocks = parcel_block_grid_count(grid);
  parcel_index missing = 0;
  for (parcel_index b = 0; b < blocks; ++b)
    if (b % modulus != residue)
      set_bit(done, b);
    else
      ++missing;
  parcel_sink sink = sink_of(ground, &grid);
  sink.done = done;
  assert_status(parcel_sweep_run(world, &sweep, sink, NULL, &report), PARCEL_OK);
  assert_all(report.blocks == missing);
  bool is_right = true;
  for (parcel_index p = 0; p < COUNT; ++p) {
    const bool is_missing = parcel_block_grid_owner(grid, p) % modulus == residue;
    is_right = is_right && fate_of(ground, p).visits == is_missing;
  }
  assert_all(is_right);
  free(ground);
}

static void only_missing_blocks_are_computed(void **state)
{
  check_done(*state, 3, 1);
  check_done(*state, COUNT, 0);
  check_done(*state, COUNT, COUNT - 1); /* none is missing */
  check_done(*state, 1, 0);             /* all are */
}

static void only_listed_positions_are_computed(void **state)
{
  static const parcel_index positions[] = {0, 1, 5, 500, COUNT - 1};
  ground *ground = calloc(1, sizeof *ground);
  const parcel_sweep sweep = sweep_over(ground);
  const parcel_sweep_options options = {.on_error = PARCEL_ON_ERROR_RECORD};
  parcel_block_grid grid;
  parcel_sweep_report report;
  ground->positions = positions;
  ground->fails_at = 5;
  assert_status(parcel_block_grid_make(5, mpi_test_size(), 1, &grid), PARCEL_OK);
  assert_status(parcel_sweep_run(*state, &sweep, sink_of(ground, &grid), &options, &report), PARCEL_OK);
  assert_all(!atomic_load(&ground->is_wrong));
  assert_all(report.positions == 5 && report.failures == 3);
  bool is_right = true;
  for (parcel_index p = 0; p < COUNT; ++p) {
    const bool is_listed = p == 0 || p == 1 || p == 5 || p == 500 || p == COUNT - 1;
    const fate fate = fate_of(ground, p);
    is_right = is_right && fate.visits == is_listed && fate.failures == (is_listed && fails(ground, p)) &&
               (!is_listed || fails(ground, p) || fate.value == 3 * p);
  }
  assert_all(is_right);
  free(ground);
}

/* ---- failures on record ---- */

static void check_record(const parcel_world *world, parcel_index fails_at)
{
  const int64_t fill = -9223372036854775806;
  ground *ground = calloc(1, sizeof *ground);
  const parcel_sweep sweep = sweep_over(ground);
  const parcel_sweep_options options = {.on_error = PARCEL_ON_ERROR_RECORD};
  parcel_sweep_report report;
  ground->fails_at = fails_at;
  assert_status(parcel_sweep_run(world, &sweep, sink_of(ground, NULL), &options, &report), PARCEL_OK);
  assert_all(!atomic_load(&ground->is_wrong));
  assert_all(report.positions == COUNT && report.failures == (COUNT - 1) / fails_at + 1);
  bool is_right = true;
  for (parcel_index p = 0; p < COUNT; ++p) {
    const fate fate = fate_of(ground, p);
    is_right = is_right && fate.visits == 1 && fate.failures == fails(ground, p) &&
               fate.value == (fails(ground, p) ? fill : 3 * p);
  }
  assert_all(is_right);
  free(ground);
}

static void every_failing_index_goes_on_record_and_no_other(void **state)
{
  check_record(*state, 1); /* every one */
  check_record(*state, 2);
  check_record(*state, 13);
  check_record(*state, COUNT);
}

static void one_failure_costs_few_calls(void **state)
{
  ground *ground = calloc(1, sizeof *ground);
  parcel_sweep sweep = sweep_over(ground);
  const parcel_sweep_options options = {.on_error = PARCEL_ON_ERROR_RECORD};
  ground->fails_at = COUNT;
  sweep.block = COUNT;
  assert_status(parcel_sweep_run(*state, &sweep, sink_of(ground, NULL), &options, NULL), PARCEL_OK);
  const int calls = sum_over_ranks(atomic_load(&ground->calls));
  assert_all(calls <= 2 * 10 + 1 + mpi_test_size()); /* 2 log2(COUNT) + 1, and each rank's own */
  free(ground);
}

static void more_failures_than_allowed_end_the_sweep(void **state)
{
  ground *ground = calloc(1, sizeof *ground);
  const parcel_sweep sweep = sweep_over(ground);
  parcel_sweep_options options = {.on_error = PARCEL_ON_ERROR_RECORD, .max_failures = 504};
  ground->fails_at = 2; /* 505 of 1009 */
  assert_status(parcel_sweep_run(*state, &sweep, sink_of(ground, NULL), &options, NULL), PARCEL_KERNEL);
  assert_all(strstr(parcel_last_error(), "504 that may go on record") != NULL);
  assert_same_text(parcel_last_error());
  options.max_failures = 505;
  assert_status(parcel_sweep_run(*state, &sweep, sink_of(ground, NULL), &options, NULL), PARCEL_OK);
  free(ground);
}

static void a_sink_that_keeps_no_failures_is_refused(void **state)
{
  ground *ground = calloc(1, sizeof *ground);
  const parcel_sweep sweep = sweep_over(ground);
  const parcel_sweep_options options = {.on_error = PARCEL_ON_ERROR_RECORD};
  assert_status(parcel_sweep_run(*state, &sweep, parcel_sink_null(), &options, NULL), PARCEL_INVALID);
  assert_all(strstr(parcel_last_error(), "its sink keeps none") != NULL);
  assert_all(atomic_load(&ground->calls) == 0);
  free(ground);
}

/* ---- limits ---- */

static void check_stopped(const char *words, ground *ground, double elapsed)
{
  assert_all(strstr(parcel_last_error(), words) != NULL);
  assert_same_text(parcel_last_error());
  assert_all(elapsed < 5);
  assert_all(sum_over_ranks(atomic_load(&ground->calls)) < COUNT / BLOCK);
}

static void a_deadline_stops_before_it_passes(void **state)
{
  ground *ground = calloc(1, sizeof *ground);
  const parcel_sweep sweep = sweep_over(ground);
  const parcel_sweep_options options = {.deadline_seconds = 1.5};
  parcel_world *world = NULL;
  (void)state;
  ground->nap = 0.3;
  assert_status(parcel_world_open(MPI_COMM_WORLD, &world), PARCEL_OK);
  parcel_world_set_quiet(world, true);
  const double begin = mpi_test_seconds();
  const parcel_status status = parcel_sweep_run(world, &sweep, sink_of(ground, NULL), &options, NULL);
  const double elapsed = mpi_test_seconds() - begin;
  assert_status(status, PARCEL_STOPPED);
  check_stopped("stopped early by the deadline of 1.5 s, with ", ground, elapsed);
  assert_all(parcel_world_close(&world, PARCEL_OK) == 0);
  free(ground);
}

static void a_deadline_that_is_far_away_changes_nothing(void **state)
{
  ground *ground = calloc(1, sizeof *ground);
  const parcel_sweep sweep = sweep_over(ground);
  const parcel_sweep_options options = {.deadline_seconds = 1000, .stall_seconds = 1000};
  assert_status(parcel_sweep_run(*state, &sweep, sink_of(ground, NULL), &options, NULL), PARCEL_OK);
  free(ground);
}

static void a_halt_file_stops_all_ranks(void **state)
{
  char path[] = "/tmp/parcel-halt-XXXXXX";
  ground *ground = calloc(1, sizeof *ground);
  const parcel_sweep sweep = sweep_over(ground);
  const parcel_sweep_options options = {.halt_file = path};
  if (mpi_test_rank() == 0)
    close(mkstemp(path));
  MPI_Bcast(path, sizeof path, MPI_CHAR, 0, MPI_COMM_WORLD);
  ground->nap = 0.05;
  const double begin = mpi_test_seconds();
  const parcel_status status = parcel_sweep_run(*state, &sweep, sink_of(ground, NULL), &options, NULL);
  const double elapsed = mpi_test_seconds() - begin;
  assert_status(status, PARCEL_STOPPED);
  check_stopped("stopped early by the file '/tmp/parcel-halt-", ground, elapsed);
  if (mpi_test_rank() == 0)
    unlink(path);
  free(ground);
}

static void negative_limits_are_refused(void **state)
{
  ground *ground = calloc(1, sizeof *ground);
  const parcel_sweep sweep = sweep_over(ground);
  const parcel_sweep_options bad[] = {{.deadline_seconds = -1},
                                      {.stall_seconds = -1},
                                      {.max_failures = -1},
                                      {.stall_seconds = __builtin_nan("")}};
  for (size_t b = 0; b < sizeof bad / sizeof *bad; ++b)
    assert_status(parcel_sweep_run(*state, &sweep, sink_of(ground, NULL), &bad[b], NULL), PARCEL_INVALID);
  free(ground);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(only_missing_blocks_are_computed),
      cmocka_unit_test(only_listed_positions_are_computed),
      cmocka_unit_test(every_failing_index_goes_on_record_and_no_other),
      cmocka_unit_test(one_failure_costs_few_calls),
      cmocka_unit_test(more_failures_than_allowed_end_the_sweep),
      cmocka_unit_test(a_sink_that_keeps_no_failures_is_refused),
      cmocka_unit_test(a_deadline_stops_before_it_passes),
      cmocka_unit_test(a_deadline_that_is_far_away_changes_nothing),
      cmocka_unit_test(a_halt_file_stops_all_ranks),
      cmocka_unit_test(negative_limits_are_refused),
  };
  return mpi_test_run(tests, mpi_test_open_quiet_world, mpi_test_close_world);
}
