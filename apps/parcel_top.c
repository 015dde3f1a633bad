/* parcel top: how far a run is, from another shell or another host that sees its folder. It reads the run's
 * status file and nothing else, so that it disturbs nobody. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <parcel/status_file.h>

#include "command_line.h"
#include "parcel_commands.h"

/* Rank 0 writes once a second; file systems of clusters and clocks of hosts may lag by some more. Nothing is
 * written while the file goes to the disk. */
static const double stale_seconds = 15;
static const double closing_stale_seconds = 600;

enum { KEY_ONCE = COMMAND_LINE_KEY };

static const struct argp_option options[] = {
    {"once", KEY_ONCE, NULL, 0, "show it once, and end", 0}, COMMAND_LINE_COMMON, {0}};

typedef struct arguments {
  const char *file;
  bool is_once;
} arguments;

static parcel_status take_option(void *ctx, int key, const char *value)
{
  arguments *into = ctx;
  (void)value;
  into->is_once = key == KEY_ONCE;
  return PARCEL_OK;
}

static parcel_status take_word(void *ctx, const char *text)
{
  return command_line_only_word("FILE", text, &((arguments *)ctx)->file);
}

static const struct argp parser = {
    .options = options,
    .parser = command_line_parser,
    .args_doc = "FILE",
    .doc = "Shows how far the run is that makes FILE, until it ends.\v"
           "It may run in another shell or on another host that shares the folder: what is read is "
           "FILE.part.status.json, which the run renews about once a second.\n\n"
           "Exit status: 0 FILE is complete, or (--once) being made; 1 nobody is making it; 2 wrong usage."};

/* ---- what there is to see ---- */

static bool exists(const char *path, const char *ending)
{
  char *name = NULL;
  if (asprintf(&name, "%s%s", path, ending) < 0)
    return false;
  const bool is_there = access(name, F_OK) == 0;
  free(name);
  return is_there;
}

static double age_of(const parcel_status_view *view)
{
  return (double)time(NULL) - view->updated;
}

/* A run on this host is asked for; of one elsewhere only its silence tells. */
static bool is_dead(const parcel_status_view *view)
{
  char host[PARCEL_STATUS_FILE_TEXT_SIZE] = "";
  gethostname(host, sizeof host - 1);
  if (strcmp(host, view->host) == 0)
    return kill((pid_t)view->process, 0) != 0 && errno == ESRCH;
  return age_of(view) > (strcmp(view->phase, "closing") == 0 ? closing_stale_seconds : stale_seconds);
}

static void show(const char *file, const parcel_status_view *view, bool is_terminal)
{
  char text[PARCEL_PROGRESS_TEXT_SIZE];
  if (is_terminal)
    printf("\r%s: %s, %d ranks x %d threads  %s\033[K", file, view->phase, view->ranks, view->threads,
           parcel_progress_format_bar(&view->progress, text));
  else
    printf("%s: %s by %s on %s (process %" PRId64 "), %d ranks x %d threads: %s\n", file, view->phase,
           view->kernel, view->host, view->process, view->ranks, view->threads,
           parcel_progress_format(&view->progress, text));
  fflush(stdout);
}

/* What a file without a run is. */
static parcel_status judge(const char *file)
{
  if (exists(file, ".part"))
    return parcel_fail(
        PARCEL_IO,
        "nobody says to be making '%s', but '%s.part' is there: if no run is under way, run the "
        "same command with --resume",
        file, file);
  if (!exists(file, ""))
    return parcel_fail(PARCEL_IO, "there is no '%s', and nobody is making it", file);
  printf("%s: finished\n", file);
  return PARCEL_OK;
}

static parcel_status complain_of_stale(const char *file, const parcel_status_view *view)
{
  return parcel_fail(
      PARCEL_IO,
      "'%s': its run on %s (process %" PRId64 ") was last heard of %.0f s ago, %.1f %% done: it "
      "seems to have been killed; run the same command with --resume",
      file, view->host, view->process, age_of(view),
      view->progress.total > 0 ? 100 * (double)view->progress.done / (double)view->progress.total : 0);
}

/* The run may end between two looks, and take its status file with it. */
static parcel_status watch(const arguments *arguments)
{
  const struct timespec pause = {.tv_sec = 1};
  const bool is_terminal = isatty(STDOUT_FILENO) && !arguments->is_once;
  parcel_status_view view;
  parcel_status status = PARCEL_OK;
  bool has_shown = false;
  while (!(status = parcel_status_file_read(arguments->file, &view)) && !is_dead(&view)) {
    show(arguments->file, &view, is_terminal);
    has_shown = true;
    if (arguments->is_once)
      return PARCEL_OK;
    nanosleep(&pause, NULL);
  }
  if (has_shown && is_terminal)
    printf("\r\033[K");
  if (!status)
    return complain_of_stale(arguments->file, &view);
  return exists(arguments->file, ".part.status.json") ? status : judge(arguments->file);
}

parcel_status parcel_top_command(int argc, char **argv)
{
  arguments arguments = {.file = NULL};
  command_line line = {.take_option = take_option, .take_word = take_word, .into = &arguments};
  const parcel_status status = command_line_parse(&parser, argc, argv, true, &line);
  if (status || command_line_answer(&line, "parcel top"))
    return status;
  return arguments.file ? watch(&arguments) : parcel_fail(PARCEL_INVALID, "no FILE, such as squares.h5");
}
