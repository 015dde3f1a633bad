/* Promise 5: an error or a stop anywhere ends the sweep everywhere, with one message. */
#include "mpi_test.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <parcel/parcel.h>

#include "every_type.h"

static const double soon_seconds = 5; /* a sweep left alone would take far longer */

/* ---- a sweep that misbehaves in one place ---- */

typedef struct trouble {
  parcel_index bad_position; /* where the kernel fails; -1: nowhere */
  bool is_fleeting;          /* the kernel fails once and never again */
  bool is_mute;              /* the kernel gives no reason */
  bool ends_thread;          /* the kernel ends its thread where it would fail */
  atomic_bool has_failed;
  double nap;            /* per call of the kernel, in seconds */
  int stop_after;        /* calls of the kernel until it asks to stop; 0: never, -1: before the first */
  int write_fails_after; /* blocks until sink.write fails; 0: never */
  int poll_fails_after;  /* calls until sink.poll fails; 0: never */
  atomic_int calls, writes;
  int polls, ends;
  parcel_status outcome; /* that sink.end heard of */
  atomic_llong positions;
} trouble;

static parcel_status run_kernel(void *ctx, const parcel_slice *slice, void *const columns[])
{
  trouble *trouble = ctx;
  const parcel_index bad = trouble->bad_position;
  const bool is_here = bad >= slice->position && bad < slice->position + slice->count;
  mpi_test_sleep(trouble->nap);
  if (atomic_fetch_add(&trouble->calls, 1) + 1 == trouble->stop_after)
    mpi_test_raise_stop();
  if (is_here && trouble->ends_thread)
    pthread_exit(NULL);
  if (is_here && !(atomic_exchange(&trouble->has_failed, true) && trouble->is_fleeting))
    return trouble->is_mute ? PARCEL_RANGE : parcel_fail(PARCEL_KERNEL, "the root has no %s", "leaves");
  return copy_index(NULL, slice, columns);
}

static parcel_status write_block(void *ctx, const parcel_block *block)
{
  trouble *trouble = ctx;
  if (atomic_fetch_add(&trouble->writes, 1) + 1 == trouble->write_fails_after)
    return parcel_fail(PARCEL_SPACE, "the sink is full");
  atomic_fetch_add(&trouble->positions, block->positions.end - block->positions.begin);
  return PARCEL_OK;
}

static parcel_status poll_sink(void *ctx)
{
  trouble *trouble = ctx;
  return ++trouble->polls == trouble->poll_fails_after ? parcel_fail(PARCEL_IO, "the drain is blocked")
                                                       : PARCEL_OK;
}

static parcel_status end_sink(void *ctx, parcel_status outcome)
{
  trouble *trouble = ctx;
  ++trouble->ends;
  trouble->outcome = outcome;
  return outcome;
}

static parcel_sweep sweep_of(trouble *trouble, parcel_range range)
{
  return (parcel_sweep){.name = "trouble",
                        .range = range,
                        .columns = one_column,
                        .column_count = 1,
                        .kernel = run_kernel,
                        .ctx = trouble,
                        .threads = 2,
                        .block = 4,
                        .schedule = PARCEL_SWEEP_STATIC}; /* who fails is known then */
}

static parcel_status run(const parcel_world *world, trouble *trouble, parcel_range range)
{
  const parcel_sweep sweep = sweep_of(trouble, range);
  const parcel_sweep_options options = {.signals = mpi_test_signals()};
  parcel_sink sink = {.ctx = trouble, .write = write_block, .end = end_sink};
  if (trouble->poll_fails_after != 0)
    sink.poll = poll_sink;
  trouble->outcome = PARCEL_SYSTEM;
  if (trouble->stop_after < 0)
    mpi_test_raise_stop();
  return parcel_sweep_run(world, &sweep, sink, &options, NULL);
}

static parcel_range range_of(parcel_index count)
{
  return (parcel_range){.first = -500, .step = 3, .count = count};
}

/* Every sweep that has ended left nothing that the next one could stumble over. */
static void check_aftermath(const parcel_world *world, const trouble *trouble)
{
  struct trouble none = {.bad_position = -1};
  assert_all(trouble->ends == 1);
  assert_all(!mpi_test_has_leftovers(parcel_world_comm(world)));
  assert_status(run(world, &none, range_of(101)), PARCEL_OK);
}

