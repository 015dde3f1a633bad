/* parcel diff: do two complete files hold the same values? */
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parcel/pool.h>
#include <parcel/reader.h>

#include "command_line.h"
#include "parcel_commands.h"
#include "values.h"

enum { KEY_TOLERANCE = COMMAND_LINE_KEY };
enum { SHOWN = 5, PIECE_BYTES = 1 << 18, CACHE_LINE = 64 };

static const struct argp_option options[] = {
    {"tolerance", KEY_TOLERANCE, "X", 0,
     "floating-point values are equal where they are at most X apart; default: 0", 0},
    {"threads", 't', "N", 0, "threads per rank; default: the CPUs this rank really has", 0},
    {"quiet", 'q', NULL, 0, "print nothing but errors", 0},
    COMMAND_LINE_COMMON,
    {0}};

typedef struct arguments {
  const char *paths[2];
  int path_count;
  double tolerance;
  bool is_quiet;
  int threads; /* 0: the CPUs of the rank */
} arguments;

static parcel_status take_word(void *ctx, const char *text)
{
  arguments *into = ctx;
  if (into->path_count == 2)
    return parcel_fail(PARCEL_INVALID, "more than two files: '%s'", text);
  into->paths[into->path_count++] = text;
  return PARCEL_OK;
}

static parcel_status parse_tolerance(const char *text, double *out)
{
  char *end = NULL;
  const double value = strtod(text, &end);
  if (end == text || *end || !isfinite(value) || value < 0)
    return parcel_fail(PARCEL_INVALID, "--tolerance: '%s' is no number of 0 or more", text);
  *out = value;
  return PARCEL_OK;
}

static parcel_status take_option(void *ctx, int key, const char *value)
{
  arguments *into = ctx;
  switch (key) {
  case KEY_TOLERANCE: return parse_tolerance(value, &into->tolerance);
  case 't': return command_line_threads(value, &into->threads);
  case 'q': into->is_quiet = true; return PARCEL_OK;
  default: return parcel_fail(PARCEL_INVALID, "no option has the key %d", key);
  }
}

static const struct argp parser = {
    .options = options,
    .parser = command_line_parser,
    .args_doc = "A B",
    .doc = "Compares the values and the failed indices of two complete results files of the same range and "
           "columns. NaN equals NaN.\v"
           "Provenance, blocks and other ways of storing the same values do not count.\n\n"
           "Exit status: 0 equal, 1 not equal (or a file cannot be read), 2 wrong usage, or files that "
           "cannot be "
           "compared.\n\n"
           "Example: mpirun -n 4 parcel diff old.h5 new.h5"};

/* ---- comparing ---- */

/* What differs in one column: the same on all ranks in the end. */
typedef struct difference {
  parcel_index count;        /* of positions */
  parcel_index first[SHOWN]; /* the first of them, ascending */
} difference;

typedef struct comparison {
  parcel_reader *readers[2];
  const parcel_column *columns; /* [column_count] of the first file */
  int *others;                  /* [column_count] their numbers in the second file */
  int column_count;
  double tolerance;
  parcel_span positions; /* of this rank */
  char **scratch;        /* [threads] two pieces of a column each */
  size_t scratch_bytes;  /* of one piece */
  pthread_mutex_t lock;
  difference *differences; /* [column_count] under the lock */
} comparison;

/* Keeps the smallest positions, ascending. */
static void add_position(difference *difference, parcel_index position)
{
  parcel_index kept = difference->count < SHOWN ? difference->count : SHOWN;
  ++difference->count;
  if (kept == SHOWN && position > difference->first[SHOWN - 1])
    return;
  parcel_index place = kept < SHOWN ? kept : SHOWN - 1;
  for (; place > 0 && difference->first[place - 1] > position; --place)
    difference->first[place] = difference->first[place - 1];
  difference->first[place] = position;
}

