/* parcel export: values as CSV, to the standard output. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parcel/reader.h>

#include "command_line.h"
#include "parcel_commands.h"
#include "values.h"

enum { KEY_HEADER = COMMAND_LINE_KEY };
enum { PIECE = 4096 }; /* positions that are read at a time */

static const struct argp_option options[] = {
    {"columns", 'c', "NAME[,NAME...]", 0, "these columns, in this order; default: all", 0},
    {"range", 'r', "FIRST..LAST", 0, "only indices from FIRST to LAST; default: all", 0},
    {"header", KEY_HEADER, NULL, 0, "begin with a line of names", 0},
    COMMAND_LINE_COMMON,
    {0}};

typedef struct arguments {
  const char *path;
  const char *columns;
  const char *range_text;
  parcel_range range;
  bool has_header;
} arguments;

static parcel_status take_word(void *ctx, const char *text)
{
  return command_line_only_word("FILE", text, &((arguments *)ctx)->path);
}

static parcel_status take_option(void *ctx, int key, const char *value)
{
  arguments *into = ctx;
  switch (key) {
  case 'c': into->columns = value; return PARCEL_OK;
  case 'r': into->range_text = value; return parcel_range_parse(value, &into->range);
  case KEY_HEADER: into->has_header = true; return PARCEL_OK;
  default: return parcel_fail(PARCEL_INVALID, "no option has the key %d", key);
  }
}

static const struct argp parser = {
    .options = options,
    .parser = command_line_parser,
    .args_doc = "FILE",
    .doc =
        "Prints the values of a complete results file as CSV, one line per index, the index first.\v"
        "Whole numbers are exact; others have as few digits as give the same value back. A column of width 3 "
        "becomes NAME_0, NAME_1, NAME_2. The cells of an index that failed are empty.\n\n"
        "Exit status: 0 done, 1 failed, 2 wrong usage.\n\n"
        "Example: parcel export --header --columns squares --range 5..100 squares.h5"};

/* ---- what is asked for ---- */

typedef struct selection {
  const parcel_reader *reader;
  const parcel_column *columns; /* of the reader */
  int *numbers;                 /* [count] of columns that are printed */
  int count;
  parcel_span positions;
} selection;

/* Takes one name of the list; what follows it, or NULL at the end. */
static const char *take_name(selection *selection, const char *list, parcel_status *status)
{
  char name[256];
  const size_t length = strcspn(list, ",");
  snprintf(name, sizeof name, "%.*s", (int)length, list);
  const int number = parcel_reader_column(selection->reader, name);
  if (number < 0)
    *status = parcel_fail(PARCEL_INVALID, "--columns: '%s' has no column '%s'",
                          parcel_reader_path(selection->reader), name);
  else
    selection->numbers[selection->count++] = number;
  return list[length] == ',' ? list + length + 1 : NULL;
}

static parcel_status select_columns(const arguments *arguments, selection *selection)
{
  int all = 0;
  parcel_status status = PARCEL_OK;
  selection->columns = parcel_reader_columns(selection->reader, &all);
  const size_t most = (size_t)all + (arguments->columns ? strlen(arguments->columns) : 0);
  if (!(selection->numbers = calloc(most, sizeof *selection->numbers)))
    return parcel_fail(PARCEL_MEMORY, "no memory for the list of columns");
  for (const char *list = arguments->columns; list && !status;)
    list = take_name(selection, list, &status);
  for (int c = 0; c < all && !arguments->columns; ++c)
    if (!parcel_column_is_index(&selection->columns[c])) /* it is printed anyway */
      selection->numbers[selection->count++] = c;
  return status;
}

/* The first position whose index lies at or beyond a bound, in the range's own direction. */
static parcel_index position_at(parcel_range range, parcel_index bound)
{
  parcel_index begin = 0;
  for (parcel_index end = range.count; begin < end;) {
    const parcel_index middle = begin + (end - begin) / 2;
    const parcel_index index = parcel_range_at(range, middle);
    if (range.step > 0 ? index < bound : index > bound)
      begin = middle + 1;
    else
      end = middle;
  }
  return begin;
}

static parcel_status select_positions(const arguments *arguments, selection *selection)
{
  const parcel_range range = parcel_reader_range(selection->reader);
  selection->positions = (parcel_span){0, range.count};
  if (!arguments->range_text)
    return PARCEL_OK;
  const parcel_range wanted = arguments->range;
  if (wanted.step != 1)
    return parcel_fail(PARCEL_INVALID, "--range: '%s': FIRST..LAST with FIRST <= LAST, and no step",
                       arguments->range_text);
  const parcel_index low = wanted.first;
  const parcel_index high = parcel_range_at(wanted, wanted.count - 1);
  const parcel_index begin = position_at(range, range.step > 0 ? low : high);
  parcel_index end = position_at(range, range.step > 0 ? high : low);
  if (end < range.count && parcel_range_at(range, end) == (range.step > 0 ? high : low))
    ++end;
  if (begin >= end)
    return parcel_fail(PARCEL_INVALID, "--range: '%s' has no index in %s",
                       parcel_reader_path(selection->reader), arguments->range_text);
  selection->positions = (parcel_span){begin, end};
  return PARCEL_OK;
}

