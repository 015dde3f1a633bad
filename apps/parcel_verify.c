/* parcel verify: is a file complete, and are its bytes what was written? */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "blocks.h"
#include "command_line.h"
#include "parcel_commands.h"

enum { KEY_DEEP = COMMAND_LINE_KEY };

static const struct argp_option options[] = {
    {"deep", KEY_DEEP, NULL, 0, "let HDF5 read every value, too, and compare", 0},
    {"threads", 't', "N", 0, "threads per rank; default: the CPUs this rank really has", 0},
    {"quiet", 'q', NULL, 0, "print nothing but errors", 0},
    COMMAND_LINE_COMMON,
    {0}};

typedef struct arguments {
  const char *path;
  bool is_deep, is_quiet;
  int threads; /* 0: the CPUs of the rank */
} arguments;

static parcel_status take_word(void *ctx, const char *text)
{
  return command_line_only_word("FILE", text, &((arguments *)ctx)->path);
}

static parcel_status take_option(void *ctx, int key, const char *value)
{
  arguments *into = ctx;
  switch (key) {
  case KEY_DEEP: into->is_deep = true; return PARCEL_OK;
  case 't': return command_line_threads(value, &into->threads);
  case 'q': into->is_quiet = true; return PARCEL_OK;
  default: return parcel_fail(PARCEL_INVALID, "no option has the key %d", key);
  }
}

static const struct argp parser = {
    .options = options,
    .parser = command_line_parser,
    .args_doc = "FILE",
    .doc =
        "Checks that a results file is complete and undamaged: its seal, and the checksum of every block.\v"
        "Bad blocks are listed with their indices. A .part is checked, too; it is not complete.\n\n"
        "Exit status: 0 complete and unchanged, 1 not (a file to which something was added included), 2 "
        "wrong usage.\n\n"
        "Example: mpirun -n 4 parcel verify squares.h5"};

/* ---- the report ---- */

static void print_run(const parcel_reader *reader, const blocks_run *run)
{
  const parcel_block_grid grid = parcel_reader_grid(reader);
  const parcel_range range = parcel_reader_range(reader);
  const parcel_index begin = parcel_block_grid_span(grid, run->first).begin;
  const parcel_index end = parcel_block_grid_span(grid, run->last).end;
  printf("%s: block", blocks_verdict_name(run->verdict));
  if (run->first < run->last)
    printf("s %" PRId64 "..%" PRId64, run->first, run->last);
  else
    printf(" %" PRId64, run->first);
  if (begin < end)
    printf(", indices %" PRId64 "..%" PRId64 "\n", parcel_range_at(range, begin),
           parcel_range_at(range, end - 1));
  else
    printf(", without indices\n");
}

static void print_report(const parcel_reader *reader, const blocks_report *report)
{
  const char *status = parcel_reader_status(reader);
  const parcel_index failures = parcel_reader_failure_count(reader);
  printf("%s: %s, %" PRId64 " positions, %" PRId64 " of %" PRId64 " blocks are good\n",
         parcel_reader_path(reader), status, parcel_reader_range(reader).count, report->counts[BLOCKS_GOOD],
         report->blocks);
  if (failures > 0)
    printf("%" PRId64 " indices failed and are on record\n", failures);
  for (int r = 0; r < report->run_count; ++r)
    print_run(reader, &report->runs[r]);
  if (report->has_more_runs)
    printf("... and more\n");
  printf("%.3f GB of values in %.4f s\n", 1e-9 * (double)report->bytes, report->seconds);
}

/* What is wrong, in one line; OK if nothing is. */
static parcel_status conclude(const parcel_reader *reader, const blocks_report *report)
{
  const char *path = parcel_reader_path(reader);
  const parcel_index missing = report->counts[BLOCKS_MISSING];
  const parcel_index bad = report->blocks - report->counts[BLOCKS_GOOD] - missing;
  if (bad > 0)
    return parcel_fail(PARCEL_CORRUPT, "'%s' is damaged: %" PRId64 " of its %" PRId64 " blocks are bad", path,
                       bad, report->blocks);
  if (missing > 0)
    return parcel_fail(PARCEL_CORRUPT,
                       "'%s' is not complete: %" PRId64 " of its %" PRId64
                       " blocks are missing, the others good",
                       path, missing, report->blocks);
  if (strcmp(parcel_reader_status(reader), "complete") != 0)
    return parcel_fail(PARCEL_CORRUPT, "'%s' is not complete, though all its %" PRId64 " blocks are good",
                       path, report->blocks);
  if (*parcel_reader_warning(reader))
    return parcel_fail(PARCEL_CORRUPT, "%s; all its %" PRId64 " blocks are good",
                       parcel_reader_warning(reader), report->blocks);
  return PARCEL_OK;
}

static parcel_status verify(const parcel_world *world, const arguments *arguments)
{
  parcel_reader *reader = NULL;
  blocks_report report;
  parcel_status status = parcel_commands_agree(world, parcel_reader_open(arguments->path, &reader));
  if (!status)
    status = blocks_check(world, reader, arguments->threads, arguments->is_deep, &report);
  if (!status && parcel_world_rank(world) == 0 && !arguments->is_quiet)
    print_report(reader, &report);
  if (!status)
    status = conclude(reader, &report);
  parcel_reader_close(&reader);
  return status;
}

parcel_status parcel_verify_command(const parcel_world *world, int argc, char **argv)
{
  arguments arguments = {.path = NULL};
  const bool is_root = parcel_world_rank(world) == 0;
  command_line line = {.take_option = take_option, .take_word = take_word, .into = &arguments};
  const parcel_status status = command_line_parse(&parser, argc, argv, is_root, &line);
  if (status || command_line_answer(&line, "parcel verify"))
    return status;
  return arguments.path ? verify(world, &arguments) : parcel_fail(PARCEL_INVALID, "FILE is missing");
}
