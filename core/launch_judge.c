/* Each judgement reads the facts of all ranks, and adds one finding: the worst case it found, or that all is
 * well. */
#include "launch_impl.h"

#include <hwloc.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "window_impl.h"

static const double largest_skew_seconds = 1;
static const double largest_speed_ratio = 1.5;
static const int64_t fewest_open_files = 256;
static const int64_t fewest_locked_bytes = (int64_t)64 << 20;
static const int64_t fewest_window_bytes = (int64_t)1 << 20;

/* In lines to type: the program that is to be run. */
#define PROGRAM "parsquares"

enum { SPARE_PROCESSES = 64, LINE_SIZE = PARCEL_FINDING_TEXT_SIZE };

/* What the ranks of one host have together. */
typedef struct host {
  const parcel_launch_facts *first;
  int ranks;
  int threads;
  int bound; /* CPUs in any of their masks */
  char mask[PARCEL_CPU_LIST_SIZE];
} host;

typedef struct judge {
  const parcel_launch_facts *facts; /* [ranks] */
  int ranks;
  char line[LINE_SIZE]; /* that starts as many ranks with as many threads, unbound */
  parcel_findings *out;
} judge;

/* mpirun and its option. Open MPI binds by default, MPICH's Hydra where it is told to. */
static const char *launcher_of(const char *build)
{
  if (strstr(build, "Open MPI"))
    return "mpirun --bind-to none";
  return strstr(build, "MPICH") ? "mpiexec -bind-to none" : "mpiexec";
}

const char *parcel__launch_line(const char *build, const char *program, int ranks, int threads, char *line,
                                size_t size)
{
  if (getenv("SLURM_STEP_ID") && !getenv("OMPI_COMM_WORLD_SIZE"))
    snprintf(line, size, "srun --ntasks=%d --cpus-per-task=%d --cpu-bind=cores %s ...", ranks, threads,
             program);
  else
    snprintf(line, size, "%s -n %d %s ...", launcher_of(build), ranks, program);
  return line;
}

static int cpus_in(const char *mask)
{
  hwloc_bitmap_t bitmap = hwloc_bitmap_alloc();
  hwloc_bitmap_list_sscanf(bitmap, mask);
  const int count = hwloc_bitmap_weight(bitmap);
  hwloc_bitmap_free(bitmap);
  return count;
}

/* The host of rank `first`, if that is the first rank there. */
static bool find_host(const judge *judge, int first, host *out)
{
  const parcel_launch_facts *facts = judge->facts;
  hwloc_bitmap_t all = hwloc_bitmap_alloc();
  hwloc_bitmap_t one = hwloc_bitmap_alloc();
  host found = {.first = &facts[first]};
  bool is_first = true;
  for (int r = 0; r < judge->ranks && is_first; ++r) {
    if (strcmp(facts[r].host, facts[first].host) != 0)
      continue;
    is_first = r >= first;
    hwloc_bitmap_list_sscanf(one, facts[r].mask);
    hwloc_bitmap_or(all, all, one);
    found.threads += facts[r].threads;
    ++found.ranks;
  }
  found.bound = hwloc_bitmap_weight(all);
  hwloc_bitmap_list_snprintf(found.mask, sizeof found.mask, all);
  hwloc_bitmap_free(one);
  hwloc_bitmap_free(all);
  *out = found;
  return is_first;
}

static const char *plural(int count)
{
  return count == 1 ? "" : "s";
}

static void judge_launch(judge *judge)
{
  int hosts = 0;
  host host;
  for (int r = 0; r < judge->ranks; ++r)
    hosts += find_host(judge, r, &host);
  parcel_findings_add(judge->out, PARCEL_FINDING_OK, "launch", NULL,
                      "%d rank%s x %d thread%s on %d host%s, %s", judge->ranks, plural(judge->ranks),
                      judge->facts[0].threads, plural(judge->facts[0].threads), hosts, plural(hosts),
                      judge->facts[0].build);
}

