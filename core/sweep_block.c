/* What a worker does with a block: compute it, find the indices that fail, write it. Touches nothing that
 * another worker writes but the counter of turns. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sweep_impl.h"

/* ---- the kernel ---- */

/* The place in the whole range of a position of the grid. */
static parcel_index place_of(const parcel_run *run, parcel_index position)
{
  return run->sink.positions ? run->sink.positions[position] : position;
}

parcel_index parcel__sweep_index(const parcel_run *run, parcel_index position)
{
  return parcel_range_at(run->sweep->range, place_of(run, position));
}

static parcel_status call_kernel(parcel_run *run, parcel_worker *own, parcel_span positions,
                                 void *const columns[])
{
  const parcel_slice slice = {.first = parcel__sweep_index(run, positions.begin),
                              .step = run->sweep->range.step,
                              .count = positions.end - positions.begin,
                              .position = place_of(run, positions.begin)};
  return parcel__sweep_call(run, own, &slice, columns);
}

/* ---- failures ---- */

static const char *last_words(parcel_status status)
{
  return *parcel_last_error() ? parcel_last_error() : parcel_status_text(status);
}

/* Halves the positions that failed until one is left. Costs at most one more block of kernel time.
 *
 * status  what the kernel returned for all of them; its words are in parcel_last_error() */
static parcel_status blame_index(parcel_run *run, parcel_worker *own, parcel_span bad, parcel_status status)
{
  const parcel_span whole = bad;
  char words[PARCEL_ERROR_SIZE];
  snprintf(words, sizeof words, "%s", last_words(status));
  while (bad.end - bad.begin > 1) {
    const parcel_index middle = bad.begin + (bad.end - bad.begin) / 2;
    if (call_kernel(run, own, (parcel_span){bad.begin, middle}, own->columns))
      bad.end = middle;
    else
      bad.begin = middle;
  }
  const bool failed_alone = whole.end - whole.begin == 1;
  if (failed_alone || call_kernel(run, own, bad, own->columns))
    return parcel_fail(PARCEL_KERNEL, "kernel '%s' failed at index %" PRId64 ": %s", run->sweep->name,
                       parcel__sweep_index(run, bad.begin),
                       *parcel_last_error() ? parcel_last_error() : words);
  return parcel_fail(PARCEL_KERNEL,
                     "kernel '%s' failed from index %" PRId64 " to %" PRId64
                     ", but not again when asked for less: %s",
                     run->sweep->name, parcel__sweep_index(run, whole.begin),
                     parcel__sweep_index(run, whole.end - 1), words);
}

/* One more failure than allowed. */
static parcel_status refuse_failure(const parcel_run *run, const parcel_failure *failure)
{
  return parcel_fail(PARCEL_KERNEL,
                     "kernel '%s' failed at index %" PRId64 ": %s; that is one more failure than the %" PRId64
                     " that may go on record",
                     run->sweep->name, failure->index, failure->message, run->options->max_failures);
}

static parcel_status add_failure(const parcel_run *run, parcel_worker *own, parcel_index position,
                                 parcel_status status)
{
  const parcel_index most = run->options->max_failures;
  parcel_failure failure = {.position = place_of(run, position), .code = status};
  failure.index = parcel_range_at(run->sweep->range, failure.position);
  snprintf(failure.message, sizeof failure.message, "%s", last_words(status));
  if (most > 0 && atomic_load_explicit(&own->recorded, memory_order_relaxed) + own->failure_count >= most)
    return refuse_failure(run, &failure);
  if (own->failure_count == own->failure_room) {
    const parcel_index room = own->failure_room > 0 ? 2 * own->failure_room : 16;
    parcel_failure *failures = realloc(own->failures, (size_t)room * sizeof *failures);
    if (!failures)
      return parcel_fail(PARCEL_MEMORY, "no memory for the failures of one block: %" PRId64 " so far",
                         own->failure_count);
    own->failures = failures;
    own->failure_room = room;
  }
  own->failures[own->failure_count++] = failure;
  return PARCEL_OK;
}

/* Where a part of the block has its values. */
static void *const *part_columns(const parcel_run *run, parcel_worker *own, parcel_index ahead)
{
  for (int c = 0; c < run->sweep->column_count; ++c)
    own->part[c] = (char *)own->columns[c] + ahead * parcel_column_bytes(&run->sweep->columns[c]);
  return own->part;
}

/* What a position has that failed: no values, but an index. */
static void fill(const parcel_run *run, parcel_index position, void *const values[])
{
  const parcel_index index = parcel__sweep_index(run, position);
  for (int c = 0; c < run->sweep->column_count; ++c)
    if (parcel_column_is_index(&run->sweep->columns[c]))
      memcpy(values[c], &index, sizeof index);
    else
      parcel_column_fill(&run->sweep->columns[c], values[c], 1);
}

/* Computes what can be computed of positions that failed together, in ascending order, and lists the rest
 * with fill values in their places. f failures among k positions cost at most 2 f log2(k) + 1 calls. */
