/* parcel doctor: looks, under the user's own launcher, for what would make a run slow or wrong. */
#include <inttypes.h>
#include <stdio.h>

#ifdef PARCEL_WITH_JANSSON
#include <jansson.h>
#endif

#include <parcel/parcel.h>

#include "command_line.h"
#include "listing.h"
#include "parcel_commands.h"

enum { KEY_JSON = COMMAND_LINE_KEY, MOST_THREADS = 65536 };

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "where results are to go (squares.h5); its folder is looked at", 0},
    {"threads", 't', "N", 0, "threads per rank; default: the CPUs this rank really has", 0},
    {"json", KEY_JSON, NULL, 0, "print the findings as JSON", 0},
    {"quiet", 'q', NULL, 0, "print what is not as it should be, only", 0},
    COMMAND_LINE_COMMON,
    {0}};

typedef struct arguments {
  const char *output;
  parcel_index threads; /* 0: the CPUs of the rank */
  bool is_json, is_quiet;
} arguments;

static parcel_status take_json(bool *is_json)
{
  *is_json = true;
  if (listing_has_json())
    return PARCEL_OK;
  return parcel_fail(PARCEL_INVALID, "--json: this program was built without jansson");
}

static parcel_status take_option(void *ctx, int key, const char *value)
{
  arguments *into = ctx;
  switch (key) {
  case 'o': into->output = value; return PARCEL_OK;
  case 't': return command_line_count("--threads", value, MOST_THREADS, &into->threads);
  case 'q': into->is_quiet = true; return PARCEL_OK;
  case KEY_JSON: return take_json(&into->is_json);
  default: return parcel_fail(PARCEL_INVALID, "no option has the key %d", key);
  }
}

static parcel_status take_word(void *ctx, const char *word)
{
  (void)ctx;
  return parcel_fail(PARCEL_INVALID, "'%s': doctor takes options only", word);
}

static const struct argp parser = {
    .options = options,
    .parser = command_line_parser,
    .doc = "Looks for what would make a run slow or wrong: start it as the run is to be started.\v"
           "Each finding is one line: how bad it is, what was looked at, the fact, and the line to use "
           "instead.\n\n"
           "Exit status: 0 a run would be right (if perhaps slow), 1 it would go wrong, 2 wrong usage.\n\n"
           "Example: mpirun -n 8 parcel doctor -o /scratch/me/squares.h5"};

static void print_lines(const arguments *arguments, const parcel_findings *findings)
{
  for (int f = 0; f < findings->count; ++f) {
    const parcel_finding *finding = &findings->list[f];
    if (arguments->is_quiet && finding->severity == PARCEL_FINDING_OK)
      continue;
    printf("%-8s%-12s %s%s%s\n", parcel_severity_name(finding->severity), finding->check, finding->fact,
           *finding->line ? "; use: " : "", finding->line);
  }
}

static parcel_status print_json(const parcel_findings *findings)
{
#ifdef PARCEL_WITH_JANSSON
  json_t *list = json_array();
  for (int f = 0; f < findings->count; ++f) {
    const parcel_finding *finding = &findings->list[f];
    json_array_append_new(list,
                          json_pack("{ssssssss}", "severity", parcel_severity_name(finding->severity),
                                    "check", finding->check, "fact", finding->fact, "line", finding->line));
  }
  const bool is_whole = json_array_size(list) == (size_t)findings->count &&
                        json_dumpf(list, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF;
  json_decref(list);
  return is_whole ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory for the findings as JSON");
#else
  (void)findings;
  return PARCEL_OK;
#endif
}

static parcel_status report(const arguments *arguments, const parcel_findings *findings)
{
  const int errors = parcel_findings_count(findings, PARCEL_FINDING_ERROR);
  parcel_status status = PARCEL_OK;
  if (arguments->is_json)
    status = print_json(findings);
  else
    print_lines(arguments, findings);
  if ((status = command_line_flush(status)) || errors == 0)
    return status;
  return parcel_fail(PARCEL_SYSTEM, "a run started like this would go wrong: %d error%s above", errors,
                     errors == 1 ? "" : "s");
}

static parcel_status examine(const parcel_world *world, const arguments *arguments)
{
  parcel_findings findings = {0};
  parcel_status status = parcel_launch_examine(world, (int)arguments->threads, &findings);
  if (!status)
    status = parcel_place_examine(world, arguments->output, &findings);
  if (!status && parcel_world_rank(world) == 0)
    status = report(arguments, &findings);
  return parcel_world_follow_root(world, status);
}

/* Under a launcher every rank reads the same command line; rank 0 alone may speak of it. */
parcel_status parcel_doctor_command(const parcel_world *world, int argc, char **argv)
{
  arguments arguments = {.output = "squares.h5"};
  command_line line = {.take_option = take_option, .take_word = take_word, .into = &arguments};
  const bool is_root = parcel_world_rank(world) == 0;
  const parcel_status status =
      parcel_world_follow_root(world, command_line_parse(&parser, argc, argv, is_root, &line));
  return status || command_line_answer(&line, "parcel doctor") ? status : examine(world, &arguments);
}
