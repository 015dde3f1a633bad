#include "provenance_impl.h"

#include <hdf5.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "file_lock_impl.h"

char *parcel__time_text(char text[PARCEL_TIME_SIZE])
{
  const time_t now = time(NULL);
  struct tm utc;
  gmtime_r(&now, &utc);
  strftime(text, PARCEL_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

/* Adds an item that owns text; NULL stands for a text there was no memory for. */
static parcel_status add(parcel_provenance *out, const char *name, char *text)
{
  if (!text)
    return parcel_fail(PARCEL_MEMORY, "no memory for the provenance '%s'", name);
  out->items[out->count].name = name;
  out->items[out->count].size = 0;
  out->items[out->count++].text = text;
  return PARCEL_OK;
}

PARCEL_PRINTF(3, 4)
static parcel_status add_format(parcel_provenance *out, const char *name, const char *format, ...)
{
  char *text = NULL;
  va_list arguments;
  va_start(arguments, format);
  const int length = vasprintf(&text, format, arguments);
  va_end(arguments);
  return add(out, name, length < 0 ? NULL : text);
}

/* An argument as a shell reads it back: in quotes where it would be split. */
static void put_argument(const char *argument, FILE *out)
{
  const bool is_plain = argument[0] != '\0' && !strpbrk(argument, " \t\r\n\"'\\$`*?[]{}#~!;&|<>()");
  if (is_plain) {
    fputs(argument, out);
    return;
  }
  fputc('\'', out);
  for (const char *c = argument; *c; ++c)
    if (*c == '\'')
      fputs("'\\''", out);
    else
      fputc(*c, out);
  fputc('\'', out);
}

/* The arguments of this process with spaces between. */
static char *command_line(void)
{
  char *line = NULL;
  char *text = NULL;
  size_t size = 0;
  size_t capacity = 0;
  FILE *arguments = fopen("/proc/self/cmdline", "re");
  FILE *out = open_memstream(&text, &size);
  bool is_first = true;
  while (arguments && out && getdelim(&line, &capacity, '\0', arguments) > 0) {
    if (!is_first)
      fputc(' ', out);
    put_argument(line, out);
    is_first = false;
  }
  free(line);
  if (arguments)
    fclose(arguments);
  if (out)
    fclose(out);
  return text;
}

/* The variables that decide how a job runs, one NAME=value per line. */
static char *environment(void)
{
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  for (char **variable = environ; out && *variable; ++variable)
    if (strncmp(*variable, "SLURM_", 6) == 0 || strncmp(*variable, "OMP_", 4) == 0)
      fprintf(out, "%s\n", *variable);
  if (out)
    fclose(out);
  return text;
}

/* The hosts' names with commas between, on rank 0: each host's first rank sends its own. */
static parcel_status add_hosts(const parcel_world *world, parcel_provenance *out)
{
  char own[HOST_NAME_MAX + 1] = "";
  const int size = parcel_world_size(world);
  const bool is_root = parcel_world_rank(world) == 0;
  char *all = is_root ? calloc((size_t)size, sizeof own) : NULL;
  char *text = is_root ? calloc((size_t)size, sizeof own) : NULL;
  if (parcel_world_node_rank(world) == 0)
    gethostname(own, sizeof own - 1);
  const bool has_memory = !is_root || (all && text);
  parcel_status status =
      has_memory ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory for the names of %d hosts", size);
  if (!(status = parcel_world_follow_root(world, status)))
    status = parcel_world_check_mpi(world,
                                    MPI_Gather(own, (int)sizeof own, MPI_BYTE, all, (int)sizeof own, MPI_BYTE,
                                               0, parcel_world_comm(world)),
                                    "MPI_Gather of host names");
  char *end = text;
  for (int r = 0; is_root && !status && r < size; ++r) {
    const char *name = all + (size_t)r * sizeof own;
    if (*name)
      end += sprintf(end, "%s%s", end > text ? "," : "", name);
  }
  free(all);
  if (is_root && !status)
    return add(out, "hosts", text);
  free(text);
  return status;
}

static parcel_status add_versions(parcel_provenance *out)
{
  char mpi[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  H5get_libversion(&major, &minor, &release);
  MPI_Get_library_version(mpi, &length);
  mpi[strcspn(mpi, "\n")] = '\0';
  parcel_status status = PARCEL_OK;
  if ((status = add_format(out, "parcel_version", "%s", PARCEL_VERSION)) ||
      (status = add_format(out, "hdf5_version", "%u.%u.%u", major, minor, release)))
    return status;
  return add_format(out, "mpi_version", "%s", mpi);
}

/* What is known only later, or changes when the run is resumed. */
static parcel_status add_changing(parcel_provenance *out)
{
  char owner[PARCEL_OWNER_SIZE];
  parcel_status status = PARCEL_OK;
  if ((status = add_format(out, "end_time", "%s", "")) ||
      (status = add_format(out, "owner", "%s", parcel__lock_owner(owner))))
    return status;
  out->items[out->count - 2].size = PARCEL_TIME_SIZE;
  out->items[out->count - 1].size = PARCEL_OWNER_SIZE;
  return PARCEL_OK;
}

parcel_status parcel__provenance_collect(const parcel_world *world, const parcel_sweep *sweep,
                                         parcel_provenance *out)
{
  char range[PARCEL_RANGE_TEXT_SIZE];
  char now[PARCEL_TIME_SIZE];
  const int threads = sweep->threads > 0 ? sweep->threads : parcel_world_cpus(world);
  *out = (parcel_provenance){.count = 0};
  parcel_status status = add_hosts(world, out);
  if (status || parcel_world_rank(world) != 0)
    return status;
  if ((status = add(out, "command_line", command_line())) ||
      (status = add_format(out, "range", "%s", parcel_range_format(sweep->range, range, sizeof range))) ||
      (status = add_format(out, "kernel", "%s", sweep->name)) ||
      (status = add_format(out, "kernel_version", "%s", sweep->version ? sweep->version : "1")) ||
      (status = add_format(out, "parameters", "%s", sweep->parameters ? sweep->parameters : "none")) ||
      (status = add_versions(out)) || (status = add_format(out, "ranks", "%d", parcel_world_size(world))) ||
      (status = add_format(out, "threads", "%d", threads)) ||
      (status = add_format(out, "schedule", "%s", parcel_sweep_schedule_name(sweep->schedule))) ||
      (status = add(out, "environment", environment())) ||
      (status = add_format(out, "start_time", "%s", parcel__time_text(now))))
    return status;
  return add_changing(out);
}

void parcel__provenance_free(parcel_provenance *provenance)
{
  for (int i = 0; i < provenance->count; ++i)
    free(provenance->items[i].text);
  provenance->count = 0;
}

const char *parcel__provenance_get(const parcel_provenance *provenance, const char *name)
{
  for (int i = 0; i < provenance->count; ++i)
    if (strcmp(provenance->items[i].name, name) == 0)
      return provenance->items[i].text;
  return "";
}