/* ---- printing ---- */

static void print_header(const selection *selection)
{
  printf("index");
  for (int c = 0; c < selection->count; ++c) {
    const parcel_column *column = &selection->columns[selection->numbers[c]];
    const parcel_index width = parcel_column_width(column);
    for (parcel_index k = 0; k < width; ++k)
      if (width > 1)
        printf(",%s_%" PRId64, column->name, k);
      else
        printf(",%s", column->name);
  }
  printf("\n");
}

static void print_cells(const parcel_column *column, const void *values, parcel_index position,
                        bool has_failed)
{
  char text[VALUES_TEXT_SIZE];
  const parcel_index width = parcel_column_width(column);
  for (parcel_index k = 0; k < width; ++k) {
    putchar(',');
    if (!has_failed)
      fwrite(text, 1, (size_t)values_format(column->type, values, position * width + k, text), stdout);
  }
}

/* Prints the positions of a piece; values: [count] of the selection. */
static parcel_status print_piece(const selection *selection, parcel_span piece, void *const values[])
{
  const parcel_range range = parcel_reader_range(selection->reader);
  const parcel_span failed = parcel_reader_failures_in(selection->reader, piece);
  parcel_index next = failed.begin;
  parcel_failure failure = {.position = -1};
  for (parcel_index p = piece.begin; p < piece.end; ++p) {
    if (failure.position < p && next < failed.end) {
      const parcel_status status =
          parcel_reader_failures(selection->reader, (parcel_span){next, next + 1}, &failure);
      if (status)
        return status;
      ++next;
    }
    printf("%" PRId64, parcel_range_at(range, p));
    for (int c = 0; c < selection->count; ++c)
      print_cells(&selection->columns[selection->numbers[c]], values[c], p - piece.begin,
                  failure.position == p);
    putchar('\n');
  }
  return ferror(stdout) ? parcel_fail(PARCEL_IO, "cannot write to the standard output: %m") : PARCEL_OK;
}

static parcel_status print_all(const selection *selection)
{
  void **values = calloc((size_t)selection->count + 1, sizeof *values);
  parcel_status status = values ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory for columns");
  for (int c = 0; c < selection->count && !status; ++c)
    if (!(values[c] =
              malloc((size_t)(PIECE * parcel_column_bytes(&selection->columns[selection->numbers[c]])))))
      status = parcel_fail(PARCEL_MEMORY, "no memory for %d positions", PIECE);
  for (parcel_index begin = selection->positions.begin; begin < selection->positions.end && !status;) {
    const parcel_index left = selection->positions.end - begin;
    const parcel_span piece = {begin, begin + (left < PIECE ? left : PIECE)};
    for (int c = 0; c < selection->count && !status; ++c)
      status = parcel_reader_values(selection->reader, selection->numbers[c], piece, values[c]);
    if (!status)
      status = print_piece(selection, piece, values);
    begin = piece.end;
  }
  for (int c = 0; values && c < selection->count; ++c)
    free(values[c]);
  free(values);
  return status;
}

/* ---- the command ---- */

static parcel_status export(const arguments *arguments)
{
  parcel_reader *reader = NULL;
  parcel_status status = parcel_reader_open(arguments->path, &reader);
  if (status)
    return status;
  parcel_commands_warn(reader);
  selection selection = {.reader = reader};
  if (strcmp(parcel_reader_status(reader), "complete") != 0)
    status =
        parcel_fail(PARCEL_INVALID, "'%s' is not complete: parcel info tells how far it is", arguments->path);
  if (!status && !(status = select_columns(arguments, &selection)) &&
      !(status = select_positions(arguments, &selection))) {
    if (arguments->has_header)
      print_header(&selection);
    status = print_all(&selection);
  }
  free(selection.numbers);
  parcel_reader_close(&reader);
  return status;
}

parcel_status parcel_export_command(int argc, char **argv)
{
  arguments arguments = {.path = NULL};
  command_line line = {.take_option = take_option, .take_word = take_word, .into = &arguments};
  const parcel_status status = command_line_parse(&parser, argc, argv, true, &line);
  if (status || command_line_answer(&line, "parcel export"))
    return status;
  return arguments.path ? export(&arguments) : parcel_fail(PARCEL_INVALID, "FILE is missing");
}
