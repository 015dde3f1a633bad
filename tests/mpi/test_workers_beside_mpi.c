/* Worker processes beside live MPI: forked from a server that was begun before it. */
#include "mpi_test.h"

#include <stdlib.h>
#include <string.h>

#include <parcel/parcel.h>
#include <parcel/shared.h>
#include <parcel/workers.h>

enum { PROCESSES = 2, CALLS = 200 };

typedef struct task {
  int rank, value, result;
} task;

static parcel_status add_rank(void *argument, int worker)
{
  task *own = argument;
  own->result = own->rank + own->value;
  if (own->value % 50 == 49)
    abort();
  return worker == own->value % PROCESSES ? PARCEL_OK : PARCEL_INVALID;
}

static bool calls_are_right(parcel_workers *workers, task *own)
{
  bool is_right = true;
  for (int call = 0; call < CALLS; ++call) {
    *own = (task){.rank = mpi_test_rank(), .value = call};
    const parcel_status status = parcel_workers_call(workers, call % PROCESSES, add_rank, own, 30);
    is_right = is_right && status == (call % 50 == 49 ? PARCEL_CRASHED : PARCEL_OK) &&
               own->result == own->rank + call;
  }
  return is_right;
}

static void calls_run_and_crash_while_mpi_is_live(void **state)
{
  const parcel_workers_options options = {.processes = PROCESSES};
  parcel_workers *workers = NULL;
  void *memory = NULL;
  assert_status(parcel_shared_alloc(sizeof(task), &memory), PARCEL_OK);
  assert_status(parcel_workers_create(&options, &workers), PARCEL_OK);
  for (int round = 0; round < 3; ++round) {
    assert_all(calls_are_right(workers, memory));
    assert_status(parcel_world_agree(*state, PARCEL_OK), PARCEL_OK);
  }
  parcel_workers_destroy(&workers);
  parcel_shared_free(memory);
}

static void a_fork_server_cannot_begin_while_mpi_is_live(void **state)
{
  (void)state;
  assert_status(parcel_workers_prepare(), PARCEL_OK); /* there is one */
  parcel_workers_release();
  assert_status(parcel_workers_prepare(), PARCEL_INVALID);
  assert_all(strstr(parcel_last_error(), "before MPI_Init") != NULL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(calls_run_and_crash_while_mpi_is_live),
      cmocka_unit_test(a_fork_server_cannot_begin_while_mpi_is_live),
  };
  if (parcel_workers_prepare())
    return EXIT_FAILURE;
  mpi_test_init(MPI_THREAD_FUNNELED);
  return mpi_test_run(tests, mpi_test_open_quiet_world, mpi_test_close_world);
}
