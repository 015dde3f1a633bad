/* What must not go unsaid at the start of a sweep, found by one MPI_Allreduce of a few numbers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launch_impl.h"
#include "world_impl.h"

/* Each number is the greatest of all ranks', with its rank. Builds are the same where the greatest of their
 * hashes is also the least. */
enum { SHORTAGE, IDLE, CROWD, BUILD, BUILD_NEGATED, NUMBERS };

enum { LINE_SIZE = 256 };

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

/* Started by a launcher, which may have bound it, and not by hand. */
static bool is_launched(void)
{
  static const char *const signs[] = {"OMPI_COMM_WORLD_SIZE", "PMI_RANK", "SLURM_STEP_ID"};
  for (size_t s = 0; s < sizeof signs / sizeof *signs; ++s)
    if (getenv(signs[s]))
      return true;
  return false;
}

static const char *launch_line(const parcel_world *world, int ranks, int threads, char line[LINE_SIZE])
{
  char build[PARCEL_BUILD_SIZE];
  return parcel__launch_line(parcel__launch_build(build), program_invocation_short_name,
                             ranks > 0 ? ranks : parcel_world_size(world), threads, line, LINE_SIZE);
}

/* What a rank lacks, and what its host has. */
typedef struct shortage {
  int threads, cpus;
  int node_ranks, node_bound, node_cpus;
  char list[PARCEL_CPU_LIST_SIZE];
} shortage;

/* Unbound, if there are CPUs for all then; else fewer ranks, if fewer threads do not help: never what was
 * used. */
static void describe_remedy(const parcel_world *world, const shortage *shortage, char *text, size_t size)
{
  const int per_rank = shortage->node_cpus / shortage->node_ranks;
  char line[LINE_SIZE];
  if (shortage->node_bound < shortage->node_cpus && shortage->threads <= per_rank)
    snprintf(text, size, "start with: %s", launch_line(world, 0, shortage->threads, line));
  else if (per_rank > 0)
    snprintf(text, size, "use %d thread%s per rank", per_rank, per_rank == 1 ? "" : "s");
  else
    snprintf(text, size, "start fewer ranks: %s",
             launch_line(
                 world, (int)((int64_t)parcel_world_size(world) * shortage->node_cpus / shortage->node_ranks),
                 1, line));
}

/* What rank `culprit` lacks, in the words of rank 0. */
static parcel_status warn_of_shortage(const parcel_world *world, int threads, int culprit)
{
  shortage shortage = {.threads = threads,
                       .cpus = parcel_world_cpus(world),
                       .node_ranks = parcel_world_node_size(world),
                       .node_bound = parcel__world_bound(world),
                       .node_cpus = parcel__launch_host_cpus()};
  char remedy[LINE_SIZE + 64];
  memcpy(shortage.list, parcel__world_mask(world)->list, sizeof shortage.list);
  const int code = MPI_Bcast(&shortage, (int)sizeof shortage, MPI_BYTE, culprit, parcel_world_comm(world));
  describe_remedy(world, &shortage, remedy, sizeof remedy);
  parcel_world_warn(world, "%d threads per rank, but rank %d has %d of CPUs %s; %s", shortage.threads,
                    culprit, shortage.cpus, shortage.list, remedy);
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
  if (worst[IDLE].value > 0 && worst[SHORTAGE].value <= 0) {
    char line[LINE_SIZE];
    parcel_world_warn(
        world,
        "%d CPU%s of the host of rank %d stay%s idle, for its ranks are bound to others; start with: %s",
        worst[IDLE].value, worst[IDLE].value == 1 ? "" : "s", worst[IDLE].rank,
        worst[IDLE].value == 1 ? "s" : "", launch_line(world, 0, threads + worst[IDLE].value, line));
  }
  return worst[SHORTAGE].value > 0 ? warn_of_shortage(world, threads, worst[SHORTAGE].rank) : PARCEL_OK;
}

/* CPUs that no rank of this host is bound to, where ranks have as many threads as CPUs. */
static int idle_cpus(const parcel_world *world, bool they_wait, bool is_default)
{
  if (they_wait || !is_default || !is_launched() || parcel__world_is_single(world) ||
      parcel_world_cpus(world) >= parcel__world_mask(world)->per_task)
    return 0;
  return parcel__launch_host_cpus() - parcel__world_bound(world);
}

static parcel_status check_launch(const parcel_world *world, int threads, bool they_wait, bool is_default)
{
  char build[PARCEL_BUILD_SIZE];
  number mine[NUMBERS];
  number worst[NUMBERS];
  bool *has_warned = parcel__world_has_warned(world);
  const int hash = hash_of(parcel__launch_build(build));
  const int crowd = parcel__world_sharers(world) - parcel__world_mask(world)->allowed;
  const int shortage = they_wait ? 0 : threads - parcel_world_cpus(world);
  const int values[NUMBERS] = {shortage, idle_cpus(world, they_wait, is_default),
                               parcel__launch_yields(build) ? 0 : crowd, hash, -hash};
  for (int n = 0; n < NUMBERS; ++n)
    mine[n] = (number){.value = values[n], .rank = parcel_world_rank(world)};
  parcel_status status = parcel_world_check_mpi(
      world, MPI_Allreduce(mine, worst, NUMBERS, MPI_2INT, MPI_MAXLOC, parcel_world_comm(world)),
      "comparing the ranks' launches");
  if (!status && !*has_warned)
    status = warn(world, threads, worst);
  *has_warned = *has_warned || worst[SHORTAGE].value > 0 || worst[CROWD].value > 0 || worst[IDLE].value > 0 ||
                worst[BUILD].value != -worst[BUILD_NEGATED].value;
  return status;
}

parcel_status parcel__world_check_threads(const parcel_world *world, int threads, bool they_wait,
                                          bool is_default)
{
  const parcel_status status = check_launch(world, threads, they_wait, is_default);
  if (status || !parcel__world_is_single(world) || threads <= 1)
    return status;
  return parcel_fail(PARCEL_INVALID,
                     "%d threads need an MPI initialised with MPI_THREAD_FUNNELED; this one allows but one",
                     threads);
}

parcel_status parcel_world_check_threads(const parcel_world *world, int threads)
{
  return parcel__world_check_threads(world, threads, false, false);
}
