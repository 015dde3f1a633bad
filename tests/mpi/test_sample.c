/* Samples: which blocks they take, what they leave, and whether their intervals hold the truth as often as
 * they say. The truth is a sample of everything. */
#include "mpi_test.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "results_test.h"

enum { POSITIONS = 40000, BLOCK = 40, BLOCKS = POSITIONS / BLOCK, SEEDS = 40, LARGE_BLOCK = 32768 };

static atomic_llong visits[POSITIONS]; /* on this rank */

/* Noise in a number of bytes that grows with the index: it packs less and less well. */
static parcel_status noise(void *ctx, const parcel_slice *slice, void *const columns[])
{
  uint64_t *values = columns[0];
  const parcel_index *failing = ctx;
  for (parcel_index i = 0; i < slice->count; ++i) {
    const parcel_index position = slice->position + i;
    uint64_t bits = (uint64_t)position * 0x9e3779b97f4a7c15U;
    bits ^= bits >> 29;
    values[i] = bits >> (position < POSITIONS ? 63 - position * 56 / POSITIONS : 0);
    if (failing && position == *failing)
      return parcel_fail(PARCEL_KERNEL, "no noise at %lld", (long long)position);
    if (position < POSITIONS)
      atomic_fetch_add(&visits[position], 1);
  }
  return PARCEL_OK;
}

static const parcel_column column = {.name = "noise", .type = PARCEL_UINT64};

static parcel_sweep sweep_of(parcel_index count)
{
  return (parcel_sweep){.name = "noise",
                        .range = {.first = 1, .step = 1, .count = count},
                        .columns = &column,
                        .column_count = 1,
                        .kernel = noise,
                        .threads = 2,
                        .block = BLOCK};
}

static parcel_sample_options packed(double fraction, uint64_t seed)
{
  return (parcel_sample_options){
      .fraction = fraction, .seed = seed, .compression = {.kind = PARCEL_COMPRESSION_DEFLATE, .level = 1}};
}

