/* Its sums are those of the sweep whatever was merged; its memory is bounded; rank 0 has all of it. */
#include "mpi_test.h"

#include <string.h>
#include <time.h>

#include <parcel/parcel.h>

#include "every_type.h"

/* Takes longer for larger indices, and fails where it is told to. */
static parcel_status climb(void *ctx, const parcel_slice *slice, void *const columns[])
{
  const parcel_index *bad = ctx;
  const struct timespec time = {.tv_nsec = 20000 + slice->first * 20};
  nanosleep(&time, NULL);
  for (parcel_index i = 0; bad && i < slice->count; ++i)
    if (slice->first + i * slice->step == *bad)
      return parcel_fail(PARCEL_KERNEL, "not this one");
  return copy_index(NULL, slice, columns);
}

static parcel_status forget(void *ctx, const parcel_block *block)
{
  (void)ctx;
  (void)block;
  return PARCEL_OK;
}

static parcel_sweep sweep_of(parcel_index count, parcel_index block, parcel_index *bad)
{
  return (parcel_sweep){.name = "climb",
                        .columns = one_column,
                        .column_count = 1,
                        .kernel = climb,
                        .ctx = bad,
                        .range = {0, 1, count},
                        .threads = 2,
                        .block = block};
}

static bool is_near(double a, double b)
{
  const double difference = a > b ? a - b : b - a;
  return difference <= 1e-9 * (a + b) + 1e-12;
}

/* Every worker's items, its sums, and what is idle, together. */
static bool workers_add_up(const parcel_profile *profile)
{
  bool is_right = true;
  for (parcel_index w = 0; w < profile->worker_count; ++w) {
    const parcel_trace_worker *worker = &profile->workers[w];
    parcel_trace_item sum = {0};
    double last = 0;
    for (parcel_index i = 0; i < worker->item_count; ++i) {
      const parcel_trace_item *item = &profile->items[worker->first_item + i];
      is_right = is_right && item->begin >= last && item->end >= item->begin;
      last = item->end;
      sum.blocks += item->blocks;
      sum.compute_seconds += item->compute_seconds;
      sum.write_seconds += item->write_seconds;
    }
    is_right = is_right && sum.blocks == worker->blocks &&
               is_near(sum.compute_seconds, worker->compute_seconds) &&
               is_near(sum.write_seconds, worker->write_seconds) && worker->handout_seconds >= 0 &&
               worker->idle_seconds >= -1e-3 && /* a rank's clock starts when its rank does */
               is_near(worker->compute_seconds + worker->write_seconds + worker->handout_seconds +
                           worker->idle_seconds,
                       profile->elapsed_seconds);
  }
  return is_right;
}

static bool is_whole(const parcel_profile *profile, const parcel_sweep_report *report)
{
  parcel_index binned = 0;
  for (int b = 0; b < PARCEL_TRACE_BINS; ++b)
    binned += profile->bins[b];
  return profile->blocks == report->blocks && profile->positions == report->positions &&
         profile->worker_count == report->workers && profile->rank_count == mpi_test_size() &&
         is_near(profile->compute_seconds, report->compute_seconds) &&
         is_near(profile->write_seconds, report->write_seconds) &&
         is_near(profile->elapsed_seconds, report->elapsed_seconds) && binned == profile->blocks &&
         profile->block_seconds.count == profile->blocks &&
         is_near(profile->block_seconds.mean * (double)profile->blocks, profile->compute_seconds) &&
         workers_add_up(profile);
}

/* Runs a sweep with a trace and returns what rank 0 thinks of the profile. */
static void check(const parcel_world *world, parcel_trace *trace, parcel_index count, parcel_index block)
{
  const parcel_sweep sweep = sweep_of(count, block, NULL);
  const parcel_sweep_options options = {.trace = trace};
  parcel_sweep_report report = {0};
  assert_status(parcel_sweep_run(world, &sweep, parcel_sink_null(), &options, &report), PARCEL_OK);
  const parcel_profile *profile = parcel_trace_profile(trace);
  assert_all((profile != NULL) == (mpi_test_rank() == 0));
  assert_root(is_whole(profile, &report));
}

static void sums_are_those_of_the_sweep(void **state)
{
  parcel_trace *trace = NULL;
  assert_status(parcel_trace_create(NULL, &trace), PARCEL_OK);
  check(*state, trace, 1000, 10);
  check(*state, trace, 7, 100); /* again, and fewer blocks than workers */
  check(*state, trace, 0, 1);
  parcel_trace_free(&trace);
  assert_all(trace == NULL);
}

static void items_are_bounded_and_lose_nothing(void **state)
{
  const parcel_trace_options few = {.items = 1};
  parcel_trace *trace = NULL;
  assert_status(parcel_trace_create(&few, &trace), PARCEL_OK);
  check(*state, trace, 4000, 4);
  const parcel_profile *profile = parcel_trace_profile(trace);
  assert_root(profile->item_count <= 4 * profile->worker_count && profile->blocks >= 1000);
  parcel_trace_free(&trace);
}

