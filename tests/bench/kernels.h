/** @file
 *  Work of known and uneven cost, for benchmarks of schedules: it burns CPU time, and nothing else. */
#ifndef BENCH_KERNELS_H
#define BENCH_KERNELS_H

#include <stdint.h>

/** The value at an index in [0, count), which costs what the kernel's name says. Any thread. */
typedef int64_t (*bench_kernel)(int64_t index, int64_t count);

/** "empty", "collatz" (steps to 1 of index + 1), "primes" (whether the index is one, by trial division), and
 *  made up, with the same mean: "uniform", "linear" (growing with the index from 0), "lognormal" (sigma 1),
 *  "huge" (a quarter of all work is in one index).  NULL: no such kernel. */
bench_kernel bench_kernel_find(const char *name);

/** A sample of the lognormal distribution of mean 1, the same for each number: e^(sigma z - sigma^2 / 2). */
double bench_lognormal(int64_t number, double sigma);

#endif
