/* sin of 1, 2, ..., 1,000,000 on every core of every rank, into wave.h5. */
#include <math.h>
#include <parcel/parcel.h>

static parcel_status wave(void *ctx, const parcel_slice *slice, void *const columns[])
{
  double *sine = columns[0];
  (void)ctx;
  for (parcel_index i = 0; i < slice->count; ++i)
    sine[i] = sin((double)(slice->first + i * slice->step));
  return PARCEL_OK;
}

int main(void)
{
  parcel_world *world = NULL;
  parcel_results *results = NULL;
  const parcel_column column = {"sine", PARCEL_FLOAT64, .units = "1", .long_name = "sine of the index"};
  parcel_sweep sweep = {.name = "wave", .columns = &column, .column_count = 1, .kernel = wave};
  parcel_status status = parcel_world_open(MPI_COMM_WORLD, &world);
  if (!status)
    status = parcel_range_parse("1..1_000_000", &sweep.range);
  if (!status)
    status = parcel_results_create(world, &sweep, "wave.h5", NULL, &results);
  if (!status)
    status = parcel_sweep_run(world, &sweep, parcel_results_sink(results), NULL, NULL);
  status = parcel_results_close(&results, status);
  return parcel_world_close(&world, status);
}
