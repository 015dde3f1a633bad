/* From the factors of efficiency to a sentence that says which lever to pull. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "report_impl.h"

/* A factor below this is worth a sentence. */
static const double good = 0.9;
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
static bool is_one_block(const parcel_profile *profile, parcel_advice *advice)
{
  const parcel_trace_block *slowest = profile->slowest;
  if (profile->slowest_count == 0 || profile->worker_count < 2 ||
      slowest->compute_seconds < 0.5 * profile->elapsed_seconds ||
      slowest->compute_seconds < 2 * profile->block_seconds.mean)
    return false;
  say(advice,
      "block %" PRId64 " alone took %.0f %% of the run, on rank %d: use smaller blocks (--block=%" PRId64
      " or less)",
      slowest->number, 100 * slowest->compute_seconds / profile->elapsed_seconds, slowest->rank,
      (slowest->positions.end - slowest->positions.begin + 7) / 8);
  return true;
}

static void advise_on_waiting(const parcel_profile *profile, parcel_advice *advice)
{
  const double all = profile->elapsed_seconds * (double)profile->worker_count;
  const double handout = profile->handout_seconds / all;
  if (profile->elapsed_seconds < shortest_seconds)
    say(advice, "the run took %.3f s, most of it to start and end: a longer one would say more",
        profile->elapsed_seconds);
  else if (handout > 1 - good)
    say(advice, "%.0f %% of the workers' time went into taking blocks: use larger ones (--block)",
        100 * handout);
  else
    say(advice,
        "workers waited %.0f %% of the time at the start and the end: are there more threads than CPUs?",
        100 * profile->idle_seconds / all);
}

parcel_advice parcel__report_advise(const parcel_profile *profile, const char *schedule)
{
  const parcel_efficiency efficiency = parcel_profile_efficiency(profile);
  parcel_advice advice = {.count = 0};
  if (profile->blocks == 0) {
    say(&advice, "no block was computed");
    return advice;
  }
  if (!is_one_block(profile, &advice)) {
    if (efficiency.rank_balance < good)
      advise_on_ranks(profile, schedule, &advice);
    if (efficiency.thread_balance < good)
      advise_on_threads(profile, &advice);
  }
  if (efficiency.writing < good)
    say(&advice,
        "writing took %.0f %% of the busiest thread's time: the file system, not the kernel, sets the pace",
        100 * (1 - efficiency.writing));
  if (efficiency.waiting < good)
    advise_on_waiting(profile, &advice);
  if (advice.count == 0)
    say(&advice, "nothing to mend: %.0f %% of the workers' time was useful", 100 * efficiency.parallel);
  return advice;
}
