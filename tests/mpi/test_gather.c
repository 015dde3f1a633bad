#include "mpi_test.h"

#include <stdlib.h>
#include <string.h>

#include <parcel/parcel.h>

#include "every_type.h"

/* ---- every column of every type, in memory ---- */

static void free_arrays(void *arrays[])
{
  for (int c = 0; c < every_type_count; ++c)
    free(arrays[c]);
}

/* Zeros where the rank receives; elsewhere nothing may be touched. */
static bool make_arrays(bool is_root, parcel_index count, void *arrays[])
{
  bool is_made = true;
  for (int c = 0; c < every_type_count; ++c) {
    const parcel_index bytes = count * parcel_column_bytes(&every_type_columns[c]);
    arrays[c] = is_root ? calloc((size_t)bytes + 1, 1) : NULL;
    is_made = is_made && (arrays[c] || !is_root);
  }
  return is_made;
}

static void check_gather(const parcel_world *world, parcel_range range, int root, int threads,
                         parcel_index block)
{
  const bool is_root = mpi_test_rank() == root;
  void *arrays[every_type_count];
  parcel_sweep_report report = {.positions = -1};
  parcel_sweep sweep = every_type_sweep(range);
  sweep.threads = threads;
  sweep.block = block;
  bool is_right = make_arrays(is_root, range.count, arrays);
  assert_all(is_right);
  assert_status(parcel_sweep_gather(world, &sweep, root, is_root ? arrays : NULL, NULL, &report), PARCEL_OK);
  for (int c = 0; c < every_type_count && is_root; ++c)
    is_right = is_right && every_type_is_right(c, range, arrays[c]);
  free_arrays(arrays);
  assert_all(is_right);
  assert_all(report.positions == range.count);
}

static parcel_range range_of(parcel_index first, parcel_index step, parcel_index count)
{
  return (parcel_range){.first = first, .step = step, .count = count};
}

static void values_of_every_type_arrive_in_their_places(void **state)
{
  const int ranks = mpi_test_size();
  const parcel_index counts[] = {0, 1, ranks - 1, ranks, 97, 10007};
  for (size_t c = 0; c < sizeof counts / sizeof *counts; ++c)
    for (int threads = 1; threads <= 3; ++threads)
      check_gather(*state, range_of(1, 1, counts[c]), 0, threads, 0);
}

static void a_large_gather_is_complete(void **state)
{
  check_gather(*state, range_of(1, 1, 100003), 0, 2, 0);
}

static void small_blocks_and_negative_steps_arrive_too(void **state)
{
  check_gather(*state, range_of(100, -3, 1009), 0, 2, 1);
  check_gather(*state, range_of(-5, 7, 1009), 0, 3, 13);
  check_gather(*state, range_of(INT64_MAX, -1, 1009), 0, 3, 100);
}

static void any_rank_may_receive(void **state)
{
  for (int root = 0; root < mpi_test_size(); ++root)
    check_gather(*state, range_of(0, 1, 509), root, 2, 8);
}

static void one_block_per_rank_larger_than_an_eager_message(void **state)
{
  check_gather(*state, range_of(0, 1, 8000 * mpi_test_size()), mpi_test_size() - 1, 1, 8000);
}

static void a_root_that_is_no_rank_is_refused(void **state)
{
  const parcel_sweep sweep = every_type_sweep(range_of(0, 1, 10));
  assert_status(parcel_sweep_gather(*state, &sweep, -1, NULL, NULL, NULL), PARCEL_INVALID);
  assert_status(parcel_sweep_gather(*state, &sweep, mpi_test_size(), NULL, NULL, NULL), PARCEL_INVALID);
}

/* ---- when it fails ---- */

static parcel_status fail_at(void *ctx, const parcel_slice *slice, void *const columns[])
{
  const parcel_index bad = *(const parcel_index *)ctx;
  if (bad >= slice->first && bad < slice->first + slice->count)
    return parcel_fail(PARCEL_KERNEL, "no value there");
  mpi_test_sleep(100e-6);
  return copy_index(NULL, slice, columns);
}

