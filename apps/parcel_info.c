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

bool info_has_note(const info *info, const parcel_reader_note *note)
{
  return !info->is_complete || strcmp(note->name, "owner") != 0;
}

/* ---- for people ---- */

enum { INDENT = 15 };

/* What would do something to a terminal is spelt out (C1 is U+0080 to U+009F); further lines are indented. */
static void print_text(const char *text)
{
  for (; *text; ++text) {
    const bool is_c1 = *text == '\xc2' && (unsigned char)text[1] < 0xa0;
    const unsigned char byte = (unsigned char)(is_c1 ? *++text : *text);
    if (byte == '\n' && text[1])
      printf("\n%*s", INDENT, "");
    else if (is_c1 || (byte < ' ' && byte != '\t' && byte != '\n') || byte == 0x7f)
      printf("\\x%02x", byte);
    else if (byte != '\n')
      putchar(byte);
  }
}

static void print_fact(const char *name, const char *text)
{
  printf("%-*s ", INDENT - 1, name);
  print_text(text);
  printf("\n");
}

static void print_columns(const parcel_reader *reader)
{
  int count = 0;
  const parcel_column *columns = parcel_reader_columns(reader, &count);
  for (int c = 0; c < count; ++c) {
    const parcel_index width = parcel_column_width(&columns[c]);
    printf("column         %s: %s", columns[c].name, info_type_name(columns[c].type));
    if (width > 1)
      printf(" x %" PRId64, width);
    printf(", units ");
    print_text(columns[c].units);
    printf(", ");
    print_text(columns[c].long_name);
    printf("\n");
  }
}

/* All of the provenance, but for what is told already; an empty text is left out. */
static void print_provenance(const info *info)
{
  int count = 0;
  const parcel_reader_note *notes = parcel_reader_provenance(info->reader, &count);
  for (int i = 0; i < count; ++i) {
    const char *text = notes[i].text + strspn(notes[i].text, " ");
    if (*text != '\0' && strcmp(notes[i].name, "range") != 0 && info_has_note(info, &notes[i]))
      print_fact(notes[i].name, text);
  }
}

static void print_failures(const info *info)
{
  const parcel_index all = parcel_reader_failure_count(info->reader);
  if (all == 0)
    return;
  printf("failures       %" PRId64 "\n", all);
  for (int f = 0; f < info->failure_count; ++f) {
    printf("               index %" PRId64 ": %s: ", info->failures[f].index,
           parcel_status_name(info->failures[f].code));
    print_text(info->failures[f].message);
    printf("\n");
  }
  if (all > info->failure_count)
    printf("               ...\n");
}

static void print_info(const info *info)
{
  char range[PARCEL_RANGE_TEXT_SIZE];
  const parcel_reader *reader = info->reader;
  const parcel_block_grid grid = parcel_reader_grid(reader);
  printf("file           ");
  print_text(parcel_reader_path(reader));
  printf(", %" PRId64 " bytes\n", parcel_reader_bytes(reader));
  print_fact("status", parcel_reader_status(reader));
  print_fact("title", parcel_reader_attribute(reader, "title"));
  printf("range          %s, %" PRId64 " positions\n",
         parcel_range_format(parcel_reader_range(reader), range, sizeof range), grid.positions);
  print_columns(reader);
  printf("blocks         %" PRId64 " of %" PRId64 " done; %" PRId64 " parts of %" PRId64 "\n",
         info->blocks_done, info->blocks, grid.parts, grid.blocks_per_part);
  print_failures(info);
  print_provenance(info);
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
    parcel_commands_warn(reader);
    if (arguments.wants_json)
      status = info_print_json(&info);
    else
      print_info(&info);
  }
  parcel_reader_close(&reader);
  return status;
}
