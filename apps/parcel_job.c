/* parcel job: a batch script fitted to a request, with the habits of the scripts in jobs/. Whether a job
 * queues again is told by its exit code, so any program of Parcel's will do. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parcel/base.h>

#include "command_line.h"
#include "parcel_commands.h"

/* ---- the command line ---- */

enum { KEY_KIND = COMMAND_LINE_KEY, KEY_TIME, KEY_NAME, KEY_QUEUE, KEY_ACCOUNT, KEY_REQUEUE };

static const struct argp_option options[] = {
    {"kind", KEY_KIND, "KIND", 0, "for which batch system: slurm (default) or pbs", 0},
    {"nodes", 'N', "N", 0, "hosts (1)", 0},
    {"ranks-per-node", 'r', "R", 0, "ranks on each host (1)", 0},
    {"threads", 't', "T", 0, "CPUs of each rank (1)", 0},
    {"time", KEY_TIME, "[D-]HH:MM:SS", 0, "time limit (01:00:00)", 0},
    {"name", KEY_NAME, "NAME", 0, "of the job (the program's)", 0},
    {"queue", KEY_QUEUE, "NAME", 0, "partition or queue (the system's default)", 0},
    {"account", KEY_ACCOUNT, "NAME", 0, "to be charged (the system's default)", 0},
    {"requeue", KEY_REQUEUE, "RUNS", 0,
     "stop before the time is over and queue again, up to so many runs (Slurm); give PROGRAM its --resume",
     0},
    {"output", 'o', "FILE", 0, "write to FILE, which must not exist, instead of the standard output", 0},
    COMMAND_LINE_COMMON,
    {0}};

typedef struct request {
  bool is_pbs;
  parcel_index nodes, ranks_per_node, threads;
  int64_t seconds;
  const char *name, *queue, *account; /* NULL: not given */
  parcel_index runs;                  /* 1: never queued again */
  const char *output;                 /* NULL: the standard output */
  const char **words;                 /* the program and its arguments */
  int word_count;
} request;

static parcel_status parse_kind(const char *text, bool *is_pbs)
{
  *is_pbs = strcmp(text, "pbs") == 0;
  if (!*is_pbs && strcmp(text, "slurm") != 0)
    return parcel_fail(PARCEL_INVALID, "--kind: unknown batch system '%s'; one of: slurm, pbs", text);
  return PARCEL_OK;
}

static parcel_status parse_time(const char *text, int64_t *seconds)
{
  const size_t length = strlen(text);
  int days = 0, hours = 0, minutes = 0, rest = 0, end = 0;
  const bool has_days = sscanf(text, "%4d-%2d:%2d:%2d%n", &days, &hours, &minutes, &rest, &end) == 4;
  if (!has_days)
    days = 0;
  const bool is_read = has_days || sscanf(text, "%6d:%2d:%2d%n", &hours, &minutes, &rest, &end) == 3;
  const int64_t total = ((days * INT64_C(24) + hours) * 60 + minutes) * 60 + rest;
  const bool is_plain = strspn(text, "0123456789:-") == length && *text != '-';
  if (!is_read || !is_plain || (size_t)end != length || minutes > 59 || rest > 59 || total == 0)
    return parcel_fail(PARCEL_INVALID, "--time: '%s' is no time such as 12:00:00 or 2-00:00:00", text);
  *seconds = total;
  return PARCEL_OK;
}

/* Names go into lines that a batch system reads word by word. */
static parcel_status parse_name(const char *option, const char *text, const char **out)
{
  if (*text == '\0' || strpbrk(text, " \t\n\r#'\"\\"))
    return parcel_fail(PARCEL_INVALID, "%s: '%s' is no name: empty, or with blanks or quotes", option, text);
  *out = text;
  return PARCEL_OK;
}

