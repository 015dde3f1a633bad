/* The parent's side of a call: write it into the worker's slot, ring, wait for the answer or the death.
 * Whoever calls supervises: there is no thread here, so N workers are kept busy by N threads of the
 * caller's. */
#include "workers_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <parcel/shared.h>

#include "cpus_impl.h"

enum { SPINS = 1000, MOST_STARTS = 10 };

static const double look_at_server_seconds = 0.5; /* whether it lives, while waiting for its news */
static const double look_around_seconds = 0.01;   /* between two calls of a seat's look */
static const double leave_seconds = 1;            /* for a worker to end by itself */

/* ---- waiting ---- */

static bool is_dead(parcel_slot *slot)
{
  return atomic_load(&slot->state) == PARCEL_SLOT_IS_DEAD;
}

static bool has_started(parcel_slot *slot, uint32_t unused)
{
  (void)unused;
  return atomic_load(&slot->state) != PARCEL_SLOT_IS_STARTING;
}

/* Death last: what a worker that is dead had answered is seen then. */
static bool has_answered(parcel_slot *slot, uint32_t call)
{
  return atomic_load(&slot->answered) == call || is_dead(slot);
}

static bool has_died(parcel_slot *slot, uint32_t unused)
{
  (void)unused;
  return is_dead(slot);
}

/* Errors: TIMEOUT, without words; SYSTEM, if nothing is to be expected any more. */
static parcel_status await(parcel_slot *slot, bool (*has_come)(parcel_slot *, uint32_t), uint32_t call,
                           double deadline)
{
  for (;;) {
    const uint32_t seen = parcel__bell_rings(&slot->news);
    if (has_come(slot, call))
      return PARCEL_OK;
    const double now = parcel__now();
    if (now >= deadline)
      return PARCEL_TIMEOUT;
    const double look = now + look_at_server_seconds;
    if (!parcel__bell_wait(&slot->news, seen, slot->spins, deadline < look ? deadline : look)) {
      const parcel_status status = parcel__forkserver_check();
      if (status)
        return status;
    }
  }
}

static double deadline_in(double seconds)
{
  return seconds > 0 ? parcel__now() + seconds : INFINITY;
}

/* ---- a call ---- */

static void request_start(parcel_seat *own)
{
  own->is_ready = false;
  own->calls = 0;
  parcel__slot_request(own->slot, PARCEL_SLOT_ASKS_START);
}

static parcel_status ensure_alive(parcel_seat *own)
{
  parcel_slot *slot = own->slot;
  const uint32_t state = atomic_load(&slot->state);
  if (state == PARCEL_SLOT_IS_EMPTY || state == PARCEL_SLOT_IS_DEAD)
    request_start(own);
  const parcel_status status = await(slot, has_started, 0, INFINITY);
  if (status || atomic_load(&slot->state) != PARCEL_SLOT_IS_FAILED)
    return status;
  errno = slot->wait_status;
  atomic_store(&slot->state, PARCEL_SLOT_IS_EMPTY); /* for the next call to try again */
  return parcel_fail(PARCEL_SYSTEM,
                     "worker process %d did not start: %m; ask for fewer or raise the limit of processes",
                     slot->worker);
}

static uint32_t post(parcel_slot *slot, parcel_worker_body body, void *argument)
{
  slot->body = body;
  slot->argument = argument;
  parcel__bell_ring(&slot->calls);
  return parcel__bell_rings(&slot->calls);
}

static parcel_status describe_death(const parcel_slot *slot)
{
  const int how = slot->wait_status;
  const int process = (int)slot->pid;
  if (!WIFSIGNALED(how))
    return parcel_fail(PARCEL_CRASHED, "worker process %d left by exit(%d) inside its task", process,
                       WEXITSTATUS(how));
  const char *name = sigabbrev_np(WTERMSIG(how));
  const char *text = sigdescr_np(WTERMSIG(how));
  return parcel_fail(PARCEL_CRASHED, "worker process %d died of SIG%s (%s)", process, name ? name : "?",
                     text ? text : "unknown signal");
}

static parcel_status take_answer(const parcel_slot *slot)
{
  if (!slot->status)
    return PARCEL_OK;
  return parcel_fail(slot->status, "%s", *slot->error ? slot->error : parcel_status_text(slot->status));
}