static void note_differences(comparison *comparison, int c, parcel_span span, const char *left,
                             const char *right)
{
  const parcel_column *column = &comparison->columns[c];
  const parcel_index width = parcel_column_width(column);
  const parcel_index count = (span.end - span.begin) * width;
  parcel_index i = values_first_difference(column->type, left, right, 0, count, comparison->tolerance);
  if (i == count)
    return;
  pthread_mutex_lock(&comparison->lock);
  while (i < count) {
    const parcel_index position = i / width;
    add_position(&comparison->differences[c], span.begin + position);
    i = values_first_difference(column->type, left, right, (position + 1) * width, count,
                                comparison->tolerance);
  }
  pthread_mutex_unlock(&comparison->lock);
}

static parcel_status compare_span(void *ctx, parcel_span positions, int worker)
{
  comparison *comparison = ctx;
  char *left = comparison->scratch[worker];
  char *right = left + comparison->scratch_bytes;
  const parcel_span span = {comparison->positions.begin + positions.begin,
                            comparison->positions.begin + positions.end};
  parcel_status status = PARCEL_OK;
  for (int c = 0; c < comparison->column_count && !status; ++c) {
    const size_t bytes = (size_t)((span.end - span.begin) * parcel_column_bytes(&comparison->columns[c]));
    if (!(status = parcel_reader_values(comparison->readers[0], c, span, left)) &&
        !(status = parcel_reader_values(comparison->readers[1], comparison->others[c], span, right)) &&
        memcmp(left, right, bytes) != 0)
      note_differences(comparison, c, span, left, right);
  }
  return status;
}

/* All ranks get the sums, and the first positions of all. */
static parcel_status share(const parcel_world *world, comparison *comparison)
{
  MPI_Comm comm = parcel_world_comm(world);
  const int size = parcel_world_size(world);
  const int bytes = (int)(sizeof(difference) * (size_t)comparison->column_count);
  difference *all = calloc((size_t)size * (size_t)comparison->column_count, sizeof *all);
  parcel_status status =
      all ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory for the reports of %d ranks", size);
  if (!(status = parcel_world_agree(world, status)))
    status = parcel_world_check_mpi(
        world, MPI_Allgather(comparison->differences, bytes, MPI_BYTE, all, bytes, MPI_BYTE, comm),
        "MPI_Allgather of differences");
  for (int c = 0; c < comparison->column_count && !status; ++c) {
    difference sum = {.count = 0};
    parcel_index total = 0;
    for (int r = 0; r < size; ++r) {
      const difference *own = &all[r * comparison->column_count + c];
      for (parcel_index f = 0; f < own->count && f < SHOWN; ++f)
        add_position(&sum, own->first[f]);
      total += own->count;
    }
    sum.count = total;
    comparison->differences[c] = sum;
  }
  free(all);
  return status;
}

/* ---- may they be compared at all? ---- */

static parcel_status check_complete(const parcel_reader *reader)
{
  if (strcmp(parcel_reader_status(reader), "complete") == 0)
    return PARCEL_OK;
  return parcel_fail(PARCEL_DIFFERS, "'%s' is not complete, and cannot be compared",
                     parcel_reader_path(reader));
}

static parcel_status check_range(const parcel_reader *a, const parcel_reader *b)
{
  char texts[2][PARCEL_RANGE_TEXT_SIZE];
  parcel_range_format(parcel_reader_range(a), texts[0], sizeof texts[0]);
  parcel_range_format(parcel_reader_range(b), texts[1], sizeof texts[1]);
  if (strcmp(texts[0], texts[1]) == 0)
    return PARCEL_OK;
  return parcel_fail(PARCEL_DIFFERS, "'%s' has the range %s, '%s' has %s", parcel_reader_path(a), texts[0],
                     parcel_reader_path(b), texts[1]);
}

