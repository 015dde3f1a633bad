/* parcel plan: how a range would be divided, without dividing it. A line for each part, from closed forms, so
 * that it makes no difference how long the range is. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parcel/block.h>
#include <parcel/layout.h>
#include <parcel/range.h>
#include <parcel/schedule.h>

#include "command_line.h"
#include "layout_spelling.h"
#include "listing.h"
#include "parcel_commands.h"

/* ---- the command line ---- */

enum { KEY_BLOCKS = COMMAND_LINE_KEY, KEY_JSON };

static const struct argp_option options[] = {
    {"parts", 'n', "N", 0, "into N parts; may be left out where the layout tells", 0},
    {"layout", 'l', "LAYOUT", 0, LAYOUT_SPELLINGS "; block if left out", 0},
    {"blocks", KEY_BLOCKS, "N", 0, "each part into N blocks: the two-level grid of a results file", 0},
    {"schedule", 's', "KIND[:CHUNK]", 0,
     "the steps of loop self-scheduling instead: static, self, fixed:N, guided, trapezoid, factoring, or "
     "weighted with --layout=weighted:...",
     0},
    {"json", KEY_JSON, NULL, 0, "as JSON instead of a table", 0},
    COMMAND_LINE_COMMON,
    COMMAND_LINE_NUMBERS,
    {0}};

typedef struct arguments {
  const char *range_text;
  parcel_range range;
  int parts;           /* 0: not given */
  const char *layout;  /* NULL: not given */
  parcel_index blocks; /* per part; 0: not given */
  bool has_schedule;
  parcel_schedule_kind kind;
  parcel_index chunk; /* 0: not given */
  bool is_json;
} arguments;

static parcel_status parse_parts(const char *text, int *out)
{
  parcel_index parts = 0;
  const parcel_status status = command_line_count("--parts", text, INT_MAX, &parts);
  if (!status)
    *out = (int)parts;
  return status;
}

/* KIND, KIND:CHUNK, or the library's KIND,CHUNK. */
static parcel_status parse_schedule(const char *text, arguments *into)
{
  const char *colon = strchr(text, ':');
  char kind[32];
  parcel_status status = PARCEL_OK;
  if (colon && (size_t)(colon - text) < sizeof kind) {
    snprintf(kind, sizeof kind, "%.*s", (int)(colon - text), text);
    if ((status = command_line_count("--schedule", colon + 1, INT64_MAX, &into->chunk)))
      return status;
    text = kind;
  }
  parcel_index chunk = 0;
  status = parcel_schedule_parse(text, &into->kind, &chunk);
  if (status)
    return parcel_fail(status, "--schedule: %s", parcel_last_error());
  if (into->chunk != 0 && chunk != 0)
    return parcel_fail(PARCEL_INVALID, "--schedule: more than one chunk");
  into->chunk = chunk != 0 ? chunk : into->chunk;
  into->has_schedule = true;
  return PARCEL_OK;
}

static parcel_status parse_json(arguments *into)
{
  if (!listing_has_json())
    return parcel_fail(PARCEL_INVALID, "--json: this program was built without jansson");
  into->is_json = true;
  return PARCEL_OK;
}

static parcel_status take_option(void *ctx, int key, const char *value)
{
  arguments *into = ctx;
  switch (key) {
  case 'n': return parse_parts(value, &into->parts);
  case 'l': into->layout = value; return PARCEL_OK;
  case 's': return parse_schedule(value, into);
  case KEY_BLOCKS: return command_line_count("--blocks", value, INT64_MAX, &into->blocks);
  case KEY_JSON: return parse_json(into);
  default: return parcel_fail(PARCEL_INVALID, "no option has the key %d", key);
  }
}

static parcel_status take_word(void *ctx, const char *text)
{
  arguments *into = ctx;
  if (into->range_text)
    return parcel_fail(PARCEL_INVALID, "more than one RANGE: '%s' and '%s'", into->range_text, text);
  into->range_text = text;
  return parcel_range_parse(text, &into->range);
}

