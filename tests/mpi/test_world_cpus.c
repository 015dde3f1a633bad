/* What a world knows of its host, and what each rank may use of it. */
#include "mpi_test.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <parcel/world.h>

static void node_ranks_are_those_of_this_host(void **state)
{
  MPI_Comm node;
  int rank = -1;
  int size = -1;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, mpi_test_rank(), MPI_INFO_NULL, &node);
  MPI_Comm_rank(node, &rank);
  MPI_Comm_size(node, &size);
  MPI_Comm_free(&node);
  assert_all(parcel_world_node_rank(*state) == rank);
  assert_all(parcel_world_node_size(*state) == size);
}

/* CPUs handed to the ranks whose mask is this rank's, and how many ranks those are. All on one host. */
static int cpus_of_sharers(const parcel_world *world, int *sharers)
{
  enum { MOST_RANKS = 64 };
  cpu_set_t own;
  cpu_set_t all[MOST_RANKS];
  int cpus[MOST_RANKS];
  const int mine = parcel_world_cpus(world);
  int sum = 0;
  CPU_ZERO(&own);
  sched_getaffinity(0, sizeof own, &own);
  MPI_Allgather(&own, sizeof own, MPI_BYTE, all, sizeof own, MPI_BYTE, MPI_COMM_WORLD);
  MPI_Allgather(&mine, 1, MPI_INT, cpus, 1, MPI_INT, MPI_COMM_WORLD);
  *sharers = 0;
  for (int r = 0; r < mpi_test_size(); ++r)
    if (CPU_EQUAL(&own, &all[r])) {
      sum += cpus[r];
      ++*sharers;
    }
  return sum;
}

static void check_shares(const parcel_world *world)
{
  cpu_set_t mask;
  CPU_ZERO(&mask);
  sched_getaffinity(0, sizeof mask, &mask);
  const int in_mask = CPU_COUNT(&mask);
  int sharers = 0;
  const int handed_out = cpus_of_sharers(world, &sharers);
  assert_all(parcel_world_cpus(world) >= 1);
  assert_all(handed_out <= (in_mask > sharers ? in_mask : sharers));
}

static void ranks_share_their_cpus_fairly(void **state)
{
  check_shares(*state);
}

/* Every rank on one CPU of its own, as far as there are CPUs, and then all of them on all CPUs. */
static void shares_follow_the_affinity_mask(void **state)
{
  cpu_set_t before;
  cpu_set_t mask;
  (void)state;
  sched_getaffinity(0, sizeof before, &before);
  for (int is_bound = 0; is_bound < 2; ++is_bound) {
    parcel_world *world = NULL;
    const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    CPU_ZERO(&mask);
    for (int cpu = 0; cpu < cpus; ++cpu)
      if (!is_bound || cpu == mpi_test_rank() % cpus)
        CPU_SET((size_t)cpu, &mask);
    sched_setaffinity(0, sizeof mask, &mask);
    assert_status(parcel_world_open(MPI_COMM_WORLD, &world), PARCEL_OK);
    check_shares(world);
    assert_all(!is_bound || parcel_world_cpus(world) == 1);
    assert_all(parcel_world_close(&world, PARCEL_OK) == 0);
  }
  sched_setaffinity(0, sizeof before, &before);
}

static void slurm_may_allow_fewer_cpus(void **state)
{
  parcel_world *world = NULL;
  (void)state;
  setenv("SLURM_CPUS_PER_TASK", "1", 1);
  assert_status(parcel_world_open(MPI_COMM_WORLD, &world), PARCEL_OK);
  unsetenv("SLURM_CPUS_PER_TASK");
  assert_all(parcel_world_cpus(world) == 1);
  assert_all(parcel_world_close(&world, PARCEL_OK) == 0);
}

static char *warning_of_threads(parcel_world *world, int threads)
{
  mpi_test_begin_capture();
  if (parcel_world_check_threads(world, threads))
    fprintf(stderr, "check_threads failed: %s", parcel_last_error());
  return mpi_test_end_capture();
}

static void too_many_threads_are_warned_of_once(void **state)
{
  char *said = warning_of_threads(*state, 100);
  const bool is_one_line = strncmp(said, "test_world_cpus: warning: 100 threads", 37) == 0 &&
                           strchr(said, '\n') == said + strlen(said) - 1 &&
                           (strstr(said, "; use ") || strstr(said, "start fewer ranks: "));
  const bool is_right = mpi_test_rank() == 0 ? is_one_line : *said == '\0';
  free(said);
  assert_all(is_right);
}

static void enough_cpus_or_a_quiet_world_mean_no_warning(void **state)
{
  char *said = warning_of_threads(*state, 1);
  const bool is_silent = *said == '\0';
  free(said);
  assert_all(is_silent);
  parcel_world_set_quiet(*state, true);
  said = warning_of_threads(*state, 100);
  parcel_world_set_quiet(*state, false);
  const bool is_quiet = *said == '\0';
  free(said);
  assert_all(is_quiet);
}

int main(void)
{
  const struct CMUnitTest hosts[] = {
      cmocka_unit_test(node_ranks_are_those_of_this_host),
      cmocka_unit_test(ranks_share_their_cpus_fairly),
      cmocka_unit_test(shares_follow_the_affinity_mask),
      cmocka_unit_test(slurm_may_allow_fewer_cpus),
      cmocka_unit_test(too_many_threads_are_warned_of_once),
      cmocka_unit_test(enough_cpus_or_a_quiet_world_mean_no_warning),
  };
  mpi_test_init(MPI_THREAD_FUNNELED);
  return mpi_test_run(hosts, mpi_test_open_world, mpi_test_close_world);
}
