/** @file
 *  What the control groups (cgroups) that this process is in let it have: containers and batch systems set
 *  their limits there. Any level from the process's own group up to the root may set the tightest. Both
 *  versions of the interface are known, wherever they are mounted, also side by side.
 *
 *  root  "" but in tests: stands before every path that is read */
#ifndef PARCEL_CGROUP_IMPL_H
#define PARCEL_CGROUP_IMPL_H

#include <limits.h>
#include <stdint.h>

#include <parcel/base.h>

typedef struct parcel_cgroup_memory {
  double available;      /* bytes that the group may still have, page cache not counted; INFINITY: no limit */
  uint64_t group;        /* the same for processes that share the limit */
  char folder[PATH_MAX]; /* that sets it */
} parcel_cgroup_memory;

/** The level that leaves least. Never fails: what cannot be read limits nothing. */
void parcel__cgroup_memory(const char *root, parcel_cgroup_memory *out);

/** The tightest CPU quota in whole CPUs, rounded up; INT_MAX for none. */
int parcel__cgroup_cpus(const char *root);

/** The quota in a cgroup v2 cpu.max ("max 100000", "150000 100000") or v1 quota and period, rounded up to
 *  whole CPUs; INT_MAX for none. */
int parcel__cpus_of_quota(const char *quota, const char *period);

#endif
