#include "executor_peers.h"

void run_openmp_tasks(int threads, int count)
{
#pragma omp parallel num_threads(threads)
#pragma omp single
  for (int i = 0; i < count; ++i) {
#pragma omp task
    __asm__ volatile("");
  }
}
