/* Each thread of the executor supervises one worker process, and hands it tasks by the batch: one round
 * trip between processes for up to 32 of them. The worker keeps count in shared memory of what it has begun
 * and done. So when it dies, tasks done are done, the one it was in is to blame, and the rest go to its
 * replacement: each has one outcome. */
#include "workers_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parcel/shared.h>

#include "executor_impl.h"

enum { MOST_TASKS = 32, ALIGNMENT = 64, MOST_FRUITLESS = 10 };

static const parcel_index first_room = 1 << 16; /* for the arguments of a batch */

typedef struct errand {
  parcel_task_body body;
  void *argument; /* where the worker finds it */
  double timeout_seconds;
  atomic_uint token; /* set by the supervisor */
  parcel_status status;
  char error[PARCEL_ERROR_SIZE]; /* if status is a failure */
} errand;

/* In shared memory, one per worker. */
typedef struct parcel_batch {
  errand errands[MOST_TASKS];
  int count;
  char *arguments; /* [room] */
  parcel_index room;
  alignas(ALIGNMENT) atomic_int begun, done; /* errands; the worker counts */
} parcel_batch;

/* ---- in the worker ---- */

static parcel_status run_errand(errand *own, int worker)
{
  parcel_task_context context = {.worker = worker, .flags = &own->token};
  if (own->timeout_seconds > 0)
    context.deadline_seconds = parcel__now() + own->timeout_seconds;
  parcel_fail(PARCEL_OK, "%s", "");
  return own->body(own->argument, &context);
}

/* A parcel_worker_body. */
static parcel_status run_batch(void *argument, int worker)
{
  parcel_batch *batch = argument;
  for (int e = 0; e < batch->count; ++e) {
    errand *own = &batch->errands[e];
    atomic_store_explicit(&batch->begun, e + 1, memory_order_relaxed);
    if (atomic_load_explicit(&own->token, memory_order_relaxed) & PARCEL__CANCELLED)
      own->status = parcel_fail(PARCEL_CANCELLED, "the task was cancelled before its worker began it");
    else
      own->status = run_errand(own, worker);
    if (own->status)
      memcpy(own->error, parcel_last_error(), strlen(parcel_last_error()) + 1);
    atomic_store_explicit(&batch->done, e + 1, memory_order_release);
  }
  return PARCEL_OK;
}

/* ---- in its supervisor ---- */

/* What one call of the runner works on. */
typedef struct load {
  parcel_workers *workers;
  parcel_batch *batch;
  parcel__task **tasks; /* from the batch's first errand on */
} load;

/* Tells the worker of tasks that were cancelled meanwhile. */
static void pass_on_tokens(void *ctx)
{
  const load *load = ctx;
  for (int e = atomic_load(&load->batch->done); e < load->batch->count; ++e)
    if (parcel__task_is_cancelled(load->tasks[e]))
      atomic_store(&load->batch->errands[e].token, PARCEL__CANCELLED);
}

static parcel_status make_room(parcel_batch *batch, parcel_index bytes)
{
  void *larger = NULL;
  if (bytes <= batch->room)
    return PARCEL_OK;
  const parcel_status status = parcel_shared_alloc(bytes, &larger);
  if (status)
    return status;
  parcel_shared_free(batch->arguments);
  batch->arguments = larger;
  batch->room = bytes;
  return PARCEL_OK;
}

static void write_errand(errand *own, const parcel__task *task, char *place)
{
  own->body = task->body;
  own->argument = task->argument;
  own->timeout_seconds = task->timeout_seconds;
  atomic_store_explicit(&own->token, 0, memory_order_relaxed);
  if (task->argument_bytes > 0)
    own->argument = memcpy(place, task->argument, task->argument_bytes);
}

/* Takes as many of the tasks as fit; those with a timeout go alone, since a call has one. The first has
 * itself to blame if there is no memory for it. */