static parcel_status take_option(void *ctx, int key, const char *value)
{
  request *into = ctx;
  switch (key) {
  case 'N': return command_line_count("--nodes", value, INT_MAX, &into->nodes);
  case 'r': return command_line_count("--ranks-per-node", value, INT_MAX, &into->ranks_per_node);
  case 't': return command_line_count("--threads", value, INT_MAX, &into->threads);
  case KEY_REQUEUE: return command_line_count("--requeue", value, INT_MAX, &into->runs);
  case KEY_KIND: return parse_kind(value, &into->is_pbs);
  case KEY_TIME: return parse_time(value, &into->seconds);
  case KEY_NAME: return parse_name("--name", value, &into->name);
  case KEY_QUEUE: return parse_name("--queue", value, &into->queue);
  case KEY_ACCOUNT: return parse_name("--account", value, &into->account);
  case 'o': into->output = value; return PARCEL_OK;
  default: return parcel_fail(PARCEL_INVALID, "no option has the key %d", key);
  }
}

static parcel_status take_word(void *ctx, const char *word)
{
  request *into = ctx;
  into->words[into->word_count++] = word;
  return PARCEL_OK;
}

static const struct argp parser = {
    .options = options,
    .parser = command_line_parser,
    .args_doc = "-- PROGRAM [ARGUMENT...]",
    .doc =
        "Prints a batch script that runs PROGRAM on the hosts, ranks and threads asked for.\v"
        "Examples:\n"
        "  parcel job -N 4 -r 2 -t 32 -- parsquares -o squares.h5 1..1_000_000_000 | sbatch\n"
        "  parcel job --time 12:00:00 --requeue 20 -o long.sbatch -- parsquares --resume 1..1_000_000_000\n"
        "  parcel job --kind pbs -N 4 -r 2 -t 32 -o job.pbs -- parsquares -t 32"};

static parcel_status check_request(const request *request)
{
  if (request->word_count == 0)
    return parcel_fail(PARCEL_INVALID, "no PROGRAM; it follows --, as in: parcel job -N 2 -- parsquares");
  if (request->is_pbs && request->runs > 1)
    return parcel_fail(PARCEL_INVALID, "--requeue: only Slurm queues a job again by itself");
  return PARCEL_OK;
}

/* ---- what is printed ---- */

/* A word that the shell reads as it is; others are quoted. */
static bool is_plain(const char *word)
{
  const char *plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=,@%+-";
  return *word != '\0' && word[strspn(word, plain)] == '\0';
}

static void print_word(FILE *out, const char *word)
{
  if (is_plain(word)) {
    fputs(word, out);
    return;
  }
  fputc('\'', out);
  for (; *word; ++word)
    if (*word == '\'')
      fputs("'\\''", out);
    else
      fputc(*word, out);
  fputc('\'', out);
}

static void print_program(FILE *out, const request *request)
{
  for (int w = 0; w < request->word_count; ++w) {
    fputc(' ', out);
    print_word(out, request->words[w]);
  }
}

/* HH:MM:SS, with as many hours as it takes: what both systems read. */
static void print_time(FILE *out, const char *before, int64_t seconds)
{
  fprintf(out, "%s%02" PRId64 ":%02" PRId64 ":%02" PRId64 "\n", before, seconds / 3600, seconds / 60 % 60,
          seconds % 60);
}

static const char *name_of(const request *request)
{
  const char *program = request->words[0];
  const char *slash = strrchr(program, '/');
  if (request->name)
    return request->name;
  program = slash ? slash + 1 : program;
  return is_plain(program) ? program : "parcel";
}

static void print_if_given(FILE *out, const char *before, const char *name)
{
  if (name)
    fprintf(out, "%s%s\n", before, name);
}

/* Three minutes are enough to stop; a short job has a tenth of its time. */
static int64_t margin_of(const request *request)
{
  enum { MARGIN_SECONDS = 180 };
  const int64_t tenth = request->seconds / 10 + 1;
  return tenth < MARGIN_SECONDS ? tenth : MARGIN_SECONDS;
}

