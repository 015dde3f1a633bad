/* Rounds of control messages, without a sweep around them. Ranks must not begin a round before all have left
 * the last one; mpi_test_has_leftovers is that step here. */
#include "mpi_test.h"

#include <stdlib.h>

#include <parcel/world.h>

#include "control_impl.h"

static const double longest_round_seconds = 20;

/* What one rank does in a round. */
typedef struct role {
  parcel_index work;    /* polls until its own work is over; one position each */
  parcel_index stop_at; /* the poll at which it asks to stop; -1: never */
  int inspections;      /* in its first polls it asks the others to show what they do */
  double nap;           /* longest sleep between two polls, in seconds */
} role;

typedef struct outcome {
  bool has_ended;
  parcel_stop stop;
  int inspections;    /* heard */
  parcel_index done;  /* positions of this rank */
  parcel_tally tally; /* as heard */
} outcome;

static const parcel_index endless = INT64_MAX;

static double random_up_to(double most)
{
  return most * ((double)random() / (double)RAND_MAX);
}

/* A rank works until its work is over or it hears of a stop. A round that hangs has not ended. */
static outcome play(const parcel_world *world, role role)
{
  parcel_control *control = NULL;
  outcome out = {.has_ended = false};
  if (parcel__control_open(world, &control))
    return out;
  const double deadline = mpi_test_seconds() + longest_round_seconds;
  for (parcel_index polls = 0; !out.has_ended && mpi_test_seconds() < deadline; ++polls) {
    const bool is_over = out.done == role.work || parcel__control_stopping(control).reason;
    out.has_ended = parcel__control_poll(control, (parcel_tally){out.done, out.done / 2}, is_over);
    if (polls == role.stop_at)
      parcel__control_stop(control, PARCEL_STOP_SIGNAL, 100 + mpi_test_rank());
    if (polls < role.inspections)
      parcel__control_inspect(control);
    out.done += !is_over;
    mpi_test_sleep(random_up_to(role.nap));
  }
  out.stop = parcel__control_stopping(control);
  out.inspections = parcel__control_inspections(control);
  out.tally = parcel__control_tally(control);
  if (out.has_ended)
    parcel__control_close(&control);
  return out;
}

