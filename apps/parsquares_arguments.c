#include "parsquares_arguments.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "command_line.h"

enum {
  KEY_FORCE = COMMAND_LINE_KEY,
  KEY_PROGRESS,
  KEY_DEADLINE,
  KEY_HALT_FILE,
  KEY_STALL_TIMEOUT,
  KEY_RESUME,
  KEY_WITH_INDEX,
  KEY_ON_ERROR,
  KEY_MAX_FAILURES,
  KEY_RETRY_FAILED,
  KEY_IO,
  KEY_COMPRESS,
  KEY_REPORT,
  KEY_TRACE,
  KEY_SAMPLE,
  KEY_WORKERS,
  KEY_KERNEL_TIMEOUT
};

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "write FILE (squares.h5); refused if it exists, unless --force or --resume",
     0},
    {"power", 'p', "K[,K...]", 0,
     "one column per power 1 to 9: squares (2, the default), cubes (3), quads (4), power_K", 0},
    {"threads", 't', "N", 0, "threads per rank; default: the CPUs this rank really has", 0},
    {"block", 'b', "N", 0, "positions per block; default: chosen from size, ranks and threads", 0},
    {"schedule", 's', "KIND", 0,
     "how blocks are shared out: steal (default), static, dynamic, guided or factoring", 0},
    {"workers", KEY_WORKERS, "KIND", 0,
     "threads (default), or processes: a crash in one then costs its indices, not the run", 0},
    {"kernel-timeout", KEY_KERNEL_TIMEOUT, "SECONDS", 0,
     "with --workers=processes: a slice that takes longer has failed", 0},
    {"force", KEY_FORCE, NULL, 0, "replace FILE, in the moment the new one is complete", 0},
    {"io", KEY_IO, "MODE", 0,
     "auto (default: collective where hosts have caches of their own, as on NFS), direct or collective", 0},
    {"compress", KEY_COMPRESS, "KIND", OPTION_ARG_OPTIONAL,
     "compress the columns: none (default); deflate[,LEVEL] with level 1 to 9 (4), which every HDF5 can "
     "read; "
     "zstd[,LEVEL] with level 1 to 19 (3), for which readers need a plugin",
     0},
    {"with-index", KEY_WITH_INDEX, NULL, 0, "write the index values as a column, too", 0},
    {"resume", KEY_RESUME, NULL, 0,
     "go on with FILE.part; start afresh if there is none, do nothing if FILE is complete", 0},
    {"on-error", KEY_ON_ERROR, "WHAT", 0,
     "at an index that fails: stop (default), or record it in the file and go on", 0},
    {"max-failures", KEY_MAX_FAILURES, "N|P%", 0, "with --on-error=record: give up after so many", 0},
    {"retry-failed", KEY_RETRY_FAILED, NULL, 0,
     "compute exactly the indices again that failed in the complete FILE, and replace it then", 0},
    {"deadline", KEY_DEADLINE, "SECONDS", 0,
     "stop early, resumable, before this much time has passed; auto (default): before the batch job ends; "
     "none",
     0},
    {"halt-file", KEY_HALT_FILE, "FILE", 0, "stop early, resumable, once FILE is there", 0},
    {"stall-timeout", KEY_STALL_TIMEOUT, "SECONDS", 0,
     "end, resumable, when a rank makes no progress for so long, and say what each was doing", 0},
    {"progress", KEY_PROGRESS, "KIND", 0, "auto (default), bar, log or none; to stderr", 0},
    {"report", KEY_REPORT, "FILE", 0, "write where the time went to FILE.html or FILE.json", 0},
    {"trace", KEY_TRACE, "FILE", 0, "write what every thread did to FILE, for ui.perfetto.dev", 0},
    {"sample", KEY_SAMPLE, "P%[,SEED]", 0,
     "compute a random sample of the blocks, write no FILE, and estimate what all of it would take", 0},
    {"quiet", 'q', NULL, 0, "print nothing but errors", 0},
    {"verbose", 'v', NULL, 0, "print more about the run", 0},
    COMMAND_LINE_COMMON,
    COMMAND_LINE_NUMBERS,
    {0}};