static parcel_status pack_batch(load *load, int count)
{
  parcel_batch *batch = load->batch;
  parcel_index used = 0;
  parcel_status status = make_room(batch, (parcel_index)load->tasks[0]->argument_bytes);
  batch->count = 0;
  for (int t = 0; t < count && t < MOST_TASKS && !status; ++t) {
    const parcel__task *task = load->tasks[t];
    const parcel_index bytes = (parcel_index)task->argument_bytes;
    if (t > 0 && (task->timeout_seconds > 0 || bytes > batch->room - used))
      break;
    write_errand(&batch->errands[t], task, batch->arguments + used);
    used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    batch->count = t + 1;
    if (task->timeout_seconds > 0)
      break;
  }
  atomic_store(&batch->begun, status ? 1 : 0);
  atomic_store(&batch->done, 0);
  return status;
}

static parcel_status send_batch(load *load, int worker)
{
  parcel_seat *seat = &load->workers->seats[worker];
  seat->look_ctx = load;
  seat->look = pass_on_tokens;
  const parcel_status status =
      parcel_workers_call(load->workers, worker, run_batch, load->batch, load->tasks[0]->timeout_seconds);
  seat->look = NULL;
  return status;
}

static void finish_done(const load *load, int done)
{
  for (int e = 0; e < done; ++e) {
    parcel__task *task = load->tasks[e];
    const errand *own = &load->batch->errands[e];
    if (task->argument_bytes > 0)
      memcpy(task->argument, own->argument, task->argument_bytes);
    parcel__task_finish(task, own->status, own->status ? own->error : NULL);
  }
}

/* Returns how many of the tasks are over. Those that are not, for the worker died between two of them, are
 * to be sent again, unless that was fruitless too often. */
static int settle(const load *load, int count, parcel_status status, int *fruitless)
{
  const int done = atomic_load(&load->batch->done);
  const bool is_worker_lost = status == PARCEL_CRASHED || status == PARCEL_TIMEOUT;
  char words[PARCEL_ERROR_SIZE]; /* a task's then-callback may fail otherwise */
  snprintf(words, sizeof words, "%s", parcel_last_error());
  finish_done(load, done);
  if (!status)
    return done;
  if (atomic_load(&load->batch->begun) > done) {
    parcel__task_finish(load->tasks[done], status, words);
    return done + 1;
  }
  if (is_worker_lost && (done > 0 || ++*fruitless < MOST_FRUITLESS))
    return done;
  for (int t = done; t < count; ++t)
    parcel__task_finish(load->tasks[t], status, words);
  return count;
}

/* The executor's parcel__runner.run. */
static void run_tasks(void *ctx, int worker, parcel__task *tasks[], int count)
{
  parcel_workers *workers = ctx;
  int fruitless = 0;
  for (int t = 0; t < count;) {
    load load = {.workers = workers, .batch = workers->batches[worker], .tasks = tasks + t};
    parcel_status status = pack_batch(&load, count - t);
    if (!status)
      status = send_batch(&load, worker);
    t += settle(&load, count - t, status, &fruitless);
  }
}

static parcel_status make_batches(parcel_workers *workers)
{
  parcel_status status = PARCEL_OK;
  if (workers->batches)
    return PARCEL_OK;
  workers->batches = calloc((size_t)workers->processes, sizeof(parcel_batch *));
  if (!workers->batches)
    return parcel_fail(PARCEL_MEMORY, "no memory for an executor of %d processes", workers->processes);
  for (int w = 0; w < workers->processes && !status; ++w) {
    void *memory = NULL;
    status = parcel_shared_alloc(sizeof(parcel_batch), &memory);
    workers->batches[w] = memory;
    if (!status)
      status = make_room(workers->batches[w], first_room);
  }
  if (status)
    parcel__workers_end_batches(workers);
  return status;
}

void parcel__workers_end_batches(parcel_workers *workers)
{
  for (int w = 0; w < workers->processes && workers->batches && workers->batches[w]; ++w) {
    parcel_shared_free(workers->batches[w]->arguments);
    parcel_shared_free(workers->batches[w]);
  }
  free(workers->batches);
  workers->batches = NULL;
}

parcel_status parcel_workers_executor(parcel_workers *workers, const parcel_executor_options *options,
                                      parcel_executor **out)
{
  const parcel__runner runner = {.ctx = workers, .run = run_tasks, .batch = MOST_TASKS};
  parcel_executor_options chosen = PARCEL_EXECUTOR_OPTIONS_INIT;
  if (options)
    chosen = *options;
  chosen.threads = workers->processes;
  const parcel_status status = make_batches(workers);
  return status ? status : parcel__executor_create(&chosen, &runner, out);
}