/* A pool larger than its mask: mpirun binds each of one or two ranks to one core. */
static void judge_binding(judge *judge)
{
  const parcel_launch_facts *worst = &judge->facts[0];
  char line[LINE_SIZE];
  for (int r = 1; r < judge->ranks; ++r)
    if (judge->facts[r].threads - judge->facts[r].allowed > worst->threads - worst->allowed)
      worst = &judge->facts[r];
  host host;
  for (int r = 0; !find_host(judge, r, &host) || strcmp(host.first->host, worst->host) != 0;)
    ++r;
  const bool has_more =
      worst->allowed < worst->host_cpus && host.threads <= worst->host_cpus; /* if unbound */
  snprintf(line, sizeof line, PROGRAM " -t %d ...", worst->allowed);
  if (worst->threads > worst->allowed)
    parcel_findings_add(judge->out, PARCEL_FINDING_WARNING, "binding", has_more ? judge->line : line,
                        "rank %d on %s has %d threads, but only %d of CPUs %s", (int)(worst - judge->facts),
                        worst->host, worst->threads, worst->allowed, worst->mask);
  else
    parcel_findings_add(judge->out, PARCEL_FINDING_OK, "binding", NULL,
                        "every rank may use at least as many CPUs as it has threads");
}

static void judge_sharing(judge *judge)
{
  host host;
  for (int r = 0; r < judge->ranks; ++r) {
    if (!find_host(judge, r, &host) || host.threads <= host.bound)
      continue;
    const bool has_more = host.bound < host.first->host_cpus && host.threads <= host.first->host_cpus;
    char line[LINE_SIZE];
    if (host.ranks > host.bound)
      parcel__launch_line(judge->facts[0].build, PROGRAM, judge->ranks * host.bound / host.ranks, 1, line,
                          sizeof line);
    else
      snprintf(line, sizeof line, PROGRAM " -t %d ...", host.bound / host.ranks);
    parcel_findings_add(judge->out, PARCEL_FINDING_WARNING, "sharing", has_more ? judge->line : line,
                        "%d threads of %d ranks share CPUs %s of %s, which has %d CPUs", host.threads,
                        host.ranks, host.mask, host.first->host, host.first->host_cpus);
    return;
  }
  parcel_findings_add(judge->out, PARCEL_FINDING_OK, "sharing", NULL, "no host has more threads than CPUs");
}

static void judge_idle_cpus(judge *judge)
{
  host host;
  for (int r = 0; r < judge->ranks; ++r) {
    if (find_host(judge, r, &host) && host.threads < host.first->host_cpus &&
        host.bound < host.first->host_cpus) {
      parcel_findings_add(judge->out, PARCEL_FINDING_WARNING, "idle CPUs", judge->line,
                          "the ranks on %s are bound to CPUs %s; %d of its %d CPUs stay idle",
                          host.first->host, host.mask, host.first->host_cpus - host.bound,
                          host.first->host_cpus);
      return;
    }
  }
}

static void judge_quota(judge *judge)
{
  for (int r = 0; r < judge->ranks; ++r) {
    if (judge->facts[r].allowed < cpus_in(judge->facts[r].mask)) {
      parcel_findings_add(judge->out, PARCEL_FINDING_NOTE, "quota", NULL,
                          "a cgroup grants the processes on %s %d CPUs of their %d", judge->facts[r].host,
                          judge->facts[r].allowed, cpus_in(judge->facts[r].mask));
      return;
    }
  }
}

/* A rank that waits without yielding holds the CPU that the one it waits for needs. */
static void judge_yielding(judge *judge)
{
  host host;
  for (int r = 0; r < judge->ranks; ++r) {
    if (find_host(judge, r, &host) && host.ranks > host.bound && !host.first->yields) {
      parcel_findings_add(judge->out, PARCEL_FINDING_WARNING, "waiting",
                          "export OMPI_MCA_mpi_yield_when_idle=1",
                          "%d ranks on %d CPUs of %s, and MPI does not yield while it waits: each message "
                          "takes milliseconds",
                          host.ranks, host.bound, host.first->host);
      return;
    }
  }
}

