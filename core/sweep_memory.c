/* A host that runs out of memory kills a process in the middle of its work; so what the workers are going to
 * need is compared with what there is before. A worker that never gets a block never touches its buffer. */
#include <inttypes.h>
#include <stdio.h>

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

/* Bytes that this host could give to new processes without swapping, as the system estimates it (Linux's
 * Documentation/filesystems/proc); -1 where it does not. */
static double available_bytes(void)
{
  char line[128];
  double kibibytes = -1;
  FILE *file = fopen("/proc/meminfo", "re");
  while (file && kibibytes < 0 && fgets(line, sizeof line, file))
    if (sscanf(line, "MemAvailable: %lf kB", &kibibytes) != 1)
      kibibytes = -1;
  if (file)
    fclose(file);
  return kibibytes < 0 ? -1 : 1024 * kibibytes;
}

/* For all workers of this host. */
static parcel_status judge_host(const parcel_world *world, parcel_block_grid grid, parcel_index bytes,
                                parcel_index workers)
{
  const parcel_index blocks = parcel_block_grid_count(grid);
  const double needed = (double)bytes * (double)(workers < blocks ? workers : blocks);
  const double available = available_bytes();
  if (available < 0 || needed <= available)
    return PARCEL_OK;
  return parcel_fail(
      PARCEL_MEMORY,
      "%" PRId64 " threads in %d ranks here need %.2f GB for blocks of %" PRId64
      " positions, but %.2f GB of memory are available; use a smaller block (--block) or fewer "
      "threads (--threads)",
      workers, parcel_world_node_size(world), 1e-9 * needed, parcel_block_grid_largest(grid),
      1e-9 * available);
}

parcel_status parcel__sweep_check_memory(const parcel_world *world, const parcel_sweep *sweep,
                                         parcel_block_grid grid, int threads)
{
  parcel_index workers = threads;
  parcel_index bytes = 0;
  const int code = MPI_Allreduce(MPI_IN_PLACE, &workers, 1, MPI_INT64_T, MPI_SUM, parcel__world_node(world));
  parcel_status status = parcel_world_check_mpi(world, code, "MPI_Allreduce of the threads of a host");
  if (!status)
    status = parcel__sweep_buffer_bytes(sweep, grid, &bytes);
  if (!status && parcel_world_node_rank(world) == 0)
    status = judge_host(world, grid, bytes, workers);
  return parcel_world_agree(world, status);
}
