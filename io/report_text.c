/* The profile in six lines. */
#include <inttypes.h>

#include "report_impl.h"

/* Largest share of the memory, and of what is done per second. */
static void print_ranks(const parcel_profile *profile, FILE *out)
{
  parcel_index memory = 0;
  double slowest = 0;
  double fastest = 0;
  for (parcel_index r = 0; r < profile->rank_count; ++r) {
    const parcel_trace_rank *rank = &profile->ranks[r];
    parcel_index positions = 0;
    for (parcel_index w = 0; w < rank->threads; ++w)
      positions += profile->workers[rank->first_worker + w].positions;
    const double rate = rank->elapsed_seconds > 0 ? (double)positions / rank->elapsed_seconds : 0;
    slowest = r == 0 || rate < slowest ? rate : slowest;
    fastest = rate > fastest ? rate : fastest;
    memory = rank->memory_bytes > memory ? rank->memory_bytes : memory;
  }
  fprintf(out, "ranks: %.3g to %.3g positions/s each; at most %.0f MiB resident in one\n", slowest, fastest,
          (double)memory / (1 << 20));
}

static void print_blocks(const parcel_profile *profile, FILE *out)
{
  const parcel_trace_moments *blocks = &profile->block_seconds;
  fprintf(out, "%" PRId64 " blocks: %.3g s on average, %.3g to %.3g s", blocks->count, blocks->mean,
          blocks->least, blocks->most);
  if (profile->slowest_count > 0)
    fprintf(out, "; the slowest is block %" PRId64 " on rank %d", profile->slowest[0].number,
            profile->slowest[0].rank);
  fprintf(out, "\n");
}

void parcel_report_print(const parcel_report *report, FILE *out)
{
  const parcel_profile *profile = parcel_trace_profile(report->trace);
  if (!profile)
    return;
  const parcel_efficiency e = parcel_profile_efficiency(profile);
  const double all = profile->elapsed_seconds * (double)profile->worker_count;
  const double percent = all > 0 ? 100 / all : 0;
  fprintf(out, "parallel efficiency %.3f = load balance %.3f x communication %.3f\n", e.parallel,
          e.load_balance, e.communication);
  fprintf(out, "load balance: ranks %.3f x threads %.3f; communication: writing %.3f x waiting %.3f\n",
          e.rank_balance, e.thread_balance, e.writing, e.waiting);
  fprintf(out,
          "time of all workers: %.1f %% computing, %.1f %% writing, %.1f %% taking blocks, %.1f %% idle\n",
          percent * profile->compute_seconds, percent * profile->write_seconds,
          percent * profile->handout_seconds, percent * profile->idle_seconds);
  print_blocks(profile, out);
  print_ranks(profile, out);
  fprintf(out, "advice: %s\n",
          parcel__report_advise(profile, parcel_sweep_schedule_name(report->sweep->schedule)).sentences[0]);
}
