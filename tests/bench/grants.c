/* Blocks that take no time, one index each, so that nothing counts but handing them out:
 *
 *      mpirun -n RANKS grants SCHEDULE THREADS BLOCKS
 *
 * Prints grants per second, of all workers together, and microseconds that one worker spends per block: in
 * a sweep (with its clocks, its tallies and the sink), then with the scheduler alone, by one worker of each
 * rank. */
#include <stdio.h>
#include <stdlib.h>

#include <parcel/sweep.h>

#include "scheduler_impl.h"

static parcel_status compute(void *ctx, const parcel_slice *slice, void *const columns[])
{
  (void)ctx;
  *(int64_t *)columns[0] = slice->first;
  return PARCEL_OK;
}

static parcel_status time_sweep(const parcel_world *world, parcel_sweep_schedule schedule, int threads,
                                parcel_index blocks)
{
  static const parcel_column columns[] = {{.name = "value", .type = PARCEL_INT64}};
  const parcel_sweep sweep = {.name = "empty",
                              .range = {.first = 0, .step = 1, .count = blocks},
                              .columns = columns,
                              .column_count = 1,
                              .kernel = compute,
                              .threads = threads,
                              .block = 1,
                              .schedule = schedule};
  parcel_sweep_report report = {0};
  const parcel_status status = parcel_sweep_run(world, &sweep, parcel_sink_null(), NULL, &report);
  if (!status && parcel_world_rank(world) == 0)
    printf("%.0f %.4f ", (double)blocks / report.elapsed_seconds,
           1e6 * report.elapsed_seconds * (double)report.workers / (double)blocks);
  return status;
}

static parcel_status time_scheduler(const parcel_world *world, parcel_sweep_schedule schedule,
                                    parcel_index blocks)
{
  parcel_scheduler *scheduler = NULL;
  parcel_index turn = 0;
  bool is_finished = false;
  parcel_status status = parcel__scheduler_open(world, schedule, blocks, 1, &scheduler);
  if (status)
    return status;
  const double begun = MPI_Wtime();
  while (parcel__scheduler_take(scheduler, &turn, &is_finished) || !is_finished)
    ;
  double elapsed = MPI_Wtime() - begun;
  status = parcel_mpi_check(
      MPI_Allreduce(MPI_IN_PLACE, &elapsed, 1, MPI_DOUBLE, MPI_MAX, parcel_world_comm(world)),
      "MPI_Allreduce of the time");
  parcel__scheduler_close(&scheduler);
  if (parcel_world_rank(world) == 0)
    printf("%.0f %.4f\n", (double)blocks / elapsed,
           1e6 * elapsed * parcel_world_size(world) / (double)blocks);
  return status;
}

static parcel_status run(const parcel_world *world, char *const arguments[])
{
  parcel_sweep_schedule schedule = PARCEL_SWEEP_STEAL;
  const parcel_index blocks = atoll(arguments[2]);
  parcel_status status = parcel_sweep_schedule_parse(arguments[0], &schedule);
  if (!status)
    status = time_sweep(world, schedule, atoi(arguments[1]), blocks);
  return status ? status : time_scheduler(world, schedule, blocks);
}

int main(int argc, char **argv)
{
  parcel_world *world = NULL;
  parcel_status status = parcel_world_open(MPI_COMM_WORLD, &world);
  if (!status)
    status = argc == 4 ? run(world, argv + 1)
                       : parcel_fail(PARCEL_INVALID, "usage: grants SCHEDULE THREADS BLOCKS");
  return parcel_world_close(&world, status);
}
