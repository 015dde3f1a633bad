/* Rank 0 collects what each rank knows of itself, and judges. A clock's lead is taken from the quickest of
 * several exchanges: half of its way there and back is the error at most (Cristian 1989). */
#include <parcel/launch.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "launch_impl.h"
#include "window_impl.h"
#include "world_impl.h"

enum { CLOCK_ROUNDS = 5, LOOP_ROUNDS = 5, LOOP_STEPS = 1000000 };

static double seconds_of(clockid_t clock)
{
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* CPU time, so that others on the same CPU do not count; the quickest round, so that a cold start does
 * not. */
static double time_loop(void)
{
  double least = 1e9;
  for (int round = 0; round < LOOP_ROUNDS; ++round) {
    const double begin = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    volatile uint64_t sink = 1;
    for (int step = 0; step < LOOP_STEPS; ++step)
      sink = sink * 6364136223846793005U + 1;
    const double taken = seconds_of(CLOCK_THREAD_CPUTIME_ID) - begin;
    least = taken < least ? taken : least;
  }
  return least;
}

static int64_t limit_of(__rlimit_resource_t resource)
{
  struct rlimit limit = {0};
  if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return INT64_MAX;
  return (int64_t)limit.rlim_cur;
}

static int number_in(const char *variable, int otherwise)
{
  const char *text = getenv(variable);
  const int number = text ? atoi(text) : 0; /* NOLINT(cert-err34-c): what is no number is as if unset */
  return number > 0 ? number : otherwise;
}

const char *parcel__launch_build(char text[PARCEL_BUILD_SIZE])
{
  char mpi[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(mpi, &length);
  mpi[strcspn(mpi, "\n,")] = '\0';
  snprintf(text, PARCEL_BUILD_SIZE, "Parcel %s with %.100s", PARCEL_VERSION, mpi);
  return text;
}

/* mpirun of Open MPI says by mpi_oversubscribe what it knows of the slots. */
bool parcel__launch_yields(const char *build)
{
  return !strstr(build, "Open MPI") || number_in("OMPI_MCA_mpi_yield_when_idle", 0) ||
         number_in("OMPI_MCA_mpi_oversubscribe", 0);
}

int parcel__launch_host_cpus(void)
{
  const int unbound = parcel__cpus_if_unbound();
  const int granted = number_in("SLURM_CPUS_ON_NODE", INT_MAX);
  return granted < unbound ? granted : unbound;
}

static parcel_launch_facts facts_of_rank(const parcel_world *world, int threads)
{
  const parcel_cpus *cpus = parcel__world_mask(world);
  parcel_launch_facts own = {.allowed = cpus->allowed,
                             .host_cpus = parcel__launch_host_cpus(),
                             .threads = threads > 0 ? threads : parcel_world_cpus(world),
                             .has_thread_support = !parcel__world_is_single(world),
                             .fabric = parcel__fabric_state_of(""),
                             .loop_seconds = time_loop(),
                             .open_files = limit_of(RLIMIT_NOFILE),
                             .locked_bytes = limit_of(RLIMIT_MEMLOCK),
                             .processes = limit_of(RLIMIT_NPROC),
                             .window_bytes = parcel__window_room()};
  own.yields = parcel__launch_yields(parcel__launch_build(own.build));
  gethostname(own.host, sizeof own.host - 1);
  snprintf(own.mask, sizeof own.mask, "%s", cpus->list);
  return own;
}

/* How far `rank` is ahead of rank 0, on rank 0. */
static parcel_status compare_clock(const parcel_world *world, int rank, double *lead)
{
  MPI_Comm comm = parcel_world_comm(world);
  double shortest = 1e9;
  for (int round = 0; round < CLOCK_ROUNDS; ++round) {
    const double begin = seconds_of(CLOCK_REALTIME);
    double theirs = 0;
    parcel_status status =
        parcel_world_check_mpi(world, MPI_Send(&theirs, 1, MPI_DOUBLE, rank, PARCEL_TAG_CLOCK, comm),
                               "MPI_Send of a question for the time");
    if (!status)
      status = parcel_world_check_mpi(
          world, MPI_Recv(&theirs, 1, MPI_DOUBLE, rank, PARCEL_TAG_CLOCK, comm, MPI_STATUS_IGNORE),
          "MPI_Recv of the time");
    if (status)
      return status;
    const double end = seconds_of(CLOCK_REALTIME);
    if (end - begin < shortest) {
      shortest = end - begin;
      *lead = theirs - (begin + end) / 2;
    }
  }
  return PARCEL_OK;
}

static parcel_status tell_time(const parcel_world *world)
{
  MPI_Comm comm = parcel_world_comm(world);
  parcel_status status = PARCEL_OK;
  for (int round = 0; round < CLOCK_ROUNDS && !status; ++round) {
    double now = 0;
    status = parcel_world_check_mpi(
        world, MPI_Recv(&now, 1, MPI_DOUBLE, 0, PARCEL_TAG_CLOCK, comm, MPI_STATUS_IGNORE),
        "MPI_Recv of a question for the time");
    now = seconds_of(CLOCK_REALTIME);
    if (!status)
      status = parcel_world_check_mpi(world, MPI_Send(&now, 1, MPI_DOUBLE, 0, PARCEL_TAG_CLOCK, comm),
                                      "MPI_Send of the time");
  }
  return status;
}

/* Ranks of one host share its clock; each is asked all the same, for there may be time namespaces. */
static parcel_status compare_clocks(const parcel_world *world, parcel_launch_facts all[])
{
  if (parcel_world_rank(world) != 0)
    return tell_time(world);
  parcel_status status = PARCEL_OK;
  for (int r = 1; r < parcel_world_size(world) && !status; ++r)
    status = compare_clock(world, r, &all[r].clock_seconds);
  return status;
}

parcel_status parcel_launch_examine(const parcel_world *world, int threads, parcel_findings *findings)
{
  const int size = parcel_world_size(world);
  const bool is_root = parcel_world_rank(world) == 0;
  const parcel_launch_facts own = facts_of_rank(world, threads);
  parcel_launch_facts *all = is_root ? calloc((size_t)size, sizeof *all) : NULL;
  parcel_status status =
      is_root && !all ? parcel_fail(PARCEL_MEMORY, "no memory for the facts of %d ranks", size) : PARCEL_OK;
  if (!(status = parcel_world_follow_root(world, status)))
    status = parcel_world_check_mpi(world,
                                    MPI_Gather(&own, (int)sizeof own, MPI_BYTE, all, (int)sizeof own,
                                               MPI_BYTE, 0, parcel_world_comm(world)),
                                    "MPI_Gather of the ranks' facts");
  if (!status)
    status = compare_clocks(world, all);
  if (!status && is_root)
    parcel__launch_judge(all, size, findings);
  free(all);
  return parcel_world_agree(world, status);
}
