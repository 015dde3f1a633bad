/* parcel info: what is in a results file, where it comes from, and how far it is. */
#include "parcel_info.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command_line.h"
#include "parcel_commands.h"

enum { KEY_JSON = COMMAND_LINE_KEY };

static const struct argp_option options[] = {
    {"json", KEY_JSON, NULL, 0, "as JSON", 0}, COMMAND_LINE_COMMON, {0}};

typedef struct arguments {
  const char *path;
  bool wants_json;
} arguments;

static parcel_status take_word(void *ctx, const char *text)
{
  return command_line_only_word("FILE", text, &((arguments *)ctx)->path);
}

static parcel_status take_option(void *ctx, int key, const char *value)
{
  arguments *into = ctx;
  (void)value;
  into->wants_json = key == KEY_JSON;
  return PARCEL_OK;
}

static const struct argp parser = {
    .options = options,
    .parser = command_line_parser,
    .args_doc = "FILE",
    .doc = "Tells what is in a results file, finished or not, and where it comes "
           "from.\v"
           "Exit status: 0 done, 1 failed (the file is damaged), 2 wrong usage.\n\n"
           "Example: parcel info squares.h5"};

const char *info_type_name(parcel_type type)
{
  static const char *const names[] = {"int8",   "uint8", "int16",  "uint16",  "int32",
                                      "uint32", "int64", "uint64", "float32", "float64"};
  return names[type];
}

/* ---- for people ---- */

static void print_columns(const parcel_reader *reader)
{
  int count = 0;
  const parcel_column *columns = parcel_reader_columns(reader, &count);
  for (int c = 0; c < count; ++c) {
    const parcel_index width = parcel_column_width(&columns[c]);
    printf("column         %s: %s", columns[c].name, info_type_name(columns[c].type));
    if (width > 1)
      printf(" x %" PRId64, width);
    printf(", units %s, %s\n", columns[c].units, columns[c].long_name);
  }
}

/* All of the provenance, but for what is told already; a text of several lines is indented, an empty one left
 * out. */
static void print_provenance(const parcel_reader *reader)
{
  int count = 0;
  const parcel_reader_note *notes = parcel_reader_provenance(reader, &count);
  for (int i = 0; i < count; ++i) {
    const char *text = notes[i].text + strspn(notes[i].text, " ");
    if (*text == '\0' || strcmp(notes[i].name, "range") == 0)
      continue;
    printf("%-*s ", 14, notes[i].name);
    for (; *text; ++text) {
      if (*text != '\n')
        putchar(*text);
      else if (text[1])
        printf("\n%*s", 15, "");
    }
    printf("\n");
  }
}

static void print_failures(const info *info)
{
  const parcel_index all = parcel_reader_failure_count(info->reader);
  if (all == 0)
    return;
  printf("failures       %" PRId64 "\n", all);
  for (int f = 0; f < info->failure_count; ++f)
    printf("               index %" PRId64 ": %s: %s\n", info->failures[f].index,
           parcel_status_name(info->failures[f].code), info->failures[f].message);
  if (all > info->failure_count)
    printf("               ...\n");
}

static void print_info(const info *info)
{
  char range[PARCEL_RANGE_TEXT_SIZE];
  const parcel_reader *reader = info->reader;
  const parcel_block_grid grid = parcel_reader_grid(reader);
  printf("file           %s, %" PRId64 " bytes\n", parcel_reader_path(reader), parcel_reader_bytes(reader));
  printf("status         %s\n", parcel_reader_status(reader));
  printf("title          %s\n", parcel_reader_attribute(reader, "title"));
  printf("range          %s, %" PRId64 " positions\n",
         parcel_range_format(parcel_reader_range(reader), range, sizeof range), grid.positions);
  print_columns(reader);
  printf("blocks         %" PRId64 " of %" PRId64 " done; %" PRId64 " parts of %" PRId64 "\n",
         info->blocks_done, info->blocks, grid.parts, grid.blocks_per_part);
  print_failures(info);
  print_provenance(reader);
  if (!info->is_complete)
    printf("to go on       the same command with --resume\n");
}

/* ---- the command ---- */

static parcel_status gather(const parcel_reader *reader, info *out)
{
  const parcel_index failures = parcel_reader_failure_count(reader);
  const parcel_index shown = failures < INFO_FAILURES ? failures : INFO_FAILURES;
  *out = (info){.reader = reader,
                .blocks = parcel_block_grid_count(parcel_reader_grid(reader)),
                .is_complete = strcmp(parcel_reader_status(reader), "complete") == 0,
                .failure_count = (int)shown};
  const parcel_status status = parcel_reader_count_done(reader, &out->blocks_done);
  return status ? status : parcel_reader_failures(reader, (parcel_span){0, shown}, out->failures);
}

parcel_status parcel_info_command(int argc, char **argv)
{
  arguments arguments = {.path = NULL};
  parcel_reader *reader = NULL;
  info info;
  command_line line = {.take_option = take_option, .take_word = take_word, .into = &arguments};
  parcel_status status = command_line_parse(&parser, argc, argv, true, &line);
  if (status || command_line_answer(&line, "parcel info"))
    return status;
  if (!arguments.path)
    return parcel_fail(PARCEL_INVALID, "FILE is missing");
  if (!(status = parcel_reader_open(arguments.path, &reader)) && !(status = gather(reader, &info))) {
    if (arguments.wants_json)
      status = info_print_json(&info);
    else
      print_info(&info);
  }
  parcel_reader_close(&reader);
  return status;
}
