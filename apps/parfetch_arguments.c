#include "parfetch_arguments.h"

#include <errno.h>

#include "command_line.h"

enum {
  KEY_FORCE = COMMAND_LINE_KEY,
  KEY_TIMEOUT,
  KEY_CONNECT_TIMEOUT,
  KEY_RETRIES,
  KEY_BACKOFF,
  KEY_RESUME,
  KEY_RETRY_FAILED,
  KEY_ON_ERROR,
  KEY_MAX_FAILURES,
  KEY_PROGRESS
};

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "write FILE (fetched.h5); refused if it exists, unless --force or --resume",
     0},
    {"threads", 't', "N", 0, "threads per rank, each with one transfer at a time (64)", 0},
    {"timeout", KEY_TIMEOUT, "SECONDS", 0, "an attempt that takes longer has failed (30)", 0},
    {"connect-timeout", KEY_CONNECT_TIMEOUT, "SECONDS", 0,
     "an attempt that has no connection for so long has failed (10)", 0},
    {"retries", KEY_RETRIES, "N", 0,
     "attempts after the first, where the failure may pass: no connection, a timeout, HTTP 408, 429, 500, "
     "502 to 504 (2)",
     0},
    {"backoff", KEY_BACKOFF, "SECONDS", 0,
     "pause before the first retry, twice as long before each further one, up to 30 s (0.5)", 0},
    {"force", KEY_FORCE, NULL, 0, "replace FILE, in the moment the new one is complete", 0},
    {"resume", KEY_RESUME, NULL, 0,
     "go on with FILE.part; start afresh if there is none, do nothing if FILE is complete", 0},
    {"retry-failed", KEY_RETRY_FAILED, NULL, 0,
     "fetch exactly the URLs again that failed in the complete FILE, and replace it then", 0},
    {"on-error", KEY_ON_ERROR, "WHAT", 0,
     "at a URL that fails: record it in the file and go on (default), or stop", 0},
    {"max-failures", KEY_MAX_FAILURES, "N", 0, "give up after so many; the file has room for them (10000)",
     0},
    {"progress", KEY_PROGRESS, "KIND", 0, "auto (default), bar, log or none; to stderr", 0},
    {"quiet", 'q', NULL, 0, "print nothing but errors", 0},
    {"verbose", 'v', NULL, 0, "print every URL that failed, with the cause", 0},
    COMMAND_LINE_COMMON,
    {0}};

static parcel_status parse_retries(const char *text, int *out)
{
  parcel_index retries = 0;
  const parcel_status status = parcel_index_parse(text, &retries);
  if (status)
    return parcel_fail(PARCEL_INVALID, "--retries: %s", parcel_last_error());
  if (retries < 0 || retries > 1000)
    return parcel_fail(PARCEL_INVALID, "--retries: %s is outside 0..1000", text);
  *out = (int)retries;
  return PARCEL_OK;
}

/* A word is the LIST. */
static parcel_status take_word(void *ctx, const char *text)
{
  parfetch_arguments *into = ctx;
  const parcel_status status = command_line_only_word("LIST", text, &into->list);
  return status ? status : command_line_file("LIST", text, &into->list);
}

static parcel_status take_option(void *ctx, int key, const char *value)
{
  parfetch_arguments *into = ctx;
  switch (key) {
  case 'o': return command_line_file("--output", value, &into->output);
  case 't': return command_line_threads(value, &into->threads);
  case 'q': into->is_quiet = true; return PARCEL_OK;
  case 'v': into->is_verbose = true; return PARCEL_OK;
  case KEY_FORCE: into->replaces = true; return PARCEL_OK;
  case KEY_TIMEOUT: return command_line_seconds("--timeout", value, &into->fetcher.timeout_seconds);
  case KEY_CONNECT_TIMEOUT:
    return command_line_seconds("--connect-timeout", value, &into->fetcher.connect_timeout_seconds);
  case KEY_RETRIES: return parse_retries(value, &into->fetcher.retries);
  case KEY_BACKOFF: return command_line_seconds("--backoff", value, &into->fetcher.backoff_seconds);
  case KEY_RESUME: into->resumes = true; return PARCEL_OK;
  case KEY_RETRY_FAILED: into->retries = true; return PARCEL_OK;
  case KEY_ON_ERROR: return command_line_on_error(value, &into->on_error);
  case KEY_MAX_FAILURES: return command_line_count("--max-failures", value, INT64_MAX, &into->max_failures);
  case KEY_PROGRESS: return parcel_progress_parse(value, &into->progress);
  default: return parcel_fail(PARCEL_INVALID, "no option has the key %d", key);
  }
}

static const struct argp parser = {
    .options = options,
    .parser = command_line_parser,
    .args_doc = "LIST",
    .doc =
        "Fetches the URLs of LIST and writes HTTP status, size, time, checksum and number of attempts of "
        "each "
        "into one HDF5 file.\v"
        "LIST is a file with one URL (http or https) in each line, or - for the standard input. Empty lines "
        "and "
        "those that begin with # do not count; the first URL has the index 0. Redirects are followed; an "
        "answer of 400 or above is a failure. A stop on request waits for the transfers that have begun.\n\n"
        "Exit status: 0 complete, 1 failed, 2 wrong usage (nothing was changed), 3 complete but some URLs "
        "failed, 75 stopped early on request.\n\n"
        "Example: mpirun -n 2 parfetch --timeout=10 -o pages.h5 urls.txt"};

static parcel_status check_arguments(const parfetch_arguments *arguments)
{
  if (!arguments->list)
    return parcel_fail(PARCEL_INVALID, "which URLs? Give a LIST, or - for the standard input");
  if (arguments->is_quiet && arguments->is_verbose)
    return parcel_fail(PARCEL_INVALID, "--quiet and --verbose exclude each other");
  if (arguments->retries && (arguments->replaces || arguments->resumes))
    return parcel_fail(PARCEL_INVALID, "--retry-failed excludes --force and --resume");
  if (arguments->on_error == PARCEL_ON_ERROR_STOP && (arguments->retries || arguments->max_failures > 0))
    return parcel_fail(PARCEL_INVALID, "--retry-failed and --max-failures need --on-error=record");
  return PARCEL_OK;
}

/* getopt has printed already what it does not know. */
parcel_status parfetch_parse(int argc, char **argv, bool speaks, parfetch_arguments *out)
{
  *out = (parfetch_arguments){
      .output = "fetched.h5",
      .threads = 64,
      .fetcher = {.timeout_seconds = 30, .connect_timeout_seconds = 10, .retries = 2, .backoff_seconds = 0.5},
      .on_error = PARCEL_ON_ERROR_RECORD};
  command_line line = {.take_option = take_option, .take_word = take_word, .into = out};
  parcel_status status = command_line_parse(&parser, argc, argv, speaks, &line);
  if (!status && !(out->is_answered = command_line_answer(&line, program_invocation_short_name)))
    status = check_arguments(out);
  if (status && speaks)
    command_line_complain();
  return status;
}
