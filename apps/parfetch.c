/* parfetch: what a list of URLs answers, by many waiting threads on every rank, into one HDF5 file. */
#include <inttypes.h>
#include <stdio.h>

#include <parcel/parcel.h>

#include "command_line.h"
#include "parfetch_arguments.h"

/* A run and what came of it. */
typedef struct job {
  const parcel_world *world;
  const parfetch_arguments *arguments;
  url_list list;
  fetcher *fetcher;
  parcel_results_history history;
  parcel_sweep_report report;
} job;

static void print_report(const job *job)
{
  const char *output = job->arguments->output;
  if (job->history.is_complete) {
    printf("%s: complete already\n", output);
    return;
  }
  printf("%s: %" PRId64 " URLs, %d ranks x %d threads\n", output, job->list.count,
         parcel_world_size(job->world), job->arguments->threads);
  if (job->history.kept > 0)
    printf("resumed: %" PRId64 " URLs kept\n", job->history.kept);
  printf("elapsed %.4f s; %" PRId64 " URLs fetched, %" PRId64 " failed\n", job->report.elapsed_seconds,
         job->report.positions - job->report.failures, job->report.failures);
}

/* Every URL that failed, as the file says. */
static parcel_status print_failures(const job *job)
{
  parcel_reader *reader = NULL;
  parcel_status status = parcel_reader_open(job->arguments->output, &reader);
  const parcel_index count = status ? 0 : parcel_reader_failure_count(reader);
  for (parcel_index f = 0; f < count && !status; ++f) {
    parcel_failure failure;
    if (!(status = parcel_reader_failures(reader, (parcel_span){f, f + 1}, &failure)))
      printf("URL %" PRId64 ": %s\n", failure.index, failure.message);
  }
  parcel_reader_close(&reader);
  return status;
}

static parcel_status print_outcome(const job *job, parcel_status outcome)
{
  char text[PARCEL_ERROR_SIZE];
  if (job->arguments->is_quiet || (outcome && outcome != PARCEL_FAILURES))
    return outcome;
  snprintf(text, sizeof text, "%s", parcel_last_error());
  print_report(job);
  const parcel_status status = job->arguments->is_verbose ? print_failures(job) : PARCEL_OK;
  return status ? status : parcel_fail(outcome, "%s", text);
}

static parcel_status compute(job *job, const parcel_sweep *sweep, parcel_results *results)
{
  const parfetch_arguments *arguments = job->arguments;
  parcel_meter meter = parcel_meter_make(arguments->is_quiet ? PARCEL_PROGRESS_NONE : arguments->progress);
  const parcel_sweep_options how = {.show = parcel_meter_show,
                                    .show_ctx = &meter,
                                    .signals = parcel_signals_catch(),
                                    .on_error = arguments->on_error,
                                    .max_failures = arguments->max_failures,
                                    .threads_wait = true};
  job->history = parcel_results_get_history(results);
  return parcel_sweep_run(job->world, sweep, parcel_results_sink(results), &how, &job->report);
}

/* A block is one URL, so that nobody waits for another's. */
static parcel_status run_job(job *job)
{
  char parameters[URL_LIST_TEXT_SIZE];
  const parfetch_arguments *arguments = job->arguments;
  const parcel_sweep sweep = {.name = "fetch",
                              .range = {.first = 0, .step = 1, .count = job->list.count},
                              .columns = fetcher_columns,
                              .column_count = FETCHER_COLUMNS,
                              .kernel = fetcher_kernel,
                              .ctx = job->fetcher,
                              .threads = arguments->threads,
                              .block = 1,
                              .parameters = url_list_describe(&job->list, parameters)};
  const parcel_results_options file = {.replaces = arguments->replaces,
                                       .resumes = arguments->resumes,
                                       .retries = arguments->retries,
                                       .keeps_failures = arguments->on_error == PARCEL_ON_ERROR_RECORD,
                                       .max_failures = arguments->max_failures};
  parcel_results *results = NULL;
  parcel_status status = parcel_results_create(job->world, &sweep, arguments->output, &file, &results);
  if (!status)
    status = compute(job, &sweep, results);
  return parcel_results_close(&results, status);
}

static parcel_status run(const parcel_world *world, const parfetch_arguments *arguments)
{
  job job = {.world = world, .arguments = arguments};
  parcel_status status = url_list_read(world, arguments->list, &job.list);
  if (!status)
    status = parcel_world_agree(
        world, fetcher_open(&job.list, arguments->threads, &arguments->fetcher, &job.fetcher));
  if (!status)
    status = run_job(&job);
  if (parcel_world_rank(world) == 0)
    status = print_outcome(&job, status);
  fetcher_close(&job.fetcher);
  url_list_free(&job.list);
  return parcel_world_follow_root(world, status);
}

int main(int argc, char **argv)
{
  parcel_world *world = NULL;
  parfetch_arguments arguments;
  command_line_open_streams();
  command_line_hear_limits();
  parcel_status status = parcel_signals_catch() ? PARCEL_OK : PARCEL_SYSTEM;
  if (!status)
    status = parcel_world_open(MPI_COMM_WORLD, &world);
  if (status)
    return parcel_world_close(&world, status);
  const bool is_root = parcel_world_rank(world) == 0;
  const parcel_status usage =
      parcel_world_follow_root(world, parfetch_parse(argc, argv, is_root, &arguments));
  if (usage)
    return parcel_world_leave(&world, parcel_status_exit_code(usage));
  parcel_world_set_quiet(world, arguments.is_quiet);
  if (!arguments.is_answered)
    status = run(world, &arguments);
  return parcel_world_close(&world, command_line_flush(status));
}
