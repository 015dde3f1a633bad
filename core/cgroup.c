/* /proc/self/cgroup names the group in each hierarchy: lines "0::/path" (version 2) and "N:controllers:/path"
 * (version 1). /proc/self/mountinfo tells where a hierarchy is mounted, and from which of its folders on: in
 * a container often from the container's own. (Linux's Documentation/admin-guide/cgroup-v1, cgroup-v2, and
 * proc(5).) */
#include "cgroup_impl.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LINE_SIZE = 2 * PATH_MAX };

static const double no_limit_bytes = 0x1p62; /* version 1 says "none" by the largest number of whole pages */

/* What is done at each level of a hierarchy. */
typedef void (*visitor)(void *ctx, const char *folder);

/* ---- files ---- */

static FILE *open_file(const char *root, const char *path)
{
  char whole[2 * PATH_MAX];
  return snprintf(whole, sizeof whole, "%s%s", root, path) < (int)sizeof whole ? fopen(whole, "re") : NULL;
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

/* A number of bytes; false for "max" and where there is no such file. */
static bool read_bytes(const char *folder, const char *file, double *out)
{
  char line[64];
  char *end = line;
  if (!read_line(folder, file, line, sizeof line))
    return false;
  const double bytes = strtod(line, &end);
  *out = bytes;
  return end != line && bytes >= 0 && bytes < no_limit_bytes;
}

/* ---- lists and paths ---- */

static bool is_in_list(const char *list, const char *word)
{
  const size_t length = strlen(word);
  for (const char *entry = list; *entry; entry += strcspn(entry, ","), entry += *entry == ',')
    if (strncmp(entry, word, length) == 0 && strchr(", \n", entry[length]))
      return true;
  return false;
}

/* The kernel writes blanks and the like as \040. */
static void unescape(char *path)
{
  char *to = path;
  for (const char *from = path; *from; ++to) {
    if (from[0] == '\\' && strspn(from + 1, "01234567") >= 3) {
      *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
      from += 4;
    } else
      *to = *from++;
  }
  *to = '\0';
}

/* ---- mounts ---- */

typedef struct mount {
  char point[PATH_MAX];
  char from[PATH_MAX]; /* the folder of the hierarchy that is seen there */
} mount;

/* "ID PARENT DEVICE FROM POINT OPTIONS... - TYPE SOURCE SUPER_OPTIONS" */
static bool read_mount(char *line, const char *controller, mount *out)
{
  char type[16];
  char options[512] = "";
  const char *rest = strstr(line, " - ");
  if (!rest || sscanf(rest, " - %15s %*s %511s", type, options) < 1 ||
      sscanf(line, "%*s %*s %*s %4095s %4095s", out->from, out->point) != 2)
    return false;
  unescape(out->from);
  unescape(out->point);
  return controller ? strcmp(type, "cgroup") == 0 && is_in_list(options, controller)
                    : strcmp(type, "cgroup2") == 0;
}

/* controller  NULL: version 2 */
static bool find_mount(const char *root, const char *controller, mount *out)
{
  char line[LINE_SIZE];
  bool is_found = false;
  FILE *stream = open_file(root, "/proc/self/mountinfo");
  while (stream && !is_found && fgets(line, sizeof line, stream))
    is_found = read_mount(line, controller, out);
  if (stream)
    fclose(stream);
  return is_found;
}

/* ---- levels ---- */

/* The group's path below the folder that is mounted; "" where it is not below. */
static const char *path_below(const char *group, const char *from)
{
  const size_t length = strcmp(from, "/") == 0 ? 0 : strlen(from);
  const bool is_below = strncmp(group, from, length) == 0 && (group[length] == '/' || group[length] == '\0');
  return !is_below || strstr(group, "/..") || strcmp(group + length, "/") == 0 ? "" : group + length;
}

static void visit_levels(const char *root, const mount *mount, const char *group, visitor visit, void *ctx)
{
  char folder[PATH_MAX];
  const int top = snprintf(folder, sizeof folder, "%s%s", root, mount->point);
  if (top >= (int)sizeof folder || snprintf(folder + top, sizeof folder - (size_t)top, "%s",
                                            path_below(group, mount->from)) >= (int)sizeof folder - top)
    return;
  for (;;) {
    visit(ctx, folder);
    char *slash = strrchr(folder, '/');
    if (!slash || slash < folder + top)
      return;
    *slash = '\0';
  }
}

static void visit_groups(const char *root, const char *controller, visitor visit, void *ctx)
{
  char line[LINE_SIZE];
  mount mount;
  FILE *stream = open_file(root, "/proc/self/cgroup");
  while (stream && fgets(line, sizeof line, stream)) {
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
      continue;
    *group++ = '\0';
    ++controllers;
    group[strcspn(group, "\n")] = '\0';
    const bool is_second = *controllers == '\0';
    if ((is_second || is_in_list(controllers, controller)) &&
        find_mount(root, is_second ? NULL : controller, &mount))
      visit_levels(root, &mount, group, visit, ctx);
  }
  if (stream)
    fclose(stream);
}

/* ---- CPUs ---- */

int parcel__cpus_of_quota(const char *quota, const char *period)
{
  const long long allowed = strtoll(quota, NULL, 10); /* 0 for "max", -1 for no quota in v1 */
  const long long per = strtoll(period, NULL, 10);
  if (allowed <= 0 || per <= 0)
    return INT_MAX;
  const long long cpus = (allowed - 1) / per + 1;
  return cpus > INT_MAX ? INT_MAX : (int)cpus;
}

static void look_at_quota(void *ctx, const char *folder)
{
  int *least = ctx;
  int cpus = INT_MAX;
  char quota[64];
  char period[64];
  if (read_line(folder, "cpu.max", quota, sizeof quota)) {
    const char *space = strchr(quota, ' ');
    cpus = space ? parcel__cpus_of_quota(quota, space + 1) : INT_MAX;
  } else if (read_line(folder, "cpu.cfs_quota_us", quota, sizeof quota) &&
             read_line(folder, "cpu.cfs_period_us", period, sizeof period))
    cpus = parcel__cpus_of_quota(quota, period);
  *least = cpus < *least ? cpus : *least;
}

int parcel__cgroup_cpus(const char *root)
{
  int least = INT_MAX;
  visit_groups(root, "cpu", look_at_quota, &least);
  return least;
}

/* ---- memory ---- */

/* Page cache that the kernel takes back before it kills anybody. */
static double reclaimable(const char *folder)
{
  static const char *const names[] = {"total_inactive_file ", "inactive_file "}; /* version 1; 2 */
  char path[PATH_MAX];
  char line[128];
  double bytes[2] = {-1, 0};
  if (snprintf(path, sizeof path, "%s/memory.stat", folder) >= (int)sizeof path)
    return 0;
  FILE *stream = fopen(path, "re");
  while (stream && fgets(line, sizeof line, stream))
    for (int n = 0; n < 2; ++n)
      if (strncmp(line, names[n], strlen(names[n])) == 0)
        bytes[n] = strtod(line + strlen(names[n]), NULL);
  if (stream)
    fclose(stream);
  return bytes[0] >= 0 ? bytes[0] : bytes[1];
}

static void look_at_memory(void *ctx, const char *folder)
{
  parcel_cgroup_memory *least = ctx;
  struct stat place;
  double limit = 0;
  double used = 0;
  if (!read_bytes(folder, "memory.max", &limit) && !read_bytes(folder, "memory.limit_in_bytes", &limit))
    return;
  if (!read_bytes(folder, "memory.current", &used) && !read_bytes(folder, "memory.usage_in_bytes", &used))
    used = 0;
  used -= reclaimable(folder);
  const double left = used > 0 ? limit - used : limit;
  const double available = left > 0 ? left : 0;
  if (available >= least->available)
    return;
  least->available = available;
  least->group = stat(folder, &place) == 0 ? (uint64_t)place.st_dev << 48 ^ (uint64_t)place.st_ino : 0;
  snprintf(least->folder, sizeof least->folder, "%s", folder);
}

void parcel__cgroup_memory(const char *root, parcel_cgroup_memory *out)
{
  *out = (parcel_cgroup_memory){.available = INFINITY};
  visit_groups(root, "memory", look_at_memory, out);
}