static void the_slowest_block_survives_merging(void **state)
{
  const parcel_trace_options few = {.items = 1};
  const parcel_sweep sweep = sweep_of(2000, 10, NULL);
  parcel_trace *trace = NULL;
  assert_status(parcel_trace_create(&few, &trace), PARCEL_OK);
  const parcel_sweep_options options = {.trace = trace};
  assert_status(parcel_sweep_run(*state, &sweep, parcel_sink_null(), &options, NULL), PARCEL_OK);
  const parcel_profile *profile = parcel_trace_profile(trace);
  bool is_sorted = true;
  for (parcel_index s = 1; profile && s < profile->slowest_count; ++s)
    is_sorted = is_sorted && profile->slowest[s - 1].compute_seconds >= profile->slowest[s].compute_seconds;
  assert_root(is_sorted && profile->slowest_count == PARCEL_TRACE_SLOWEST &&
              is_near(profile->slowest[0].compute_seconds, profile->block_seconds.most) &&
              profile->slowest[0].last - profile->slowest[0].first + 1 == profile->slowest[0].positions);
  parcel_trace_free(&trace);
}

static bool factors_agree(const parcel_profile *profile)
{
  const parcel_efficiency e = parcel_profile_efficiency(profile);
  const double all = profile->elapsed_seconds * (double)profile->worker_count;
  return is_near(e.parallel, profile->compute_seconds / all) &&
         is_near(e.parallel, e.load_balance * e.communication) &&
         is_near(e.load_balance, e.rank_balance * e.thread_balance) &&
         is_near(e.communication, e.writing * e.waiting) && e.rank_balance <= 1 && e.thread_balance <= 1 &&
         e.writing <= 1 && e.waiting <= 1.001;
}

static void factors_multiply_to_the_efficiency(void **state)
{
  parcel_trace *trace = NULL;
  assert_status(parcel_trace_create(NULL, &trace), PARCEL_OK);
  check(*state, trace, 2000, 10);
  assert_root(factors_agree(parcel_trace_profile(trace)));
  parcel_trace_free(&trace);
}

static void a_failed_run_has_a_profile(void **state)
{
  parcel_index bad = 500;
  const parcel_sweep sweep = sweep_of(1000, 10, &bad);
  parcel_block_grid grid;
  parcel_trace *trace = NULL;
  assert_status(parcel_trace_create(NULL, &trace), PARCEL_OK);
  const parcel_sweep_options options = {.trace = trace};
  assert_status(parcel_sweep_run(*state, &sweep, parcel_sink_null(), &options, NULL), PARCEL_KERNEL);
  assert_all(strstr(parcel_last_error(), "index 500") != NULL);
  const parcel_profile *profile = parcel_trace_profile(trace);
  assert_status(parcel_sweep_grid(*state, &sweep, &grid), PARCEL_OK);
  assert_root(profile->blocks < parcel_block_grid_count(grid) && workers_add_up(profile));
  parcel_trace_free(&trace);
}

static void recorded_failures_are_kept(void **state)
{
  parcel_index bad = 500;
  const parcel_sweep sweep = sweep_of(1000, 10, &bad);
  const parcel_sink sink = {.write = forget, .keeps_failures = true};
  parcel_trace *trace = NULL;
  assert_status(parcel_trace_create(NULL, &trace), PARCEL_OK);
  const parcel_sweep_options options = {.trace = trace, .on_error = PARCEL_ON_ERROR_RECORD};
  assert_status(parcel_sweep_run(*state, &sweep, sink, &options, NULL), PARCEL_OK);
  const parcel_profile *profile = parcel_trace_profile(trace);
  assert_root(profile->failures == 1 && profile->kept_count == 1 && profile->kept[0].index == 500 &&
              strcmp(profile->kept[0].message, "not this one") == 0);
  parcel_trace_free(&trace);
}

static void bins_follow_each_other(void **state)
{
  (void)state;
  assert_all(parcel_trace_bin_seconds(0) == 1.0 / (1 << 30) && parcel_trace_bin_seconds(120) == 1);
  bool is_rising = true;
  for (int b = 1; b < PARCEL_TRACE_BINS; ++b)
    is_rising = is_rising && parcel_trace_bin_seconds(b) > parcel_trace_bin_seconds(b - 1);
  assert_all(is_rising);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(sums_are_those_of_the_sweep),
                                     cmocka_unit_test(items_are_bounded_and_lose_nothing),
                                     cmocka_unit_test(the_slowest_block_survives_merging),
                                     cmocka_unit_test(factors_multiply_to_the_efficiency),
                                     cmocka_unit_test(a_failed_run_has_a_profile),
                                     cmocka_unit_test(recorded_failures_are_kept),
                                     cmocka_unit_test(bins_follow_each_other)};
  mpi_test_init(MPI_THREAD_FUNNELED);
  return mpi_test_run(tests, mpi_test_open_quiet_world, mpi_test_close_world);
}
