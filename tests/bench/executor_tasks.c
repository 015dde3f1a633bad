/* Empty tasks per second: from the first submit to the end of the last task, by all competitors in turns.
 * executor_tasks [ROUNDS [THREADS]] */
#include <parcel/executor.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "executor_peers.h"

enum { TASKS = 1000000, MOST_ROUNDS = 1000 };

static parcel_future *futures[TASKS];
static parcel_executor *executor;

static void must(parcel_status status)
{
  if (!status)
    return;
  fprintf(stderr, "executor_tasks: %s\n", parcel_last_error());
  exit(1);
}

static parcel_status do_nothing(void *argument, const parcel_task_context *context)
{
  (void)argument;
  (void)context;
  __asm__ volatile("");
  return PARCEL_OK;
}

static void run_without_futures(int threads, int count)
{
  (void)threads;
  for (int i = 0; i < count; ++i)
    must(parcel_executor_submit(executor, do_nothing, NULL, NULL, NULL));
  must(parcel_executor_wait(executor));
}

static void run_with_futures(int threads, int count)
{
  (void)threads;
  for (int i = 0; i < count; ++i)
    must(parcel_executor_submit(executor, do_nothing, NULL, NULL, &futures[i]));
  for (int i = 0; i < count; ++i) {
    must(parcel_future_wait(futures[i]));
    parcel_future_release(&futures[i]);
  }
}

static const struct {
  const char *name;
  void (*run)(int threads, int count);
} competitors[] = {
#ifdef BENCH_WITH_TBB
    {"oneTBB task_group", run_tbb_tasks},
#endif
    {"parcel, a future each", run_with_futures},
    {"parcel, no futures", run_without_futures},
#ifdef BENCH_WITH_OPENMP
    {"libomp tasks", run_openmp_tasks},
#endif
};
enum { COMPETITORS = sizeof competitors / sizeof *competitors };

static double now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int compare(const void *left, const void *right)
{
  const double *a = left;
  const double *b = right;
  return (*a > *b) - (*a < *b);
}

int main(int argc, char **argv)
{
  static double rates[COMPETITORS][MOST_ROUNDS]; /* millions per second */
  const int asked = argc > 1 ? atoi(argv[1]) : 15;
  const int rounds = asked < 1 ? 1 : asked < MOST_ROUNDS ? asked : MOST_ROUNDS;
  const parcel_executor_options options = {.threads = argc > 2 ? atoi(argv[2]) : 2};
  must(parcel_executor_create(&options, &executor));
  for (int round = -1; round < rounds; ++round) /* the first warms up */
    for (int c = 0; c < COMPETITORS; ++c) {
      const double begin = now();
      competitors[c].run(options.threads, TASKS);
      if (round >= 0)
        rates[c][round] = TASKS / (now() - begin) / 1e6;
    }
  must(parcel_executor_destroy(&executor));
  printf("%d empty tasks, %d threads, medians of %d rounds in turns\n", TASKS, options.threads, rounds);
  for (int c = 0; c < COMPETITORS; ++c)
    qsort(rates[c], (size_t)rounds, sizeof(double), compare);
  for (int c = 0; c < COMPETITORS; ++c)
    printf("  %-24s %6.2f million/s   ratio %5.2f   (%.2f to %.2f)\n", competitors[c].name,
           rates[c][rounds / 2], rates[c][rounds / 2] / rates[0][rounds / 2], rates[c][0],
           rates[c][rounds - 1]);
  return 0;
}