/* ---- kernels ---- */

static int rank_of(const parcel_world *world, const parcel_sweep *sweep, parcel_index position)
{
  parcel_block_grid grid;
  if (parcel_sweep_grid(world, sweep, &grid))
    return -1;
  const parcel_index block = parcel_block_grid_owner(grid, position);
  return (int)parcel_block_owner(parcel_block_grid_count(grid), parcel_world_size(world), block);
}

static void check_blame(const parcel_world *world, trouble *trouble, parcel_range range, const char *reason)
{
  const parcel_sweep sweep = sweep_of(trouble, range);
  char beginning[32];
  char ending[256];
  snprintf(beginning, sizeof beginning, "rank %d on ", rank_of(world, &sweep, trouble->bad_position));
  snprintf(ending, sizeof ending, ": kernel 'trouble' failed at index %" PRId64 ": %s",
           parcel_range_at(range, trouble->bad_position), reason);
  assert_status(run(world, trouble, range), PARCEL_KERNEL);
  const char *text = parcel_last_error();
  const char *found = strstr(text, ending);
  assert_same_text(text);
  assert_all(strncmp(text, beginning, strlen(beginning)) == 0);
  assert_all(found && found[strlen(ending)] == '\0');
  assert_all(trouble->outcome == PARCEL_KERNEL);
}

static void a_failing_index_is_named_with_its_rank_and_reason(void **state)
{
  const parcel_index count = 1009;
  const parcel_index positions[] = {0, 1, 2, 3, 4, 503, 504, 505, count - 2, count - 1};
  for (size_t p = 0; p < sizeof positions / sizeof *positions; ++p) {
    trouble trouble = {.bad_position = positions[p]};
    check_blame(*state, &trouble, range_of(count), "the root has no leaves");
    check_aftermath(*state, &trouble);
  }
}

static void a_failing_index_is_named_in_a_range_that_goes_down(void **state)
{
  trouble trouble = {.bad_position = 77};
  check_blame(*state, &trouble, (parcel_range){.first = 10, .step = -1, .count = 100},
              "the root has no leaves");
}

static void a_kernel_without_a_reason_is_given_its_status_as_one(void **state)
{
  trouble trouble = {.bad_position = 600, .is_mute = true};
  parcel_fail(PARCEL_IO, "an old text that must not be repeated");
  check_blame(*state, &trouble, range_of(1009), "value out of range");
}

static void a_kernel_that_ends_its_thread_has_failed(void **state)
{
  const parcel_index positions[] = {0, 503, 1008};
  for (size_t p = 0; p < sizeof positions / sizeof *positions; ++p) {
    trouble trouble = {.bad_position = positions[p], .ends_thread = true};
    check_blame(*state, &trouble, range_of(1009),
                "the thread ended inside the kernel, as by pthread_exit; a kernel has to return");
    check_aftermath(*state, &trouble);
  }
}

static void the_only_position_can_fail(void **state)
{
  trouble trouble = {.bad_position = 0};
  check_blame(*state, &trouble, range_of(1), "the root has no leaves");
}

static void a_kernel_that_fails_once_and_never_again_has_failed(void **state)
{
  trouble trouble = {.bad_position = 600, .is_fleeting = true};
  const parcel_sweep sweep = sweep_of(&trouble, range_of(1009));
  char beginning[32];
  snprintf(beginning, sizeof beginning, "rank %d on ", rank_of(*state, &sweep, 600));
  assert_status(run(*state, &trouble, range_of(1009)), PARCEL_KERNEL);
  assert_same_text(parcel_last_error());
  assert_all(strncmp(parcel_last_error(), beginning, strlen(beginning)) == 0);
  assert_all(strstr(parcel_last_error(), "not again") != NULL);
  check_aftermath(*state, &trouble);
}

static void a_failure_ends_the_other_ranks_within_a_block(void **state)
{
  trouble trouble = {.bad_position = 0, .nap = 10e-3};
  const double begin = mpi_test_seconds();
  assert_status(run(*state, &trouble, range_of(20000 * mpi_test_size())), PARCEL_KERNEL);
  assert_all(mpi_test_seconds() - begin < soon_seconds);
  check_aftermath(*state, &trouble);
}