static parcel_status parse_report(const char *path, const char **out)
{
  const parcel_status status = parcel_report_check(path);
  if (status)
    return parcel_fail(status, "--report: %s", parcel_last_error());
  *out = path;
  return PARCEL_OK;
}

static parcel_status parse_trace(const char *path, const char **out)
{
  if (!parcel_report_has_json())
    return parcel_fail(PARCEL_INVALID, "--trace: Parcel was built without jansson");
  return command_line_file("--trace", path, out);
}

/* "0.5%"; *rest is what follows. */
static parcel_status parse_percentage(const char *option, const char *text, double *out, const char **rest)
{
  char *end = NULL;
  const double percent = strtod(text, &end);
  if (end == text || *end != '%' || !(percent > 0 && percent <= 100))
    return parcel_fail(PARCEL_INVALID, "%s: '%s' is no percentage above 0%% and up to 100%%", option, text);
  *out = percent;
  *rest = end + 1;
  return PARCEL_OK;
}

/* "100", or "0.5%" of the range. */
static parcel_status parse_max_failures(const char *text, parsquares_arguments *into)
{
  const char *rest = NULL;
  if (!strchr(text, '%'))
    return command_line_count("--max-failures", text, INT64_MAX, &into->max_failures);
  const parcel_status status = parse_percentage("--max-failures", text, &into->max_failures_percent, &rest);
  return status || *rest == '\0' ? status
                                 : parcel_fail(PARCEL_INVALID, "--max-failures: '%s' follows '%%'", rest);
}

/* "1%", "1%,7". */
static parcel_status parse_sample(const char *text, parsquares_arguments *into)
{
  const char *rest = NULL;
  double percent = 0;
  parcel_index seed = 0;
  parcel_status status = parse_percentage("--sample", text, &percent, &rest);
  if (!status && *rest == ',')
    status = command_line_count("--sample: the seed", rest + 1, INT64_MAX, &seed);
  else if (!status && *rest != '\0')
    status = parcel_fail(PARCEL_INVALID, "--sample: '%s' follows '%%'; ',SEED' may", rest);
  into->is_sample = true;
  into->sample_fraction = percent / 100;
  into->sample_seed = (uint64_t)seed;
  return status;
}

static parcel_status parse_deadline(const char *text, parsquares_arguments *into)
{
  into->asks_for_deadline = strcmp(text, "auto") == 0;
  if (into->asks_for_deadline || strcmp(text, "none") == 0)
    return PARCEL_OK;
  return command_line_seconds("--deadline", text, &into->deadline_seconds);
}

static parcel_status parse_workers(const char *text, bool *in_processes)
{
  const bool is_processes = strcmp(text, "processes") == 0;
  if (!is_processes && strcmp(text, "threads") != 0)
    return parcel_fail(PARCEL_INVALID, "--workers: unknown kind '%s'; one of: threads, processes", text);
  *in_processes = is_processes;
  return PARCEL_OK;
}

/* A word is the RANGE. */
static parcel_status take_word(void *ctx, const char *text)
{
  parsquares_arguments *into = ctx;
  const parcel_status status = command_line_only_word("RANGE", text, &into->range_text);
  return status ? status : parcel_range_parse(text, &into->range);
}

static parcel_status take_option(void *ctx, int key, const char *value)
{
  parsquares_arguments *into = ctx;
  switch (key) {
  case 'o': return command_line_file("--output", value, &into->output);
  case 'p': return powers_parse(value, &into->powers);
  case 't': return command_line_threads(value, &into->threads);
  case 'b': return command_line_count("--block", value, INT64_MAX, &into->block);
  case 'q': into->is_quiet = true; return PARCEL_OK;
  case 'v': into->is_verbose = true; return PARCEL_OK;
  case KEY_FORCE: into->replaces = true; return PARCEL_OK;
  case 's': return parcel_sweep_schedule_parse(value, &into->schedule);
  case KEY_WORKERS: return parse_workers(value, &into->in_processes);
  case KEY_KERNEL_TIMEOUT: return command_line_seconds("--kernel-timeout", value, &into->slice_seconds);
  case KEY_IO: return parcel_io_mode_parse(value, &into->io);
  case KEY_COMPRESS: return parcel_compression_parse(value ? value : "deflate", &into->compression);
  case KEY_RESUME: into->resumes = true; return PARCEL_OK;
  case KEY_WITH_INDEX: into->has_index = true; return PARCEL_OK;
  case KEY_RETRY_FAILED: into->retries = true; return PARCEL_OK;
  case KEY_ON_ERROR: return command_line_on_error(value, &into->on_error);
  case KEY_MAX_FAILURES: return parse_max_failures(value, into);
  case KEY_DEADLINE: return parse_deadline(value, into);
  case KEY_HALT_FILE: return command_line_file("--halt-file", value, &into->halt_file);
  case KEY_STALL_TIMEOUT: return command_line_seconds("--stall-timeout", value, &into->stall_seconds);
  case KEY_PROGRESS: return parcel_progress_parse(value, &into->progress);
  case KEY_REPORT: return parse_report(value, &into->report);
  case KEY_SAMPLE: return parse_sample(value, into);
  case KEY_TRACE: return parse_trace(value, &into->trace);
  default: return parcel_fail(PARCEL_INVALID, "no option has the key %d", key);
  }
}

