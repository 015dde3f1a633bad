/* A loop over processes is a loop of a pool whose threads supervise one process each. A span whose process
 * dies is halved until one position is left: each half costs a call, and the worker again if the culprit is
 * in it. */
#include "workers_impl.h"

#include <inttypes.h>
#include <stdio.h>

#include <parcel/shared.h>

/* What a worker is to do: one per worker, in shared memory, on a cache line of its own. */
typedef struct parcel_span_call {
  alignas(64) parcel_body body;
  void *ctx;
  parcel_span positions;
} parcel_span_call;

/* What the supervising threads have in common. */
typedef struct loop {
  parcel_workers *workers;
  parcel_body body;
  void *ctx;
  double timeout_seconds;
} loop;

static parcel_status run_span(void *argument, int worker)
{
  const parcel_span_call *call = argument;
  return call->body(call->ctx, call->positions, worker);
}

static parcel_status call_span(const loop *loop, parcel_span positions, int worker)
{
  parcel_span_call *call = &loop->workers->spans[worker];
  *call = (parcel_span_call){.body = loop->body, .ctx = loop->ctx, .positions = positions};
  return parcel_workers_call(loop->workers, worker, run_span, call, loop->timeout_seconds);
}

static bool has_cost_its_worker(parcel_status status)
{
  return status == PARCEL_CRASHED || status == PARCEL_TIMEOUT;
}

/* status  of the whole span; its words are in parcel_last_error() */
static parcel_status blame_position(const loop *loop, parcel_span bad, int worker, parcel_status status)
{
  const parcel_span whole = bad;
  char words[PARCEL_ERROR_SIZE];
  snprintf(words, sizeof words, "%s", parcel_last_error());
  while (bad.end - bad.begin > 1) {
    const parcel_index middle = bad.begin + (bad.end - bad.begin) / 2;
    if (has_cost_its_worker(call_span(loop, (parcel_span){bad.begin, middle}, worker)))
      bad.end = middle;
    else
      bad.begin = middle;
  }
  if (whole.end - whole.begin == 1)
    return parcel_fail(status, "position %" PRId64 ": %s", bad.begin, words);
  const parcel_status alone = call_span(loop, bad, worker);
  if (has_cost_its_worker(alone))
    return parcel_fail(alone, "position %" PRId64 ": %s", bad.begin, parcel_last_error());
  return parcel_fail(status, "positions %" PRId64 " to %" PRId64 ": %s; but not again when asked for less",
                     whole.begin, whole.end - 1, words);
}

/* A parcel_body of the supervising pool. */
static parcel_status supervise(void *ctx, parcel_span positions, int worker)
{
  const loop *loop = ctx;
  const parcel_status status = call_span(loop, positions, worker);
  return has_cost_its_worker(status) ? blame_position(loop, positions, worker, status) : status;
}

static parcel_status make_pool(parcel_workers *workers)
{
  const parcel_pool_options options = {.threads = workers->processes};
  void *spans = NULL;
  if (workers->pool)
    return PARCEL_OK;
  parcel_status status =
      parcel_shared_alloc(workers->processes * (parcel_index)sizeof *workers->spans, &spans);
  if (status)
    return status;
  if ((status = parcel_pool_create(&options, &workers->pool)))
    parcel_shared_free(spans);
  else
    workers->spans = spans;
  return status;
}

parcel_status parcel_workers_for(parcel_workers *workers, parcel_index count, parcel_index grain,
                                 parcel_body body, void *ctx, double timeout_seconds)
{
  loop loop = {.workers = workers, .body = body, .ctx = ctx, .timeout_seconds = timeout_seconds};
  const parcel_status status = make_pool(workers);
  return status ? status : parcel_pool_for(workers->pool, count, grain, supervise, &loop);
}