/* Pairs the columns by name. */
static parcel_status pair_columns(comparison *comparison)
{
  int count = 0;
  const parcel_reader *a = comparison->readers[0];
  const parcel_reader *b = comparison->readers[1];
  const parcel_column *others = parcel_reader_columns(b, &count);
  for (int c = 0; c < comparison->column_count; ++c) {
    const parcel_column *column = &comparison->columns[c];
    const int other = parcel_reader_column(b, column->name);
    if (other < 0)
      return parcel_fail(PARCEL_DIFFERS, "'%s' has no column '%s'", parcel_reader_path(b), column->name);
    if (column->type != others[other].type || column->width != others[other].width)
      return parcel_fail(PARCEL_DIFFERS, "the column '%s' has another type or width in '%s' than in '%s'",
                         column->name, parcel_reader_path(b), parcel_reader_path(a));
    comparison->others[c] = other;
  }
  for (int c = 0; c < count; ++c)
    if (parcel_reader_column(a, others[c].name) < 0)
      return parcel_fail(PARCEL_DIFFERS, "'%s' has no column '%s'", parcel_reader_path(a), others[c].name);
  return PARCEL_OK;
}

/* ---- the report, by rank 0 ---- */

static void print_value(const comparison *comparison, int file, int c, parcel_index position)
{
  char text[VALUES_TEXT_SIZE];
  const parcel_column *column = &comparison->columns[c];
  const int number = file == 0 ? c : comparison->others[c];
  void *values = malloc((size_t)parcel_column_bytes(column) + 1);
  if (values &&
      !parcel_reader_values(comparison->readers[file], number, (parcel_span){position, position + 1}, values))
    for (parcel_index k = 0; k < column->width; ++k) {
      values_format(column->type, values, k, text);
      printf("%s%s", k > 0 ? " " : "", text);
    }
  free(values);
}

static void print_differences(const comparison *comparison)
{
  const parcel_range range = parcel_reader_range(comparison->readers[0]);
  for (int c = 0; c < comparison->column_count; ++c) {
    const difference *difference = &comparison->differences[c];
    if (difference->count == 0)
      continue;
    printf("%s: %" PRId64 " of %" PRId64 " positions differ\n", comparison->columns[c].name,
           difference->count, range.count);
    for (parcel_index f = 0; f < difference->count && f < SHOWN; ++f) {
      printf("  index %" PRId64 ": ", parcel_range_at(range, difference->first[f]));
      print_value(comparison, 0, c, difference->first[f]);
      printf(" | ");
      print_value(comparison, 1, c, difference->first[f]);
      printf("\n");
    }
    if (difference->count > SHOWN)
      printf("  ...\n");
  }
}

/* Whether the same indices failed with the same codes. */
static bool have_same_failures(const comparison *comparison)
{
  const parcel_index count = parcel_reader_failure_count(comparison->readers[0]);
  bool is_same = count == parcel_reader_failure_count(comparison->readers[1]);
  for (parcel_index f = 0; f < count && is_same; ++f) {
    parcel_failure pair[2];
    for (int file = 0; file < 2 && is_same; ++file)
      is_same = parcel_reader_failures(comparison->readers[file], (parcel_span){f, f + 1}, &pair[file]) ==
                PARCEL_OK;
    is_same = is_same && pair[0].position == pair[1].position && pair[0].code == pair[1].code;
  }
  return is_same;
}

static parcel_status conclude(const parcel_world *world, const comparison *comparison,
                              const arguments *arguments)
{
  const bool speaks = parcel_world_rank(world) == 0 && !arguments->is_quiet;
  const bool has_same_failures = have_same_failures(comparison);
  parcel_index differing = 0;
  for (int c = 0; c < comparison->column_count; ++c)
    differing += comparison->differences[c].count > 0;
  if (speaks)
    print_differences(comparison);
  if (speaks && !has_same_failures)
    printf("other indices failed, or for other reasons\n");
  if (differing > 0)
    return parcel_fail(PARCEL_UNEQUAL, "'%s' and '%s' differ in %" PRId64 " of %d columns",
                       arguments->paths[0], arguments->paths[1], differing, comparison->column_count);
  if (!has_same_failures)
    return parcel_fail(PARCEL_UNEQUAL, "'%s' and '%s' differ in the indices that failed", arguments->paths[0],
                       arguments->paths[1]);
  if (speaks)
    printf("'%s' and '%s' hold the same values\n", arguments->paths[0], arguments->paths[1]);
  return PARCEL_OK;
}

/* ---- the command ---- */

