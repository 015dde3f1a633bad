/* parcel merge: complete files of adjacent ranges into one. It is a sweep like any other, whose kernel reads
 * values instead of computing them: so OUT is complete or absent, with checksums of its own. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <parcel/parcel.h>

#include "blocks.h"
#include "command_line.h"
#include "parcel_commands.h"

enum { KEY_FORCE = COMMAND_LINE_KEY };

static const struct argp_option options[] = {
    {"force", KEY_FORCE, NULL, 0, "replace OUT, in the moment the new one is complete", 0},
    {"threads", 't', "N", 0, "threads per rank; default: the CPUs this rank really has", 0},
    {"quiet", 'q', NULL, 0, "print nothing but errors", 0},
    COMMAND_LINE_COMMON,
    {0}};

typedef struct arguments {
  const char *output;
  const char **parts; /* [part_count] */
  int part_count;
  bool replaces, is_quiet;
  int threads; /* 0: the CPUs of the rank */
} arguments;

static parcel_status take_word(void *ctx, const char *text)
{
  arguments *into = ctx;
  if (into->output)
    into->parts[into->part_count++] = text;
  else
    into->output = text;
  return PARCEL_OK;
}

static parcel_status take_option(void *ctx, int key, const char *value)
{
  arguments *into = ctx;
  switch (key) {
  case KEY_FORCE: into->replaces = true; return PARCEL_OK;
  case 't': return command_line_threads(value, &into->threads);
  case 'q': into->is_quiet = true; return PARCEL_OK;
  default: return parcel_fail(PARCEL_INVALID, "no option has the key %d", key);
  }
}

static const struct argp parser = {.options = options,
                                   .parser = command_line_parser,
                                   .args_doc = "OUT PART...",
                                   .doc = "Merges complete results files of adjacent ranges, such as the "
                                          "tasks of a job array leave behind, into one "
                                          "file OUT.\v"
                                          "The parts may be named in any order; they must be of the same "
                                          "kernel and columns, and their ranges must "
                                          "make up one range without gaps or overlaps. Each is verified "
                                          "first. Indices that failed in a part are "
                                          "on record in OUT, too.\n\n"
                                          "Exit status: 0 complete, 1 failed, 2 wrong usage, or parts that "
                                          "do not fit together, 3 complete, but "
                                          "some indices failed.\n\n"
                                          "Example: mpirun -n 4 parcel merge squares.h5 squares-*.h5"};

/* ---- the parts ---- */

typedef struct merging {
  parcel_reader **parts; /* [count] in the order of the range */
  parcel_index *begins;  /* [count] where each begins in the whole range */
  int count;
  parcel_range range;
  parcel_index failures;
} merging;

static parcel_range range_of(const merging *merging, int part)
{
  return parcel_reader_range(merging->parts[part]);
}

static int compare_first(const void *a, const void *b)
{
  const parcel_index one = parcel_reader_range(*(parcel_reader *const *)a).first;
  const parcel_index other = parcel_reader_range(*(parcel_reader *const *)b).first;
  return (one > other) - (one < other);
}

/* The step of the whole: a part of one index fits any. 0 if there is but one index in all. */
static parcel_index find_step(const merging *merging)
{
  parcel_index step = 0;
  for (int p = 0; p < merging->count; ++p)
    if (range_of(merging, p).count > 1)
      return range_of(merging, p).step;
  if (merging->count > 1 &&
      __builtin_sub_overflow(range_of(merging, 1).first, range_of(merging, 0).first, &step))
    step = 0;
  return step;
}

static void reverse(merging *merging)
{
  for (int p = 0; p < merging->count / 2; ++p) {
    parcel_reader *part = merging->parts[p];
    merging->parts[p] = merging->parts[merging->count - 1 - p];
    merging->parts[merging->count - 1 - p] = part;
  }
}

/* Whether part p goes on where the one before it ends. */
static parcel_status check_adjacent(const merging *merging, int p, parcel_index step)
{
  char texts[2][PARCEL_RANGE_TEXT_SIZE];
  const parcel_range before = range_of(merging, p - 1);
  const parcel_range range = range_of(merging, p);
  parcel_index next = 0;
  const bool has_next = !__builtin_add_overflow(parcel_range_at(before, before.count - 1), step, &next);
  if (has_next && range.first == next && (range.count == 1 || range.step == step))
    return PARCEL_OK;
  return parcel_fail(
      PARCEL_DIFFERS, "'%s' with %s does not go on where '%s' with %s ends: gap, overlap or other step",
      parcel_reader_path(merging->parts[p]), parcel_range_format(range, texts[0], sizeof texts[0]),
      parcel_reader_path(merging->parts[p - 1]), parcel_range_format(before, texts[1], sizeof texts[1]));
}

