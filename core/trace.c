/* A worker writes into a lane of its own, so nothing here is shared or atomic; the main thread reads the
 * lanes once the pool has ended, which orders memory. The clock is read by the sweep anyway: writing a block
 * down costs some tens of nanoseconds.
 *
 * A lane's items each hold `stride` blocks, but for the last. When they are full, neighbours are merged and
 * the stride doubles: every block is copied into a merged item less than once on average, and an item's sums
 * are exact at any stride. */
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "trace_impl.h"

enum { CACHE_LINE = 64, MOST_ITEMS = 4096, FEWEST_ITEMS = 4, MOST_SAMPLES = 128, FEWEST_SAMPLES = 8 };

static const parcel_index default_items = 32768;
static const parcel_index all_samples = 8192;
static const double first_sample_every = 0.01;

struct parcel_trace_lane {
  alignas(CACHE_LINE) parcel_trace_worker sum;
  parcel_trace_item *items; /* [item_room] */
  parcel_index item_count, item_room;
  parcel_index stride; /* blocks of an item that is full */
  double last_end;
  parcel_trace_moments moments;
  parcel_index bins[PARCEL_TRACE_BINS];
  parcel_trace_block slowest[PARCEL_TRACE_SLOWEST];
  int slowest_count;
  parcel_failure *failures; /* [failure_room] */
  parcel_index failure_count, failures_seen, failure_room;
};

/* ---- made and freed ---- */

parcel_status parcel_trace_create(const parcel_trace_options *options, parcel_trace **out)
{
  const parcel_index items = options ? options->items : 0;
  if (items < 0)
    return parcel_fail(PARCEL_INVALID, "a trace cannot keep fewer than no items");
  parcel_trace *trace = calloc(1, sizeof *trace);
  if (!trace)
    return parcel_fail(PARCEL_MEMORY, "no memory for a trace");
  trace->item_limit = items > 0 ? items : default_items;
  *out = trace;
  return PARCEL_OK;
}

/* Forgets the last sweep. */
static void empty(parcel_trace *trace)
{
  for (int w = 0; w < trace->threads && trace->lanes; ++w) {
    free(trace->lanes[w].items);
    free(trace->lanes[w].failures);
  }
  free(trace->lanes);
  free(trace->samples);
  parcel__profile_release(&trace->profile);
  *trace = (parcel_trace){.item_limit = trace->item_limit};
}

void parcel_trace_free(parcel_trace **trace)
{
  if (!*trace)
    return;
  empty(*trace);
  free(*trace);
  *trace = NULL;
}

const parcel_profile *parcel_trace_profile(const parcel_trace *trace)
{
  return trace && trace->is_gathered ? &trace->profile : NULL;
}

static parcel_index clamp(parcel_index value, parcel_index least, parcel_index most)
{
  return value < least ? least : value > most ? most : value;
}

static parcel_status make_lane(parcel_trace_lane *lane, parcel_index items, parcel_index failures)
{
  lane->item_room = items;
  lane->failure_room = failures;
  lane->stride = 1;
  lane->items = calloc((size_t)items, sizeof *lane->items);
  lane->failures = calloc((size_t)failures, sizeof *lane->failures);
  return lane->items && lane->failures ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory for a trace");
}

parcel_status parcel__trace_begin(parcel_trace *trace, const parcel_world *world, int threads)
{
  if (!trace)
    return PARCEL_OK;
  const parcel_index ranks = parcel_world_size(world);
  const parcel_index items = clamp(trace->item_limit / ranks / threads, FEWEST_ITEMS, MOST_ITEMS) & ~1;
  empty(trace);
  trace->failure_room = clamp(PARCEL_TRACE_FAILURES / ranks, 1, PARCEL_TRACE_FAILURES);
  trace->sample_room = clamp(all_samples / ranks, FEWEST_SAMPLES, MOST_SAMPLES);
  trace->sample_every = first_sample_every;
  trace->samples = calloc((size_t)trace->sample_room, sizeof *trace->samples);
  trace->lanes = aligned_alloc(CACHE_LINE, (size_t)threads * sizeof *trace->lanes);
  if (!trace->samples || !trace->lanes)
    return parcel_fail(PARCEL_MEMORY, "no memory for the trace of %d workers", threads);
  memset(trace->lanes, 0, (size_t)threads * sizeof *trace->lanes);
  trace->threads = threads;
  parcel_status status = PARCEL_OK;
  for (int w = 0; w < threads && !status; ++w) {
    trace->lanes[w].sum = (parcel_trace_worker){.rank = parcel_world_rank(world), .thread = w};
    status = make_lane(&trace->lanes[w], items, clamp(trace->failure_room / threads, 1, trace->failure_room));
  }
  return status;
}

