/* A small user of Parcel that goes on where an earlier run was ended, whatever ended it.
 *
 * usage: enduring MODE COUNT BLOCK FAIL_EVERY MICROSECONDS OUTPUT...
 *
 *   MODE           resume; retry (failed indices of a finished file); collective (resume, by parallel HDF5);
 *                  packed (resume, compressed)
 *   COUNT, BLOCK   the range is 1..COUNT, in blocks of at most BLOCK
 *   FAIL_EVERY     indices that are multiples of this fail, and go on record; 0: none
 *   MICROSECONDS   that every block takes
 *   OUTPUT...      one after the other
 *
 * The first rank says of each output what became of it: "OUTPUT: STATUS, K kept, M missing, D damaged". */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <parcel/parcel.h>

enum { WIDTH = 3, MOST_FAILURES = 200 };

typedef struct plan {
  bool retries;
  parcel_io_mode io;
  parcel_compression compression;
  parcel_index fail_every, microseconds;
} plan;

static const parcel_column columns[] = {
    {.name = "twice", .type = PARCEL_INT64},
    {.name = "parts", .type = PARCEL_FLOAT64, .width = WIDTH, .units = "m"}};

static parcel_status fill(void *ctx, const parcel_slice *slice, void *const out[])
{
  const plan *plan = ctx;
  const struct timespec pause = {plan->microseconds / 1000000, plan->microseconds % 1000000 * 1000};
  int64_t *twice = out[0];
  double *parts = out[1];
  nanosleep(&pause, NULL);
  for (parcel_index i = 0; i < slice->count; ++i) {
    const parcel_index index = slice->first + i * slice->step;
    if (plan->fail_every > 0 && index % plan->fail_every == 0)
      return parcel_fail(PARCEL_KERNEL, "%" PRId64 " is an unlucky number", index);
    twice[i] = 2 * index;
    for (int w = 0; w < WIDTH; ++w)
      parts[WIDTH * i + w] = (double)index / (w + 1);
  }
  return PARCEL_OK;
}

static parcel_status run(const parcel_world *world, const parcel_sweep *sweep, const char *path)
{
  const plan *plan = sweep->ctx;
  const parcel_results_options file = {.resumes = !plan->retries,
                                       .retries = plan->retries,
                                       .io = plan->io,
                                       .compression = plan->compression,
                                       .keeps_failures = true,
                                       .max_failures = MOST_FAILURES};
  const parcel_sweep_options how = {.signals = parcel_signals_catch(), .on_error = PARCEL_ON_ERROR_RECORD};
  parcel_results *results = NULL;
  parcel_results_history history = {.kept = 0};
  parcel_status status = parcel_results_create(world, sweep, path, &file, &results);
  if (!status) {
    history = parcel_results_get_history(results);
    status = parcel_sweep_run(world, sweep, parcel_results_sink(results), &how, NULL);
  }
  status = parcel_results_close(&results, status);
  if (parcel_world_rank(world) == 0)
    printf("%s: %s, %" PRId64 " kept, %" PRId64 " missing, %" PRId64 " damaged\n", path,
           parcel_status_name(status), history.kept, history.missing, history.damaged);
  return status;
}

static parcel_status parse(int argc, char **argv, parcel_sweep *sweep, plan *plan)
{
  parcel_status status = PARCEL_OK;
  if (argc < 7)
    return parcel_fail(PARCEL_INVALID, "usage: enduring MODE COUNT BLOCK FAIL_EVERY MICROSECONDS OUTPUT...");
  plan->retries = strcmp(argv[1], "retry") == 0;
  plan->io = strcmp(argv[1], "collective") == 0 ? PARCEL_IO_COLLECTIVE : PARCEL_IO_DIRECT;
  if (strcmp(argv[1], "packed") == 0)
    plan->compression = (parcel_compression){PARCEL_COMPRESSION_DEFLATE, 1};
  if ((status = parcel_index_parse(argv[2], &sweep->range.count)) ||
      (status = parcel_index_parse(argv[3], &sweep->block)) ||
      (status = parcel_index_parse(argv[4], &plan->fail_every)))
    return status;
  return parcel_index_parse(argv[5], &plan->microseconds);
}

/* The worst of what became of the outputs. */
static parcel_status run_all(const parcel_world *world, int argc, char **argv)
{
  plan plan = {.io = PARCEL_IO_DIRECT};
  parcel_sweep sweep = {.name = "fill",
                        .range = {.first = 1, .step = 1},
                        .columns = columns,
                        .column_count = 2,
                        .kernel = fill,
                        .ctx = &plan,
                        .threads = 2};
  parcel_status worst = parse(argc, argv, &sweep, &plan);
  for (int a = 6; a < argc && worst != PARCEL_STOPPED; ++a) {
    const parcel_status status = run(world, &sweep, argv[a]);
    if (status && status != PARCEL_FAILURES && a + 1 < argc && parcel_world_rank(world) == 0)
      fprintf(stderr, "enduring: %s\n", parcel_last_error());
    if (status && (!worst || worst == PARCEL_FAILURES))
      worst = status;
  }
  return worst;
}

int main(int argc, char **argv)
{
  parcel_world *world = NULL;
  parcel_status status = parcel_world_open(MPI_COMM_WORLD, &world);
  if (!status)
    status = run_all(world, argc, argv);
  return parcel_world_close(&world, status);
}
