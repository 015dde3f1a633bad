/* parcel whatif: the blocks that a run has recorded, run again on paper. Blocks that the record has merged
 * count as equal ones; what a worker spent between blocks, and what the run took to begin and to end, is
 * added as it was. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command_line.h"
#include "parcel_commands.h"
#include "replay.h"

#ifdef PARCEL_WITH_JANSSON
#include <jansson.h>
#endif

/* ---- the command line ---- */

enum { KEY_JSON = COMMAND_LINE_KEY, MOST_WORKERS = 1000000 };

static const struct argp_option options[] = {
    {"ranks", 'n', "N", 0, "with N ranks; as recorded if left out", 0},
    {"threads", 't', "N", 0, "with N threads per rank; as recorded if left out", 0},
    {"schedule", 's', "KIND", 0, "steal, static, dynamic, guided, factoring, or all (the default)", 0},
    {"json", KEY_JSON, NULL, 0, "as JSON instead of a table", 0},
    COMMAND_LINE_COMMON,
    {0}};

typedef struct arguments {
  const char *report;
  int ranks, threads; /* 0: as recorded */
  bool has_schedule;
  parcel_sweep_schedule schedule;
  bool is_json;
} arguments;

static parcel_status parse_number(const char *option, const char *text, int *out)
{
  parcel_index number = 0;
  const parcel_status status = command_line_count(option, text, MOST_WORKERS, &number);
  if (!status)
    *out = (int)number;
  return status;
}

static parcel_status parse_schedule(const char *text, arguments *into)
{
  if (strcmp(text, "all") == 0)
    return PARCEL_OK;
  into->has_schedule = true;
  return parcel_sweep_schedule_parse(text, &into->schedule);
}

static parcel_status take_option(void *ctx, int key, const char *value)
{
  arguments *into = ctx;
  switch (key) {
  case 'n': return parse_number("--ranks", value, &into->ranks);
  case 't': return parse_number("--threads", value, &into->threads);
  case 's': return parse_schedule(value, into);
  case KEY_JSON: into->is_json = true; return PARCEL_OK;
  default: return parcel_fail(PARCEL_INVALID, "no option has the key %d", key);
  }
}

static parcel_status take_word(void *ctx, const char *text)
{
  return command_line_only_word("REPORT", text, &((arguments *)ctx)->report);
}

static const struct argp parser = {
    .options = options,
    .parser = command_line_parser,
    .args_doc = "REPORT",
    .doc = "Predicts how long a run would have taken with other ranks, threads and schedules, from the block "
           "times in its report.\v"
           "REPORT is what a program wrote to --report=FILE.json or FILE.html.\n\n"
           "Example: parcel whatif squares.json --ranks 64 --threads 8 --schedule all"};

#ifdef PARCEL_WITH_JANSSON

/* ---- the record ---- */

#define MOST_BLOCKS ((parcel_index)1 << 40)

typedef struct item {
  parcel_index block, blocks;
  double seconds; /* of each of its blocks */
} item;

typedef struct record {
  int ranks, threads;
  double elapsed, useful, efficiency;
  double handout; /* between two blocks, on average */
  double around;  /* before the first block of all and after the last one */
  double *costs;  /* [blocks] */
  parcel_index blocks;
} record;

/* NULL if it cannot be read. */
static char *read_text(const char *path)
{
  char *text = NULL;
  size_t size = 0;
  FILE *file = fopen(path, "re");
  if (!file)
    return NULL;
  const bool is_read = getdelim(&text, &size, '\0', file) >= 0 || !ferror(file);
  fclose(file);
  if (!is_read) {
    free(text);
    return NULL;
  }
  return text;
}

/* The JSON, out of the page too. */
static parcel_status load(const char *path, json_t **out)
{
  static const char opening[] = "<script id=\"report\" type=\"application/json\">";
  char *text = read_text(path);
  if (!text)
    return parcel_fail(PARCEL_IO, "cannot read '%s': %m", path);
  const char *script = strstr(text, opening);
  const char *begin = script ? script + sizeof opening - 1 : text;
  json_t *report = json_loads(begin, script ? JSON_DISABLE_EOF_CHECK : 0, NULL);
  free(text);
  if (json_integer_value(json_object_get(report, "parcel_report")) != 1) {
    json_decref(report);
    return parcel_fail(PARCEL_INVALID, "'%s' is no report of Parcel", path);
  }
  *out = report;
  return PARCEL_OK;
}