void parcel__trace_start(parcel_trace *trace, double now)
{
  if (!trace)
    return;
  trace->started = now;
  trace->start_time = (int64_t)time(NULL);
}

/* ---- a block ---- */

/* The CPUs that the calling thread may run on, as Linux lists them. */
static void note_cpus(char list[PARCEL_TRACE_NAME_SIZE])
{
  static const char label[] = "Cpus_allowed_list:";
  char line[512];
  FILE *status = fopen("/proc/thread-self/status", "re");
  while (status && fgets(line, sizeof line, status))
    if (strncmp(line, label, sizeof label - 1) == 0) {
      const char *text = line + sizeof label - 1 + strspn(line + sizeof label - 1, " \t");
      snprintf(list, PARCEL_TRACE_NAME_SIZE, "%.*s", (int)strcspn(text, "\n"), text);
      break;
    }
  if (status)
    fclose(status);
}

static void merge(parcel_trace_item *into, const parcel_trace_item *next)
{
  into->blocks += next->blocks;
  into->end = next->end;
  into->compute_seconds += next->compute_seconds;
  into->write_seconds += next->write_seconds;
}

static void add_item(parcel_trace_lane *lane, const parcel_trace_item *item)
{
  if (lane->item_count > 0 && lane->items[lane->item_count - 1].blocks < lane->stride) {
    merge(&lane->items[lane->item_count - 1], item);
    return;
  }
  if (lane->item_count == lane->item_room) {
    lane->item_count /= 2;
    lane->stride *= 2;
    for (parcel_index i = 0; i < lane->item_count; ++i) {
      lane->items[i] = lane->items[2 * i];
      merge(&lane->items[i], &lane->items[2 * i + 1]);
    }
  }
  lane->items[lane->item_count++] = *item;
}

/* 2^-30 s and its quarters, by the bits of the number: the exponent and the first two of the fraction. */
static int bin_of(double seconds)
{
  enum { FRACTION_BITS = 52, FIRST_EXPONENT = 1023 - 30 }; /* 1023 stands for 2^0 */
  uint64_t bits = 0;
  memcpy(&bits, &seconds, sizeof bits);
  const int64_t bin = (int64_t)(bits >> (FRACTION_BITS - 2)) - (int64_t)4 * FIRST_EXPONENT;
  return seconds > 0 ? (int)clamp(bin, 0, PARCEL_TRACE_BINS - 1) : 0;
}

double parcel_trace_bin_seconds(int bin)
{
  return (double)(4 + bin % 4) / 4 * (double)((int64_t)1 << (bin / 4)) / (double)((int64_t)1 << 30);
}

/* Keeps the list sorted, the slowest first. */
static void note_if_slow(parcel_trace_lane *lane, const parcel_trace_block *block)
{
  int place = lane->slowest_count;
  while (place > 0 && lane->slowest[place - 1].compute_seconds < block->compute_seconds)
    --place;
  if (place == PARCEL_TRACE_SLOWEST)
    return;
  lane->slowest_count += lane->slowest_count < PARCEL_TRACE_SLOWEST;
  for (int i = lane->slowest_count - 1; i > place; --i)
    lane->slowest[i] = lane->slowest[i - 1];
  lane->slowest[place] = *block;
}

static void keep_failures(parcel_trace_lane *lane, const parcel_block *block)
{
  lane->failures_seen += block->failure_count;
  for (parcel_index f = 0; f < block->failure_count && lane->failure_count < lane->failure_room; ++f)
    lane->failures[lane->failure_count++] = block->failures[f];
}

void parcel__trace_block(parcel_trace *trace, int worker, const parcel_trace_event *event)
{
  if (!trace)
    return;
  parcel_trace_lane *lane = &trace->lanes[worker];
  const parcel_block *block = event->block;
  const parcel_trace_item item = {.block = block->number,
                                  .blocks = 1,
                                  .begin = event->begun - trace->started,
                                  .end = event->written - trace->started,
                                  .compute_seconds = event->computed - event->begun,
                                  .write_seconds = event->written - event->computed};
  const parcel_trace_block slow = {.number = block->number,
                                   .positions = block->positions.end - block->positions.begin,
                                   .first = event->first,
                                   .last = event->last,
                                   .rank = lane->sum.rank,
                                   .thread = worker,
                                   .begin = item.begin,
                                   .compute_seconds = item.compute_seconds};
  const parcel_trace_moments one = {
      .count = 1, .mean = item.compute_seconds, .least = item.compute_seconds, .most = item.compute_seconds};
  if (lane->sum.blocks == 0)
    note_cpus(lane->sum.cpus);
  else
    lane->sum.handout_seconds += item.begin - lane->last_end;
  lane->last_end = item.end;
  lane->sum.blocks += 1;
  lane->sum.positions += block->positions.end - block->positions.begin;
  lane->sum.compute_seconds += item.compute_seconds;
  lane->sum.write_seconds += item.write_seconds;
  ++lane->bins[bin_of(item.compute_seconds)];
  parcel__trace_add_moments(&lane->moments, &one);
  add_item(lane, &item);
  note_if_slow(lane, &slow);
  keep_failures(lane, block);
}