static const struct argp parser = {
    .options = options,
    .parser = command_line_parser,
    .args_doc = "[RANGE]",
    .doc = "Computes powers of the integers of RANGE into one HDF5 file.\v"
           "RANGE is FIRST..LAST[..STEP], both ends included; 1..1000000 if "
           "left out. Numbers may have '_' between "
           "digits.\n\n"
           "Exit status: 0 complete, 1 failed, 2 wrong usage (nothing was "
           "changed), 3 complete but some indices failed, 75 stopped early on request.\n\n"
           "Example: mpirun -n 8 parsquares -p 2,3 -o powers.h5 1..2_000_000"};

/* At least one, so that it stays a limit. */
static parcel_index percent_of(double percent, parcel_index count)
{
  const double failures = (double)count * percent / 100;
  return failures < 1 ? 1 : (parcel_index)failures;
}

static parcel_status check_arguments(parsquares_arguments *arguments)
{
  if (arguments->is_quiet && arguments->is_verbose)
    return parcel_fail(PARCEL_INVALID, "--quiet and --verbose exclude each other");
  if (arguments->retries && (arguments->replaces || arguments->resumes))
    return parcel_fail(PARCEL_INVALID, "--retry-failed excludes --force and --resume");
  if (arguments->compression.kind != PARCEL_COMPRESSION_NONE && arguments->retries)
    return parcel_fail(PARCEL_INVALID,
                       "--compress excludes --retry-failed: the file keeps its own compression");
  if (arguments->is_sample && (arguments->retries || arguments->report || arguments->trace))
    return parcel_fail(PARCEL_INVALID, "--sample excludes --retry-failed, --report and --trace");
  if (arguments->has_index)
    powers_add_index(&arguments->powers);
  if (arguments->retries)
    arguments->on_error = PARCEL_ON_ERROR_RECORD;
  if (arguments->max_failures_percent > 0)
    arguments->max_failures = percent_of(arguments->max_failures_percent, arguments->range.count);
  if (arguments->max_failures > 0 && arguments->on_error != PARCEL_ON_ERROR_RECORD)
    return parcel_fail(PARCEL_INVALID, "--max-failures needs --on-error=record");
  if (arguments->slice_seconds > 0 && !arguments->in_processes)
    return parcel_fail(PARCEL_INVALID,
                       "--kernel-timeout needs --workers=processes: a thread cannot be ended");
  return powers_check(&arguments->powers, arguments->range);
}

/* getopt has printed already what it does not know. */
parcel_status parsquares_parse(int argc, char **argv, bool speaks, parsquares_arguments *out)
{
  *out = (parsquares_arguments){
      .output = "squares.h5", .range = {.first = 1, .step = 1, .count = 1000000}, .asks_for_deadline = true};
  command_line line = {.take_option = take_option, .take_word = take_word, .into = out};
  parcel_status status = powers_parse("2", &out->powers);
  if (!status)
    status = command_line_parse(&parser, argc, argv, speaks, &line);
  if (!status && !(out->is_answered = command_line_answer(&line, program_invocation_short_name)))
    status = check_arguments(out);
  if (status && speaks)
    command_line_complain();
  return status;
}