static parcel_index sum_over_ranks(parcel_index value)
{
  parcel_index sum = 0;
  MPI_Allreduce(&value, &sum, 1, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
  return sum;
}

static bool ends_cleanly(const parcel_world *world, const outcome *out)
{
  const parcel_index all = sum_over_ranks(out->done);
  const parcel_index failures = sum_over_ranks(out->done / 2);
  const bool has_leftovers = mpi_test_has_leftovers(parcel_world_comm(world));
  return out->has_ended && !has_leftovers &&
         (mpi_test_rank() != 0 || (out->tally.positions == all && out->tally.failures == failures));
}

static void rounds_without_stop_end_and_add_up(void **state)
{
  for (int round = 0; round < 50; ++round) {
    const role role = {.work = random() % 40, .stop_at = -1, .nap = 200e-6};
    const parcel_index work = role.work;
    const outcome out = play(*state, role);
    assert_all(ends_cleanly(*state, &out));
    assert_all(!out.stop.reason);
    assert_all(out.done == work);
  }
}

static void a_round_without_any_work_ends(void **state)
{
  const outcome out = play(*state, (role){.work = 0, .stop_at = -1});
  assert_all(ends_cleanly(*state, &out));
}

static void one_late_rank_is_waited_for(void **state)
{
  for (int late = 0; late < mpi_test_size(); ++late) {
    const parcel_index work = mpi_test_rank() == late ? 50 : 0;
    const outcome out = play(*state, (role){.work = work, .stop_at = -1, .nap = 1e-3});
    assert_all(ends_cleanly(*state, &out));
    assert_all(out.done == work);
  }
}

static void a_stop_of_any_rank_reaches_all(void **state)
{
  for (int stopper = 0; stopper < mpi_test_size(); ++stopper) {
    const parcel_index stop_at = mpi_test_rank() == stopper ? 10 : -1;
    const outcome out = play(*state, (role){.work = endless, .stop_at = stop_at, .nap = 200e-6});
    assert_all(ends_cleanly(*state, &out));
    assert_all(out.stop.reason == PARCEL_STOP_SIGNAL && out.stop.detail == 100 + stopper &&
               out.stop.rank == stopper);
  }
}

static void a_stop_of_all_at_once_ends_the_round(void **state)
{
  for (parcel_index stop_at = 0; stop_at < 3; ++stop_at) {
    const outcome out = play(*state, (role){.work = endless, .stop_at = stop_at});
    assert_all(ends_cleanly(*state, &out));
    assert_all(out.stop.reason == PARCEL_STOP_SIGNAL);
  }
}

static void a_stop_after_the_own_work_is_over_reaches_the_others(void **state)
{
  for (int stopper = 0; stopper < mpi_test_size() && mpi_test_size() > 1; ++stopper) {
    const bool is_stopper = mpi_test_rank() == stopper;
    const role role = {.work = is_stopper ? 1 : endless, .stop_at = is_stopper ? 30 : -1, .nap = 200e-6};
    const outcome out = play(*state, role);
    assert_all(ends_cleanly(*state, &out));
    assert_all(out.stop.reason == PARCEL_STOP_SIGNAL);
  }
}

/* Ranks that end and stop at about the same time: the stop may come too late, and must then do no harm. */
static void stops_at_random_moments_leave_no_message(void **state)
{
  for (int round = 0; round < 300; ++round) {
    const parcel_index stop_at = random() % 3 == 0 ? random() % 12 : -1;
    const role role = {.work = random() % 10, .stop_at = stop_at, .nap = 100e-6 * (double)(random() % 4)};
    const outcome out = play(*state, role);
    assert_all(ends_cleanly(*state, &out));
  }
}

static void an_inspection_by_any_rank_reaches_all_others(void **state)
{
  for (int asking = 0; asking < mpi_test_size(); ++asking) {
    const bool asks = mpi_test_rank() == asking;
    const outcome out = play(*state, (role){.work = 100, .stop_at = -1, .inspections = asks, .nap = 200e-6});
    assert_all(ends_cleanly(*state, &out));
    assert_all(out.inspections == !asks);
  }
}

static void many_inspections_at_once_leave_no_message(void **state)
{
  for (int round = 0; round < 50; ++round) {
    const role role = {
        .work = random() % 10, .stop_at = -1, .inspections = (int)(random() % 8), .nap = 100e-6};
    const outcome out = play(*state, role);
    assert_all(ends_cleanly(*state, &out));
  }
}

/* A rank that does not poll is missed by those that wait for it, and by nobody once it is back and done. */
static void a_rank_that_says_nothing_is_noticed(void **state)
{
  const double silence = 0.5;
  for (int silent = 0; silent < mpi_test_size() && mpi_test_size() > 1; silent += mpi_test_size() - 1) {
    parcel_control *control = NULL;
    bool has_noticed = false;
    bool has_blamed = false;
    assert_all(parcel__control_open(*state, &control) == PARCEL_OK);
    if (mpi_test_rank() == silent)
      mpi_test_sleep(3 * silence);
    while (!parcel__control_poll(control, (parcel_tally){0, 0}, true)) {
      const int missed = parcel__control_silent_rank(control, silence);
      has_noticed |= mpi_test_rank() != silent && missed == silent;
      has_blamed |= mpi_test_rank() != silent && missed >= 0 && missed != silent;
      mpi_test_sleep(1e-3);
    }
    parcel__control_close(&control);
    assert_all(!mpi_test_has_leftovers(parcel_world_comm(*state)));
    assert_true(sum_over_ranks(has_noticed) > 0);
    assert_all(!has_blamed);
  }
}

static void closing_nothing_is_fine(void **state)
{
  parcel_control *none = NULL;
  (void)state;
  parcel__control_close(&none);
  assert_all(none == NULL);
}

static int seed_and_open_world(void **state)
{
  srandom((unsigned)mpi_test_rank() + 1);
  return mpi_test_open_world(state);
}

int main(void)
{
  const struct CMUnitTest rounds[] = {
      cmocka_unit_test(rounds_without_stop_end_and_add_up),
      cmocka_unit_test(a_round_without_any_work_ends),
      cmocka_unit_test(one_late_rank_is_waited_for),
      cmocka_unit_test(a_stop_of_any_rank_reaches_all),
      cmocka_unit_test(a_stop_of_all_at_once_ends_the_round),
      cmocka_unit_test(a_stop_after_the_own_work_is_over_reaches_the_others),
      cmocka_unit_test(stops_at_random_moments_leave_no_message),
      cmocka_unit_test(an_inspection_by_any_rank_reaches_all_others),
      cmocka_unit_test(many_inspections_at_once_leave_no_message),
      cmocka_unit_test(a_rank_that_says_nothing_is_noticed),
      cmocka_unit_test(closing_nothing_is_fine),
  };
  mpi_test_init(MPI_THREAD_FUNNELED);
  return mpi_test_run(rounds, seed_and_open_world, mpi_test_close_world);
}
