/* parsquares: the powers of a range of integers, on every core of every rank, into one HDF5 file. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <parcel/parcel.h>

#include "command_line.h"
#include "parsquares_arguments.h"

/* ---- the run ---- */

/* Sums over all ranks by 32-bit limbs: MPI adds no wider integers, and 2^32 ranks cannot overflow these. */
static parcel_status add_up_ranks(const parcel_world *world, const powers *powers, powers_sum sums[])
{
  enum { LIMBS = 4 };
  uint64_t limbs[POWERS_COLUMNS][LIMBS] = {{0}};
  for (int c = 0; c < powers->count; ++c)
    for (int l = 0; l < LIMBS; ++l)
      limbs[c][l] = (uint64_t)(powers_sum_of(powers, c) >> (32 * l)) & UINT32_MAX;
  const int code = MPI_Allreduce(MPI_IN_PLACE, limbs, POWERS_COLUMNS * LIMBS, MPI_UINT64_T, MPI_SUM,
                                 parcel_world_comm(world));
  for (int c = 0; c < powers->count; ++c) {
    sums[c] = 0;
    for (int l = LIMBS - 1; l >= 0; --l)
      sums[c] = sums[c] * ((powers_sum)1 << 32) + limbs[c][l];
  }
  return parcel_world_check_mpi(world, code, "adding up the sums of all ranks");
}

static parcel_status check_sums(const parsquares_arguments *arguments, const powers_sum sums[])
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

/* What became of the blocks of an earlier run. */
static void print_history(const parcel_results_history *history)
{
  const parcel_index computed = history->missing + history->damaged;
  if (history->retried > 0)
    printf("retried: %" PRId64 " indices that had failed\n", history->retried);
  else if (history->kept + history->damaged > 0)
    printf("resumed: %" PRId64 " blocks kept, %" PRId64 " computed (%" PRId64 " were missing, %" PRId64
           " were damaged)\n",
           history->kept, computed, history->missing, history->damaged);
}

static void print_sums(const powers *powers, const powers_sum sums[])
{
  char text[POWERS_SUM_TEXT_SIZE];
  for (int c = 0; c < powers->count; ++c)
    printf("sum of %s: %s, as the closed form says\n", powers->columns[c].name,
           powers_sum_format(sums[c], text));
}

/* A run and what came of it. */
typedef struct job {
  const parcel_world *world;
  parsquares_arguments *arguments;
  parcel_sweep sweep;
  parcel_trace *trace; /* NULL: nobody asked for one */
  parcel_status_file *shown;
  parcel_results_history history;
  parcel_sweep_report report;
  bool is_summed; /* every value of the range was seen, and sums[] are theirs */
  powers_sum sums[POWERS_COLUMNS];
  char *report_path, *trace_path; /* absolute: a kernel may leave the working folder. NULL: not wanted */
} job;

static void print_report(const job *job)
{
  const parcel_sweep_report *report = &job->report;
  const double workers = (double)report->workers;
  if (job->history.is_complete) {
    printf("%s: complete already\n", job->arguments->output);
    return;
  }
  printf("%s: %" PRId64 " positions, %d ranks x %g threads\n", job->arguments->output,
         job->arguments->range.count, parcel_world_size(job->world), workers / parcel_world_size(job->world));
  print_history(&job->history);
  printf("elapsed %.4f s; per thread: compute %.4f s, write %.4f s\n", report->elapsed_seconds,
         report->compute_seconds / workers, report->write_seconds / workers);
  if (job->is_summed)
    print_sums(&job->arguments->powers, job->sums);
}

/* What there is to say of where the time went, however the run ended; but after a mistake in its use nothing
 * is changed. Returns how all of it ended. */
static parcel_status report_time(const job *job, parcel_status status)
{
  const parsquares_arguments *arguments = job->arguments;
  parcel_report report = {.sweep = &job->sweep,
                          .trace = job->trace,
                          .file = arguments->output,
                          .resume = "--resume",
                          .outcome = status};
  if (parcel_status_exit_code(status) == 2)
    return status;
  if (job->report_path)
    report.outcome = parcel_report_write(job->world, &report, job->report_path);
  if (job->trace_path)
    report.outcome = parcel_report_write_trace(job->world, &report, job->trace_path);
  if (arguments->is_verbose)
    parcel_report_print(&report, stdout);
  return report.outcome;
}

/* How the sweep runs, but for who looks at it. */
static parcel_sweep_options sweep_options(const parsquares_arguments *arguments)
{
  return (parcel_sweep_options){.signals = parcel_signals_catch(),
                                .deadline_seconds = arguments->deadline_seconds,
                                .halt_file = arguments->halt_file,
                                .in_processes = arguments->in_processes,
                                .slice_seconds = arguments->slice_seconds,
                                .stall_seconds = arguments->stall_seconds,
                                .on_error = arguments->on_error,
                                .max_failures = arguments->max_failures};
}

static parcel_meter make_meter(const parsquares_arguments *arguments)
{
  return parcel_meter_make(arguments->is_quiet ? PARCEL_PROGRESS_NONE : arguments->progress);
}