static parcel_status make_room(comparison *comparison, int threads, parcel_index piece)
{
  const size_t columns = (size_t)comparison->column_count;
  parcel_index widest = 0;
  for (int c = 0; c < comparison->column_count; ++c) {
    const parcel_index bytes = parcel_column_bytes(&comparison->columns[c]);
    widest = bytes > widest ? bytes : widest;
  }
  comparison->scratch_bytes = ((size_t)(piece * widest) / CACHE_LINE + 1) * CACHE_LINE;
  comparison->differences = calloc(columns, sizeof *comparison->differences);
  comparison->scratch = calloc((size_t)threads, sizeof *comparison->scratch);
  bool has_room = comparison->differences && comparison->scratch;
  for (int t = 0; t < threads && has_room; ++t)
    has_room = (comparison->scratch[t] = aligned_alloc(CACHE_LINE, 2 * comparison->scratch_bytes));
  return has_room ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory to compare with %d threads", threads);
}

static void release(comparison *comparison, int threads)
{
  for (int t = 0; comparison->scratch && t < threads; ++t)
    free(comparison->scratch[t]);
  free(comparison->scratch);
  free(comparison->others);
  free(comparison->differences);
  parcel_reader_close(&comparison->readers[0]);
  parcel_reader_close(&comparison->readers[1]);
}

static parcel_status open_both(comparison *comparison, const arguments *arguments)
{
  parcel_status status = PARCEL_OK;
  for (int file = 0; file < 2 && !status; ++file)
    if (!(status = parcel_reader_open(arguments->paths[file], &comparison->readers[file])))
      status = check_complete(comparison->readers[file]);
  if (!status)
    status = check_range(comparison->readers[0], comparison->readers[1]);
  if (status)
    return status;
  comparison->columns = parcel_reader_columns(comparison->readers[0], &comparison->column_count);
  comparison->others = calloc((size_t)comparison->column_count, sizeof *comparison->others);
  return comparison->others ? pair_columns(comparison) : parcel_fail(PARCEL_MEMORY, "no memory for columns");
}

static parcel_status compare(const parcel_world *world, comparison *comparison, const arguments *arguments)
{
  const parcel_pool_options pool_options = {.threads = arguments->threads > 0 ? arguments->threads
                                                                              : parcel_world_cpus(world)};
  parcel_pool *pool = NULL;
  parcel_index piece = 1;
  parcel_status status = parcel_commands_agree(world, open_both(comparison, arguments));
  for (int file = 0; file < 2 && !status && parcel_world_rank(world) == 0; ++file)
    parcel_commands_warn(comparison->readers[file]);
  if (status)
    goto done;
  const parcel_index n = parcel_reader_range(comparison->readers[0]).count;
  const parcel_index bytes = parcel_columns_bytes(comparison->columns, comparison->column_count);
  comparison->positions = parcel_block_span(n, parcel_world_size(world), parcel_world_rank(world));
  piece = bytes < PIECE_BYTES ? PIECE_BYTES / bytes : 1;
  if (!(status = make_room(comparison, pool_options.threads, piece)) &&
      !(status = pair_columns(comparison)) && !(status = parcel_pool_create(&pool_options, &pool)))
    status = parcel_pool_for(pool, comparison->positions.end - comparison->positions.begin, piece,
                             compare_span, comparison);
  parcel_pool_destroy(&pool);
  if (!(status = parcel_world_agree(world, status)) && !(status = share(world, comparison)))
    status = conclude(world, comparison, arguments);
done:
  release(comparison, pool_options.threads);
  return status;
}

parcel_status parcel_diff_command(const parcel_world *world, int argc, char **argv)
{
  arguments arguments = {.path_count = 0};
  const bool is_root = parcel_world_rank(world) == 0;
  command_line line = {.take_option = take_option, .take_word = take_word, .into = &arguments};
  const parcel_status status = command_line_parse(&parser, argc, argv, is_root, &line);
  if (status || command_line_answer(&line, "parcel diff"))
    return status;
  if (arguments.path_count < 2)
    return parcel_fail(PARCEL_INVALID, "two files are needed: A and B");
  comparison comparison = {.tolerance = arguments.tolerance, .lock = PTHREAD_MUTEX_INITIALIZER};
  return compare(world, &comparison, &arguments);
}
