/* The mask comes from sched_getaffinity, which sees taskset, mpirun's and srun's binding and cpusets
 * alike. Quotas (containers, batch systems) are the control groups'. hwloc's bitmaps hold and print the mask;
 * its topology is not needed, nor its 20 ms. */
#include "cpus_impl.h"

#include <hwloc.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup_impl.h"

static int clamp_to_int(long long value)
{
  return value > INT_MAX ? INT_MAX : (int)value;
}

/* The kernel's mask can be wider than cpu_set_t; grow until it fits. */
static int read_mask(char *list, size_t size)
{
  int count = 0;
  for (int width = CPU_SETSIZE; count == 0 && width <= 1 << 20; width *= 4) {
    cpu_set_t *set = CPU_ALLOC((size_t)width);
    hwloc_bitmap_t bitmap = hwloc_bitmap_alloc();
    const size_t bytes = CPU_ALLOC_SIZE((size_t)width);
    if (set && bitmap && sched_getaffinity(0, bytes, set) == 0) {
      for (int cpu = 0; cpu < width; ++cpu)
        if (CPU_ISSET_S((size_t)cpu, bytes, set))
          hwloc_bitmap_set(bitmap, (unsigned)cpu);
      hwloc_bitmap_list_snprintf(list, size, bitmap);
      count = hwloc_bitmap_weight(bitmap);
    }
    hwloc_bitmap_free(bitmap);
    CPU_FREE(set);
  }
  return count > 0 ? count : 1;
}

static int read_per_task(void)
{
  const char *text = getenv("SLURM_CPUS_PER_TASK");
  const long long value = text ? strtoll(text, NULL, 10) : 0;
  return value > 0 ? clamp_to_int(value) : INT_MAX;
}

parcel_cpus parcel__cpus_of_process(void)
{
  parcel_cpus cpus = {.per_task = read_per_task()};
  const int mask = read_mask(cpus.list, sizeof cpus.list);
  const int quota = parcel__cgroup_cpus("");
  cpus.allowed = quota < mask ? quota : mask;
  return cpus;
}

/* Whoever asks for all CPUs gets those that its cpuset has (sched_setaffinity(2)). */
int parcel__cpus_if_unbound(void)
{
  char list[PARCEL_CPU_LIST_SIZE];
  cpu_set_t before;
  cpu_set_t all;
  memset(&all, 0xff, sizeof all);
  const bool is_known = sched_getaffinity(0, sizeof before, &before) == 0; /* not of more than 1024 CPUs */
  const bool is_unbound = is_known && sched_setaffinity(0, sizeof all, &all) == 0;
  const int mask = read_mask(list, sizeof list);
  if (is_unbound)
    (void)sched_setaffinity(0, sizeof before, &before);
  const int quota = parcel__cgroup_cpus("");
  return quota < mask ? quota : mask;
}

int parcel__cpus_together(const parcel_cpus all[], int count)
{
  hwloc_bitmap_t together = hwloc_bitmap_alloc();
  hwloc_bitmap_t one = hwloc_bitmap_alloc();
  for (int r = 0; r < count; ++r) {
    hwloc_bitmap_list_sscanf(one, all[r].list);
    hwloc_bitmap_or(together, together, one);
  }
  const int cpus = hwloc_bitmap_weight(together);
  hwloc_bitmap_free(one);
  hwloc_bitmap_free(together);
  return cpus;
}