/* Puts the parts in order and finds the whole range. */
static parcel_status join_ranges(merging *merging)
{
  qsort(merging->parts, (size_t)merging->count, sizeof(parcel_reader *), compare_first);
  const parcel_index step = find_step(merging);
  if (step < 0)
    reverse(merging);
  for (int p = 0; p < merging->count; ++p)
    if (range_of(merging, p).count == 0)
      return parcel_fail(PARCEL_DIFFERS, "'%s' has no positions", parcel_reader_path(merging->parts[p]));
  for (int p = 1; p < merging->count; ++p) {
    const parcel_status status = check_adjacent(merging, p, step);
    if (status)
      return status;
  }
  merging->range = (parcel_range){.first = range_of(merging, 0).first, .step = step == 0 ? 1 : step};
  for (int p = 0; p < merging->count; ++p) {
    merging->begins[p] = merging->range.count;
    merging->range.count += range_of(merging, p).count;
    merging->failures += parcel_reader_failure_count(merging->parts[p]);
  }
  return PARCEL_OK;
}

static void list_text(FILE *out, const char *what, const char *here, const char *there)
{
  if (strcmp(here, there) != 0)
    fprintf(out, ", %s '%s' instead of '%s'", what, here, there);
}

static void list_columns(FILE *out, const parcel_reader *part, const parcel_reader *model)
{
  int counts[2];
  const parcel_column *here = parcel_reader_columns(part, &counts[0]);
  const parcel_column *there = parcel_reader_columns(model, &counts[1]);
  if (counts[0] != counts[1])
    fprintf(out, ", %d columns instead of %d", counts[0], counts[1]);
  for (int c = 0; c < counts[0] && c < counts[1]; ++c) {
    list_text(out, "the column", here[c].name, there[c].name);
    list_text(out, "units", here[c].units, there[c].units);
    list_text(out, "long_name", here[c].long_name, there[c].long_name);
    if (here[c].type != there[c].type || here[c].width != there[c].width)
      fprintf(out, ", another type or width of '%s'", here[c].name);
  }
}

/* Refuses a part that is not like the first one, naming everything that differs. */
static parcel_status check_alike(const parcel_reader *part, const parcel_reader *model)
{
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out)
    return parcel_fail(PARCEL_MEMORY, "no memory to compare the parts");
  if (strcmp(parcel_reader_status(part), "complete") != 0)
    fprintf(out, ", it is not complete");
  list_text(out, "kernel", parcel_reader_provenance_of(part, "kernel"),
            parcel_reader_provenance_of(model, "kernel"));
  list_text(out, "kernel_version", parcel_reader_provenance_of(part, "kernel_version"),
            parcel_reader_provenance_of(model, "kernel_version"));
  list_columns(out, part, model);
  fclose(out);
  const parcel_status status =
      size > 0 ? parcel_fail(PARCEL_DIFFERS, "'%s' does not fit to '%s': %s", parcel_reader_path(part),
                             parcel_reader_path(model), text + strlen(", "))
               : PARCEL_OK;
  free(text);
  return status;
}

/* A job array may have more parts than a process may usually open. */
static void allow_many_files(void)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static bool is_same_file(const char *one, const char *other)
{
  struct stat infos[2];
  return stat(one, &infos[0]) == 0 && stat(other, &infos[1]) == 0 && infos[0].st_dev == infos[1].st_dev &&
         infos[0].st_ino == infos[1].st_ino;
}

static parcel_status open_parts(const arguments *arguments, merging *merging)
{
  merging->parts = calloc((size_t)arguments->part_count + 1, sizeof(parcel_reader *));
  merging->begins = calloc((size_t)arguments->part_count + 1, sizeof *merging->begins);
  if (!merging->parts || !merging->begins)
    return parcel_fail(PARCEL_MEMORY, "no memory for %d parts", arguments->part_count);
  allow_many_files();
  for (int p = 0; p < arguments->part_count; ++p) {
    if (is_same_file(arguments->output, arguments->parts[p]))
      return parcel_fail(PARCEL_INVALID, "'%s' is the output and a part", arguments->parts[p]);
    parcel_status status = parcel_reader_open(arguments->parts[p], &merging->parts[p]);
    if (status)
      return status;
    ++merging->count;
    if ((status = check_alike(merging->parts[p], merging->parts[0])))
      return status;
  }
  return join_ranges(merging);
}

static void close_parts(merging *merging)
{
  for (int p = 0; p < merging->count; ++p)
    parcel_reader_close(&merging->parts[p]);
  free(merging->parts);
  free(merging->begins);
}

/* ---- the sweep ---- */

/* The last part that begins at or before a position. */
static int part_at(const merging *merging, parcel_index position)
{
  int begin = 0;
  for (int end = merging->count; end - begin > 1;) {
    const int middle = begin + (end - begin) / 2;
    if (merging->begins[middle] <= position)
      begin = middle;
    else
      end = middle;
  }
  return begin;
}

