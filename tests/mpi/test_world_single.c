/* A world in an MPI without thread support: MPI_Init, which many programs still call. */
#include "mpi_test.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <parcel/parcel.h>

#include "every_type.h"

static char *said_at_open;

static void allow_all_cpus(void)
{
  cpu_set_t mask;
  CPU_ZERO(&mask);
  for (int cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN); ++cpu)
    CPU_SET((size_t)cpu, &mask);
  sched_setaffinity(0, sizeof mask, &mask);
}

static int open_world(void **state)
{
  parcel_world *world = NULL;
  int level = -1;
  allow_all_cpus();
  mpi_test_begin_capture();
  const parcel_status status = parcel_world_open(MPI_COMM_WORLD, &world);
  said_at_open = mpi_test_end_capture();
  MPI_Query_thread(&level);
  if (status || level != MPI_THREAD_SINGLE)
    return -1;
  *state = world;
  return 0;
}

static int close_world(void **state)
{
  parcel_world *world = *state;
  free(said_at_open);
  return parcel_world_close(&world, PARCEL_OK);
}

static void a_rank_has_one_thread(void **state)
{
  assert_all(parcel_world_cpus(*state) == 1);
}

static void cpus_that_stay_idle_are_warned_of(void **state)
{
  (void)state;
  const bool has_idle_cpus = sysconf(_SC_NPROCESSORS_ONLN) > mpi_test_size();
  const bool has_warning = strstr(said_at_open, "warning") && strstr(said_at_open, "MPI_THREAD_FUNNELED");
  assert_all(mpi_test_rank() == 0 ? has_warning == has_idle_cpus : *said_at_open == '\0');
}

static void more_threads_are_refused(void **state)
{
  parcel_sweep sweep = {.name = "copy", .columns = one_column, .column_count = 1, .kernel = copy_index};
  sweep.threads = 2;
  assert_status(parcel_world_check_threads(*state, 2), PARCEL_INVALID);
  assert_all(strstr(parcel_last_error(), "MPI_THREAD_FUNNELED") != NULL);
  assert_status(parcel_sweep_run(*state, &sweep, parcel_sink_null(), NULL, NULL), PARCEL_INVALID);
  assert_status(parcel_world_check_threads(*state, 1), PARCEL_OK);
}

static void a_sweep_with_the_threads_left_to_the_library_works(void **state)
{
  int64_t values[1000] = {0};
  void *arrays[] = {values};
  const parcel_sweep sweep = {.name = "copy",
                              .range = {.first = 0, .step = 2, .count = 1000},
                              .columns = one_column,
                              .column_count = 1,
                              .kernel = copy_index};
  assert_status(parcel_sweep_gather(*state, &sweep, 0, arrays, NULL, NULL), PARCEL_OK);
  assert_root(values[0] == 0 && values[999] == 1998);
}

static parcel_status note_threads(void *most, const parcel_slice *slice, void *const columns[])
{
  atomic_store((_Atomic int *)most, mpi_test_count_entries("/proc/self/task"));
  return copy_index(NULL, slice, columns);
}

/* MPI_THREAD_SINGLE promises MPI that this process has one thread (MPI's own helpers aside), so the kernel
 * must run on the caller's. */
static void a_sweep_starts_no_other_thread(void **state)
{
  _Atomic int during = 0;
  parcel_sweep sweep = {.name = "count_threads", .columns = one_column, .column_count = 1, .ctx = &during};
  sweep.kernel = note_threads;
  sweep.range = (parcel_range){.first = 0, .step = 1, .count = 1000};
  sweep.schedule = PARCEL_SWEEP_STATIC; /* every rank has work */
  const int before = mpi_test_count_entries("/proc/self/task");
  assert_status(parcel_sweep_run(*state, &sweep, parcel_sink_null(), NULL, NULL), PARCEL_OK);
  assert_all(atomic_load(&during) == before);
}

int main(void)
{
  const struct CMUnitTest single[] = {
      cmocka_unit_test(a_rank_has_one_thread),
      cmocka_unit_test(cpus_that_stay_idle_are_warned_of),
      cmocka_unit_test(more_threads_are_refused),
      cmocka_unit_test(a_sweep_with_the_threads_left_to_the_library_works),
      cmocka_unit_test(a_sweep_starts_no_other_thread),
  };
  mpi_test_init(MPI_THREAD_SINGLE);
  return mpi_test_run(single, open_world, close_world);
}
