/* The environment is asked before the batch system, whose daemons have better to do than to answer each
 * step of each job. squeue is told to print seconds since 1970, which no time zone can shift; one that does
 * not know how prints local time, as qstat does. */
#include <parcel/batch.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ask_impl.h"
#include "batch_impl.h"
#include "world_impl.h"

enum { ANSWER_SIZE = 65536 };

static const double timeout_for_answer_seconds = 5;
static const double reserve_fraction = 0.05;
static const double largest_reserve_seconds = 30;
static const double shortest_deadline_seconds = 1e-3; /* 0 would mean none */

static double now_in_seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- texts ---- */

/* Seconds since 1970, or local time in a format of strptime. The text ends there, or at the end of a line. */
static bool read_moment(const char *text, const char *format, double *out)
{
  char *end = NULL;
  struct tm local = {0};
  long long seconds = strtoll(text, &end, 10);
  if (end == text || (*end != '\0' && *end != '\n')) {
    end = strptime(text, format, &local);
    local.tm_isdst = -1; /* mktime is to find out */
    seconds = end ? mktime(&local) : 0;
  }
  if (seconds <= 0 || (*end != '\0' && *end != '\n'))
    return false;
  *out = (double)seconds;
  return true;
}

/* "[[DAYS:]HOURS:]MINUTES:SECONDS", or seconds alone. */
static bool read_duration(const char *text, double *out)
{
  static const int per_unit[] = {60, 60, 24};
  double parts[4] = {0};
  int count = 0;
  for (const char *next = text; count < 4; ++next) {
    char *end = NULL;
    parts[count++] = (double)strtoull(next, &end, 10);
    if (end == next)
      return false;
    next = end;
    if (*next != ':')
      break;
  }
  double unit = 1;
  *out = 0;
  for (int p = count - 1; p >= 0; --p) {
    *out += parts[p] * unit;
    unit *= p > 0 ? per_unit[count - 1 - p] : 1;
  }
  return true;
}

/* The value of a line "    name = value". */
static const char *find_value(const char *text, const char *name)
{
  const size_t length = strlen(name);
  for (const char *line = text; line; line = strchr(line, '\n')) {
    line += strspn(line, " \t\n");
    if (strncmp(line, name, length) == 0 && strncmp(line + length, " = ", 3) == 0)
      return line + length + 3;
  }
  return NULL;
}

/* ---- batch systems ---- */

static parcel_status fail_to_read(const char *program, const char *answer)
{
  return parcel_fail(PARCEL_SYSTEM, "'%s' answered '%.*s', which is no time of this job", program,
                     (int)strcspn(answer, "\n"), answer);
}

static bool has_no_limit(const char *answer)
{
  static const char *const words[] = {"N/A", "NONE", "Unknown", "UNLIMITED"};
  for (size_t w = 0; w < sizeof words / sizeof *words; ++w)
    if (strncmp(answer, words[w], strlen(words[w])) == 0)
      return true;
  return false;
}

/* One line for each part of a heterogeneous job, which ends with the first of them.
 *
 * id  with which the lines of this job begin; NULL: all are */
static parcel_status read_squeue(const char *answer, const char *id, double *out)
{
  const size_t length = id ? strlen(id) : 0;
  double first = INFINITY;
  bool is_found = false;
  for (const char *line = answer; *line; line += strcspn(line, "\n"), line += *line == '\n') {
    double end = INFINITY;
    if (id && (strncmp(line, id, length) != 0 || line[length] != ' '))
      continue;
    const char *text = id ? line + length + 1 : line;
    if (!has_no_limit(text) && !read_moment(text, "%Y-%m-%dT%H:%M:%S", &end))
      return fail_to_read("squeue", text);
    first = end < first ? end : first;
    is_found = true;
  }
  *out = isinf(first) ? 0 : first;
  return is_found ? PARCEL_OK : fail_to_read("squeue", answer);
}

/* The last member of an array has the array's own number, for which squeue tells of all members: so the
 * member is asked for as a member, and only what is said of its own number (%A) is believed. */