static const struct argp parser = {
    .options = options,
    .parser = command_line_parser,
    .args_doc = "RANGE",
    .doc = "Shows how RANGE would be divided: the values and positions of every part.\v"
           "RANGE is FIRST..LAST[..STEP], both ends included. Numbers may have '_' between digits. LAYOUT "
           "may also "
           "be the library's own text for the whole range, such as 'cyclic(1000000,8,block=64)'.\n\n"
           "Examples:\n"
           "  parcel plan 1..1_000_000 --parts 8 --layout cyclic:64\n"
           "  parcel plan 1..1_000_000 --layout weighted:1,2.5,1 --json\n"
           "  parcel plan 1..1_000_000 --parts 8 --blocks 16\n"
           "  parcel plan 1..1_000_000 --parts 8 --schedule guided:100"};

static parcel_status check_arguments(const arguments *arguments)
{
  const bool is_weighted = arguments->has_schedule && arguments->kind == PARCEL_SCHEDULE_WEIGHTED;
  if (!arguments->range_text)
    return parcel_fail(PARCEL_INVALID, "no RANGE, such as 1..1000000");
  if (arguments->has_schedule && arguments->blocks > 0)
    return parcel_fail(PARCEL_INVALID, "--blocks and --schedule exclude each other");
  if (arguments->has_schedule && arguments->layout && !is_weighted)
    return parcel_fail(PARCEL_INVALID, "--layout: only the weighted schedule has one");
  if (is_weighted && (!arguments->layout || strncmp(arguments->layout, "weighted:", 9) != 0))
    return parcel_fail(PARCEL_INVALID, "--schedule: weighted needs --layout=weighted:W1,W2,...");
  if (arguments->blocks > 0 && arguments->layout && strcmp(arguments->layout, "block") != 0)
    return parcel_fail(PARCEL_INVALID, "--blocks: blocks are cut from the block layout only");
  return PARCEL_OK;
}

/* ---- what is printed ---- */

/* The first facts of every listing. */
#define RANGE_FACTS(range_text, plan_range, plan_parts)                                                      \
  {.name = "range", .kind = LISTING_TEXT, .text = (range_text)},                                             \
      {.name = "positions", .kind = LISTING_NUMBER, .number = (plan_range).count},                           \
  {                                                                                                          \
    .name = "parts", .kind = LISTING_NUMBER, .number = (plan_parts)                                          \
  }

#define LENGTH(array) ((int)(sizeof(array) / sizeof *(array)))

static listing_cell number(parcel_index value)
{
  return (listing_cell){.number = value};
}

/* The value at a position, if there is one. */
static listing_cell value_at(parcel_range range, bool exists, parcel_index position)
{
  return (listing_cell){.is_none = !exists, .number = exists ? parcel_range_at(range, position) : 0};
}

static parcel_status print(const arguments *arguments, const listing *listing)
{
  if (arguments->is_json)
    return listing_print_json(listing);
  listing_print_table(listing);
  return PARCEL_OK;
}

/* ---- parts ---- */

typedef struct parts_view {
  parcel_range range;
  const parcel_layout *layout;
} parts_view;

static void fill_part(const void *ctx, parcel_index row, listing_cell cells[])
{
  const parts_view *view = ctx;
  const int part = (int)row;
  const parcel_index count = parcel_layout_count(view->layout, part);
  cells[0] = number(part);
  cells[1] = number(count);
  cells[2] = value_at(view->range, count > 0, parcel_layout_global(view->layout, part, 0));
  cells[3] = value_at(view->range, count > 0, parcel_layout_global(view->layout, part, count - 1));
  cells[4] = number(parcel_layout_spans(view->layout, part));
}