/* A kernel says that an index failed, and why, when it is asked for that index alone. */
static parcel_status fail_again(const parcel_reader *part, parcel_span span)
{
  parcel_failure failure;
  const parcel_span failed = parcel_reader_failures_in(part, span);
  if (failed.begin == failed.end)
    return PARCEL_OK;
  const parcel_status status =
      parcel_reader_failures(part, (parcel_span){failed.begin, failed.begin + 1}, &failure);
  return status ? status : parcel_fail(failure.code, "%s", failure.message);
}

static parcel_status read_slice(void *ctx, const parcel_slice *slice, void *const columns[])
{
  const merging *merging = ctx;
  parcel_index done = 0;
  parcel_status status = PARCEL_OK;
  while (done < slice->count && !status) {
    int count = 0;
    const int p = part_at(merging, slice->position + done);
    const parcel_column *column = parcel_reader_columns(merging->parts[p], &count);
    const parcel_index begin = slice->position + done - merging->begins[p];
    const parcel_index here = range_of(merging, p).count - begin;
    const parcel_index wanted = slice->count - done;
    const parcel_span span = {begin, begin + (wanted < here ? wanted : here)};
    status = fail_again(merging->parts[p], span);
    for (int c = 0; c < count && !status; ++c)
      status = parcel_reader_values(merging->parts[p], c, span,
                                    (char *)columns[c] + done * parcel_column_bytes(&column[c]));
    done += span.end - span.begin;
  }
  return status;
}

static parcel_status verify_parts(const parcel_world *world, const merging *merging, int threads)
{
  parcel_status status = PARCEL_OK;
  for (int p = 0; p < merging->count && !status; ++p) {
    blocks_report report;
    status = blocks_check(world, merging->parts[p], threads, false, &report);
    if (!status && report.counts[BLOCKS_GOOD] < report.blocks)
      status = parcel_fail(PARCEL_CORRUPT, "'%s' is damaged: parcel verify tells where",
                           parcel_reader_path(merging->parts[p]));
  }
  return status;
}

static parcel_status write_whole(const parcel_world *world, const arguments *arguments, merging *merging)
{
  int count = 0;
  char range[PARCEL_RANGE_TEXT_SIZE];
  parcel_results *results = NULL;
  parcel_sweep_report report = {0};
  const parcel_sweep sweep = {.name = parcel_reader_provenance_of(merging->parts[0], "kernel"),
                              .version = parcel_reader_provenance_of(merging->parts[0], "kernel_version"),
                              .range = merging->range,
                              .columns = parcel_reader_columns(merging->parts[0], &count),
                              .column_count = count,
                              .kernel = read_slice,
                              .ctx = merging,
                              .threads = arguments->threads};
  const parcel_results_options file = {.replaces = arguments->replaces,
                                       .keeps_failures = merging->failures > 0,
                                       .max_failures = merging->failures};
  const parcel_sweep_options how = {.on_error = merging->failures > 0 ? PARCEL_ON_ERROR_RECORD
                                                                      : PARCEL_ON_ERROR_STOP};
  parcel_status status = parcel_results_create(world, &sweep, arguments->output, &file, &results);
  if (!status)
    status = parcel_sweep_run(world, &sweep, parcel_results_sink(results), &how, &report);
  status = parcel_results_close(&results, status);
  if (!status && parcel_world_rank(world) == 0 && !arguments->is_quiet)
    printf("%s: %s, %" PRId64 " positions from %d parts\n", arguments->output,
           parcel_range_format(merging->range, range, sizeof range), report.positions, merging->count);
  return status;
}

static parcel_status merge(const parcel_world *world, const arguments *arguments)
{
  merging merging = {.count = 0};
  parcel_status status = parcel_commands_agree(world, open_parts(arguments, &merging));
  for (int p = 0; p < merging.count && !status && parcel_world_rank(world) == 0; ++p)
    parcel_commands_warn(merging.parts[p]);
  if (!status && !(status = verify_parts(world, &merging, arguments->threads)))
    status = write_whole(world, arguments, &merging);
  close_parts(&merging);
  return status;
}

parcel_status parcel_merge_command(const parcel_world *world, int argc, char **argv)
{
  arguments arguments = {.parts = calloc((size_t)argc, sizeof(char *))};
  const bool is_root = parcel_world_rank(world) == 0;
  command_line line = {.take_option = take_option, .take_word = take_word, .into = &arguments};
  parcel_status status =
      arguments.parts ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory for the list of parts");
  if (!(status = parcel_world_agree(world, status)))
    status = command_line_parse(&parser, argc, argv, is_root, &line);
  if (!status && !command_line_answer(&line, "parcel merge"))
    status = arguments.part_count > 0 ? merge(world, &arguments)
                                      : parcel_fail(PARCEL_INVALID, "OUT and at least one PART are needed");
  free(arguments.parts);
  return status;
}
