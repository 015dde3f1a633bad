/* A file with a column of every type (tests/mpi/every_type.c), made in each way that a run can go.
 *
 * usage: zoo FILE RANGE HOW K
 *
 *   RANGE  as parcel_range_parse reads it, or empty
 *   HOW    new, packed (new, deflated), stop (the run ends at the first failure), fail (failures go on
 *   record),
 *          resume, retry
 *   K      multiples of K fail; 0: none does */
#include <stdlib.h>
#include <string.h>

#include <parcel/parcel.h>

#include "every_type.h"

static parcel_status compute(void *ctx, const parcel_slice *slice, void *const columns[])
{
  const parcel_index failing = *(const parcel_index *)ctx;
  for (parcel_index i = 0; failing && i < slice->count; ++i)
    if ((slice->first + i * slice->step) % failing == 0)
      return parcel_fail(PARCEL_KERNEL, "nothing at %d: \xc3\xa9", (int)(slice->first + i * slice->step));
  return every_type_kernel(NULL, slice, columns);
}

int main(int argc, char **argv)
{
  parcel_world *world = NULL;
  parcel_results *results = NULL;
  parcel_range range = {.step = 1};
  if (argc != 5)
    return 2;
  parcel_index failing = strtoll(argv[4], NULL, 10);
  const char *how = argv[3];
  const bool is_packed = strcmp(how, "packed") == 0;
  const bool retries = strcmp(how, "retry") == 0;
  const bool records = retries || strcmp(how, "fail") == 0;
  const parcel_results_options file = {
      .keeps_failures = records,
      .resumes = strcmp(how, "resume") == 0,
      .retries = retries,
      .compression = {is_packed ? PARCEL_COMPRESSION_DEFLATE : PARCEL_COMPRESSION_NONE, is_packed ? 4 : 0}};
  const parcel_sweep_options options = {.on_error = records ? PARCEL_ON_ERROR_RECORD : PARCEL_ON_ERROR_STOP};
  parcel_status status = parcel_world_open(MPI_COMM_WORLD, &world);
  if (!status && strcmp(argv[2], "empty") != 0)
    status = parcel_range_parse(argv[2], &range);
  parcel_sweep sweep = every_type_sweep(range);
  sweep.kernel = compute;
  sweep.ctx = &failing;
  sweep.block = 100;
  if (!status)
    status = parcel_results_create(world, &sweep, argv[1], &file, &results);
  if (!status)
    status = parcel_sweep_run(world, &sweep, parcel_results_sink(results), &options, NULL);
  status = parcel_results_close(&results, status);
  return parcel_world_close(&world, status);
}
