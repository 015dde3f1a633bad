/* A range split over the threads of all ranks, into one array; started by mpirun. In Python:
 * mpi4py.futures.MPIPoolExecutor.map.
 *
 * Prints
 *     1000000 squared is 1000000000000 */
#include "example.h"

#include <parcel/gather.h>

enum { COUNT = 1000000 };

static parcel_status square(void *ctx, const parcel_slice *slice, void *const columns[])
{
  int64_t *squares = columns[0];
  (void)ctx;
  for (parcel_index i = 0; i < slice->count; ++i) {
    const parcel_index value = slice->first + i * slice->step;
    squares[i] = value * value;
  }
  return PARCEL_OK;
}

int main(void)
{
  static int64_t squares[COUNT]; /* filled on rank 0 */
  void *const arrays[] = {squares};
  const parcel_column column = {.name = "squares", .type = PARCEL_INT64};
  const parcel_sweep sweep = {.name = "square",
                              .range = {.first = 1, .step = 1, .count = COUNT},
                              .columns = &column,
                              .column_count = 1,
                              .kernel = square};
  parcel_world *world = NULL;
  parcel_status status = parcel_world_open(MPI_COMM_WORLD, &world);
  if (!status)
    status = parcel_sweep_gather(world, &sweep, 0, arrays, NULL, NULL);
  if (!status && parcel_world_rank(world) == 0)
    printf("%d squared is %" PRId64 "\n", COUNT, squares[COUNT - 1]);
  return parcel_world_close(&world, status);
}
