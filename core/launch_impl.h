/** @file
 *  What is known of each rank's launch, and the judgement on it, which needs no MPI. */
#ifndef PARCEL_LAUNCH_IMPL_H
#define PARCEL_LAUNCH_IMPL_H

#include <stdbool.h>
#include <stddef.h>

#include <parcel/findings.h>

#include "cpus_impl.h"
#include "fabric_impl.h"

#define PARCEL_BUILD_SIZE 160

/** One rank's. Sent as bytes. */
typedef struct parcel_launch_facts {
  char host[65];
  char build[PARCEL_BUILD_SIZE];
  char mask[PARCEL_CPU_LIST_SIZE]; /* CPUs this rank is bound to */
  int allowed;                     /* of the mask, or fewer by a cgroup's quota */
  int host_cpus;                   /* that the job has on this host */
  int threads;
  bool has_thread_support; /* at least MPI_THREAD_FUNNELED */
  bool yields;             /* MPI gives way to others while it waits */
  parcel_fabric_state fabric;
  double clock_seconds; /* ahead of rank 0's */
  double loop_seconds;  /* of CPU time for the same loop on every rank */
  int64_t open_files;   /* limits; INT64_MAX for none */
  int64_t locked_bytes;
  int64_t processes;
  int64_t window_bytes; /* free for memory that the ranks of a host share; INT64_MAX: enough */
} parcel_launch_facts;

/** What this rank runs: "Parcel 0.1.0 with Open MPI v4.1.4". Returns text. */
const char *parcel__launch_build(char text[PARCEL_BUILD_SIZE]);

/** Whether this build of MPI gives way to others while it waits. */
bool parcel__launch_yields(const char *build);

/** CPUs that this job could use on this host, however it is bound. */
int parcel__launch_host_cpus(void);

/** The line that starts `ranks` ranks of a program with CPUs for `threads` threads each, unbound: srun's
 *  inside a Slurm step, elsewhere in the words of the MPI that the build names. Returns line. */
const char *parcel__launch_line(const char *build, const char *program, int ranks, int threads, char *line,
                                size_t size);

/** facts  [ranks] */
void parcel__launch_judge(const parcel_launch_facts facts[], int ranks, parcel_findings *out);

#endif
