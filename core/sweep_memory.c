/* A host that runs out of memory kills a process in the middle of its work; so what the workers are going to
 * need is compared with what there is before. A worker that never gets a block never touches its buffer. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "cgroup_impl.h"
#include "sweep_impl.h"

parcel_status parcel__sweep_buffer_bytes(const parcel_sweep *sweep, parcel_block_grid grid, parcel_index *out)
{
  const parcel_index largest = parcel_block_grid_largest(grid);
  const parcel_index row = parcel_columns_bytes(sweep->columns, sweep->column_count);
  const parcel_index padding = ((parcel_index)sweep->column_count + 1) * PARCEL_CACHE_LINE;
  if (__builtin_mul_overflow(largest, row, out) || __builtin_add_overflow(*out, padding, out))
    return parcel_fail(PARCEL_MEMORY,
                       "a block of %" PRId64 " positions is larger than any memory; use a smaller block",
                       largest);
  *out = *out / PARCEL_CACHE_LINE * PARCEL_CACHE_LINE;
  return PARCEL_OK;
}

/* A line "NAME NUMBER kB" of a file in /proc. MemAvailable is what the host could give to new processes
 * without swapping, as the system estimates it (Linux's Documentation/filesystems/proc). */
static bool read_kibibytes(const char *path, const char *name, double *out)
{
  char line[256];
  bool is_found = false;
  FILE *file = fopen(path, "re");
  while (file && !is_found && fgets(line, sizeof line, file))
    is_found = strncmp(line, name, strlen(name)) == 0 && sscanf(line + strlen(name), "%lf kB", out) == 1;
  if (file)
    fclose(file);
  return is_found;
}

/* ---- judgement ---- */

/* What would take the memory, and what is there. */
typedef struct demand {
  parcel_block_grid grid;
  parcel_index bytes;   /* of a worker */
  parcel_index workers; /* that get a block, of one rank or of a host */
  int ranks;
} demand;

static double needed_bytes(const demand *demand)
{
  const parcel_index blocks = parcel_block_grid_count(demand->grid);
  return (double)demand->bytes * (double)(demand->workers < blocks ? demand->workers : blocks);
}

/* by  what sets the limit */
static parcel_status judge(const demand *demand, double available, const char *by)
{
  const double needed = needed_bytes(demand);
  if (available < 0 || needed <= available)
    return PARCEL_OK;
  return parcel_fail(
      PARCEL_MEMORY,
      "%" PRId64 " threads in %d ranks here need %.2f GB for blocks of %" PRId64
      " positions, but %.2f GB of memory are available%s; use a smaller block or fewer threads",
      demand->workers, demand->ranks, 1e-9 * needed, parcel_block_grid_largest(demand->grid),
      1e-9 * available, by);
}

/* What this process may still have of a resource by its limit; kind is a line of /proc/self/status. */
static double left_of(__rlimit_resource_t resource, const char *kind)
{
  struct rlimit limit;
  double kibibytes = 0;
  if (getrlimit(resource, &limit) || limit.rlim_cur == RLIM_INFINITY ||
      !read_kibibytes("/proc/self/status", kind, &kibibytes))
    return -1;
  const double left = (double)limit.rlim_cur - 1024 * kibibytes;
  return left > 0 ? left : 0;
}

static parcel_status judge_process(const demand *own)
{
  const parcel_status status = judge(own, left_of(RLIMIT_AS, "VmSize:"), " to a process (ulimit -v)");
  return status ? status : judge(own, left_of(RLIMIT_DATA, "VmData:"), " to a process (ulimit -d)");
}

/* Ranks of a host are in one control group (a container, a job) or each in its own. Collective over the node.
 * */
static parcel_status judge_group(const parcel_world *world, const demand *own, const demand *host)
{
  parcel_cgroup_memory memory;
  char by[PATH_MAX + 64];
  parcel__cgroup_memory("", &memory);
  int64_t group[2] = {(int64_t)(memory.group >> 1), -(int64_t)(memory.group >> 1)};
  const parcel_status status = parcel_world_check_mpi(
      world, MPI_Allreduce(MPI_IN_PLACE, group, 2, MPI_INT64_T, MPI_MIN, parcel__world_node(world)),
      "MPI_Allreduce of the control groups of a host");
  if (status || isinf(memory.available))
    return status;
  snprintf(by, sizeof by, " to the control group (cgroup) '%s'", memory.folder);
  return judge(group[0] == -group[1] ? host : own, memory.available, by);
}

parcel_status parcel__sweep_check_memory(const parcel_world *world, const parcel_sweep *sweep,
                                         parcel_block_grid grid, int threads)
{
  demand own = {.grid = grid, .workers = threads, .ranks = 1};
  demand host = {.grid = grid, .workers = threads, .ranks = parcel_world_node_size(world)};
  double available = 0;
  const int code =
      MPI_Allreduce(MPI_IN_PLACE, &host.workers, 1, MPI_INT64_T, MPI_SUM, parcel__world_node(world));
  parcel_status status = parcel_world_check_mpi(world, code, "MPI_Allreduce of the threads of a host");
  if (!status && !(status = parcel__sweep_buffer_bytes(sweep, grid, &own.bytes))) {
    host.bytes = own.bytes;
    status = judge_group(world, &own, &host);
  }
  if (!status)
    status = judge_process(&own);
  if (!status && parcel_world_node_rank(world) == 0 &&
      read_kibibytes("/proc/meminfo", "MemAvailable:", &available))
    status = judge(&host, 1024 * available, "");
  return parcel_world_agree(world, status);
}