static parcel_status print_parts(const arguments *arguments, const parcel_layout *layout,
                                 const char *layout_text)
{
  char range_text[PARCEL_RANGE_TEXT_SIZE];
  const parts_view view = {.range = arguments->range, .layout = layout};
  const listing_fact facts[] = {
      RANGE_FACTS(parcel_range_format(view.range, range_text, sizeof range_text), view.range,
                  parcel_layout_parts(layout)),
      {.name = "layout", .kind = LISTING_TEXT, .text = layout_text, .begins_line = true},
      {.name = "smallest", .kind = LISTING_NUMBER, .number = parcel_layout_min(layout), .begins_line = true},
      {.name = "largest", .kind = LISTING_NUMBER, .number = parcel_layout_max(layout)},
      {.name = "imbalance", .kind = LISTING_RATIO, .ratio = parcel_layout_imbalance(layout)}};
  const listing listing = {.facts = facts,
                           .fact_count = LENGTH(facts),
                           .row_name = "rows",
                           .columns = {"part", "positions", "first", "last", "runs"},
                           .column_count = 5,
                           .row_count = parcel_layout_parts(layout),
                           .fill = fill_part,
                           .ctx = &view};
  return print(arguments, &listing);
}

static parcel_status plan_parts(const arguments *arguments)
{
  parcel_layout *layout = NULL;
  parcel_status status = layout_spelling_make(arguments->layout ? arguments->layout : "block",
                                              arguments->range.count, arguments->parts, &layout);
  if (status)
    return status;
  const size_t size = (size_t)parcel_layout_format(layout, NULL, 0) + 1;
  char *text = malloc(size);
  if (text) {
    parcel_layout_format(layout, text, size);
    status = print_parts(arguments, layout, text);
  } else {
    status = parcel_fail(PARCEL_MEMORY, "no memory for the %zu bytes of the layout's text", size);
  }
  free(text);
  parcel_layout_free(&layout);
  return status;
}

/* ---- blocks ---- */

typedef struct blocks_view {
  parcel_range range;
  parcel_block_grid grid;
} blocks_view;

static parcel_index length_of(parcel_span span)
{
  return span.end - span.begin;
}

/* Of a part's blocks the first is the largest and the last the smallest. */
static void fill_blocks(const void *ctx, parcel_index row, listing_cell cells[])
{
  const blocks_view *view = ctx;
  const parcel_block_grid grid = view->grid;
  const parcel_span part = parcel_block_span(grid.positions, grid.parts, row);
  const parcel_index first = row * grid.blocks_per_part;
  const parcel_index last = first + grid.blocks_per_part - 1;
  const bool has_any = part.begin < part.end;
  cells[0] = number(row);
  cells[1] = number(length_of(part));
  cells[2] = value_at(view->range, has_any, part.begin);
  cells[3] = value_at(view->range, has_any, part.end - 1);
  cells[4] = number(first);
  cells[5] = number(last);
  cells[6] = number(length_of(parcel_block_grid_span(grid, last)));
  cells[7] = number(length_of(parcel_block_grid_span(grid, first)));
}

static parcel_status plan_blocks(const arguments *arguments)
{
  if (arguments->parts == 0)
    return parcel_fail(PARCEL_INVALID, "--parts is missing: into how many parts?");
  if (arguments->blocks > INT64_MAX / arguments->parts)
    return parcel_fail(PARCEL_RANGE, "--blocks: more than %" PRId64 " blocks in all", INT64_MAX);
  char range_text[PARCEL_RANGE_TEXT_SIZE];
  const blocks_view view = {.range = arguments->range,
                            .grid = {.positions = arguments->range.count,
                                     .parts = arguments->parts,
                                     .blocks_per_part = arguments->blocks}};
  const listing_fact facts[] = {
      RANGE_FACTS(parcel_range_format(view.range, range_text, sizeof range_text), view.range,
                  view.grid.parts),
      {.name = "blocks_per_part",
       .kind = LISTING_NUMBER,
       .number = view.grid.blocks_per_part,
       .begins_line = true},
      {.name = "blocks", .kind = LISTING_NUMBER, .number = parcel_block_grid_count(view.grid)},
      {.name = "largest_block", .kind = LISTING_NUMBER, .number = parcel_block_grid_largest(view.grid)}};
  const listing listing = {.facts = facts,
                           .fact_count = LENGTH(facts),
                           .row_name = "rows",
                           .columns = {"part", "positions", "first", "last", "first_block", "last_block",
                                       "smallest_block", "largest_block"},
                           .column_count = 8,
                           .row_count = view.grid.parts,
                           .fill = fill_blocks,
                           .ctx = &view};
  return print(arguments, &listing);
}