static parcel_status await_answer(const parcel_seat *own, uint32_t call, double deadline)
{
  if (!own->look)
    return await(own->slot, has_answered, call, deadline);
  for (;;) {
    const double look = parcel__now() + look_around_seconds;
    const parcel_status status = await(own->slot, has_answered, call, deadline < look ? deadline : look);
    if (status != PARCEL_TIMEOUT || deadline <= look)
      return status;
    own->look(own->look_ctx);
  }
}

/* Waits for a call that was posted.
 *
 * was_begun  false if the worker died before: then nothing of the call has happened */
static parcel_status finish(parcel_seat *own, uint32_t call, double timeout_seconds, bool *was_begun)
{
  parcel_slot *slot = own->slot;
  parcel_status status = await_answer(own, call, deadline_in(timeout_seconds));
  const bool is_late = status == PARCEL_TIMEOUT;
  if (is_late) {
    parcel__slot_request(slot, PARCEL_SLOT_ASKS_KILL);
    status = await(slot, has_died, call, INFINITY);
  }
  *was_begun = status || is_late || atomic_load(&slot->begun) == call;
  if (status)
    return status;
  if (atomic_load(&slot->answered) == call)
    status = take_answer(slot);
  else if (is_late)
    status =
        parcel_fail(PARCEL_TIMEOUT, "worker process %d was not done with its task after %g s and was killed",
                    (int)slot->pid, timeout_seconds);
  else
    status = describe_death(slot);
  if (is_dead(slot))
    request_start(own);
  return status;
}

/* Has a live worker with its initializer done. One that dies before it begins with that is replaced, within
 * reason. */
static parcel_status make_ready(const parcel_workers *workers, parcel_seat *own)
{
  const parcel_workers_options *options = &workers->options;
  parcel_status status = ensure_alive(own);
  for (int start = 0; !status && !own->is_ready; ++start) {
    bool was_begun = true;
    if (options->initializer)
      status = finish(own, post(own->slot, options->initializer, options->initializer_argument),
                      options->initializer_limit_seconds, &was_begun);
    own->is_ready = !status;
    if (!was_begun && start < MOST_STARTS)
      status = ensure_alive(own);
  }
  return status;
}

static parcel_status await_end(parcel_slot *slot, double deadline)
{
  parcel_status status = await(slot, has_died, 0, deadline);
  if (status == PARCEL_TIMEOUT) {
    parcel__slot_request(slot, PARCEL_SLOT_ASKS_KILL);
    status = await(slot, has_died, 0, INFINITY);
  }
  return status;
}

/* A worker that has done its share of calls ends by itself. */
static parcel_status retire(parcel_slot *slot)
{
  post(slot, NULL, NULL);
  return await_end(slot, deadline_in(leave_seconds));
}

static parcel_status call_worker(const parcel_workers *workers, parcel_seat *own, parcel_worker_body body,
                                 void *argument, double timeout_seconds)
{
  const parcel_index most = workers->options.tasks_per_worker;
  parcel_status status = PARCEL_OK;
  bool was_begun = false;
  for (int start = 0; start < MOST_STARTS && !was_begun; ++start) {
    if ((status = make_ready(workers, own)))
      return status;
    status = finish(own, post(own->slot, body, argument), timeout_seconds, &was_begun);
  }
  if (most > 0 && own->is_ready && ++own->calls >= most && !retire(own->slot))
    request_start(own);
  return status;
}

parcel_status parcel_workers_call(parcel_workers *workers, int worker, parcel_worker_body body,
                                  void *argument, double timeout_seconds)
{
  if (worker < 0 || worker >= workers->processes || !body)
    return parcel_fail(PARCEL_INVALID, "a call for worker %d of %d%s", worker, workers->processes,
                       body ? "" : " without a body");
  parcel_seat *own = &workers->seats[worker];
  if (atomic_exchange(&own->is_busy, true))
    return parcel_fail(PARCEL_INVALID, "worker %d is busy with another call; one at a time", worker);
  const parcel_status status = call_worker(workers, own, body, argument, timeout_seconds);
  atomic_store(&own->is_busy, false);
  return status;
}

/* ---- creation and end ---- */