static double number_of(const json_t *object, const char *name)
{
  return json_number_value(json_object_get(object, name));
}

static double number_at(const json_t *array, size_t place)
{
  return json_number_value(json_array_get(array, place));
}

static int by_block(const void *left, const void *right)
{
  const parcel_index a = ((const item *)left)->block;
  const parcel_index b = ((const item *)right)->block;
  return (a > b) - (a < b);
}

/* 0 for what cannot be: it shows in the sum of all. */
static parcel_index blocks_of(const json_t *item)
{
  const parcel_index blocks = json_integer_value(json_array_get(item, 1));
  return blocks > 0 && blocks < MOST_BLOCKS ? blocks : 0;
}

/* Gathers all workers' items; returns how many. items NULL: only counts, and sums up what is around the
 * blocks. */
static size_t gather_items(const json_t *report, record *record, item items[])
{
  size_t w = 0;
  size_t count = 0;
  double first = record->elapsed;
  double last = 0;
  json_t *worker = NULL;
  record->blocks = 0;
  json_array_foreach(json_object_get(report, "workers"), w, worker)
  {
    size_t i = 0;
    json_t *one = NULL;
    json_array_foreach(json_object_get(worker, "items"), i, one)
    {
      const parcel_index blocks = blocks_of(one);
      const double seconds = number_at(one, 4) + number_at(one, 5);
      first = number_at(one, 2) < first ? number_at(one, 2) : first;
      last = number_at(one, 3) > last ? number_at(one, 3) : last;
      record->blocks += blocks;
      if (items)
        items[count] = (item){json_integer_value(json_array_get(one, 0)), blocks, seconds / (double)blocks};
      ++count;
    }
  }
  record->around = first + record->elapsed - last;
  return count;
}

static parcel_status expand(const json_t *report, record *record)
{
  const size_t count = gather_items(report, record, NULL);
  item *items = calloc(count + 1, sizeof *items);
  record->costs = calloc((size_t)record->blocks + 1, sizeof *record->costs);
  if (!items || !record->costs) {
    free(items);
    return parcel_fail(PARCEL_MEMORY, "no memory for %" PRId64 " blocks", record->blocks);
  }
  gather_items(report, record, items);
  qsort(items, count, sizeof *items, by_block);
  parcel_index block = 0;
  for (size_t i = 0; i < count; ++i)
    for (parcel_index b = 0; b < items[i].blocks; ++b)
      record->costs[block++] = items[i].seconds + record->handout;
  free(items);
  return PARCEL_OK;
}

static parcel_status read_record(const char *path, record *out)
{
  json_t *report = NULL;
  parcel_status status = load(path, &report);
  if (status)
    return status;
  const json_t *totals = json_object_get(report, "totals");
  const parcel_index ranks = json_integer_value(json_object_get(totals, "ranks"));
  const parcel_index workers = json_integer_value(json_object_get(totals, "workers"));
  out->elapsed = number_of(totals, "elapsed_seconds");
  out->useful = number_of(totals, "compute_seconds");
  out->efficiency = number_of(json_object_get(report, "efficiency"), "parallel");
  gather_items(report, out, NULL);
  if (ranks < 1 || workers < ranks || workers > MOST_WORKERS || out->blocks < 1 ||
      out->blocks != json_integer_value(json_object_get(totals, "blocks"))) {
    json_decref(report);
    return parcel_fail(PARCEL_INVALID, "'%s' has no blocks to replay, or not all of them", path);
  }
  out->ranks = (int)ranks;
  out->threads = (int)(workers / ranks);
  out->handout = number_of(totals, "handout_seconds") / (double)out->blocks;
  status = expand(report, out);
  json_decref(report);
  return status;
}

/* ---- what is printed ---- */

#define COUNT_ONE(name, text) +1
enum { SCHEDULES = 0 PARCEL_SWEEP_SCHEDULE_MAP(COUNT_ONE) };
#undef COUNT_ONE

typedef struct prediction {
  parcel_sweep_schedule schedule;
  double seconds, efficiency, balance;
} prediction;

