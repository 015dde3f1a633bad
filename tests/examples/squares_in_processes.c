/* A range split over processes, into one array. In Python: multiprocessing.Pool.map, shared_memory.
 *
 * Prints
 *     1000000 squared is 1000000000000
 *     the sum is 333333833333500000 */
#include "example.h"

#include <parcel/shared.h>
#include <parcel/workers.h>

enum { COUNT = 1000000 };

static parcel_status fill_squares(void *ctx, parcel_span positions, int worker)
{
  int64_t *squares = ctx;
  (void)worker;
  for (parcel_index p = positions.begin; p < positions.end; ++p)
    squares[p] = (p + 1) * (p + 1);
  return PARCEL_OK;
}

int main(void)
{
  parcel_workers *workers = NULL;
  int64_t *squares = NULL; /* shared: what a worker writes is here at once */
  int64_t sum = 0;

  must(parcel_workers_prepare()); /* first of all */
  must(parcel_workers_create(NULL, &workers));
  must(parcel_shared_alloc(COUNT * sizeof *squares, (void **)&squares));
  must(parcel_workers_for(workers, COUNT, 0, fill_squares, squares, 0));
  for (int p = 0; p < COUNT; ++p)
    sum += squares[p];
  printf("%d squared is %" PRId64 "\n", COUNT, squares[COUNT - 1]);
  printf("the sum is %" PRId64 "\n", sum);
  parcel_shared_free(squares);
  parcel_workers_destroy(&workers);
  parcel_workers_release();
  return 0;
}
