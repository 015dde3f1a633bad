/* The main thread of a sweep: it answers the other ranks, feeds the sink's communication, shows progress and
 * looks for reasons to stop, asleep in between. So a rank answers within milliseconds whatever its kernel
 * does, and only one thread speaks MPI. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pool_impl.h"
#include "sweep_impl.h"

static const double show_every_seconds = 0.1;
static const double halt_file_every_seconds = 0.5;

/* The main thread's sleep between two looks at the world. While its workers compute it keeps out of their
 * way. Once they are done it looks more often, after a thousandth of the time that the sweep has run already:
 * the several steps in which a sweep ends then cost a short run little, and a long one does not burn a core
 * on waiting for others. */
static const double busy_pause_seconds = 2e-3;
static const double urgent_pause_seconds = 200e-6; /* workers wait for other hosts, or a sink's messages */
static const double idle_pause_fraction = 0.001;
static const double shortest_idle_pause_seconds = 20e-6;
static const double longest_idle_pause_seconds = 1e-3;

static const double same_inspection_seconds = 0.5;

/* What a sweep that ends for want of progress gives the other ranks to say what they do. */
static const double last_words_seconds = 1;

/* The main thread's own state. */
typedef struct watch {
  parcel_run *run;
  double next_show;         /* of progress, in elapsed seconds */
  double next_halt_file;    /* in elapsed seconds */
  int folder;               /* the working folder at the start, which a kernel may leave; rank 0 */
  sig_atomic_t inspections; /* answered: asked by signal */
  int heard_inspections;    /* answered: asked by other ranks */
  double printed;           /* parcel__seconds() of the last answer */
  parcel_index blocks;      /* done when last looked at */
  double progressed;        /* parcel__seconds() when they last grew */
  double aborts;            /* when the program ends for want of progress; 0: it does not */
} watch;

static parcel_tally tally_of(const parcel_run *run)
{
  parcel_tally tally = {0, 0};
  for (int w = 0; w < run->threads; ++w) {
    tally.positions += atomic_load_explicit(&run->workers[w].positions, memory_order_relaxed);
    tally.failures += atomic_load_explicit(&run->workers[w].recorded, memory_order_relaxed);
  }
  return tally;
}

static parcel_index blocks_done(const parcel_run *run)
{
  parcel_index blocks = 0;
  for (int w = 0; w < run->threads; ++w)
    blocks += atomic_load_explicit(&run->workers[w].blocks, memory_order_relaxed);
  return blocks;
}

/* ---- progress ---- */

static void show_progress(watch *watch, bool is_over)
{
  const parcel_run *run = watch->run;
  const double elapsed = parcel__seconds() - run->started;
  if (!run->options->show || parcel_world_rank(run->world) != 0 || (elapsed < watch->next_show && !is_over))
    return;
  watch->next_show = elapsed + show_every_seconds;
  const parcel_tally tally = parcel__control_tally(run->control);
  const parcel_progress progress = {.done = tally.positions,
                                    .total = run->positions,
                                    .elapsed_seconds = elapsed,
                                    .is_over = is_over,
                                    .failures = tally.failures};
  run->options->show(run->options->show_ctx, &progress);
}

/* ---- who is doing what ---- */

/* Appends to a line, as far as there is room. */
static void add(char *line, size_t size, const char *format, ...) PARCEL_PRINTF(3, 4);
static void add(char *line, size_t size, const char *format, ...)
{
  const size_t length = strlen(line);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line + length, size - length, format, arguments);
  va_end(arguments);
}

static void describe_worker(const parcel_run *run, int number, char *line, size_t size)
{
  static const char *const phases[] = {"idle", "in the kernel", "writing"};
  const parcel_worker *worker = &run->workers[number];
  const int phase = atomic_load_explicit(&worker->phase, memory_order_relaxed);
  const double since = atomic_load_explicit(&worker->since, memory_order_relaxed);
  const parcel_index block = atomic_load_explicit(&worker->block, memory_order_relaxed);
  add(line, size, "; worker %d: %s", number, phases[phase]);
  if (phase == PARCEL_PHASE_IDLE)
    return;
  const parcel_span positions = parcel_block_grid_span(run->grid, block);
  add(line, size, " for %.1f s, block %" PRId64, parcel__seconds() - since, block);
  if (positions.begin < positions.end)
    add(line, size, " from index %" PRId64, parcel__sweep_index(run, positions.begin));
}

