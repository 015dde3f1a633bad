/* libgomp if gcc compiles it, libomp if clang does. */
#include "pool_loops.h"

#include <omp.h>

void peer_open(int threads)
{
  omp_set_dynamic(0);
  omp_set_num_threads(threads);
}

void peer_loop(long count, peer_body body)
{
#pragma omp parallel for schedule(dynamic, 1)
  for (long i = 0; i < count; ++i)
    body(i);
}

void peer_loop_auto(long count, peer_body body)
{
#pragma omp parallel for
  for (long i = 0; i < count; ++i)
    body(i);
}