/* ---- sinks ---- */

static void a_sink_that_cannot_write_ends_the_sweep_everywhere(void **state)
{
  for (int failing = 0; failing < mpi_test_size(); ++failing) {
    trouble trouble = {.bad_position = -1, .nap = 1e-3};
    trouble.write_fails_after = mpi_test_rank() == failing ? 3 : 0;
    char beginning[32];
    snprintf(beginning, sizeof beginning, "rank %d on ", failing);
    const double begin = mpi_test_seconds();
    assert_status(run(*state, &trouble, range_of(80000 * mpi_test_size())), PARCEL_SPACE);
    assert_all(mpi_test_seconds() - begin < soon_seconds);
    assert_same_text(parcel_last_error());
    assert_all(strncmp(parcel_last_error(), beginning, strlen(beginning)) == 0);
    assert_all(strstr(parcel_last_error(), ": the sink is full") != NULL);
    assert_all(trouble.outcome == PARCEL_SPACE);
    check_aftermath(*state, &trouble);
  }
}

static void check_poll_failure(const parcel_world *world, int failing, int after, double nap,
                               parcel_range range)
{
  trouble trouble = {.bad_position = -1, .nap = nap};
  trouble.poll_fails_after = mpi_test_rank() == failing ? after : -1;
  const double begin = mpi_test_seconds();
  assert_status(run(world, &trouble, range), PARCEL_IO);
  assert_all(mpi_test_seconds() - begin < soon_seconds);
  assert_same_text(parcel_last_error());
  assert_all(strstr(parcel_last_error(), ": the drain is blocked") != NULL);
  check_aftermath(world, &trouble);
}

static void a_sink_that_fails_to_communicate_ends_the_sweep_everywhere(void **state)
{
  for (int failing = 0; failing < mpi_test_size(); ++failing)
    check_poll_failure(*state, failing, 3, 5e-3, range_of(8000 * mpi_test_size()));
}

static void a_sink_that_fails_without_any_work_is_heard_too(void **state)
{
  check_poll_failure(*state, mpi_test_size() - 1, 1, 0, range_of(0));
}

static parcel_status fail_at_the_end(void *ctx, parcel_status outcome)
{
  (void)ctx;
  return outcome ? outcome : parcel_fail(PARCEL_IO, "the lid does not close");
}

static void a_sink_that_fails_at_the_end_has_failed(void **state)
{
  trouble trouble = {.bad_position = -1};
  const parcel_sweep sweep = sweep_of(&trouble, range_of(101));
  const parcel_sink sink = {.ctx = &trouble, .write = write_block, .end = fail_at_the_end};
  assert_status(parcel_sweep_run(*state, &sweep, sink, NULL, NULL), PARCEL_IO);
  assert_all(strstr(parcel_last_error(), "the lid does not close") != NULL);
}

/* ---- stopping ---- */

static void a_stop_on_any_rank_stops_all_soon(void **state)
{
  for (int stopper = 0; stopper < mpi_test_size(); ++stopper) {
    trouble trouble = {.bad_position = -1, .nap = 1e-3};
    trouble.stop_after = mpi_test_rank() == stopper ? 5 : 0;
    const double begin = mpi_test_seconds();
    assert_status(run(*state, &trouble, range_of(80000 * mpi_test_size())), PARCEL_STOPPED);
    assert_all(mpi_test_seconds() - begin < soon_seconds);
    assert_all(trouble.outcome == PARCEL_STOPPED);
    check_aftermath(*state, &trouble);
  }
}

