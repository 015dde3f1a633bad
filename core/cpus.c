/* The mask comes from sched_getaffinity, which sees taskset, mpirun's and srun's binding and cpusets
 * alike. Quotas (containers, batch systems) are read from the cgroup file systems, from the process's own
 * group up to the root: any level may set the tightest. hwloc's bitmaps hold and print the mask; its
 * topology is not needed, nor its 20 ms. */
#include "cpus_impl.h"

#include <hwloc.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int parcel__cpus_of_quota(const char *quota, const char *period)
{
  const long long allowed = strtoll(quota, NULL, 10); /* 0 for "max", -1 for no quota in v1 */
  const long long per = strtoll(period, NULL, 10);
  if (allowed <= 0 || per <= 0)
    return INT_MAX;
  return clamp_to_int((allowed - 1) / per + 1);
}

static bool read_line(const char *folder, const char *file, char *line, int size)
{
  char path[PATH_MAX];
  if (snprintf(path, sizeof path, "%s/%s", folder, file) >= (int)sizeof path)
    return false;
  FILE *stream = fopen(path, "re");
  if (!stream)
    return false;
  const bool is_read = fgets(line, size, stream) != NULL;
  fclose(stream);
  return is_read;
}

static int quota_of_group(const char *folder)
{
  char quota[64];
  char period[64];
  if (read_line(folder, "cpu.max", quota, sizeof quota)) {
    const char *space = strchr(quota, ' ');
    return space ? parcel__cpus_of_quota(quota, space + 1) : INT_MAX;
  }
  if (read_line(folder, "cpu.cfs_quota_us", quota, sizeof quota) &&
      read_line(folder, "cpu.cfs_period_us", period, sizeof period))
    return parcel__cpus_of_quota(quota, period);
  return INT_MAX;
}

/* The tightest quota from group (a path like "/a/b") up to the root of the hierarchy mounted at `root`. */
static int quota_of_hierarchy(const char *root, const char *group)
{
  char folder[PATH_MAX];
  int least = INT_MAX;
  if (snprintf(folder, sizeof folder, "%s%s", root, group) >= (int)sizeof folder)
    return INT_MAX;
  for (;;) {
    const int quota = quota_of_group(folder);
    least = quota < least ? quota : least;
    char *slash = strrchr(folder, '/');
    if (!slash || (size_t)(slash - folder) < strlen(root))
      return least;
    *slash = '\0';
  }
}

/* Lines of /proc/self/cgroup are "0::/path" (v2) and "N:controllers:/path" (v1). */
static int read_quota(void)
{
  char line[PATH_MAX];
  int least = INT_MAX;
  FILE *stream = fopen("/proc/self/cgroup", "re");
  while (stream && fgets(line, sizeof line, stream)) {
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
      continue;
    *controllers++ = '\0';
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    const char *root = NULL;
    if (*controllers == '\0')
      root = "/sys/fs/cgroup";
    else if (strcmp(controllers, "cpu") == 0 || strstr(controllers, "cpu,"))
      root = "/sys/fs/cgroup/cpu";
    if (root) {
      const int quota = quota_of_hierarchy(root, strcmp(group, "/") == 0 ? "" : group);
      least = quota < least ? quota : least;
    }
  }
  if (stream)
    fclose(stream);
  return least;
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
  const int quota = read_quota();
  cpus.allowed = quota < mask ? quota : mask;
  return cpus;
}