static void a_failure_leaves_no_message_and_the_next_gather_works(void **state)
{
  enum { COUNT = 1009 };
  static int64_t values[COUNT];
  void *arrays[] = {values};
  parcel_index bad = 0;
  parcel_sweep sweep = {.name = "fails", .columns = one_column, .column_count = 1, .kernel = fail_at};
  sweep.range = range_of(0, 1, COUNT);
  sweep.ctx = &bad;
  sweep.threads = 2;
  sweep.block = 4;
  for (int round = 0; round < 30; ++round) {
    bad = round * (COUNT - 1) / 29;
    const int root = round % mpi_test_size();
    assert_status(parcel_sweep_gather(*state, &sweep, root, arrays, NULL, NULL), PARCEL_KERNEL);
    assert_same_text(parcel_last_error());
    assert_all(!mpi_test_has_leftovers(parcel_world_comm(*state)));
    check_gather(*state, range_of(round, 1, 211), root, 2, 10);
  }
}

/* No barrier between a failed gather and the next: a rank may be ahead of the root by one sweep. */
static void gathers_one_right_after_the_other_do_not_mix(void **state)
{
  enum { COUNT = 211 };
  int64_t values[COUNT];
  void *arrays[] = {values};
  parcel_index bad = COUNT / 2;
  parcel_sweep fails = {.name = "fails", .columns = one_column, .column_count = 1, .kernel = fail_at};
  fails.range = range_of(0, 1, COUNT);
  fails.ctx = &bad;
  fails.threads = 1;
  fails.block = 3;
  parcel_sweep works = fails;
  works.kernel = copy_index;
  bool is_right = true;
  for (int round = 0; round < 50; ++round) {
    const int root = round % mpi_test_size();
    memset(values, 0, sizeof values);
    is_right = is_right && parcel_sweep_gather(*state, &fails, root, arrays, NULL, NULL) == PARCEL_KERNEL;
    is_right = is_right && parcel_sweep_gather(*state, &works, root, arrays, NULL, NULL) == PARCEL_OK;
    for (int p = 0; p < COUNT && mpi_test_rank() == root; ++p)
      is_right = is_right && values[p] == p;
  }
  assert_all(is_right);
}

static void a_stopped_gather_has_only_whole_blocks(void **state)
{
  enum { COUNT = 2000 };
  static int64_t values[COUNT];
  void *arrays[] = {values};
  parcel_index nowhere = -1;
  const parcel_signals stop = {.stop = mpi_test_rank() == mpi_test_size() - 1};
  const parcel_sweep_options options = {.signals = &stop};
  parcel_sweep sweep = {.name = "stops", .columns = one_column, .column_count = 1, .kernel = fail_at};
  sweep.range = range_of(1, 1, COUNT);
  sweep.ctx = &nowhere;
  sweep.threads = 2;
  sweep.block = 2;
  memset(values, 0, sizeof values);
  assert_status(parcel_sweep_gather(*state, &sweep, 0, arrays, &options, NULL), PARCEL_STOPPED);
  bool is_right = true;
  for (int p = 0; p < COUNT; ++p)
    is_right = is_right && (values[p] == 0 || values[p] == p + 1);
  assert_all(is_right);
  assert_all(!mpi_test_has_leftovers(parcel_world_comm(*state)));
}

int main(void)
{
  const struct CMUnitTest gathers[] = {
      cmocka_unit_test(values_of_every_type_arrive_in_their_places),
      cmocka_unit_test(a_large_gather_is_complete),
      cmocka_unit_test(small_blocks_and_negative_steps_arrive_too),
      cmocka_unit_test(any_rank_may_receive),
      cmocka_unit_test(one_block_per_rank_larger_than_an_eager_message),
      cmocka_unit_test(a_root_that_is_no_rank_is_refused),
      cmocka_unit_test(a_failure_leaves_no_message_and_the_next_gather_works),
      cmocka_unit_test(gathers_one_right_after_the_other_do_not_mix),
      cmocka_unit_test(a_stopped_gather_has_only_whole_blocks),
  };
  mpi_test_init(MPI_THREAD_FUNNELED);
  return mpi_test_run(gathers, mpi_test_open_quiet_world, mpi_test_close_world);
}
