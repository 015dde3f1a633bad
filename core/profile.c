/* What a profile says. */
#include <stdlib.h>

#include "trace_impl.h"

void parcel__profile_release(parcel_profile *profile)
{
  free(profile->ranks);
  free(profile->workers);
  free(profile->items);
  free(profile->samples);
  free(profile->slowest);
  free(profile->kept);
  *profile = (parcel_profile){.elapsed_seconds = 0};
}

void parcel__trace_add_moments(parcel_trace_moments *sum, const parcel_trace_moments *more)
{
  if (more->count == 0)
    return;
  if (sum->count == 0) {
    *sum = *more;
    return;
  }
  const double before = (double)sum->count;
  const double added = (double)more->count;
  const double difference = more->mean - sum->mean;
  sum->count += more->count;
  sum->mean += difference * added / (before + added);
  sum->squares += more->squares + difference * difference * before * added / (before + added);
  sum->least = more->least < sum->least ? more->least : sum->least;
  sum->most = more->most > sum->most ? more->most : sum->most;
}

double parcel_profile_rank_useful(const parcel_profile *profile, parcel_index rank)
{
  const parcel_trace_rank *of = &profile->ranks[rank];
  double useful = 0;
  for (parcel_index w = 0; w < of->threads; ++w)
    useful += profile->workers[of->first_worker + w].compute_seconds;
  return useful / of->threads;
}

double parcel_profile_average_useful(const parcel_profile *profile)
{
  return profile->worker_count > 0 ? profile->compute_seconds / (double)profile->worker_count : 0;
}

static double ratio(double part, double whole)
{
  return whole > 0 ? part / whole : 1;
}

parcel_efficiency parcel_profile_efficiency(const parcel_profile *profile)
{
  const double average = parcel_profile_average_useful(profile);
  double rank_most = 0;
  double useful_most = 0;
  double busy_most = 0;
  for (parcel_index r = 0; r < profile->rank_count; ++r) {
    const double useful = parcel_profile_rank_useful(profile, r);
    rank_most = useful > rank_most ? useful : rank_most;
  }
  for (parcel_index w = 0; w < profile->worker_count; ++w) {
    const double useful = profile->workers[w].compute_seconds;
    const double busy = useful + profile->workers[w].write_seconds;
    useful_most = useful > useful_most ? useful : useful_most;
    busy_most = busy > busy_most ? busy : busy_most;
  }
  if (profile->blocks == 0)
    return (parcel_efficiency){1, 1, 1, 1, 1, 1, 1};
  return (parcel_efficiency){.parallel = ratio(average, profile->elapsed_seconds),
                             .load_balance = ratio(average, useful_most),
                             .rank_balance = ratio(average, rank_most),
                             .thread_balance = ratio(rank_most, useful_most),
                             .communication = ratio(useful_most, profile->elapsed_seconds),
                             .writing = ratio(useful_most, busy_most),
                             .waiting = ratio(busy_most, profile->elapsed_seconds)};
}