static void judge_threads(judge *judge)
{
  for (int r = 0; r < judge->ranks; ++r) {
    if (!judge->facts[r].has_thread_support && judge->facts[r].threads > 1) {
      parcel_findings_add(judge->out, PARCEL_FINDING_ERROR, "threads", PROGRAM " -t 1 ...",
                          "MPI runs at MPI_THREAD_SINGLE, so rank %d may not have %d threads", r,
                          judge->facts[r].threads);
      return;
    }
  }
  parcel_findings_add(judge->out, PARCEL_FINDING_OK, "threads", NULL, "MPI allows ranks to have threads");
}

static void judge_start_up(judge *judge)
{
  if (!strstr(judge->facts[0].build, "Open MPI"))
    return; /* what others look for at their start is not known here */
  for (int r = 0; r < judge->ranks; ++r) {
    if (judge->facts[r].fabric == PARCEL_FABRIC_SEARCHED) {
      parcel_findings_add(judge->out, PARCEL_FINDING_NOTE, "start-up", "export OMPI_MCA_pml=ob1",
                          "Open MPI looks for network adapters that %s does not have, for 0.2 s or more at "
                          "each start, since OMPI_MCA_ variables or a parameter file say so",
                          judge->facts[r].host);
      return;
    }
  }
  const bool is_skipped = judge->facts[0].fabric == PARCEL_FABRIC_SKIPPED;
  parcel_findings_add(judge->out, PARCEL_FINDING_OK, "start-up", NULL, "%s",
                      is_skipped ? "no network adapter but TCP's, and no search for others"
                                 : "a fast network adapter is there, or may be");
}

static void judge_limits(judge *judge)
{
  const int before = judge->out->count;
  for (int r = 0; r < judge->ranks && judge->out->count == before; ++r) {
    const parcel_launch_facts *rank = &judge->facts[r];
    host host;
    find_host(judge, r, &host);
    if (rank->open_files < fewest_open_files)
      parcel_findings_add(judge->out, PARCEL_FINDING_WARNING, "limits", "ulimit -n 1024",
                          "rank %d on %s may open no more than %" PRId64 " files", r, rank->host,
                          rank->open_files);
    if (rank->processes < host.threads + host.ranks + SPARE_PROCESSES)
      parcel_findings_add(judge->out, PARCEL_FINDING_WARNING, "limits", "ulimit -u unlimited",
                          "%" PRId64 " processes and threads per user on %s are few for %d threads",
                          rank->processes, rank->host, host.threads);
    if (rank->fabric == PARCEL_FABRIC_PRESENT && rank->locked_bytes < fewest_locked_bytes)
      parcel_findings_add(judge->out, PARCEL_FINDING_WARNING, "limits", "ulimit -l unlimited",
                          "rank %d on %s may lock %" PRId64 " bytes of memory; network adapters want more", r,
                          rank->host, rank->locked_bytes);
  }
  if (judge->out->count == before)
    parcel_findings_add(judge->out, PARCEL_FINDING_OK, "limits", NULL,
                        "open files, processes and locked memory suffice");
}

static void judge_shared_memory(judge *judge)
{
  for (int r = 0; r < judge->ranks; ++r) {
    const parcel_launch_facts *rank = &judge->facts[r];
    host host;
    if (rank->window_bytes >= fewest_window_bytes)
      continue;
    find_host(judge, r, &host);
    parcel_findings_add(judge->out, host.ranks > 1 ? PARCEL_FINDING_ERROR : PARCEL_FINDING_NOTE,
                        "shared memory", "df " PARCEL_WINDOW_FOLDER "; ls -l " PARCEL_WINDOW_FOLDER,
                        PARCEL_WINDOW_FOLDER " of %s has %" PRId64
                                             " bytes free, too few for memory that the ranks of a host share",
                        rank->host, rank->window_bytes);
    return;
  }
  parcel_findings_add(judge->out, PARCEL_FINDING_OK, "shared memory", NULL,
                      "there is room for memory that the ranks of a host share");
}

