/* parsquares: the powers of a range of integers, on every core of every rank, into one HDF5 file. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parcel/parcel.h>

#include "command_line.h"
#include "powers.h"

/* ---- the command line ---- */

enum { KEY_FORCE = COMMAND_LINE_KEY, KEY_PROGRESS };

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "write FILE (squares.h5); refused if it exists, unless --force", 0},
    {"power", 'p', "K[,K...]", 0,
     "one column per power 1 to 9: squares (2, the default), cubes (3), quads (4), power_K", 0},
    {"threads", 't', "N", 0, "threads per rank; default: the CPUs this rank really has", 0},
    {"block", 'b', "N", 0, "positions per block; default: chosen from size, ranks and threads", 0},
    {"force", KEY_FORCE, NULL, 0, "replace FILE, in the moment the new one is complete", 0},
    {"progress", KEY_PROGRESS, "KIND", 0, "auto (default), bar, log or none; to stderr", 0},
    {"quiet", 'q', NULL, 0, "print nothing but errors", 0},
    {"verbose", 'v', NULL, 0, "print more about the run", 0},
    {"help", '?', NULL, 0, "give this help", 1},
    {"version", 'V', NULL, 0, "print the version", 1},
    COMMAND_LINE_NUMBERS,
    {0}};

typedef enum action { RUN, SHOW_HELP, SHOW_VERSION } action;

typedef struct arguments {
  action action;
  const char *range_text;
  const char *output;
  parcel_range range;
  powers powers;
  int threads;        /* 0: the CPUs of the rank */
  parcel_index block; /* 0: chosen */
  bool replaces;
  parcel_progress_kind progress;
  bool is_quiet, is_verbose;
} arguments;

static parcel_status parse_threads(const char *text, int *out)
{
  parcel_index threads = 0;
  const parcel_status status = command_line_count("--threads", text, 65536, &threads);
  if (!status)
    *out = (int)threads;
  return status;
}

static parcel_status parse_output(const char *text, const char **out)
{
  if (*text == '\0')
    return parcel_fail(PARCEL_INVALID, "--output: the name is empty");
  *out = text;
  return PARCEL_OK;
}

/* A word is the RANGE. */
static parcel_status take_word(void *ctx, const char *text)
{
  arguments *into = ctx;
  if (into->range_text)
    return parcel_fail(PARCEL_INVALID, "more than one RANGE: '%s' and '%s'", into->range_text, text);
  into->range_text = text;
  return parcel_range_parse(text, &into->range);
}

static parcel_status take_option(void *ctx, int key, const char *value)
{
  arguments *into = ctx;
  switch (key) {
  case 'o': return parse_output(value, &into->output);
  case 'p': return powers_parse(value, &into->powers);
  case 't': return parse_threads(value, &into->threads);
  case 'b': return command_line_count("--block", value, INT64_MAX, &into->block);
  case 'q': into->is_quiet = true; return PARCEL_OK;
  case 'v': into->is_verbose = true; return PARCEL_OK;
  case '?': into->action = SHOW_HELP; return PARCEL_OK;
  case 'V': into->action = SHOW_VERSION; return PARCEL_OK;
  case KEY_FORCE: into->replaces = true; return PARCEL_OK;
  case KEY_PROGRESS: return parcel_progress_parse(value, &into->progress);
  default: return parcel_fail(PARCEL_INVALID, "no option has the key %d", key);
  }
}

static const struct argp parser = {.options = options,
                                   .parser = command_line_parser,
                                   .args_doc = "[RANGE]",
                                   .doc = "Computes powers of the integers of RANGE into one HDF5 file.\v"
                                          "RANGE is FIRST..LAST[..STEP], both ends included; 1..1000000 if "
                                          "left out. Numbers may have '_' between "
                                          "digits.\n\n"
                                          "Exit status: 0 complete, 1 failed, 2 wrong usage (nothing was "
                                          "changed), 75 stopped early on request.\n\n"
                                          "Example: mpirun -n 8 parsquares -p 2,3 -o powers.h5 1..2_000_000"};

static parcel_status check_arguments(arguments *arguments)
{
  if (arguments->is_quiet && arguments->is_verbose)
    return parcel_fail(PARCEL_INVALID, "--quiet and --verbose exclude each other");
  return powers_check(&arguments->powers, arguments->range);
}

/* Prints what is wrong, on rank 0, as one line; getopt has done so already for what it does not know. */
static parcel_status parse(int argc, char **argv, bool speaks, arguments *out)
{
  *out = (arguments){.output = "squares.h5", .range = {.first = 1, .step = 1, .count = 1000000}};
  command_line line = {.take_option = take_option, .take_word = take_word, .into = out};
  parcel_status status = powers_parse("2", &out->powers);
  if (!status)
    status = command_line_parse(&parser, argc, argv, speaks, &line);
  if (!status && out->action == RUN)
    status = check_arguments(out);
  if (status && speaks)
    command_line_complain();
  return status;
}

/* ---- the run ---- */