static parcel_status ask_squeue(const char *job, double timeout_seconds, double *out)
{
  const char *array = getenv("SLURM_ARRAY_JOB_ID");
  const char *member = getenv("SLURM_ARRAY_TASK_ID");
  const bool is_member = array && *array && member && *member;
  char asked[128];
  char answer[4096];
  snprintf(asked, sizeof asked, "%s%s%s", is_member ? array : job, is_member ? "_" : "",
           is_member ? member : "");
  const char *const command[] = {"env", "SLURM_TIME_FORMAT=%s",     "squeue", "-h", "-j", asked,
                                 "-o",  is_member ? "%A %e" : "%e", NULL};
  *out = 0;
  const parcel_status status = parcel__ask(command, timeout_seconds, answer, sizeof answer);
  if (status)
    return parcel_fail(status, "squeue: %s", parcel_last_error());
  return read_squeue(answer, is_member ? job : NULL, out);
}

/* The variable does not follow when the limit is prolonged: a moment that has passed was the end once. */
static parcel_status end_of_slurm_job(const char *job, double timeout_seconds, double *out)
{
  const char *end = getenv("SLURM_JOB_END_TIME");
  if (end && read_moment(end, "", out) && *out > now_in_seconds())
    return PARCEL_OK;
  return ask_squeue(job, timeout_seconds, out);
}

static parcel_status end_of_pbs_job(const char *job, double timeout_seconds, double *out)
{
  const char *const command[] = {"qstat", "-f", job, NULL};
  double limit = 0;
  char *answer = malloc(ANSWER_SIZE);
  parcel_status status = answer ? parcel__ask(command, timeout_seconds, answer, ANSWER_SIZE)
                                : parcel_fail(PARCEL_MEMORY, "no memory for an answer of qstat");
  *out = 0;
  if (!status) {
    const char *walltime = find_value(answer, "Resource_List.walltime");
    const char *started = find_value(answer, "stime");
    if (!walltime)
      walltime = getenv("PBS_WALLTIME");
    if (walltime &&
        (!started || !read_moment(started, "%a %b %d %H:%M:%S %Y", out) || !read_duration(walltime, &limit)))
      status = fail_to_read("qstat", started ? started : answer);
    *out = status || !walltime ? 0 : *out + limit;
  }
  free(answer);
  return status;
}

parcel_status parcel__batch_end(double timeout_seconds, double *out)
{
  const char *slurm = getenv("SLURM_JOB_ID");
  const char *pbs = getenv("PBS_JOBID");
  *out = 0;
  if (slurm && *slurm)
    return end_of_slurm_job(slurm, timeout_seconds, out);
  return pbs && *pbs ? end_of_pbs_job(pbs, timeout_seconds, out) : PARCEL_OK;
}

/* ---- the deadline ---- */

static double deadline_for(const parcel_world *world, double end)
{
  const double left = end - now_in_seconds();
  const double fraction = reserve_fraction * left;
  const double reserve = fraction < largest_reserve_seconds ? fraction : largest_reserve_seconds;
  const double deadline = parcel__seconds() - parcel__world_opened(world) + left - reserve;
  return left > 0 && deadline > shortest_deadline_seconds ? deadline : shortest_deadline_seconds;
}

parcel_status parcel_batch_deadline(const parcel_world *world, double *out)
{
  double deadline = 0;
  double end = 0;
  if (parcel_world_rank(world) == 0) {
    if (parcel__batch_end(timeout_for_answer_seconds, &end))
      parcel_world_warn(world,
                        "cannot learn when this job ends, so there is no deadline: %s; use "
                        "--deadline=SECONDS",
                        parcel_last_error());
    else if (end > 0)
      deadline = deadline_for(world, end);
  }
  const parcel_status status = parcel_world_check_mpi(
      world, MPI_Bcast(&deadline, 1, MPI_DOUBLE, 0, parcel_world_comm(world)), "MPI_Bcast of the job's end");
  if (!status)
    *out = deadline;
  return status;
}