static parcel_status compute(job *job, parcel_results *results)
{
  const parsquares_arguments *arguments = job->arguments;
  parcel_meter meter = make_meter(arguments);
  parcel_sweep_options how = sweep_options(arguments);
  job->history = parcel_results_get_history(results);
  parcel_status status = parcel_world_agree(
      job->world,
      parcel_status_file_open(job->world, &job->sweep, job->history.is_complete ? NULL : arguments->output,
                              parcel_meter_show, &meter, &job->shown));
  if (status)
    return status;
  how.show = parcel_status_file_show;
  how.show_ctx = job->shown;
  how.trace = job->trace;
  status = parcel_sweep_run(job->world, &job->sweep, parcel_results_sink(results), &how, &job->report);
  job->is_summed = !status && !job->history.is_complete && !arguments->retries &&
                   job->report.failures + job->history.failures == 0;
  if (job->is_summed && !(status = add_up_ranks(job->world, &arguments->powers, job->sums)))
    status = check_sums(arguments, job->sums);
  return status;
}

static parcel_status run_job(job *job)
{
  const parsquares_arguments *arguments = job->arguments;
  parcel_results *results = NULL;
  const parcel_results_options file = {.replaces = arguments->replaces,
                                       .resumes = arguments->resumes,
                                       .retries = arguments->retries,
                                       .keeps_failures = arguments->on_error == PARCEL_ON_ERROR_RECORD,
                                       .max_failures = arguments->max_failures,
                                       .io = arguments->io,
                                       .compression = arguments->compression,
                                       .observe = powers_observe,
                                       .observe_ctx = &job->arguments->powers};
  parcel_status status = PARCEL_OK;
  if (arguments->is_verbose || arguments->report || arguments->trace)
    status = parcel_world_agree(job->world, parcel_trace_create(NULL, &job->trace));
  if (!status)
    status = parcel_results_create(job->world, &job->sweep, arguments->output, &file, &results);
  if (!status)
    status = compute(job, results);
  status = parcel_results_close(&results, status);
  parcel_status_file_close(&job->shown);
  return status;
}

static parcel_status run_sample(const job *job)
{
  const parsquares_arguments *arguments = job->arguments;
  const parcel_sample_options sample = {.fraction = arguments->sample_fraction,
                                        .seed = arguments->sample_seed,
                                        .compression = arguments->compression};
  parcel_meter meter = make_meter(arguments);
  parcel_sweep_options how = sweep_options(arguments);
  parcel_sample_report report;
  how.show = parcel_meter_show;
  how.show_ctx = &meter;
  const parcel_status status =
      parcel_sample_run(job->world, &job->sweep, arguments->output, &sample, &how, &report);
  if (!status && parcel_world_rank(job->world) == 0 && !arguments->is_quiet)
    parcel_sample_print(&report, stdout);
  return status;
}

static parcel_status run(const parcel_world *world, parsquares_arguments *arguments)
{
  job job = {.world = world,
             .arguments = arguments,
             .sweep = {.name = "powers",
                       .range = arguments->range,
                       .columns = arguments->powers.columns,
                       .column_count = arguments->powers.count,
                       .kernel = powers_kernel,
                       .ctx = &arguments->powers,
                       .threads = arguments->threads,
                       .block = arguments->block,
                       .schedule = arguments->schedule}};
  if (arguments->is_sample)
    return run_sample(&job);
  parcel_status status = command_line_absolute(arguments->report, &job.report_path);
  if (!status)
    status = command_line_absolute(arguments->trace, &job.trace_path);
  if (!(status = parcel_world_agree(world, status)))
    status = run_job(&job);
  if ((!status || status == PARCEL_FAILURES) && parcel_world_rank(world) == 0 && !arguments->is_quiet)
    print_report(&job);
  parcel_world_step(world, "the report is written");
  status = report_time(&job, status);
  free(job.report_path);
  free(job.trace_path);
  parcel_trace_free(&job.trace);
  return status;
}

static parcel_status settle_deadline(const parcel_world *world, parsquares_arguments *arguments)
{
  if (!arguments->asks_for_deadline)
    return PARCEL_OK;
  const char *before = parcel_world_step(world, NULL); /* the batch system may take its time */
  const parcel_status status = parcel_batch_deadline(world, &arguments->deadline_seconds);
  parcel_world_step(world, before);
  return status;
}

/* Before MPI: the command line is read for itself alone, in case that kernels shall run in processes, which
 * must be forked before. What is wrong with it is told later, by one rank. */
static parcel_status prepare(int argc, char **argv, parsquares_arguments **out)
{
  parcel_status status = parcel_shared_alloc(sizeof **out, (void **)out);
  if (!status && !parsquares_parse(argc, argv, false, *out) && (*out)->in_processes)
    status = parcel_workers_prepare();
  return status;
}

int main(int argc, char **argv)
{
  parcel_world *world = NULL;
  parsquares_arguments *arguments = NULL;
  command_line_open_streams();
  command_line_hear_limits();
  parcel_status status = prepare(argc, argv, &arguments);
  if (!status && !parcel_signals_catch())
    status = PARCEL_SYSTEM;
  if (!status)
    status = parcel_world_open(MPI_COMM_WORLD, &world);
  if (!status)
    status = parcel_world_set_stall_seconds(world, arguments->stall_seconds);
  if (status)
    return parcel_world_close(&world, status);
  parcel_world_step(world, "the run is prepared");
  const bool is_root = parcel_world_rank(world) == 0;
  const parcel_status usage =
      parcel_world_follow_root(world, parsquares_parse(argc, argv, is_root, arguments));
  if (usage)
    return parcel_world_leave(&world, parcel_status_exit_code(usage));
  parcel_world_set_quiet(world, arguments->is_quiet);
  if (!arguments->is_answered && !(status = settle_deadline(world, arguments)))
    status = run(world, arguments);
  return parcel_world_close(&world, command_line_flush(status));
}
