#include "kernels.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static const double mean_rounds = 20000; /* of made-up work per index: some 20 us */

static int64_t empty(int64_t index, int64_t count)
{
  (void)count;
  return index;
}

/* Steps to 1 of n, 3n + 1 (n odd) or n / 2 (n even). */
static int64_t collatz(int64_t index, int64_t count)
{
  int64_t steps = 0;
  (void)count;
  for (uint64_t n = (uint64_t)index + 1; n != 1; ++steps)
    n = n % 2 ? 3 * n + 1 : n / 2;
  return steps;
}

static int64_t is_prime(int64_t index, int64_t count)
{
  (void)count;
  for (int64_t divisor = 2; divisor * divisor <= index; ++divisor)
    if (index % divisor == 0)
      return 0;
  return index >= 2;
}

/* ---- made-up cost ---- */

/* splitmix64 (Steele, Lea and Flood, OOPSLA 2014): a random number for each number. */
static uint64_t mix(uint64_t number)
{
  number = (number + 1) * 0x9E3779B97F4A7C15U;
  number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9U;
  number = (number ^ number >> 27) * 0x94D049BB133111EBU;
  return number ^ number >> 31;
}

/* In (0, 1). */
static double fraction(uint64_t number)
{
  return ((double)(mix(number) >> 11) + 0.5) * 0x1p-53;
}

/* Box and Muller, Annals of Mathematical Statistics 29(2), 1958. */
double bench_lognormal(int64_t number, double sigma)
{
  const double pi = 3.14159265358979323846;
  const double radius = sqrt(-2 * log(fraction(2 * (uint64_t)number)));
  const double normal = radius * cos(2 * pi * fraction(2 * (uint64_t)number + 1));
  return exp(sigma * normal - sigma * sigma / 2);
}

/* Each round needs the one before, and the result needs all, so none can be left out. */
static int64_t burn(int64_t index, double rounds)
{
  uint64_t state = (uint64_t)index;
  for (int64_t left = (int64_t)(rounds * mean_rounds); left > 0; --left)
    state = state * 6364136223846793005U + 1442695040888963407U;
  return (int64_t)(state >> 1);
}

static int64_t uniform(int64_t index, int64_t count)
{
  (void)count;
  return burn(index, 1);
}

static int64_t linear(int64_t index, int64_t count)
{
  return burn(index, 2 * (double)index / (double)count);
}

static int64_t lognormal(int64_t index, int64_t count)
{
  (void)count;
  return burn(index, bench_lognormal(index, 1));
}

static int64_t one_huge(int64_t index, int64_t count)
{
  return burn(index, index == count / 2 ? 0.25 * (double)count : 0.75);
}

bench_kernel bench_kernel_find(const char *name)
{
  static const struct {
    const char *name;
    bench_kernel kernel;
  } kernels[] = {{"empty", empty},   {"collatz", collatz},     {"primes", is_prime}, {"uniform", uniform},
                 {"linear", linear}, {"lognormal", lognormal}, {"huge", one_huge}};
  for (size_t k = 0; k < sizeof kernels / sizeof *kernels; ++k)
    if (strcmp(name, kernels[k].name) == 0)
      return kernels[k].kernel;
  return NULL;
}
