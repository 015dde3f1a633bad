/* A heap of workers by the time when they are free: the first takes a block and goes back with a later time,
 * or leaves. A tie goes to the lower number, so that the result is the same everywhere. */
#include "replay.h"

#include <stdlib.h>

#include <parcel/block.h>
#include <parcel/schedule.h>

typedef struct worker {
  double free_at, busy;
  parcel_index number;
} worker;

typedef struct state {
  const replay *replay;
  parcel_sweep_schedule kind;
  worker *heap; /* [workers]; the first `count` of them are still at work */
  parcel_index count;
  parcel_span *queues;      /* [ranks] */
  parcel_schedule schedule; /* of what is handed out; no steps if the blocks were divided at the start */
  parcel_index left;        /* blocks that nobody has taken */
  parcel_index step;
} state;

/* ---- the heap ---- */

static bool comes_before(const worker *a, const worker *b)
{
  return a->free_at < b->free_at || (a->free_at == b->free_at && a->number < b->number);
}

/* The first worker has a later time now. */
static void sink_first(state *state)
{
  parcel_index at = 0;
  for (;;) {
    parcel_index least = at;
    for (parcel_index child = 2 * at + 1; child <= 2 * at + 2 && child < state->count; ++child)
      if (comes_before(&state->heap[child], &state->heap[least]))
        least = child;
    if (least == at)
      return;
    const worker moved = state->heap[at];
    state->heap[at] = state->heap[least];
    state->heap[least] = moved;
    at = least;
  }
}

/* ---- the schedules ---- */

static parcel_index length_of(parcel_span span)
{
  return span.end - span.begin;
}

static void steal(state *state, parcel_span *thief)
{
  parcel_span *victim = &state->queues[0];
  for (int r = 1; r < state->replay->ranks; ++r)
    if (length_of(state->queues[r]) > length_of(*victim))
      victim = &state->queues[r];
  const parcel_index middle = victim->begin + length_of(*victim) / 2;
  *thief = (parcel_span){middle, victim->end};
  victim->end = middle;
}

/* False if there is nothing left for this rank. */
static bool refill(state *state, parcel_span *queue)
{
  if (state->kind == PARCEL_SWEEP_STEAL && state->left > 0)
    steal(state, queue);
  else if (state->step < parcel_schedule_steps(&state->schedule))
    *queue = parcel_schedule_span(&state->schedule, state->step++);
  return length_of(*queue) > 0;
}

/* A worker that leaves has been idle since its last block, so its times are noted when they grow. */
static void run_first(state *state, replay_result *result)
{
  worker *first = &state->heap[0];
  parcel_span *queue = &state->queues[first->number / state->replay->threads];
  if (length_of(*queue) == 0 && !refill(state, queue)) {
    state->heap[0] = state->heap[--state->count];
  } else {
    const double cost = state->replay->costs[queue->begin++];
    first->free_at += cost;
    --state->left;
    first->busy += cost;
    result->makespan = first->free_at > result->makespan ? first->free_at : result->makespan;
    result->busiest = first->busy > result->busiest ? first->busy : result->busiest;
  }
  sink_first(state);
}

/* ---- the run ---- */

static parcel_status begin(state *state)
{
  const replay *replay = state->replay;
  const bool is_divided = state->kind == PARCEL_SWEEP_STATIC || state->kind == PARCEL_SWEEP_STEAL;
  for (int r = 0; r < replay->ranks; ++r)
    state->queues[r] = is_divided ? parcel_block_span(replay->blocks, replay->ranks, r) : (parcel_span){0, 0};
  for (parcel_index w = 0; w < state->count; ++w)
    state->heap[w].number = w;
  if (is_divided)
    return PARCEL_OK;
  const parcel_schedule_kind kind = state->kind == PARCEL_SWEEP_DYNAMIC  ? PARCEL_SCHEDULE_SELF
                                    : state->kind == PARCEL_SWEEP_GUIDED ? PARCEL_SCHEDULE_GUIDED
                                                                         : PARCEL_SCHEDULE_FACTORING;
  const int parts = (int)(state->count < INT32_MAX ? state->count : INT32_MAX);
  return parcel_schedule_make(kind, replay->blocks, parts, 0, &state->schedule);
}

parcel_status replay_run(const replay *replay, parcel_sweep_schedule schedule, replay_result *out)
{
  if (replay->ranks < 1 || replay->threads < 1)
    return parcel_fail(PARCEL_INVALID, "a replay needs at least one rank and one thread");
  state state = {.replay = replay,
                 .kind = schedule,
                 .count = (parcel_index)replay->ranks * replay->threads,
                 .left = replay->blocks};
  state.heap = calloc((size_t)state.count, sizeof *state.heap);
  state.queues = calloc((size_t)replay->ranks, sizeof *state.queues);
  parcel_status status = state.heap && state.queues
                             ? begin(&state)
                             : parcel_fail(PARCEL_MEMORY, "no memory to replay %d ranks", replay->ranks);
  replay_result result = {0, 0};
  while (!status && state.count > 0)
    run_first(&state, &result);
  if (!status)
    *out = result;
  free(state.heap);
  free(state.queues);
  return status;
}