static parcel_index sum_over_ranks(parcel_index own)
{
  parcel_index sum = 0;
  MPI_Allreduce(&own, &sum, 1, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
  return sum;
}

static void root_says_how_far_a_stopped_sweep_came(void **state)
{
  const parcel_index count = 80000 * mpi_test_size();
  trouble trouble = {.bad_position = -1, .nap = 1e-3, .stop_after = 20};
  char text[PARCEL_ERROR_SIZE] = "";
  const parcel_status status = run(*state, &trouble, range_of(count));
  snprintf(text, sizeof text, "%s", parcel_last_error());
  char expected[PARCEL_ERROR_SIZE];
  snprintf(expected, sizeof expected,
           "stopped early by SIGUSR2, with %" PRId64 " of %" PRId64 " positions done",
           sum_over_ranks(atomic_load(&trouble.positions)), count);
  assert_status(status, PARCEL_STOPPED);
  assert_root(strcmp(text, expected) == 0);
}

static void every_rank_says_the_same_of_a_stopped_sweep(void **state)
{
  trouble trouble = {.bad_position = -1, .nap = 1e-3, .stop_after = 20};
  assert_status(run(*state, &trouble, range_of(80000 * mpi_test_size())), PARCEL_STOPPED);
  assert_same_text(parcel_last_error());
}

static void a_stop_before_the_first_block_stops_too(void **state)
{
  trouble trouble = {.bad_position = -1, .nap = 1e-3};
  trouble.stop_after = mpi_test_rank() == mpi_test_size() - 1 ? -1 : 0;
  const double begin = mpi_test_seconds();
  assert_status(run(*state, &trouble, range_of(80000 * mpi_test_size())), PARCEL_STOPPED);
  assert_all(mpi_test_seconds() - begin < soon_seconds);
}

static void a_failure_is_heard_even_when_another_rank_stops(void **state)
{
  const parcel_index count = 1000 * mpi_test_size();
  trouble trouble = {.bad_position = count - 1000, .nap = 2e-3}; /* the last rank's first */
  trouble.stop_after = mpi_test_rank() == 0 ? 1 : 0;
  const parcel_status status = run(*state, &trouble, range_of(count));
  assert_all(status == PARCEL_KERNEL || status == PARCEL_STOPPED);
  assert_all(status == trouble.outcome);
  check_aftermath(*state, &trouble);
}

static parcel_status fill_bytes(void *ctx, const parcel_slice *slice, void *const columns[])
{
  (void)ctx;
  memset(columns[0], 1, (size_t)slice->count);
  return PARCEL_OK;
}

/* Nothing may be held per position or per block: this range has 2^63 - 1 of the one, 2^44 of the other. */
static void the_largest_range_of_all_starts_and_stops(void **state)
{
  static const parcel_column bytes[] = {{.name = "byte", .type = PARCEL_UINT8}};
  const parcel_signals stop = {.stop = SIGTERM};
  const parcel_sweep_options options = {.signals = &stop};
  const parcel_sweep sweep = {.name = "bytes",
                              .range = {.first = 1, .step = 1, .count = INT64_MAX},
                              .columns = bytes,
                              .column_count = 1,
                              .kernel = fill_bytes,
                              .threads = 2};
  assert_status(parcel_sweep_run(*state, &sweep, parcel_sink_null(), &options, NULL), PARCEL_STOPPED);
}

/* ---- sweeps that cannot be ---- */

static void check_refused(const parcel_world *world, const parcel_sweep *sweep, const char *word)
{
  parcel_sweep_report report = {.positions = -7};
  assert_status(parcel_sweep_run(world, sweep, parcel_sink_null(), NULL, &report), PARCEL_INVALID);
  assert_same_text(parcel_last_error());
  assert_all(strstr(parcel_last_error(), word) != NULL);
  assert_all(report.positions == -7);
}

static void bad_sweeps_are_refused_on_every_rank(void **state)
{
  static const parcel_column twice[] = {{.name = "a", .type = PARCEL_INT8},
                                        {.name = "a", .type = PARCEL_INT8}};
  trouble trouble = {.bad_position = -1};
  const parcel_sweep good = sweep_of(&trouble, range_of(10));
  parcel_sweep bad = good;
  bad.kernel = NULL;
  check_refused(*state, &bad, "kernel");
  bad = good;
  bad.name = NULL;
  check_refused(*state, &bad, "name");
  bad = good;
  bad.column_count = 0;
  check_refused(*state, &bad, "column");
  bad = good;
  bad.threads = -1;
  check_refused(*state, &bad, "threads");
  bad = good;
  bad.block = -1;
  check_refused(*state, &bad, "block");
  bad = good;
  bad.range.count = -1;
  check_refused(*state, &bad, "count");
  bad = good;
  bad.columns = twice;
  bad.column_count = 2;
  check_refused(*state, &bad, "'a' appears twice");
}

/* A sink with a grid of its own (as a results file has) does not make a bad sweep a good one. */
static void bad_sweeps_are_refused_with_a_sink_that_has_a_grid(void **state)
{
  trouble trouble = {.bad_position = -1};
  const parcel_block_grid grid = {.positions = 10, .parts = mpi_test_size(), .blocks_per_part = 1};
  const parcel_sink sink = {.ctx = &trouble, .grid = &grid, .write = write_block};
  parcel_sweep bad = sweep_of(&trouble, range_of(10));
  bad.threads = -1;
  assert_status(parcel_sweep_run(*state, &bad, sink, NULL, NULL), PARCEL_INVALID);
  bad = sweep_of(&trouble, range_of(11));
  assert_status(parcel_sweep_run(*state, &bad, sink, NULL, NULL), PARCEL_INVALID);
}

static void a_block_larger_than_any_memory_is_refused(void **state)
{
  trouble trouble = {.bad_position = -1};
  parcel_sweep sweep = sweep_of(&trouble, range_of(INT64_MAX / 2));
  sweep.block = INT64_MAX;
  assert_status(parcel_sweep_run(*state, &sweep, parcel_sink_null(), NULL, NULL), PARCEL_MEMORY);
  assert_same_text(parcel_last_error());
}

/* No rank alone needs as much as there is, but all of them together do. */
static void blocks_that_are_together_as_large_as_the_memory_are_refused(void **state)
{
  trouble trouble = {.bad_position = -1};
  const parcel_index memory = (parcel_index)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
  parcel_sweep sweep = sweep_of(&trouble, range_of(memory));
  const parcel_index row = parcel_columns_bytes(sweep.columns, sweep.column_count);
  sweep.range.count = memory / row + mpi_test_size();
  sweep.block = sweep.range.count;
  sweep.threads = 1;
  assert_status(parcel_sweep_run(*state, &sweep, parcel_sink_null(), NULL, NULL), PARCEL_MEMORY);
  assert_same_text(parcel_last_error());
  assert_all(strstr(parcel_last_error(), "use a smaller block or fewer threads") != NULL);
}

int main(void)
{
  const struct CMUnitTest failures[] = {
      cmocka_unit_test(a_failing_index_is_named_with_its_rank_and_reason),
      cmocka_unit_test(a_failing_index_is_named_in_a_range_that_goes_down),
      cmocka_unit_test(a_kernel_without_a_reason_is_given_its_status_as_one),
      cmocka_unit_test(a_kernel_that_ends_its_thread_has_failed),
      cmocka_unit_test(the_only_position_can_fail),
      cmocka_unit_test(a_kernel_that_fails_once_and_never_again_has_failed),
      cmocka_unit_test(a_failure_ends_the_other_ranks_within_a_block),
      cmocka_unit_test(a_sink_that_cannot_write_ends_the_sweep_everywhere),
      cmocka_unit_test(a_sink_that_fails_to_communicate_ends_the_sweep_everywhere),
      cmocka_unit_test(a_sink_that_fails_without_any_work_is_heard_too),
      cmocka_unit_test(a_sink_that_fails_at_the_end_has_failed),
      cmocka_unit_test(a_stop_on_any_rank_stops_all_soon),
      cmocka_unit_test(root_says_how_far_a_stopped_sweep_came),
      cmocka_unit_test(every_rank_says_the_same_of_a_stopped_sweep),
      cmocka_unit_test(a_stop_before_the_first_block_stops_too),
      cmocka_unit_test(a_failure_is_heard_even_when_another_rank_stops),
      cmocka_unit_test(the_largest_range_of_all_starts_and_stops),
      cmocka_unit_test(bad_sweeps_are_refused_on_every_rank),
      cmocka_unit_test(bad_sweeps_are_refused_with_a_sink_that_has_a_grid),
      cmocka_unit_test(a_block_larger_than_any_memory_is_refused),
      cmocka_unit_test(blocks_that_are_together_as_large_as_the_memory_are_refused),
  };
  mpi_test_init(MPI_THREAD_FUNNELED);
  return mpi_test_run(failures, mpi_test_open_quiet_world, mpi_test_close_world);
}
