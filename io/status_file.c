#include <parcel/status_file.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef PARCEL_WITH_JANSSON
#include <jansson.h>
#endif

#include "beside_impl.h"
#include "text_impl.h"

static const double every_seconds = 1;

struct parcel_status_file {
  const parcel_world *world;
  const parcel_sweep *sweep;
  parcel_progress_show next;
  void *next_ctx;
  char *path;        /* absolute; NULL: nothing is written, or no longer */
  double next_write; /* of the clock below */
};

static double now(clockid_t clock)
{
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static parcel_status name_of(const char *path, char **out)
{
  parcel_file file;
  const parcel_status status = parcel__file_make(path, &file);
  if (status)
    return status;
  const int length = asprintf(out, "%s" PARCEL_BESIDE_STATUS, file.part);
  parcel__file_free(&file);
  return length < 0 ? parcel_fail(PARCEL_MEMORY, "no memory for a status file's name") : PARCEL_OK;
}

#ifdef PARCEL_WITH_JANSSON

static json_t *to_json(const parcel_status_file *file, const char *phase, const parcel_progress *progress)
{
  char host[PARCEL_STATUS_FILE_TEXT_SIZE] = "";
  const int threads = file->sweep->threads > 0 ? file->sweep->threads : parcel_world_cpus(file->world);
  char kernel[PARCEL_STATUS_FILE_TEXT_SIZE];
  gethostname(host, sizeof host - 1);
  parcel__text_copy(kernel, sizeof kernel, file->sweep->name);
  return json_pack("{s:i, s:s, s:s, s:s, s:I, s:i, s:i, s:I, s:I, s:I, s:f, s:f}", "parcel_status", 1,
                   "kernel", kernel, "host", host, "phase", phase, "process", (json_int_t)getpid(), "ranks",
                   parcel_world_size(file->world), "threads", threads, "done", (json_int_t)progress->done,
                   "total", (json_int_t)progress->total, "failures", (json_int_t)progress->failures,
                   "elapsed_seconds", progress->elapsed_seconds, "updated", now(CLOCK_REALTIME));
}

/* Beside its place, then renamed: a reader never sees half of it. */
static parcel_status write_status(const parcel_status_file *file, const char *phase,
                                  const parcel_progress *progress)
{
  char *aside = NULL;
  int fd = -1;
  parcel_status status = parcel__plain_make_beside(file->path, &aside, &fd);
  if (status)
    return status;
  json_t *object = to_json(file, phase, progress);
  if (!object || json_dumpfd(object, fd, JSON_PRESERVE_ORDER | JSON_INDENT(1)) != 0)
    status = parcel__file_fail("write", file->path);
  json_decref(object);
  if (!status)
    status = parcel__plain_replace(aside, fd, file->path);
  if (status)
    unlink(aside);
  close(fd);
  free(aside);
  return status;
}

static void take_text(const json_t *object, const char *name, char text[PARCEL_STATUS_FILE_TEXT_SIZE])
{
  const char *value = json_string_value(json_object_get(object, name));
  parcel__text_copy(text, PARCEL_STATUS_FILE_TEXT_SIZE, value ? value : "");
  parcel__text_line(text);
}

static int64_t take_number(const json_t *object, const char *name)
{
  return json_integer_value(json_object_get(object, name));
}

static parcel_status from_json(const char *name, parcel_status_view *out)
{
  int fd = -1;
  parcel_status_view view = {.progress = {.is_over = false}};
  const parcel_status status = parcel__plain_open(name, O_RDONLY, 0, &fd);
  if (status)
    return status;
  json_t *object = json_loadfd(fd, 0, NULL);
  close(fd);
  if (take_number(object, "parcel_status") != 1) {
    json_decref(object);
    return parcel_fail(PARCEL_INVALID, "'%s' is no status file of Parcel", name);
  }
  take_text(object, "kernel", view.kernel);
  take_text(object, "host", view.host);
  take_text(object, "phase", view.phase);
  view.process = take_number(object, "process");
  view.ranks = (int)take_number(object, "ranks");
  view.threads = (int)take_number(object, "threads");
  view.progress.done = take_number(object, "done");
  view.progress.total = take_number(object, "total");
  view.progress.failures = take_number(object, "failures");
  view.progress.elapsed_seconds = json_number_value(json_object_get(object, "elapsed_seconds"));
  view.updated = json_number_value(json_object_get(object, "updated"));
  json_decref(object);
  *out = view;
  return PARCEL_OK;
}

#else

static parcel_status write_status(const parcel_status_file *file, const char *phase,
                                  const parcel_progress *progress)
{
  (void)file, (void)phase, (void)progress;
  return PARCEL_OK;
}

static parcel_status from_json(const char *name, parcel_status_view *out)
{
  (void)out;
  return parcel_fail(PARCEL_INVALID, "'%s' cannot be read, because Parcel was built without jansson", name);
}

#endif

/* A status that cannot be written ends with a warning: the run is worth more. */
static void try_to_write(parcel_status_file *file, const char *phase, const parcel_progress *progress)
{
  if (!file->path || !write_status(file, phase, progress))
    return;
  parcel_world_warn(file->world, "no status for others to read: %s", parcel_last_error());
  free(file->path);
  file->path = NULL;
}

parcel_status parcel_status_file_open(const parcel_world *world, const parcel_sweep *sweep, const char *path,
                                      parcel_progress_show next, void *next_ctx, parcel_status_file **out)
{
  const bool is_writer = path && parcel_world_rank(world) == 0;
  parcel_status_file *file = calloc(1, sizeof *file);
  if (!file)
    return parcel_fail(PARCEL_MEMORY, "no memory for a status file");
  *file = (parcel_status_file){.world = world, .sweep = sweep, .next = next, .next_ctx = next_ctx};
  const parcel_status status = is_writer ? name_of(path, &file->path) : PARCEL_OK;
  if (status)
    free(file);
  else
    *out = file;
  return status;
}

void parcel_status_file_show(void *ctx, const parcel_progress *progress)
{
  parcel_status_file *file = ctx;
  const double time = now(CLOCK_MONOTONIC);
  if (file->next)
    file->next(file->next_ctx, progress);
  if (time < file->next_write && !progress->is_over)
    return;
  file->next_write = time + every_seconds;
  try_to_write(file, progress->is_over ? "closing" : "computing", progress);
}

void parcel_status_file_close(parcel_status_file **status_file)
{
  parcel_status_file *file = *status_file;
  if (!file)
    return;
  if (file->path)
    unlink(file->path);
  free(file->path);
  free(file);
  *status_file = NULL;
}

parcel_status parcel_status_file_read(const char *path, parcel_status_view *out)
{
  char *name = NULL;
  parcel_status status = name_of(path, &name);
  if (!status)
    status = from_json(name, out);
  free(name);
  return status;
}
