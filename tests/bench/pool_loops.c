/* Measures one pool in one way; pool_loops.py runs all of them in turns.
 *
 *  usage: pool_loops_PEER fork-join|idle|tiny|uneven|even THREADS
 *
 *  fork-join  an empty loop of THREADS positions, again and again: the median, in microseconds
 *  idle       the same after sleeping for 1 ms: the median, and the CPU time of the process per loop
 *  tiny       a million empty bodies, in pieces of the pool's choice: the median, in microseconds
 *  uneven     1000 bodies, the i-th of i units of work: time alone over time x threads, at best 1
 *  even       64 bodies of the same work: the median, in microseconds */
#include "pool_loops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { UNEVEN = 1000, EVEN = 64, TINY = 1000000 };

static double microseconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return 1e6 * (double)now.tv_sec + 1e-3 * (double)now.tv_nsec;
}

static double cpu_microseconds(void)
{
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return 1e6 * (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static int by_size(const void *a, const void *b)
{
  const double x = *(const double *)a;
  const double y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, int count)
{
  qsort(values, (size_t)count, sizeof *values, by_size);
  return values[count / 2];
}

/* ---- bodies ---- */

static void nothing(long position)
{
  (void)position;
}

/* A chain of multiplications, in a register: memory would cost more in one program than in another. */
static void work(long units)
{
  unsigned long x = 1;
  for (long u = 0; u < units; ++u) {
    x = x * 6364136223846793005UL + 1;
    __asm__ volatile("" : "+r"(x));
  }
}

static void work_unevenly(long position)
{
  work(20 * position);
}

static void work_evenly(long position)
{
  (void)position;
  work(40000);
}

/* ---- scenarios ---- */

static void fork_join(int threads)
{
  enum { BATCHES = 2000, LOOPS = 16 };
  static double times[BATCHES];
  for (int b = 0; b < BATCHES; ++b) {
    const double begin = microseconds();
    for (int l = 0; l < LOOPS; ++l)
      peer_loop(threads, nothing);
    times[b] = (microseconds() - begin) / LOOPS;
  }
  printf("%.4f\n", median(times, BATCHES));
}

static void idle(int threads)
{
  enum { LOOPS = 200 };
  static double times[LOOPS];
  const struct timespec pause = {.tv_nsec = 1000000};
  const double cpu = cpu_microseconds();
  for (int l = 0; l < LOOPS; ++l) {
    nanosleep(&pause, NULL);
    const double begin = microseconds();
    peer_loop(threads, nothing);
    times[l] = microseconds() - begin;
  }
  const double used = (cpu_microseconds() - cpu) / LOOPS;
  printf("%.4f %.4f\n", median(times, LOOPS), used);
}

static void tiny(int threads)
{
  enum { LOOPS = 31 };
  static double times[LOOPS];
  (void)threads;
  for (int l = 0; l < LOOPS; ++l) {
    const double begin = microseconds();
    peer_loop_auto(TINY, nothing);
    times[l] = microseconds() - begin;
  }
  printf("%.4f\n", median(times, LOOPS));
}

/* Alone and together in turns, so that both see the same machine. */
static void uneven(int threads)
{
  enum { LOOPS = 11 };
  static double alone[LOOPS];
  static double together[LOOPS];
  for (int l = 0; l < LOOPS; ++l) {
    double begin = microseconds();
    for (long i = 0; i < UNEVEN; ++i)
      work_unevenly(i);
    alone[l] = microseconds() - begin;
    begin = microseconds();
    peer_loop(UNEVEN, work_unevenly);
    together[l] = microseconds() - begin;
  }
  printf("%.4f\n", median(alone, LOOPS) / (threads * median(together, LOOPS)));
}

static void even(int threads)
{
  enum { LOOPS = 15 };
  static double times[LOOPS];
  (void)threads;
  for (int l = 0; l < LOOPS; ++l) {
    const double begin = microseconds();
    peer_loop(EVEN, work_evenly);
    times[l] = microseconds() - begin;
  }
  printf("%.4f\n", median(times, LOOPS));
}

int main(int count, char **arguments)
{
  static const struct {
    const char *name;
    void (*run)(int threads);
  } scenarios[] = {
      {"fork-join", fork_join}, {"idle", idle}, {"tiny", tiny}, {"uneven", uneven}, {"even", even}};
  const int threads = count == 3 ? (int)strtol(arguments[2], NULL, 10) : 0;
  for (size_t s = 0; threads > 0 && s < sizeof scenarios / sizeof *scenarios; ++s)
    if (strcmp(arguments[1], scenarios[s].name) == 0) {
      peer_open(threads);
      scenarios[s].run(threads);
      return 0;
    }
  fprintf(stderr, "usage: %s fork-join|idle|tiny|uneven|even THREADS\n", arguments[0]);
  return 2;
}
