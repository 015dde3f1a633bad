/* From the factors of efficiency to a sentence that says which lever to pull. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "report_impl.h"

/* A share of the time. */
static const double worth_saying = 0.05;
/* Runs shorter than this are all start and end. */
static const double shortest_seconds = 0.05;

PARCEL_PRINTF(2, 3)
static void say(parcel_advice *advice, const char *format, ...)
{
  va_list arguments;
  if (advice->count == PARCEL_ADVICE_MOST)
    return;
  va_start(arguments, format);
  vsnprintf(advice->sentences[advice->count++], PARCEL_ADVICE_SIZE, format, arguments);
  va_end(arguments);
}

static void advise_on_ranks(const parcel_profile *profile, const char *schedule, parcel_advice *advice)
{
  const double average = parcel_profile_average_useful(profile);
  parcel_index busiest = 0;
  for (parcel_index r = 1; r < profile->rank_count; ++r)
    if (parcel_profile_rank_useful(profile, r) > parcel_profile_rank_useful(profile, busiest))
      busiest = r;
  const double times = parcel_profile_rank_useful(profile, busiest) / average;
  if (strcmp(schedule, "static") == 0)
    say(advice, "rank %" PRId64 " worked %.1f x the average: use --schedule=steal", busiest, times);
  else
    say(advice, "rank %" PRId64 " worked %.1f x the average: use smaller blocks (--block)", busiest, times);
}

static void advise_on_threads(const parcel_profile *profile, parcel_advice *advice)
{
  const parcel_trace_worker *busiest = &profile->workers[0];
  for (parcel_index w = 1; w < profile->worker_count; ++w)
    if (profile->workers[w].compute_seconds > busiest->compute_seconds)
      busiest = &profile->workers[w];
  const double average = parcel_profile_rank_useful(profile, busiest->rank);
  say(advice,
      "thread %d of rank %d worked %.1f x the average of its rank, in %" PRId64
      " blocks: use smaller blocks (--block)",
      busiest->thread, busiest->rank, busiest->compute_seconds / average, busiest->blocks);
}

/* One block that holds everybody up is no matter of balance. */
static bool is_one_block(const parcel_profile *profile)
{
  const double slowest = profile->slowest_count > 0 ? profile->slowest[0].compute_seconds : 0;
  return profile->worker_count > 1 && slowest > 0.5 * profile->elapsed_seconds &&
         slowest > 2 * profile->block_seconds.mean;
}

static void advise_on_block(const parcel_profile *profile, parcel_advice *advice)
{
  const parcel_trace_block *slowest = profile->slowest;
  say(advice,
      "block %" PRId64 " alone took %.0f %% of the run, on rank %d: use smaller blocks (--block=%" PRId64
      " or less)",
      slowest->number, 100 * slowest->compute_seconds / profile->elapsed_seconds, slowest->rank,
      (slowest->positions + 7) / 8);
}

static void advise_on_waiting(const parcel_profile *profile, parcel_advice *advice)
{
  const double all = profile->elapsed_seconds * (double)profile->worker_count;
  const double handout = profile->handout_seconds / all;
  if (profile->elapsed_seconds < shortest_seconds)
    say(advice, "the run took %.3f s, most of it to start and end: a longer one would say more",
        profile->elapsed_seconds);
  else if (handout > worth_saying)
    say(advice, "%.0f %% of the workers' time went into taking blocks: use larger ones (--block)",
        100 * handout);
  else
    say(advice,
        "workers waited %.0f %% of the time at the start and the end: are there more threads than CPUs?",
        100 * profile->idle_seconds / all);
}

/* ---- which of them first ---- */

typedef enum lever { ONE_BLOCK, RANKS, THREADS, WRITING, WAITING, LEVERS } lever;

/* What each costs, as a share of the elapsed time. But for the one block, which comes before all others,
 * these and the parallel efficiency add up to 1. */
static void weigh(const parcel_profile *profile, double costs[LEVERS])
{
  const parcel_efficiency e = parcel_profile_efficiency(profile);
  const double useful = e.communication;                /* of the busiest worker */
  const double rank_useful = e.thread_balance * useful; /* the average of the busiest rank */
  costs[ONE_BLOCK] = is_one_block(profile) ? 1 : 0;
  costs[RANKS] = costs[ONE_BLOCK] > 0 ? 0 : rank_useful - e.parallel;
  costs[THREADS] = costs[ONE_BLOCK] > 0 ? 0 : useful - rank_useful;
  costs[WRITING] = e.waiting - useful;
  costs[WAITING] = 1 - e.waiting;
}

static void advise(const parcel_profile *profile, const char *schedule, lever lever, double cost,
                   parcel_advice *advice)
{
  switch (lever) {
  case ONE_BLOCK: advise_on_block(profile, advice); break;
  case RANKS: advise_on_ranks(profile, schedule, advice); break;
  case THREADS: advise_on_threads(profile, advice); break;
  case WRITING:
    say(advice,
        "writing took %.0f %% of the run: the file system (or compression, if any), not the kernel, sets the "
        "pace",
        100 * cost);
    break;
  case WAITING: advise_on_waiting(profile, advice); break;
  case LEVERS: break;
  }
}

parcel_advice parcel__report_advise(const parcel_profile *profile, const char *schedule)
{
  double costs[LEVERS] = {0};
  parcel_advice advice = {.count = 0};
  if (profile->blocks == 0) {
    say(&advice, "no block was computed");
    return advice;
  }
  weigh(profile, costs);
  for (;;) {
    lever dearest = ONE_BLOCK;
    for (lever l = ONE_BLOCK; l < LEVERS; ++l)
      if (costs[l] > costs[dearest])
        dearest = l;
    if (costs[dearest] < worth_saying)
      break;
    advise(profile, schedule, dearest, costs[dearest], &advice);
    costs[dearest] = 0;
  }
  if (advice.count == 0)
    say(&advice, "nothing to mend: %.0f %% of the workers' time was useful",
        100 * parcel_profile_efficiency(profile).parallel);
  return advice;
}