static parcel_status predict(const record *record, const replay *replay, parcel_sweep_schedule schedule,
                             prediction *out)
{
  replay_result result = {0, 0};
  double work = 0;
  const parcel_status status = replay_run(replay, schedule, &result);
  if (status)
    return status;
  for (parcel_index b = 0; b < replay->blocks; ++b)
    work += replay->costs[b];
  const double workers = (double)replay->ranks * replay->threads;
  const double seconds = result.makespan + record->around;
  *out = (prediction){.schedule = schedule,
                      .seconds = seconds,
                      .efficiency = seconds > 0 ? record->useful / (workers * seconds) : 1,
                      .balance = result.busiest > 0 ? work / (workers * result.busiest) : 1};
  return PARCEL_OK;
}

static void print_table(const arguments *arguments, const record *record, const replay *replay,
                        const prediction predictions[], int count)
{
  printf("%s: %" PRId64 " blocks took %.4g s on %d ranks x %d threads, efficiency %.3f\n", arguments->report,
         record->blocks, record->elapsed, record->ranks, record->threads, record->efficiency);
  printf("on %d ranks x %d threads:\n\n", replay->ranks, replay->threads);
  printf("schedule      seconds  efficiency  load balance\n");
  for (int p = 0; p < count; ++p)
    printf("%-10s %10.4g %11.3f %13.3f\n", parcel_sweep_schedule_name(predictions[p].schedule),
           predictions[p].seconds, predictions[p].efficiency, predictions[p].balance);
}

static parcel_status print_json(const record *record, const replay *replay, const prediction predictions[],
                                int count)
{
  json_t *rows = json_array();
  for (int p = 0; p < count; ++p)
    json_array_append_new(rows, json_pack("{s:s, s:f, s:f, s:f}", "schedule",
                                          parcel_sweep_schedule_name(predictions[p].schedule), "seconds",
                                          predictions[p].seconds, "efficiency", predictions[p].efficiency,
                                          "load_balance", predictions[p].balance));
  json_t *object =
      json_pack("{s:i, s:i, s:I, s:f, s:o}", "ranks", replay->ranks, "threads", replay->threads, "blocks",
                (json_int_t)record->blocks, "recorded_seconds", record->elapsed, "predictions", rows);
  const bool is_printed = object && json_dumpf(object, stdout, JSON_PRESERVE_ORDER | JSON_INDENT(1)) == 0;
  json_decref(object);
  printf("\n");
  return is_printed ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory to print the predictions");
}

static parcel_status whatif(const arguments *arguments)
{
  record record = {.blocks = 0};
  prediction predictions[SCHEDULES];
  int count = 0;
  parcel_status status = read_record(arguments->report, &record);
  const replay replay = {.costs = record.costs,
                         .blocks = record.blocks,
                         .ranks = arguments->ranks > 0 ? arguments->ranks : record.ranks,
                         .threads = arguments->threads > 0 ? arguments->threads : record.threads};
  if (!status && (parcel_index)replay.ranks * replay.threads > MOST_WORKERS)
    status = parcel_fail(PARCEL_INVALID, "%d ranks x %d threads are more than %d workers", replay.ranks,
                         replay.threads, MOST_WORKERS);
  for (int s = 0; s < SCHEDULES && !status; ++s)
    if (!arguments->has_schedule || (int)arguments->schedule == s)
      status = predict(&record, &replay, (parcel_sweep_schedule)s, &predictions[count++]);
  if (!status && arguments->is_json)
    status = print_json(&record, &replay, predictions, count);
  else if (!status)
    print_table(arguments, &record, &replay, predictions, count);
  free(record.costs);
  return status;
}

#else

static parcel_status whatif(const arguments *arguments)
{
  return parcel_fail(PARCEL_INVALID, "'%s' cannot be read: this program was built without jansson",
                     arguments->report);
}

#endif

parcel_status parcel_whatif_command(int argc, char **argv)
{
  arguments arguments = {.report = NULL};
  command_line line = {.take_option = take_option, .take_word = take_word, .into = &arguments};
  const parcel_status status = command_line_parse(&parser, argc, argv, true, &line);
  if (status || command_line_answer(&line, "parcel whatif"))
    return status;
  return arguments.report ? whatif(&arguments)
                          : parcel_fail(PARCEL_INVALID, "no REPORT, such as squares.json");
}