static void print_slurm_head(FILE *out, const request *request)
{
  fprintf(out, "#SBATCH --job-name=%s\n", name_of(request));
  print_if_given(out, "#SBATCH --partition=", request->queue);
  print_if_given(out, "#SBATCH --account=", request->account);
  fprintf(out, "#SBATCH --nodes=%" PRId64 "\n", request->nodes);
  fprintf(out, "#SBATCH --ntasks-per-node=%" PRId64 "\n", request->ranks_per_node);
  fprintf(out, "#SBATCH --cpus-per-task=%" PRId64 "\n", request->threads);
  print_time(out, "#SBATCH --time=", request->seconds);
  if (request->runs > 1)
    fprintf(out, "#SBATCH --signal=USR1@%" PRId64 "\n#SBATCH --requeue\n", margin_of(request));
  fputs("#SBATCH --open-mode=append\n\n", out);
}

static void print_slurm(FILE *out, const request *request)
{
  print_slurm_head(out, request);
  fputs("# srun does not take this over from sbatch by itself since Slurm 22.05.\n"
        "export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK\n\n"
        "srun --mpi=pmix --kill-on-bad-exit=1 --cpu-bind=cores",
        out);
  print_program(out, request);
  fputc('\n', out);
  if (request->runs > 1) {
    fprintf(out,
            "status=$?\n\n"
            "# 75: stopped early and resumable.\n"
            "if [ \"$status\" -eq 75 ] && [ \"${SLURM_RESTART_COUNT:-0}\" -lt %" PRId64 " ]; then\n"
            "  scontrol requeue \"$SLURM_JOB_ID\"\n"
            "fi\n"
            "exit \"$status\"\n",
            request->runs - 1);
  }
}

static void print_pbs(FILE *out, const request *request)
{
  fprintf(out, "#PBS -N %s\n", name_of(request));
  print_if_given(out, "#PBS -q ", request->queue);
  print_if_given(out, "#PBS -A ", request->account);
  fprintf(out, "#PBS -l select=%" PRId64 ":ncpus=%" PRId64 ":mpiprocs=%" PRId64 ":ompthreads=%" PRId64 "\n",
          request->nodes, request->ranks_per_node * request->threads, request->ranks_per_node,
          request->threads);
  print_time(out, "#PBS -l walltime=", request->seconds);
  fputs("#PBS -j oe\n\n"
        "cd \"$PBS_O_WORKDIR\" || exit\n\n"
        "# A host that falls silent ends the job after half a minute, not after many.\n"
        "export OMPI_MCA_oob_tcp_keepalive_time=10 OMPI_MCA_oob_tcp_keepalive_intvl=5 "
        "OMPI_MCA_oob_tcp_keepalive_probes=3\n\n"
        "mpirun --hostfile \"$PBS_NODEFILE\" --bind-to none",
        out);
  print_program(out, request);
  fputc('\n', out);
}

static void print_script(FILE *out, const request *request)
{
  fprintf(out,
          "#!/bin/bash\n"
          "# %" PRId64 " nodes x %" PRId64 " ranks x %" PRId64 " threads; made by parcel job.\n",
          request->nodes, request->ranks_per_node, request->threads);
  (request->is_pbs ? print_pbs : print_slurm)(out, request);
}

static parcel_status write_script(const request *request)
{
  if (!request->output) {
    print_script(stdout, request);
    return PARCEL_OK;
  }
  FILE *out = fopen(request->output, "wxe");
  if (!out)
    return parcel_fail(PARCEL_INVALID, "cannot create '%s': %m", request->output);
  print_script(out, request);
  const bool is_written = !ferror(out);
  if (fclose(out) != 0 || !is_written)
    return parcel_fail(PARCEL_IO, "cannot write '%s': %m", request->output);
  return PARCEL_OK;
}

parcel_status parcel_job_command(int argc, char **argv)
{
  request request = {.nodes = 1, .ranks_per_node = 1, .threads = 1, .seconds = 3600, .runs = 1};
  command_line line = {.take_option = take_option, .take_word = take_word, .into = &request};
  request.words = calloc((size_t)argc, sizeof *request.words);
  if (!request.words)
    return parcel_fail(PARCEL_MEMORY, "no memory for %d words", argc);
  parcel_status status = command_line_parse(&parser, argc, argv, true, &line);
  if (!status && !command_line_answer(&line, "parcel job") && !(status = check_request(&request)))
    status = write_script(&request);
  free(request.words);
  return status;
}
