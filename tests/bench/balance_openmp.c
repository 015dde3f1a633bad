/* The peer of balance.c, which says how both are called. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

static double compute(bench_kernel kernel, int64_t block, int64_t size, int64_t count, int64_t *values)
{
  const int64_t end = (block + 1) * size < count ? (block + 1) * size : count;
  const double begun = omp_get_wtime();
  for (int64_t index = block * size; index < end; ++index)
    values[index] = kernel(index, count);
  return omp_get_wtime() - begun;
}

int main(int argc, char **argv)
{
  const bench_kernel kernel = argc == 6 ? bench_kernel_find(argv[1]) : NULL;
  const int64_t count = kernel ? atoll(argv[4]) : 0;
  const int64_t size = kernel ? atoll(argv[5]) : 0;
  int64_t *values = calloc((size_t)count + 1, sizeof *values);
  if (!kernel || size < 1 || !values) {
    fprintf(stderr, "usage: balance_openmp KERNEL SCHEDULE THREADS INDICES BLOCK\n");
    return EXIT_FAILURE;
  }
  double inside = 0;
  const int threads = atoi(argv[3]);
  omp_set_schedule(strcmp(argv[2], "static") == 0 ? omp_sched_static : omp_sched_dynamic,
                   strcmp(argv[2], "static") == 0 ? 0 : 1);
#pragma omp parallel num_threads(threads) /* its threads are running before the clock is, as Parcel's are */
  (void)threads;
  const double begun = omp_get_wtime();
#pragma omp parallel for schedule(runtime) num_threads(threads) reduction(+ : inside)
  for (int64_t block = 0; block < (count + size - 1) / size; ++block)
    inside += compute(kernel, block, size, count, values);
  printf("%.6f %.6f %d\n", omp_get_wtime() - begun, inside, threads);
  free(values);
  return EXIT_SUCCESS;
}
