/* All ranks help to collect what is said; rank 0 writes it. */
#include <parcel/report.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plain_impl.h"
#include "report_impl.h"

/* The page, with a mark where the figures go: io/report.html, made into this array by the build. */
extern const char parcel__report_page[];

static const char mark[] = "@PARCEL_REPORT@";

/* ---- one file ---- */

static bool has_ending(const char *path, const char *ending)
{
  const size_t length = strlen(path);
  return length > strlen(ending) && strcmp(path + length - strlen(ending), ending) == 0;
}

parcel_status parcel_report_check(const char *path)
{
  if (!has_ending(path, ".json") && !has_ending(path, ".html"))
    return parcel_fail(PARCEL_INVALID, "'%s': the name of a report ends with .json or .html", path);
  if (!parcel_report_has_json())
    return parcel_fail(PARCEL_INVALID, "'%s': no report, because Parcel was built without jansson", path);
  return PARCEL_OK;
}

static int put(const char *text, size_t size, void *file)
{
  return fwrite(text, 1, size, file) == size ? 0 : -1;
}

/* Inside a script, text must not end it or begin another: a JSON text has no '<' but in its strings. */
static int put_in_script(const char *text, size_t size, void *file)
{
  for (size_t i = 0; i < size; ++i)
    if (text[i] == '<' ? fputs("\\u003c", file) < 0 : fputc(text[i], file) == EOF)
      return -1;
  return 0;
}

static parcel_status write_json(const parcel_report_facts *facts, FILE *file)
{
  const parcel_status status = parcel__report_put_json(facts, put, file);
  return status || fputc('\n', file) != EOF ? status : parcel_fail(PARCEL_IO, "%m");
}

static parcel_status write_page(const parcel_report_facts *facts, FILE *file)
{
  const char *place = strstr(parcel__report_page, mark);
  const size_t before = (size_t)(place - parcel__report_page);
  if (fwrite(parcel__report_page, 1, before, file) != before)
    return parcel_fail(PARCEL_IO, "%m");
  const parcel_status status = parcel__report_put_json(facts, put_in_script, file);
  return status || fputs(place + sizeof mark - 1, file) >= 0 ? status : parcel_fail(PARCEL_IO, "%m");
}

typedef parcel_status (*writer)(const parcel_report_facts *facts, FILE *file);

/* The stream is closed in any case, but the file stays open as fd. */
static parcel_status write_stream(const parcel_report_facts *facts, int fd, writer write)
{
  const int own = dup(fd);
  FILE *file = own < 0 ? NULL : fdopen(own, "w");
  if (!file && own >= 0)
    close(own);
  parcel_status status = file ? write(facts, file) : parcel_fail(PARCEL_IO, "%m");
  if (file && fclose(file) != 0 && !status)
    status = parcel_fail(PARCEL_IO, "%m");
  return status;
}

/* Whole, or not at all. */
static parcel_status write_file(const parcel_report_facts *facts, const char *path, writer write)
{
  char *aside = NULL;
  int fd = -1;
  parcel_status status = parcel__plain_make_beside(path, &aside, &fd);
  if (status)
    return status;
  if ((status = write_stream(facts, fd, write)))
    status = parcel_fail(status, "cannot write '%s': %s", path, parcel_last_error());
  else
    status = parcel__plain_replace(aside, fd, path);
  if (status)
    unlink(aside);
  close(fd);
  free(aside);
  return status;
}

/* ---- the facts ---- */

/* The command of all ranks: their own, behind the launcher that started them. */
static char *format_command(const parcel_world *world, const char *line, const char *option)
{
  char *command = NULL;
  const int ranks = parcel_world_size(world);
  const bool has_slurm = getenv("SLURM_STEP_ID") && !getenv("OMPI_COMM_WORLD_SIZE");
  const char *space = *option ? " " : "";
  const int length = ranks == 1 ? asprintf(&command, "%s%s%s", line, space, option)
                                : asprintf(&command, "%s %d %s%s%s", has_slurm ? "srun -n" : "mpirun -n",
                                           ranks, line, space, option);
  return length < 0 ? NULL : command;
}

static parcel_status add_commands(const parcel_world *world, parcel_report_facts *facts)
{
  const parcel_report *report = facts->report;
  const char *line = parcel__provenance_get(facts->provenance, "command_line");
  const bool can_go_on = report->resume && report->outcome && report->outcome != PARCEL_FAILURES;
  const bool has_option = can_go_on && strstr(line, report->resume);
  facts->reproduce = format_command(world, line, "");
  if (can_go_on)
    facts->go_on = format_command(world, line, has_option ? "" : report->resume);
  return facts->reproduce && (facts->go_on || !can_go_on)
             ? PARCEL_OK
             : parcel_fail(PARCEL_MEMORY, "no memory for a report");
}

/* Rank 0's work. */
static parcel_status write_facts(const parcel_world *world, const parcel_report *report, const char *message,
                                 const parcel_provenance *provenance, const char *path, writer write)
{
  static const parcel_profile nothing = {.elapsed_seconds = 0};
  const parcel_profile *profile = parcel_trace_profile(report->trace);
  parcel_report_facts facts = {.report = report,
                               .profile = profile ? profile : &nothing,
                               .provenance = provenance,
                               .message = message,
                               .schedule = parcel_sweep_schedule_name(report->sweep->schedule)};
  parcel_status status = add_commands(world, &facts);
  if (!status)
    status = write_file(&facts, path, write);
  free(facts.reproduce);
  free(facts.go_on);
  return status;
}

static parcel_status write_report(const parcel_world *world, const parcel_report *report, const char *path,
                                  writer write)
{
  char message[PARCEL_ERROR_SIZE] = "";
  parcel_provenance provenance = {.count = 0};
  if (report->outcome)
    snprintf(message, sizeof message, "%s", parcel_last_error());
  parcel_status status =
      parcel_world_follow_root(world, parcel__provenance_collect(world, report->sweep, &provenance));
  if (!status && parcel_world_rank(world) == 0)
    status = write_facts(world, report, message, &provenance, path, write);
  parcel__provenance_free(&provenance);
  status = parcel_world_follow_root(world, status);
  if (!report->outcome)
    return status;
  if (status)
    parcel_world_warn(world, "%s", parcel_last_error());
  return parcel_fail(report->outcome, "%s", message);
}

parcel_status parcel_report_write(const parcel_world *world, const parcel_report *report, const char *path)
{
  return write_report(world, report, path, has_ending(path, ".html") ? write_page : write_json);
}

parcel_status parcel_report_write_trace(const parcel_world *world, const parcel_report *report,
                                        const char *path)
{
  return write_report(world, report, path, parcel__report_put_trace);
}
