/** @file
 *  The CPUs this process may use, before they are shared among the ranks of the host. */
#ifndef PARCEL_CPUS_IMPL_H
#define PARCEL_CPUS_IMPL_H

#include <parcel/base.h>

#define PARCEL_CPU_LIST_SIZE 512

typedef struct parcel_cpus {
  int allowed;                     /* CPUs in the affinity mask, or fewer by the cgroup's quota; at least 1 */
  int per_task;                    /* SLURM_CPUS_PER_TASK, INT_MAX where not set */
  char list[PARCEL_CPU_LIST_SIZE]; /* the mask as Linux lists it, "0-3,8"; the name of what ranks share */
} parcel_cpus;

/** Asks the system. Never fails: what cannot be found out limits nothing. */
parcel_cpus parcel__cpus_of_process(void);

/** CPUs that this process could use if it were not bound: what cpusets and quotas leave it of the host. */
int parcel__cpus_if_unbound(void);

/** CPUs in any of the masks. */
int parcel__cpus_together(const parcel_cpus all[], int count);

#endif