static void judge_clocks(judge *judge)
{
  int worst = 0;
  for (int r = 1; r < judge->ranks; ++r)
    if (fabs(judge->facts[r].clock_seconds) > fabs(judge->facts[worst].clock_seconds))
      worst = r;
  const double lead = judge->facts[worst].clock_seconds;
  if (fabs(lead) > largest_skew_seconds)
    parcel_findings_add(judge->out, PARCEL_FINDING_WARNING, "clocks", "chronyc makestep",
                        "the clock of %s is %.3g s %s that of %s", judge->facts[worst].host, fabs(lead),
                        lead < 0 ? "behind" : "ahead of", judge->facts[0].host);
  else
    parcel_findings_add(judge->out, PARCEL_FINDING_OK, "clocks", NULL, "none is off by more than %.1g s",
                        fabs(lead));
}

static void judge_versions(judge *judge)
{
  int major = 0;
  int minor = 0;
  int release = 0;
  for (int r = 1; r < judge->ranks; ++r) {
    if (strcmp(judge->facts[r].build, judge->facts[0].build) != 0) {
      parcel_findings_add(judge->out, PARCEL_FINDING_ERROR, "versions", "ldd $(command -v " PROGRAM ")",
                          "rank %d on %s runs %s, rank 0 on %s %s", r, judge->facts[r].host,
                          judge->facts[r].build, judge->facts[0].host, judge->facts[0].build);
      return;
    }
  }
  const char *mpi = strstr(judge->facts[0].build, "Open MPI v");
  if (mpi && sscanf(mpi, "Open MPI v%d.%d.%d", &major, &minor, &release) == 3 &&
      major * 10000 + minor * 100 + release < 40105)
    parcel_findings_add(judge->out, PARCEL_FINDING_NOTE, "versions", "export OMPI_MCA_osc=^rdma",
                        "one-sided transfers of Open MPI before 4.1.5 can corrupt data; Parcel uses none, "
                        "your own code might");
  else
    parcel_findings_add(judge->out, PARCEL_FINDING_OK, "versions", NULL, "the same on every rank");
}

static void judge_speed(judge *judge)
{
  int slow = 0;
  int fast = 0;
  for (int r = 1; r < judge->ranks; ++r) {
    slow = judge->facts[r].loop_seconds > judge->facts[slow].loop_seconds ? r : slow;
    fast = judge->facts[r].loop_seconds < judge->facts[fast].loop_seconds ? r : fast;
  }
  const double ratio = judge->facts[slow].loop_seconds / judge->facts[fast].loop_seconds;
  if (ratio > largest_speed_ratio)
    parcel_findings_add(judge->out, PARCEL_FINDING_NOTE, "speed", PROGRAM " --schedule=dynamic ...",
                        "rank %d on %s computes %.1f times as long as rank %d on %s", slow,
                        judge->facts[slow].host, ratio, fast, judge->facts[fast].host);
  else
    parcel_findings_add(judge->out, PARCEL_FINDING_OK, "speed", NULL, "the ranks' CPUs are equally fast");
}

void parcel__launch_judge(const parcel_launch_facts facts[], int ranks, parcel_findings *out)
{
  static void (*const judgements[])(judge *) = {
      judge_launch,   judge_binding,  judge_sharing,  judge_idle_cpus, judge_quota,
      judge_yielding, judge_threads,  judge_start_up, judge_limits,    judge_shared_memory,
      judge_clocks,   judge_versions, judge_speed};
  judge judge = {.facts = facts, .ranks = ranks, .out = out};
  parcel__launch_line(facts[0].build, PROGRAM, ranks, facts[0].threads, judge.line, sizeof judge.line);
  for (size_t j = 0; j < sizeof judgements / sizeof *judgements; ++j)
    judgements[j](&judge);
}
