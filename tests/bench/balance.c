/* A sweep of a kernel of uneven cost into nowhere, or the same loop under OpenMP in a program of its own:
 *
 *      mpirun -n RANKS balance KERNEL SCHEDULE THREADS INDICES BLOCK
 *      balance_openmp          KERNEL SCHEDULE THREADS INDICES BLOCK       SCHEDULE is dynamic or static
 *
 * Prints the seconds from the first block to the last, those inside the kernel summed over all workers, and
 * the number of workers. */
#include <stdio.h>
#include <stdlib.h>

#include <parcel/sweep.h>

#include "kernels.h"

typedef struct job {
  bench_kernel kernel;
  int64_t count;
} job;

static parcel_status compute(void *ctx, const parcel_slice *slice, void *const columns[])
{
  const job *job = ctx;
  int64_t *values = columns[0];
  for (parcel_index i = 0; i < slice->count; ++i)
    values[i] = job->kernel(slice->first + i, job->count);
  return PARCEL_OK;
}

static parcel_status run(const parcel_world *world, char *const arguments[])
{
  static const parcel_column columns[] = {{.name = "value", .type = PARCEL_INT64}};
  job job = {.kernel = bench_kernel_find(arguments[0]), .count = atoll(arguments[3])};
  parcel_sweep sweep = {.name = arguments[0],
                        .range = {.first = 0, .step = 1, .count = job.count},
                        .columns = columns,
                        .column_count = 1,
                        .kernel = compute,
                        .ctx = &job,
                        .threads = atoi(arguments[2]),
                        .block = atoll(arguments[4])};
  parcel_sweep_report report = {0};
  parcel_status status = parcel_sweep_schedule_parse(arguments[1], &sweep.schedule);
  if (!status && !job.kernel)
    status = parcel_fail(PARCEL_INVALID, "unknown kernel '%s'", arguments[0]);
  if (!status)
    status = parcel_sweep_run(world, &sweep, parcel_sink_null(), NULL, &report);
  if (!status && parcel_world_rank(world) == 0)
    printf("%.6f %.6f %d\n", report.elapsed_seconds, report.compute_seconds, (int)report.workers);
  return status;
}

int main(int argc, char **argv)
{
  parcel_world *world = NULL;
  parcel_status status = parcel_world_open(MPI_COMM_WORLD, &world);
  if (!status)
    status = argc == 6 ? run(world, argv + 1)
                       : parcel_fail(PARCEL_INVALID, "usage: balance KERNEL SCHEDULE THREADS INDICES BLOCK");
  return parcel_world_close(&world, status);
}