/* ---- progress ---- */

/* When the samples are full, every other one goes, and from then on they are taken half as often. */
void parcel__trace_progress(parcel_trace *trace, double now, parcel_index positions)
{
  if (!trace || now - trace->started < trace->next_sample)
    return;
  if (trace->sample_count == trace->sample_room) {
    for (parcel_index s = 0; 2 * s < trace->sample_count; ++s)
      trace->samples[s] = trace->samples[2 * s];
    trace->sample_count = (trace->sample_count + 1) / 2;
    trace->sample_every *= 2;
  }
  const double elapsed = now - trace->started;
  trace->samples[trace->sample_count++] = (parcel_trace_sample){elapsed, positions};
  trace->next_sample = elapsed + trace->sample_every;
}

/* ---- this rank's part of the profile ---- */

static parcel_index memory_high_water(void)
{
  struct rusage usage;
  return getrusage(RUSAGE_SELF, &usage) == 0 ? (parcel_index)usage.ru_maxrss * 1024 : 0;
}

static void describe_rank(const parcel_trace *trace, parcel_trace_rank *out)
{
  *out = (parcel_trace_rank){.rank = trace->lanes[0].sum.rank,
                             .threads = trace->threads,
                             .process = (int64_t)getpid(),
                             .memory_bytes = memory_high_water(),
                             .sample_count = trace->sample_count};
  if (gethostname(out->host, sizeof out->host - 1) != 0)
    out->host[0] = '\0';
}

/* Appends what a lane holds to the rank's part. The arrays have room for all lanes. */
static void add_lane(const parcel_trace *trace, const parcel_trace_lane *lane, parcel_profile *part)
{
  parcel_trace_worker *worker = part->workers + part->worker_count++;
  *worker = lane->sum;
  worker->item_count = lane->item_count;
  part->blocks += worker->blocks;
  part->positions += worker->positions;
  part->failures += lane->failures_seen;
  memcpy(part->items + part->item_count, lane->items, (size_t)lane->item_count * sizeof *lane->items);
  part->item_count += lane->item_count;
  memcpy(part->slowest + part->slowest_count, lane->slowest,
         (size_t)lane->slowest_count * sizeof *lane->slowest);
  part->slowest_count += lane->slowest_count;
  const parcel_index kept = clamp(trace->failure_room - part->kept_count, 0, lane->failure_count);
  memcpy(part->kept + part->kept_count, lane->failures, (size_t)kept * sizeof *lane->failures);
  part->kept_count += kept;
  for (int b = 0; b < PARCEL_TRACE_BINS; ++b)
    part->bins[b] += lane->bins[b];
  parcel__trace_add_moments(&part->block_seconds, &lane->moments);
}

parcel_status parcel__trace_collect(const parcel_trace *trace, double elapsed_seconds, parcel_profile *out)
{
  const size_t threads = (size_t)trace->threads;
  const size_t items = threads * (size_t)trace->lanes[0].item_room;
  parcel_trace_rank *rank = calloc(1, sizeof *rank);
  *out = (parcel_profile){.elapsed_seconds = elapsed_seconds, .rank_count = 1};
  out->ranks = rank;
  out->workers = calloc(threads, sizeof *out->workers);
  out->items = calloc(items, sizeof *out->items);
  out->samples = calloc((size_t)trace->sample_count + 1, sizeof *out->samples);
  out->slowest = calloc(threads * PARCEL_TRACE_SLOWEST, sizeof *out->slowest);
  out->kept = calloc((size_t)trace->failure_room, sizeof *out->kept);
  if (!rank || !out->workers || !out->items || !out->samples || !out->slowest || !out->kept)
    return parcel_fail(PARCEL_MEMORY, "no memory to gather a trace of %d workers", trace->threads);
  describe_rank(trace, rank);
  rank->elapsed_seconds = elapsed_seconds;
  memcpy((parcel_trace_sample *)out->samples, trace->samples,
         (size_t)trace->sample_count * sizeof *trace->samples);
  out->sample_count = trace->sample_count;
  for (int w = 0; w < trace->threads; ++w)
    add_lane(trace, &trace->lanes[w], out);
  return PARCEL_OK;
}