/* One line on stderr, whole, whatever the other ranks print. */
static void print_state(const parcel_run *run)
{
  char line[PIPE_BUF];
  char host[HOST_NAME_MAX + 1] = "";
  gethostname(host, sizeof host - 1);
  line[0] = '\0';
  add(line, sizeof line - 1, "%s: rank %d on %s: %" PRId64 " blocks done", program_invocation_short_name,
      parcel_world_rank(run->world), host, blocks_done(run));
  for (int w = 0; w < run->threads; ++w)
    describe_worker(run, w, line, sizeof line - 1);
  add(line, sizeof line, "\n");
  fputs(line, stderr);
}

/* ---- no progress ---- */

/* Ends the program on all ranks, a while after it has said why. */
static void give_up(watch *watch, int rank)
{
  const parcel_run *run = watch->run;
  watch->aborts = parcel__seconds() + last_words_seconds;
  fprintf(stderr, "%s: no progress for %g s on rank %d; the run ends here, and what is done can be resumed\n",
          program_invocation_short_name, run->options->stall_seconds, rank);
  parcel__control_inspect(run->control);
  print_state(run);
}

static void look_for_stall(watch *watch, bool is_over)
{
  const parcel_run *run = watch->run;
  const double now = parcel__seconds();
  const parcel_index blocks = blocks_done(run);
  if (!(run->options->stall_seconds > 0))
    return;
  if (watch->aborts > 0 && now >= watch->aborts)
    MPI_Abort(parcel_world_comm(run->world), parcel_status_exit_code(PARCEL_STALLED));
  if (blocks != watch->blocks || is_over) {
    watch->blocks = blocks;
    watch->progressed = now;
  }
  int rank = parcel__control_silent_rank(run->control, run->options->stall_seconds);
  if (now - watch->progressed > run->options->stall_seconds)
    rank = parcel_world_rank(run->world);
  if (rank >= 0 && watch->aborts == 0)
    give_up(watch, rank);
}

/* mpirun hands a signal to every rank, and each tells the others: once is enough. */
static void look_for_inspection(watch *watch)
{
  const parcel_run *run = watch->run;
  const parcel_signals *signals = run->options->signals;
  const int heard = parcel__control_inspections(run->control);
  const bool is_asked = signals && signals->inspect != watch->inspections;
  if (is_asked) {
    watch->inspections = signals->inspect;
    parcel__control_inspect(run->control);
  }
  if ((is_asked || heard != watch->heard_inspections) &&
      parcel__seconds() > watch->printed + same_inspection_seconds) {
    watch->printed = parcel__seconds();
    print_state(run);
  }
  watch->heard_inspections = heard;
}

/* ---- stopping ---- */

static int open_folder(const parcel_run *run)
{
  if (!run->options->halt_file || parcel_world_rank(run->world) != 0)
    return AT_FDCWD;
  const int folder = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  return folder < 0 ? AT_FDCWD : folder;
}

/* Rank 0 alone asks the file system. */
static bool has_halt_file(watch *watch)
{
  const parcel_run *run = watch->run;
  const double elapsed = parcel__seconds() - run->started;
  if (!run->options->halt_file || parcel_world_rank(run->world) != 0 || elapsed < watch->next_halt_file)
    return false;
  watch->next_halt_file = elapsed + halt_file_every_seconds;
  return faccessat(watch->folder, run->options->halt_file, F_OK, 0) == 0;
}

static bool has_too_many_failures(const parcel_run *run)
{
  return run->options->max_failures > 0 &&
         parcel__control_tally(run->control).failures > run->options->max_failures;
}

static void look_for_stop(watch *watch)
{
  parcel_run *run = watch->run;
  const parcel_signals *signals = run->options->signals;
  if (atomic_load(&run->has_failed))
    parcel__control_stop(run->control, PARCEL_STOP_FAILURE, 0);
  else if (signals && signals->stop)
    parcel__control_stop(run->control, PARCEL_STOP_SIGNAL, signals->stop);
  else if (atomic_load(&run->is_late))
    parcel__control_stop(run->control, PARCEL_STOP_DEADLINE, 0);
  else if (has_too_many_failures(run))
    parcel__control_stop(run->control, PARCEL_STOP_TOO_MANY_FAILURES, 0);
  else if (has_halt_file(watch))
    parcel__control_stop(run->control, PARCEL_STOP_HALT_FILE, 0);
  if (parcel__control_stopping(run->control).reason)
    atomic_store_explicit(&run->is_stopping, true, memory_order_relaxed);
}

/* ---- the workers ---- */

typedef struct life {
  parcel_run *run;
  int worker;
  parcel_status status;
} life;

