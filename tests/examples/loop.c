/* A loop and a sum over all CPUs. In Python: joblib.Parallel(n_jobs=-1, prefer="threads"), numba.prange.
 *
 * Prints
 *     the root of 1764 is 42
 *     the sum of 1/k^2 is 1.644933 */
#include "example.h"

#include <math.h>

#include <parcel/pool.h>

enum { COUNT = 1000000 };

static double roots[COUNT];

static parcel_status take_roots(void *ctx, parcel_span positions, int worker)
{
  (void)ctx, (void)worker;
  for (parcel_index p = positions.begin; p < positions.end; ++p)
    roots[p] = sqrt((double)p);
  return PARCEL_OK;
}

static parcel_status add(void *ctx, parcel_span positions, int worker, void *result)
{
  double *sum = result;
  (void)ctx, (void)worker;
  for (parcel_index p = positions.begin; p < positions.end; ++p)
    *sum += 1 / ((double)(p + 1) * (double)(p + 1));
  return PARCEL_OK;
}

static void join(void *ctx, void *result, const void *later)
{
  double *sum = result;
  (void)ctx;
  *sum += *(const double *)later;
}

int main(void)
{
  const double zero = 0;
  const parcel_reduction summing = {.size = sizeof zero, .identity = &zero, .body = add, .combine = join};
  parcel_pool *pool = NULL;
  double sum = 0;
  must(parcel_pool_create(NULL, &pool));
  must(parcel_pool_for(pool, COUNT, 0, take_roots, NULL));
  must(parcel_pool_reduce(pool, COUNT, 0, &summing, NULL, &sum)); /* the same to the bit with any threads */
  parcel_pool_destroy(&pool);
  printf("the root of 1764 is %g\n", roots[1764]);
  printf("the sum of 1/k^2 is %.6f\n", sum);
  return 0;
}