/* ---- steps ---- */

enum { STEPS_SHOWN = 10, SHARES = 1000000 };

typedef struct steps_view {
  parcel_range range;
  parcel_schedule schedule;
  parcel_index gap; /* rows from here on count from the end; 0: all are shown */
} steps_view;

static void fill_step(const void *ctx, parcel_index row, listing_cell cells[])
{
  const steps_view *view = ctx;
  const bool is_late = view->gap > 0 && row >= view->gap;
  const parcel_index step = is_late ? parcel_schedule_steps(&view->schedule) - STEPS_SHOWN + row : row;
  const parcel_span span = parcel_schedule_span(&view->schedule, step);
  const bool has_any = span.begin < span.end;
  cells[0] = number(step);
  cells[1] = number(length_of(span));
  cells[2] = value_at(view->range, has_any, span.begin);
  cells[3] = value_at(view->range, has_any, span.end - 1);
}

static parcel_status print_steps(const arguments *arguments, const parcel_schedule *schedule)
{
  char range_text[PARCEL_RANGE_TEXT_SIZE];
  const parcel_index steps = parcel_schedule_steps(schedule);
  const bool has_gap = steps > STEPS_SHOWN;
  const steps_view view = {
      .range = arguments->range, .schedule = *schedule, .gap = has_gap ? STEPS_SHOWN / 2 : 0};
  const listing_fact facts[] = {RANGE_FACTS(parcel_range_format(view.range, range_text, sizeof range_text),
                                            view.range, schedule->parts),
                                {.name = "schedule",
                                 .kind = LISTING_TEXT,
                                 .text = parcel_schedule_name(schedule->kind),
                                 .begins_line = true},
                                {.name = "chunk", .kind = LISTING_NUMBER, .number = schedule->chunk},
                                {.name = "steps", .kind = LISTING_NUMBER, .number = steps}};
  const listing listing = {.facts = facts,
                           .fact_count = LENGTH(facts),
                           .row_name = "rows",
                           .columns = {"step", "positions", "first", "last"},
                           .column_count = 4,
                           .row_count = has_gap ? STEPS_SHOWN : steps,
                           .gap = view.gap,
                           .fill = fill_step,
                           .ctx = &view};
  return print(arguments, &listing);
}

static parcel_status plan_steps(const arguments *arguments)
{
  const bool is_weighted = arguments->kind == PARCEL_SCHEDULE_WEIGHTED;
  const parcel_index n = arguments->range.count;
  parcel_schedule schedule = {0};
  parcel_layout *shares = NULL;
  parcel_status status = PARCEL_OK;
  if (is_weighted)
    status = layout_spelling_make(arguments->layout, SHARES, arguments->parts, &shares);
  else if (arguments->parts == 0)
    status = parcel_fail(PARCEL_INVALID, "--parts is missing: for how many parts?");
  if (status)
    return status;
  status = is_weighted
               ? parcel_schedule_make_weighted(n, shares, arguments->chunk, &schedule)
               : parcel_schedule_make(arguments->kind, n, arguments->parts, arguments->chunk, &schedule);
  status =
      status ? parcel_fail(status, "--schedule: %s", parcel_last_error()) : print_steps(arguments, &schedule);
  parcel_layout_free(&shares);
  return status;
}

parcel_status parcel_plan_command(int argc, char **argv)
{
  arguments arguments = {.has_schedule = false};
  command_line line = {.take_option = take_option, .take_word = take_word, .into = &arguments};
  parcel_status status = command_line_parse(&parser, argc, argv, true, &line);
  if (status || command_line_answer(&line, "parcel plan") || (status = check_arguments(&arguments)))
    return status;
  if (arguments.has_schedule)
    return plan_steps(&arguments);
  return arguments.blocks > 0 ? plan_blocks(&arguments) : plan_parts(&arguments);
}
