/* Loops over processes: every position once, the first failure, and the position that costs a worker. */
#include "workers_test.h"

#include <stdatomic.h>

enum { MOST = 1000, PROCESSES = 8 };

static const int sizes[] = {1, 2, PROCESSES};

typedef struct witness {
  parcel_index count, grain, bad; /* position; -1: none */
  int processes;
  bool is_uneven;
  pid_t parent;
  atomic_int mistakes, calls;
  atomic_bool is_busy[PROCESSES]; /* by worker */
  atomic_int visits[MOST];
} witness;

static parcel_status visit(void *ctx, parcel_span positions, int worker)
{
  witness *seen = ctx;
  ++seen->calls;
  if (positions.begin < 0 || positions.begin >= positions.end || positions.end > seen->count || worker < 0 ||
      worker >= seen->processes || getpid() == seen->parent ||
      (seen->grain > 0 && positions.end - positions.begin > seen->grain)) {
    ++seen->mistakes;
    return PARCEL_OK;
  }
  if (atomic_exchange(&seen->is_busy[worker], true))
    ++seen->mistakes;
  for (parcel_index p = positions.begin; p < positions.end; ++p)
    ++seen->visits[p];
  if (seen->is_uneven && positions.begin % 3 == 0)
    sleep_for(0.0005);
  atomic_store(&seen->is_busy[worker], false);
  return PARCEL_OK;
}

static witness *make_witness(parcel_index count, parcel_index grain, int processes)
{
  witness *seen = make_shared(sizeof *seen);
  seen->count = count;
  seen->grain = grain;
  seen->processes = processes;
  seen->parent = getpid();
  return seen;
}

static void check_loop(parcel_workers *workers, parcel_index count, parcel_index grain, bool is_uneven)
{
  witness *seen = make_witness(count, grain, parcel_workers_processes(workers));
  seen->is_uneven = is_uneven;
  assert_ok(parcel_workers_for(workers, count, grain, visit, seen, 0));
  assert_int_equal(seen->mistakes, 0);
  for (int p = 0; p < MOST; ++p)
    assert_int_equal(seen->visits[p], p < count);
  parcel_shared_free(seen);
}

static void workers_loop_visits_every_position_once(void **state)
{
  static const parcel_index counts[] = {0, 1, 2, 97, MOST};
  static const parcel_index grains[] = {0, 1, 7, MOST + 1};
  (void)state;
  for (int s = 0; s < LENGTH(sizes); ++s) {
    parcel_workers *workers = make_workers((parcel_workers_options){.processes = sizes[s]});
    for (int c = 0; c < LENGTH(counts); ++c)
      for (int g = 0; g < LENGTH(grains); ++g)
        check_loop(workers, counts[c], grains[g], (c + g) % 2);
    parcel_workers_destroy(&workers);
  }
}

static void workers_loop_of_a_negative_count_is_refused(void **state)
{
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = 2});
  (void)state;
  assert_refused(parcel_workers_for(workers, -1, 1, visit, NULL, 0), PARCEL_INVALID, "-1");
  parcel_workers_destroy(&workers);
}

static parcel_status fail_there(void *ctx, parcel_span positions, int worker)
{
  witness *seen = ctx;
  (void)worker;
  ++seen->calls;
  if (positions.begin <= seen->bad && seen->bad < positions.end)
    return parcel_fail(PARCEL_KERNEL, "no root at %d", (int)seen->bad);
  sleep_for(0.001);
  return PARCEL_OK;
}

static void workers_loop_returns_the_first_failure_and_starts_no_more(void **state)
{
  (void)state;
  for (int s = 0; s < LENGTH(sizes); ++s) {
    parcel_workers *workers = make_workers((parcel_workers_options){.processes = sizes[s]});
    witness *seen = make_witness(MOST, 1, sizes[s]);
    seen->bad = 3;
    assert_refused(parcel_workers_for(workers, MOST, 1, fail_there, seen, 0), PARCEL_KERNEL, "no root at 3");
    assert_true(seen->calls < MOST);
    check_loop(workers, MOST, 7, false);
    parcel_workers_destroy(&workers);
    parcel_shared_free(seen);
  }
}

static parcel_status crash_there(void *ctx, parcel_span positions, int worker)
{
  const witness *seen = ctx;
  (void)worker;
  if (positions.begin <= seen->bad && seen->bad < positions.end)
    abort();
  return PARCEL_OK;
}

static parcel_status hang_there(void *ctx, parcel_span positions, int worker)
{
  const witness *seen = ctx;
  (void)worker;
  if (positions.begin <= seen->bad && seen->bad < positions.end)
    sleep_for(30);
  return PARCEL_OK;
}

static void check_blame(parcel_workers *workers, parcel_index bad, parcel_index grain, bool hangs)
{
  witness *seen = make_witness(MOST, grain, parcel_workers_processes(workers));
  char words[64];
  seen->bad = bad;
  snprintf(words, sizeof words, "position %d: worker process ", (int)bad);
  if (hangs)
    assert_refused(parcel_workers_for(workers, MOST, grain, hang_there, seen, 0.5), PARCEL_TIMEOUT, words);
  else
    assert_refused(parcel_workers_for(workers, MOST, grain, crash_there, seen, 0), PARCEL_CRASHED, words);
  assert_says(hangs ? "after 0.5 s" : "SIGABRT");
  parcel_shared_free(seen);
}

static void workers_loop_names_the_position_that_costs_a_worker(void **state)
{
  (void)state;
  for (int s = 0; s < LENGTH(sizes); ++s) {
    parcel_workers *workers = make_workers((parcel_workers_options){.processes = sizes[s]});
    check_blame(workers, 0, 0, false);
    check_blame(workers, 617, 64, false);
    check_blame(workers, MOST - 1, 1, false);
    check_blame(workers, 617, 4, true);
    check_loop(workers, MOST, 7, false);
    assert_true(has_children(fork_server(), sizes[s]));
    parcel_workers_destroy(&workers);
  }
}

static parcel_status crash_once(void *ctx, parcel_span positions, int worker)
{
  witness *seen = ctx;
  if (positions.begin == 0 && atomic_fetch_add(&seen->calls, 1) == 0)
    abort();
  return worker < seen->processes ? PARCEL_OK : PARCEL_INVALID;
}

static void workers_loop_says_if_a_crash_does_not_come_again(void **state)
{
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = 2});
  witness *seen = make_witness(100, 50, 2);
  (void)state;
  assert_refused(parcel_workers_for(workers, 100, 50, crash_once, seen, 0), PARCEL_CRASHED,
                 "positions 0 to 49: ");
  assert_says("not again when asked for less");
  parcel_workers_destroy(&workers);
  parcel_shared_free(seen);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(workers_loop_visits_every_position_once),
      cmocka_unit_test(workers_loop_of_a_negative_count_is_refused),
      cmocka_unit_test(workers_loop_returns_the_first_failure_and_starts_no_more),
      cmocka_unit_test(workers_loop_names_the_position_that_costs_a_worker),
      cmocka_unit_test(workers_loop_says_if_a_crash_does_not_come_again),
  };
  return run_with_workers(tests);
}