/* The thread is ending inside the kernel: what it has to do as a worker is done all the same. */
static void outlive(void *argument)
{
  const life *life = argument;
  parcel_run *run = life->run;
  parcel__pool_outlive(run->pool, life->worker, parcel__sweep_outlive(run, &run->workers[life->worker]));
}

/* A parcel_body: each position of the pool's loop is a worker's whole life in the sweep. */
static parcel_status run_worker(void *ctx, parcel_span positions, int worker)
{
  life life = {.run = ctx, .worker = worker};
  (void)positions;
  pthread_cleanup_push(outlive, &life);
  while (parcel__sweep_step(life.run, &life.run->workers[worker], &life.status))
    ;
  pthread_cleanup_pop(0);
  return life.status;
}

/* The main thread ends inside the kernel: with it goes who could tell the other ranks. */
static void end_program(void *argument)
{
  const parcel_run *run = argument;
  const parcel_index block = atomic_load_explicit(&run->workers[0].block, memory_order_relaxed);
  fprintf(stderr,
          "%s: rank %d: the main thread ended inside the kernel, as by pthread_exit, in block %" PRId64
          "; a kernel has to return\n",
          program_invocation_short_name, parcel_world_rank(run->world), block);
  MPI_Abort(parcel_world_comm(run->world), parcel_status_exit_code(PARCEL_KERNEL));
}

static bool step_alone(parcel_run *run, parcel_status *status)
{
  bool is_over = false;
  pthread_cleanup_push(end_program, run);
  is_over = !parcel__sweep_step(run, &run->workers[0], status);
  pthread_cleanup_pop(0);
  return is_over;
}

/* On the pool's threads or, where only the main thread may exist, on none. */
static parcel_status start_workers(parcel_run *run)
{
  if (parcel__world_is_single(run->world))
    return PARCEL_OK;
  return parcel_pool_start(run->pool, run->threads, 1, run_worker, run);
}

/* Lets time pass while this rank's blocks are being done; true once none is left, and then *status says
 * how they went. The main thread does a block itself where it is the only one. */
static bool await_workers(parcel_run *run, bool is_urgent, parcel_status *status)
{
  if (parcel__world_is_single(run->world))
    return step_alone(run, status);
  const bool is_over = parcel_pool_wait(run->pool, is_urgent ? urgent_pause_seconds : busy_pause_seconds);
  if (is_over)
    *status = parcel_pool_finish(run->pool);
  return is_over;
}

static void pause_idly(const parcel_run *run)
{
  double pause = idle_pause_fraction * (parcel__seconds() - run->started);
  if (pause < shortest_idle_pause_seconds)
    pause = shortest_idle_pause_seconds;
  if (pause > longest_idle_pause_seconds)
    pause = longest_idle_pause_seconds;
  const struct timespec time = {.tv_nsec = (long)(pause * 1e9)};
  nanosleep(&time, NULL);
}

parcel_status parcel__sweep_watch(parcel_run *run)
{
  watch watch = {.run = run, .progressed = parcel__seconds(), .folder = open_folder(run)};
  char poll_error[PARCEL_ERROR_SIZE] = "";
  parcel_status poll_status = PARCEL_OK;
  parcel_status status = start_workers(run);
  bool is_over = status != PARCEL_OK;

  if (run->options->signals)
    watch.inspections = run->options->signals->inspect;
  for (;;) {
    if (status || poll_status)
      atomic_store(&run->has_failed, true);
    parcel__watch_touch(*parcel__world_watch(run->world));
    look_for_stop(&watch);
    const bool is_answered =
        parcel__scheduler_poll(run->scheduler, parcel__control_stopping(run->control).reason);
    if (parcel__control_poll(run->control, tally_of(run), is_over && is_answered))
      break;
    look_for_inspection(&watch);
    look_for_stall(&watch, is_over);
    if (run->sink.poll && !poll_status && (poll_status = run->sink.poll(run->sink.ctx)))
      snprintf(poll_error, sizeof poll_error, "%s", parcel_last_error());
    show_progress(&watch, false);
    parcel__trace_progress(run->options->trace, parcel__seconds(), tally_of(run).positions);
    if (is_over)
      pause_idly(run);
    else
      is_over = await_workers(run, run->sink.poll || !is_answered, &status);
  }
  show_progress(&watch, true);
  if (watch.folder >= 0)
    close(watch.folder);
  if (poll_status)
    return parcel_fail(poll_status, "%s", poll_error);
  return status;
}