/* Sums over all ranks by 32-bit limbs: MPI adds no wider integers, and 2^32 ranks cannot overflow these. */
static parcel_status add_up_ranks(const parcel_world *world, const powers *powers, powers_sum sums[])
{
  enum { LIMBS = 4 };
  uint64_t limbs[POWERS_MOST][LIMBS] = {{0}};
  for (int c = 0; c < powers->count; ++c)
    for (int l = 0; l < LIMBS; ++l)
      limbs[c][l] = (uint64_t)(powers_sum_of(powers, c) >> (32 * l)) & UINT32_MAX;
  const int code = MPI_Allreduce(MPI_IN_PLACE, limbs, POWERS_MOST * LIMBS, MPI_UINT64_T, MPI_SUM,
                                 parcel_world_comm(world));
  for (int c = 0; c < powers->count; ++c) {
    sums[c] = 0;
    for (int l = LIMBS - 1; l >= 0; --l)
      sums[c] = sums[c] * ((powers_sum)1 << 32) + limbs[c][l];
  }
  return parcel_mpi_check(code, "adding up the sums of all ranks");
}

static parcel_status check_sums(const arguments *arguments, const powers_sum sums[])
{
  char computed[POWERS_SUM_TEXT_SIZE];
  char expected[POWERS_SUM_TEXT_SIZE];
  for (int c = 0; c < arguments->powers.count; ++c) {
    const powers_sum closed = powers_closed_form(arguments->range, arguments->powers.exponents[c]);
    if (sums[c] != closed)
      return parcel_fail(PARCEL_KERNEL, "the sum of %s is %s, but must be %s: this machine computes wrongly",
                         arguments->powers.columns[c].name, powers_sum_format(sums[c], computed),
                         powers_sum_format(closed, expected));
  }
  return PARCEL_OK;
}

static void print_report(const arguments *arguments, const parcel_world *world,
                         const parcel_sweep_report *report, const powers_sum sums[])
{
  char text[POWERS_SUM_TEXT_SIZE];
  const double workers = (double)report->workers;
  printf("%s: %" PRId64 " positions, %d ranks x %g threads\n", arguments->output, report->positions,
         parcel_world_size(world), workers / parcel_world_size(world));
  printf("elapsed %.4f s; per thread: compute %.4f s, write %.4f s\n", report->elapsed_seconds,
         report->compute_seconds / workers, report->write_seconds / workers);
  for (int c = 0; c < arguments->powers.count; ++c)
    printf("sum of %s: %s, as the closed form says\n", arguments->powers.columns[c].name,
           powers_sum_format(sums[c], text));
  if (arguments->is_verbose)
    printf("%" PRId64 " blocks; %.3g positions/s; busiest thread %.3f s\n", report->blocks,
           (double)report->positions / report->elapsed_seconds, report->busiest_seconds);
}

static parcel_status run(const parcel_world *world, arguments *arguments)
{
  parcel_results *results = NULL;
  parcel_sweep_report report = {0};
  powers_sum sums[POWERS_MOST] = {0};
  parcel_meter meter = parcel_meter_make(arguments->is_quiet ? PARCEL_PROGRESS_NONE : arguments->progress);
  const parcel_sweep sweep = {.name = "powers",
                              .range = arguments->range,
                              .columns = arguments->powers.columns,
                              .column_count = arguments->powers.count,
                              .kernel = powers_kernel,
                              .ctx = &arguments->powers,
                              .threads = arguments->threads,
                              .block = arguments->block};
  const parcel_results_options file = {.replaces = arguments->replaces};
  const parcel_sweep_options how = {
      .show = parcel_meter_show, .show_ctx = &meter, .stop = parcel_signals_catch()};
  parcel_status status = parcel_results_create(world, &sweep, arguments->output, &file, &results);
  if (!status)
    status = parcel_sweep_run(world, &sweep, parcel_results_sink(results), &how, &report);
  if (!status && !(status = add_up_ranks(world, &arguments->powers, sums)))
    status = check_sums(arguments, sums);
  status = parcel_results_close(&results, status);
  if (!status && parcel_world_rank(world) == 0 && !arguments->is_quiet)
    print_report(arguments, world, &report, sums);
  return status;
}

int main(int argc, char **argv)
{
  parcel_world *world = NULL;
  arguments arguments;
  parcel_status status = parcel_world_open(MPI_COMM_WORLD, &world);
  if (status)
    return parcel_world_close(&world, status);
  const bool is_root = parcel_world_rank(world) == 0;
  const parcel_status usage = parcel_world_follow_root(world, parse(argc, argv, is_root, &arguments));
  if (usage) {
    const int code = parcel_world_close(&world, PARCEL_OK);
    return is_root ? parcel_status_exit_code(usage) : code;
  }
  parcel_world_set_quiet(world, arguments.is_quiet);
  if (arguments.action == RUN)
    status = run(world, &arguments);
  else if (is_root && arguments.action == SHOW_HELP)
    command_line_help(&parser, program_invocation_short_name);
  else if (is_root)
    printf("parsquares (Parcel) %s\n", PARCEL_VERSION);
  return parcel_world_close(&world, command_line_flush(status));
}