static parcel_status check_options(const parcel_workers_options *options)
{
  if (options->processes < 0 || options->tasks_per_worker < 0 || options->memory_bytes < 0)
    return parcel_fail(PARCEL_INVALID,
                       "%d worker processes of %" PRId64 " tasks and %" PRId64 " bytes; none may be negative",
                       options->processes, options->tasks_per_worker, options->memory_bytes);
  return parcel__forkserver_check();
}

static parcel_status init_workers(parcel_workers *workers)
{
  const int cpus = parcel__cpus_of_process().allowed;
  workers->slots = parcel__slots_take(workers->processes);
  workers->seats = calloc((size_t)workers->processes, sizeof *workers->seats);
  if (!workers->slots)
    return parcel_fail(PARCEL_SYSTEM, "no room for %d worker processes; %d is the most at a time",
                       workers->processes, PARCEL_SLOT_COUNT);
  if (!workers->seats)
    return parcel_fail(PARCEL_MEMORY, "no memory for %d worker processes", workers->processes);
  for (int w = 0; w < workers->processes; ++w) {
    parcel_slot *slot = &workers->slots[w];
    slot->worker = w;
    slot->spins = workers->processes <= cpus ? SPINS : 0;
    slot->has_core_dumps = workers->options.has_core_dumps;
    slot->memory_bytes = workers->options.memory_bytes;
    workers->seats[w] = (parcel_seat){.slot = slot};
    request_start(&workers->seats[w]);
  }
  return PARCEL_OK;
}

/* All initializers at once: they may take long. */
static parcel_status initialise_all(parcel_workers *workers)
{
  const parcel_workers_options *options = &workers->options;
  parcel_status status = PARCEL_OK;
  for (int w = 0; w < workers->processes && !status; ++w) {
    status = ensure_alive(&workers->seats[w]);
    if (!status && options->initializer)
      post(&workers->slots[w], options->initializer, options->initializer_argument);
  }
  for (int w = 0; w < workers->processes && !status && options->initializer; ++w) {
    bool was_begun = false;
    const uint32_t call = parcel__bell_rings(&workers->slots[w].calls);
    status = finish(&workers->seats[w], call, options->initializer_limit_seconds, &was_begun);
    workers->seats[w].is_ready = !status;
  }
  return status;
}

parcel_status parcel_workers_create(const parcel_workers_options *options, parcel_workers **out)
{
  parcel_workers_options chosen = PARCEL_WORKERS_OPTIONS_INIT;
  if (options)
    chosen = *options;
  parcel_status status = check_options(&chosen);
  if (status)
    return status;
  parcel_workers *workers = calloc(1, sizeof *workers);
  if (!workers)
    return parcel_fail(PARCEL_MEMORY, "no memory for worker processes");
  workers->options = chosen;
  workers->processes = chosen.processes > 0 ? chosen.processes : parcel__cpus_of_process().allowed;
  if ((status = init_workers(workers)) || (status = initialise_all(workers)))
    parcel_workers_destroy(&workers);
  else
    *out = workers;
  return status;
}

int parcel_workers_processes(const parcel_workers *workers)
{
  return workers->processes;
}

/* All are told before the first is waited for. Nothing to wait for where a process did not start, or the fork
 * server is gone. */
static void end_processes(parcel_workers *workers)
{
  if (parcel__forkserver_check())
    return;
  for (int w = 0; w < workers->processes; ++w)
    if (!await(&workers->slots[w], has_started, 0, INFINITY))
      post(&workers->slots[w], NULL, NULL);
  const double deadline = deadline_in(leave_seconds);
  for (int w = 0; w < workers->processes; ++w)
    if (atomic_load(&workers->slots[w].state) == PARCEL_SLOT_IS_ALIVE)
      (void)await_end(&workers->slots[w], deadline);
}

void parcel_workers_destroy(parcel_workers **workers)
{
  parcel_workers *ending = *workers;
  if (!ending)
    return;
  if (ending->slots && ending->seats)
    end_processes(ending);
  parcel_pool_destroy(&ending->pool);
  parcel_shared_free(ending->spans);
  parcel__workers_end_batches(ending);
  if (ending->slots)
    parcel__slots_give(ending->slots, ending->processes);
  free(ending->seats);
  free(ending);
  *workers = NULL;
}
