/* parcel top: how far a run is, from another shell or another host that sees its folder. It reads the run's
 * status file, or where a program writes none, the ledger of the .part; it changes nothing. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <parcel/reader.h>
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
           "FILE.part.status.json, which the run renews about once a second, or, of a program that "
           "writes none, the ledger of FILE.part.\n\n"
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

static bool is_this_host(const char *name)
{
  char host[PARCEL_STATUS_FILE_TEXT_SIZE] = "";
  gethostname(host, sizeof host - 1);
  return strcmp(host, name) == 0;
}

static bool has_ended(int64_t process)
{
  return kill((pid_t)process, 0) != 0 && errno == ESRCH;
}

/* A run on this host is asked for; of one elsewhere only its silence tells. */
static bool is_dead(const parcel_status_view *view)
{
  if (is_this_host(view->host))
    return has_ended(view->process);
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

/* ---- of a program that writes no status file ---- */

/* The owner of a .part is "process N on HOST since TIME"; what is spelt otherwise is taken to be alive. */
static bool is_owner_dead(const char *owner)
{
  char host[PARCEL_STATUS_FILE_TEXT_SIZE] = "";
  long process = 0;
  return sscanf(owner, "process %ld on %255s ", &process, host) == 2 && is_this_host(host) &&
         has_ended(process);
}

static parcel_status show_ledger(const char *file, const parcel_reader *reader, bool is_terminal)
{
  const parcel_index blocks = parcel_block_grid_count(parcel_reader_grid(reader));
  const char *owner = parcel_reader_provenance_of(reader, "owner");
  parcel_index done = 0;
  const parcel_status status = parcel_reader_count_done(reader, &done);
  const double percent = blocks > 0 ? 100 * (double)done / (double)blocks : 0;
  if (status)
    return status;
  if (is_owner_dead(owner))
    return parcel_fail(PARCEL_IO,
                       "'%s': its run (%s) is gone, %.1f %% done: it seems to have been killed; run the "
                       "same command with --resume",
                       file, owner, percent);
  printf("%s%s: computing by %s (%s): %.1f %%, %" PRId64 " of %" PRId64 " blocks%s", is_terminal ? "\r" : "",
         file, parcel_reader_provenance_of(reader, "kernel"), owner, percent, done, blocks,
         is_terminal ? "\033[K" : "\n");
  fflush(stdout);
  return PARCEL_OK;
}

/* is_running stays false where there is no .part, or one that no run works at. */
static parcel_status look_at_part(const char *file, bool is_terminal, bool *is_running)
{
  char *part = NULL;
  parcel_reader *reader = NULL;
  parcel_status status = PARCEL_OK;
  if (asprintf(&part, "%s.part", file) < 0)
    return parcel_fail(PARCEL_MEMORY, "no memory for the name of the .part of '%s'", file);
  if (access(part, F_OK) == 0)
    status = parcel_reader_open(part, &reader);
  *is_running = reader && strcmp(parcel_reader_status(reader), "running") == 0;
  if (*is_running)
    status = show_ledger(file, reader, is_terminal);
  parcel_reader_close(&reader);
  /* It may just have been finished. */
  if (status && access(part, F_OK) != 0) {
    *is_running = false;
    status = PARCEL_OK;
  }
  free(part);
  return status;
}

/* ---- watching ---- */

/* One look. A run may end between two, and take its status file with it. */
static parcel_status look(const char *file, bool is_terminal, bool *is_running)
{
  parcel_status_view view;
  *is_running = false;
  if (!exists(file, ".part.status.json"))
    return look_at_part(file, is_terminal, is_running);
  const parcel_status status = parcel_status_file_read(file, &view);
  if (status)
    return exists(file, ".part.status.json") ? status : look_at_part(file, is_terminal, is_running);
  if (is_dead(&view))
    return complain_of_stale(file, &view);
  *is_running = true;
  show(file, &view, is_terminal);
  return PARCEL_OK;
}

static parcel_status watch(const arguments *arguments)
{
  const struct timespec pause = {.tv_sec = 1};
  const bool is_terminal = isatty(STDOUT_FILENO) && !arguments->is_once;
  bool is_running = false;
  bool has_shown = false;
  parcel_status status = look(arguments->file, is_terminal, &is_running);
  while (!status && is_running && !arguments->is_once) {
    has_shown = true;
    nanosleep(&pause, NULL);
    status = look(arguments->file, is_terminal, &is_running);
  }
  if (has_shown && is_terminal)
    printf("\r\033[K");
  return status || is_running ? status : judge(arguments->file);
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
