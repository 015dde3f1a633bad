/* What must not go unsaid at the start of a sweep, found by one MPI_Allreduce of a few numbers. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "launch_impl.h"
#include "world_impl.h"

/* Each number is the greatest of all ranks', with its rank. Builds are the same where the greatest of their
 * hashes is also the least. */
enum { SHORTAGE, CROWD, BUILD, BUILD_NEGATED, NUMBERS };

typedef struct number {
  int value, rank; /* an MPI_2INT */
} number;

/* FNV-1a. */
static int hash_of(const char *text)
{
  uint32_t hash = 2166136261U;
  for (; *text; ++text)
    hash = (hash ^ (unsigned char)*text) * 16777619U;
  return (int)(hash & INT32_MAX);
}

/* What rank `culprit` lacks, in the words of rank 0. */
static parcel_status warn_of_shortage(const parcel_world *world, int threads, int culprit)
{
  struct {
    int threads;
    int cpus;
    char list[PARCEL_CPU_LIST_SIZE];
  } shortage = {.threads = threads, .cpus = parcel_world_cpus(world)};
  char line[256];
  memcpy(shortage.list, parcel__world_mask(world)->list, sizeof shortage.list);
  const int code = MPI_Bcast(&shortage, (int)sizeof shortage, MPI_BYTE, culprit, parcel_world_comm(world));
  parcel__launch_line(program_invocation_short_name, parcel_world_size(world), threads, line, sizeof line);
  parcel_world_warn(world, "%d threads per rank, but rank %d has %d of CPUs %s; use -t %d or start with: %s",
                    shortage.threads, culprit, shortage.cpus, shortage.list, shortage.cpus, line);
  return parcel_world_check_mpi(world, code, "MPI_Bcast of a rank's CPUs");
}

static parcel_status warn(const parcel_world *world, int threads, const number worst[NUMBERS])
{
  if (worst[CROWD].value > 0)
    parcel_world_warn(world,
                      "more ranks than CPUs on the host of rank %d, and MPI does not yield while it waits: "
                      "messages take milliseconds; use: export OMPI_MCA_mpi_yield_when_idle=1",
                      worst[CROWD].rank);
  if (worst[BUILD].value != -worst[BUILD_NEGATED].value)
    parcel_world_warn(world, "ranks %d and %d run different builds of Parcel or MPI; see: parcel doctor",
                      worst[BUILD].rank, worst[BUILD_NEGATED].rank);
  return worst[SHORTAGE].value > 0 ? warn_of_shortage(world, threads, worst[SHORTAGE].rank) : PARCEL_OK;
}

static parcel_status check_launch(const parcel_world *world, int threads, bool they_wait)
{
  char build[PARCEL_BUILD_SIZE];
  number mine[NUMBERS];
  number worst[NUMBERS];
  bool *has_warned = parcel__world_has_warned(world);
  const int hash = hash_of(parcel__launch_build(build));
  const int crowd = parcel__world_sharers(world) - parcel__world_mask(world)->allowed;
  const int shortage = they_wait ? 0 : threads - parcel_world_cpus(world);
  const int values[NUMBERS] = {shortage, parcel__launch_yields(build) ? 0 : crowd, hash, -hash};
  for (int n = 0; n < NUMBERS; ++n)
    mine[n] = (number){.value = values[n], .rank = parcel_world_rank(world)};
  parcel_status status = parcel_world_check_mpi(
      world, MPI_Allreduce(mine, worst, NUMBERS, MPI_2INT, MPI_MAXLOC, parcel_world_comm(world)),
      "comparing the ranks' launches");
  if (!status && !*has_warned)
    status = warn(world, threads, worst);
  *has_warned = *has_warned || worst[SHORTAGE].value > 0 || worst[CROWD].value > 0 ||
                worst[BUILD].value != -worst[BUILD_NEGATED].value;
  return status;
}

parcel_status parcel__world_check_threads(const parcel_world *world, int threads, bool they_wait)
{
  const parcel_status status = check_launch(world, threads, they_wait);
  if (status || !parcel__world_is_single(world) || threads <= 1)
    return status;
  return parcel_fail(PARCEL_INVALID,
                     "%d threads need an MPI initialised with MPI_THREAD_FUNNELED; this one allows but one",
                     threads);
}

parcel_status parcel_world_check_threads(const parcel_world *world, int threads)
{
  return parcel__world_check_threads(world, threads, false);
}