static parcel_status sift(parcel_run *run, parcel_worker *own, parcel_index begin, parcel_span bad,
                          parcel_status status)
{
  const parcel_index middle = bad.begin + (bad.end - bad.begin) / 2;
  const parcel_span halves[] = {{bad.begin, middle}, {middle, bad.end}};
  if (own->is_helpless)
    return status;
  if (bad.end - bad.begin == 1) {
    void *const *values = part_columns(run, own, bad.begin - begin);
    fill(run, bad.begin, values);
    return add_failure(run, own, bad.begin, status);
  }
  for (int h = 0; h < 2; ++h) {
    status = call_kernel(run, own, halves[h], part_columns(run, own, halves[h].begin - begin));
    if (status && (status = sift(run, own, begin, halves[h], status)))
      return status;
  }
  return PARCEL_OK;
}

/* ---- a block ---- */

/* Runs the kernel for a whole block, and finds the culprits if it fails. */
static parcel_status compute(parcel_run *run, parcel_worker *own, parcel_span positions)
{
  own->failure_count = 0;
  if (positions.begin == positions.end)
    return PARCEL_OK;
  parcel_status status = call_kernel(run, own, positions, own->columns);
  if (!status || own->is_helpless)
    return status;
  if (run->records)
    return sift(run, own, positions.begin, positions, status);
  atomic_store(&run->has_failed, true);
  return blame_index(run, own, positions, status);
}

static void enter(parcel_worker *own, parcel_phase phase, double now)
{
  atomic_store_explicit(&own->phase, (int)phase, memory_order_relaxed);
  atomic_store_explicit(&own->since, now, memory_order_relaxed);
}

static void add_to(_Atomic parcel_index *counter, parcel_index more)
{
  atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
                        memory_order_relaxed);
}

static void trace(const parcel_run *run, const parcel_worker *own, const parcel_block *block, double begun,
                  double computed, double written)
{
  const parcel_span positions = block->positions;
  const bool is_empty = positions.begin == positions.end;
  const parcel_trace_event event = {.block = block,
                                    .first = is_empty ? 0 : parcel__sweep_index(run, positions.begin),
                                    .last = is_empty ? 0 : parcel__sweep_index(run, positions.end - 1),
                                    .begun = begun,
                                    .computed = computed,
                                    .written = written};
  parcel__trace_block(run->options->trace, (int)(own - run->workers), &event);
}

static void account(parcel_worker *own, const parcel_block *block, double begun, double computed,
                    double written)
{
  own->compute_seconds += computed - begun;
  own->write_seconds += written - computed;
  if (written - begun > own->longest_seconds)
    own->longest_seconds = written - begun;
  add_to(&own->positions, block->positions.end - block->positions.begin);
  add_to(&own->recorded, block->failure_count);
  add_to(&own->blocks, 1);
}

static parcel_status do_block(parcel_run *run, parcel_worker *own, parcel_index number, double begun)
{
  parcel_block block = {.number = number,
                        .positions = parcel_block_grid_span(run->grid, number),
                        .columns = (const void *const *)own->columns};
  atomic_store_explicit(&own->block, number, memory_order_relaxed);
  enter(own, PARCEL_PHASE_KERNEL, begun);
  parcel_status status = compute(run, own, block.positions);
  const double computed = parcel__seconds();
  if (!status) {
    block.failures = own->failures;
    block.failure_count = own->failure_count;
    block.seconds = computed - begun;
    enter(own, PARCEL_PHASE_WRITE, computed);
    status = run->sink.write(run->sink.ctx, &block);
  }
  const double written = parcel__seconds();
  enter(own, PARCEL_PHASE_IDLE, written);
  if (status)
    atomic_store(&run->has_failed, true);
  else {
    account(own, &block, begun, computed, written);
    trace(run, own, &block, begun, computed, written);
  }
  return status;
}

bool parcel__sweep_step(parcel_run *run, parcel_worker *own, parcel_status *status)
{
  static const struct timespec await_work = {.tv_nsec = 50000}; /* until other hosts have answered */
  parcel_index turn = 0;
  bool is_finished = false;
  const double now = parcel__seconds();
  if (atomic_load_explicit(&run->is_stopping, memory_order_relaxed) || atomic_load(&run->has_failed))
    return false;
  if (now + own->longest_seconds > run->last_start) {
    atomic_store(&run->is_late, true);
    return false;
  }
  if (!parcel__scheduler_take(run->scheduler, &turn, &is_finished)) {
    if (!is_finished)
      nanosleep(&await_work, NULL);
    return !is_finished;
  }
  *status = do_block(run, own, parcel__todo_block(run->todo, turn), now);
  return *status == PARCEL_OK;
}

parcel_status parcel__sweep_outlive(parcel_run *run, parcel_worker *own)
{
  const double now = parcel__seconds();
  if (atomic_load_explicit(&own->phase, memory_order_relaxed) != PARCEL_PHASE_KERNEL) {
    atomic_store(&run->has_failed, true);
    return parcel_fail(PARCEL_KERNEL,
                       "a thread of the sweep ended outside of the kernel, as by pthread_exit");
  }
  own->is_apart = true;
  parcel_status status = do_block(run, own, atomic_load_explicit(&own->block, memory_order_relaxed), now);
  while (!status && parcel__sweep_step(run, own, &status))
    ;
  return status;
}