/* How often all ranks together have computed each position. */
static void count_visits(int64_t out[POSITIONS])
{
  for (int p = 0; p < POSITIONS; ++p)
    out[p] = atomic_exchange(&visits[p], 0);
  MPI_Allreduce(MPI_IN_PLACE, out, POSITIONS, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
}

static void blocks_are_computed_once_and_whole(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(POSITIONS);
  const parcel_sample_options tenth = {.fraction = 0.1};
  int64_t seen[POSITIONS];
  parcel_sample_report report;
  bool is_whole = true;
  parcel_index sum = 0;
  count_visits(seen);
  assert_status(parcel_sample_run(fixture->world, &sweep, fixture->path, &tenth, NULL, &report), PARCEL_OK);
  count_visits(seen);
  for (int p = 0; p < POSITIONS; ++p) {
    is_whole = is_whole && seen[p] == seen[p / BLOCK * BLOCK] && seen[p] <= 1;
    sum += seen[p];
  }
  assert_all(mpi_test_size() == 3 || is_whole); /* three parts of 40000 are cut elsewhere */
  assert_all(sum == report.positions && report.all_positions == POSITIONS);
  assert_all(report.blocks == (report.all_blocks + 9) / 10 && report.workers == 2 * mpi_test_size());
  assert_all(report.worker_seconds.low <= report.worker_seconds.value &&
             report.worker_seconds.value <= report.worker_seconds.high && report.worker_seconds.low > 0);
  assert_all(report.disk_seconds > 0);
  assert_root(count_files(fixture->folder) == 0);
}

static void a_seed_chooses_the_same_blocks_again_and_another_seed_others(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(POSITIONS);
  const uint64_t seeds[] = {7, 7, 8};
  int64_t seen[3][POSITIONS];
  for (int s = 0; s < 3; ++s) {
    const parcel_sample_options options = {.fraction = 0.05, .seed = seeds[s]};
    parcel_sample_report report;
    assert_status(parcel_sample_run(fixture->world, &sweep, fixture->path, &options, NULL, &report),
                  PARCEL_OK);
    count_visits(seen[s]);
  }
  assert_all(memcmp(seen[0], seen[1], sizeof seen[0]) == 0);
  assert_all(memcmp(seen[0], seen[2], sizeof seen[0]) != 0);
}

/* 95 of 100 intervals, in the long run, hold the size; of 40, less than 33 would in one of ten thousand
 * runs. */
static void intervals_hold_the_truth_as_often_as_they_say(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(POSITIONS);
  const parcel_sample_options everything = packed(1, 0);
  parcel_sample_report truth;
  parcel_sample_report report;
  int held = 0;
  double sum = 0;
  assert_status(parcel_sample_run(fixture->world, &sweep, fixture->path, &everything, NULL, &truth),
                PARCEL_OK);
  assert_all(truth.blocks == BLOCKS && truth.bytes.low == truth.bytes.high);
  for (int s = 0; s < SEEDS; ++s) {
    const parcel_sample_options options = packed(0.05, (uint64_t)s);
    assert_status(parcel_sample_run(fixture->world, &sweep, fixture->path, &options, NULL, &report),
                  PARCEL_OK);
    held += report.bytes.low <= truth.bytes.value && truth.bytes.value <= report.bytes.high;
    sum += report.bytes.value;
  }
  assert_all(report.blocks == BLOCKS / 20 && report.bytes.low < report.bytes.high);
  assert_all(held >= 33);
  assert_all(sum / SEEDS > 0.95 * truth.bytes.value && sum / SEEDS < 1.05 * truth.bytes.value);
}

/* As long to compute, but every other block is noise, which takes long to compress, and the others are
 * zeros. */
static parcel_status every_other_is_noise(void *ctx, const parcel_slice *slice, void *const columns[])
{
  uint64_t *values = columns[0];
  (void)ctx;
  for (parcel_index i = 0; i < slice->count; ++i) {
    const uint64_t position = (uint64_t)(slice->position + i);
    uint64_t bits = position * 0x9e3779b97f4a7c15U;
    bits ^= bits >> 29;
    bits *= 0xbf58476d1ce4e5b9U;
    values[i] = (bits ^ bits >> 27) * (position / LARGE_BLOCK % 2);
  }
  return PARCEL_OK;
}

static void intervals_of_time_know_of_writing(void **state)
{
  const results_fixture *fixture = *state;
  parcel_sweep sweep = sweep_of(96 * (parcel_index)LARGE_BLOCK);
  parcel_sample_options options = packed(0.333, 3);
  parcel_sample_report report;
  options.compression.level = 9;
  sweep.kernel = every_other_is_noise;
  sweep.block = LARGE_BLOCK;
  assert_status(parcel_sample_run(fixture->world, &sweep, fixture->path, &options, NULL, &report), PARCEL_OK);
  assert_all(report.blocks == 32);
  assert_all(report.worker_seconds.high - report.worker_seconds.low > 0.2 * report.worker_seconds.value);
}

static void a_plain_file_has_the_size_that_is_told(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(POSITIONS);
  parcel_sample_report report;
  assert_status(parcel_sample_run(fixture->world, &sweep, fixture->path, NULL, NULL, &report), PARCEL_OK);
  assert_all(report.bytes.low == report.bytes.high);
  assert_all(report.bytes.value > 8.0 * POSITIONS && report.bytes.value < 8.0 * POSITIONS + 300e3);
}

static void small_sweeps_are_taken_whole(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_index counts[] = {0, 1, 7, 10 * BLOCK};
  for (int c = 0; c < 4; ++c) {
    const parcel_sweep sweep = sweep_of(counts[c]);
    parcel_sample_report report;
    assert_status(parcel_sample_run(fixture->world, &sweep, fixture->path, NULL, NULL, &report), PARCEL_OK);
    assert_all(report.positions == counts[c] || report.all_blocks > 16);
    assert_all(report.worker_seconds.low == report.worker_seconds.high || report.all_blocks > 16);
  }
}

static void failures_end_it_or_are_counted(void **state)
{
  const results_fixture *fixture = *state;
  parcel_index failing = 5;
  parcel_sweep sweep = sweep_of(3 * BLOCK);
  parcel_sweep_options how = {.on_error = PARCEL_ON_ERROR_RECORD};
  parcel_sample_report report;
  sweep.ctx = &failing;
  assert_status(parcel_sample_run(fixture->world, &sweep, fixture->path, NULL, NULL, &report), PARCEL_KERNEL);
  assert_same_text(parcel_last_error());
  assert_status(parcel_sample_run(fixture->world, &sweep, fixture->path, NULL, &how, &report), PARCEL_OK);
  assert_all(report.failures == 1);
  assert_root(count_files(fixture->folder) == 0);
}

static void what_cannot_be_is_refused(void **state)
{
  const results_fixture *fixture = *state;
  const parcel_sweep sweep = sweep_of(POSITIONS);
  const double none[] = {-0.1, 1.5, NAN};
  parcel_sample_report report;
  for (int n = 0; n < 3; ++n) {
    const parcel_sample_options options = {.fraction = none[n]};
    assert_status(parcel_sample_run(fixture->world, &sweep, fixture->path, &options, NULL, &report),
                  PARCEL_INVALID);
  }
  assert_status(parcel_sample_run(fixture->world, &sweep, "/nowhere/at/all.h5", NULL, NULL, &report),
                PARCEL_IO);
  assert_same_text(parcel_last_error());
}

#define results_test(test) cmocka_unit_test_setup(test, results_clean)

int main(void)
{
  const struct CMUnitTest sample[] = {
      results_test(blocks_are_computed_once_and_whole),
      results_test(a_seed_chooses_the_same_blocks_again_and_another_seed_others),
      results_test(intervals_hold_the_truth_as_often_as_they_say),
      results_test(intervals_of_time_know_of_writing),
      results_test(a_plain_file_has_the_size_that_is_told),
      results_test(small_sweeps_are_taken_whole),
      results_test(failures_end_it_or_are_counted),
      results_test(what_cannot_be_is_refused),
  };
  mpi_test_init(MPI_THREAD_FUNNELED);
  return mpi_test_run(sample, results_setup, results_teardown);
}
