/* Why a server: fork with live MPI or busy threads is unsafe, and exec would lose the program's functions. So
 * one process is forked while nothing runs yet, and forks the workers, whenever that may be.
 *
 * Threads that rest, as those that a library starts when it is loaded, are no danger but by locks that they
 * hold asleep. glibc's own (malloc, stdio) are free after fork; OpenBLAS and the like end their threads in
 * a handler of pthread_atfork and start them anew. A library without one waits in a worker for threads that
 * are not there. That the server itself calls nothing but the system and memory keeps it out of this.
 *
 * Server and parent speak through memory: slots, and one bell that the parent rings for requests and
 * SIGCHLD's handler for deaths, so that neither is lost. The server has no file descriptors. It alone knows
 * for sure which process a number means, because it reaps them; so it alone kills.
 *
 * PR_SET_PDEATHSIG ends the server with its parent and the workers with the server, by SIGKILL, which needs
 * no one's help: no orphans, whatever killed the parent. Global state, since a process has one fork
 * server. */
#include "forkserver_impl.h"

#include <fcntl.h>
#include <mpi.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "rest_impl.h"
#include "shared_impl.h"
#include "signals_impl.h"

static const double longest_wait_seconds = 2; /* for other threads to rest */

/* In shared memory. */
typedef struct board {
  parcel_bell events; /* the server hears it */
  atomic_bool is_ending;
  atomic_int slots_used; /* no request beyond these */
  parcel_slot slots[PARCEL_SLOT_COUNT];
} board;

static struct {
  pthread_mutex_t mutex;
  pid_t process; /* of the server; 0 if there is none */
  bool is_taken[PARCEL_SLOT_COUNT];
} server = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static board *shared;
static sigset_t user_mask; /* of the thread that called parcel_workers_prepare, as its user left it */
static bool is_child;      /* the server or a worker: not to begin a server of its own */

static bool is_for_parent(int signal_number)
{
  static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGTSTP};
  for (size_t s = 0; s < sizeof signals / sizeof *signals; ++s)
    if (signals[s] == signal_number)
      return true;
  return false;
}

static void take_no_notice(int signal_number)
{
  (void)signal_number;
}

/* A handler and not SIG_IGN, which what the user's code starts would inherit. What is ignored already is so
 * by the user's wish, but for SIGCHLD, without which no child can be waited for. */
void parcel__reset_signals(void)
{
  for (int s = 1; s <= SIGRTMAX; ++s) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    struct sigaction before;
    if (is_for_parent(s))
      action = (struct sigaction){.sa_handler = take_no_notice, .sa_flags = SA_RESTART};
    if (s == SIGCHLD || (sigaction(s, NULL, &before) == 0 && before.sa_handler != SIG_IGN))
      (void)sigaction(s, &action, NULL); /* refused for a few, which have no handler anyhow */
  }
  sigprocmask(SIG_SETMASK, &user_mask, NULL);
}

void parcel__follow_parent(pid_t parent)
{
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
    _exit(EXIT_FAILURE);
}

/* ---- the server's own life ---- */

/* The signal itself wakes the server if it sleeps; the count keeps it from going to sleep. */
static void note_death(int signal_number)
{
  (void)signal_number;
  atomic_fetch_add(&shared->events.rings, 1);
}

/* Standard output and error stay, for bodies that print. */
static void leave_files(void)
{
  const int nothing = open("/dev/null", O_RDONLY);
  if (nothing >= 0)
    dup2(nothing, STDIN_FILENO);
  close_range(STDERR_FILENO + 1, ~0U, 0);
}

static void set_state(parcel_slot *slot, uint32_t state, int wait_status)
{
  slot->wait_status = wait_status;
  atomic_store(&slot->state, state);
  parcel__bell_ring(&slot->news);
}

static void start_worker(parcel_slot *slot, pid_t *process)
{
  const uint32_t last = parcel__bell_rings(&slot->calls);
  const pid_t own = getpid();
  const pid_t child = fork();
  if (child == 0)
    parcel__worker_main(slot, last, own);
  if (child > 0)
    *process = slot->pid = child;
  set_state(slot, child > 0 ? PARCEL_SLOT_IS_ALIVE : PARCEL_SLOT_IS_FAILED, errno);
}

static void reap_workers(pid_t processes[])
{
  int how = 0;
  for (pid_t dead = waitpid(-1, &how, WNOHANG); dead > 0; dead = waitpid(-1, &how, WNOHANG))
    for (int s = 0; s < PARCEL_SLOT_COUNT; ++s)
      if (processes[s] == dead) {
        processes[s] = 0;
        set_state(&shared->slots[s], PARCEL_SLOT_IS_DEAD, how);
      }
}

static void do_requests(pid_t processes[])
{
  for (int s = 0; s < atomic_load(&shared->slots_used); ++s) {
    parcel_slot *slot = &shared->slots[s];
    const uint32_t request = atomic_exchange(&slot->request, PARCEL_SLOT_ASKS_NOTHING);
    if (request == PARCEL_SLOT_ASKS_START)
      start_worker(slot, &processes[s]);
    else if (request == PARCEL_SLOT_ASKS_KILL && processes[s])
      kill(processes[s], SIGKILL);
  }
}

/* Not left to PR_SET_PDEATHSIG here: in a container nobody may reap what the server leaves. */
static void end_workers(const pid_t processes[])
{
  for (int s = 0; s < PARCEL_SLOT_COUNT; ++s)
    if (processes[s])
      kill(processes[s], SIGKILL);
  while (wait(NULL) > 0 || errno == EINTR)
    ;
}

static _Noreturn void serve(pid_t parent)
{
  pid_t processes[PARCEL_SLOT_COUNT] = {0}; /* 0: none that was not reaped */
  sigset_t deaths;
  sigemptyset(&deaths);
  sigaddset(&deaths, SIGCHLD);
  is_child = true;
  pthread_mutex_unlock(&server.mutex); /* held by the caller, here too */
  parcel__follow_parent(parent);
  parcel__shared_become_worker();
  setsid();
  prctl(PR_SET_NAME, "parcel-forks");
  leave_files();
  parcel__reset_signals();
  (void)signal(SIGCHLD, note_death);
  sigprocmask(SIG_UNBLOCK, &deaths, NULL);
  while (!atomic_load(&shared->is_ending)) {
    const uint32_t seen = parcel__bell_rings(&shared->events);
    reap_workers(processes);
    do_requests(processes);
    parcel__bell_wait(&shared->events, seen, 0, INFINITY);
  }
  end_workers(processes);
  _exit(EXIT_SUCCESS);
}

/* ---- the parent's side ---- */

static parcel_status check_that_nothing_runs(void)
{
  int is_initialised = 0;
  if (is_child)
    return parcel_fail(PARCEL_INVALID, "a worker process cannot have workers of its own");
  MPI_Initialized(&is_initialised);
  if (is_initialised)
    return parcel_fail(PARCEL_INVALID, "MPI is initialised already, and a fork now would endanger it; call "
                                       "parcel_workers_prepare before MPI_Init and parcel_world_open");
  if (!parcel__await_rest(longest_wait_seconds))
    return PARCEL_OK;
  return parcel_fail(
      PARCEL_INVALID,
      "%s, and a fork now could leave its locks held for ever; call parcel_workers_prepare first of "
      "all in main, or have a library that starts threads by itself start none or let them sleep "
      "(OPENBLAS_NUM_THREADS=1, OMP_WAIT_POLICY=passive)",
      parcel_last_error());
}

static parcel_status make_board(void)
{
  if (shared)
    return PARCEL_OK; /* of a server that was released */
  void *memory = NULL;
  const parcel_status status = parcel_shared_alloc(sizeof *shared, &memory);
  if (!status)
    shared = memory;
  return status;
}

static parcel_status start_server(void)
{
  const pid_t own = getpid();
  sigset_t all;
  sigset_t before;
  parcel_status status = check_that_nothing_runs();
  if (status || (status = make_board()))
    return status;
  atomic_store(&shared->is_ending, false);
  fflush(NULL); /* or both processes write what is in the buffers */
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &before); /* the server must not run the parent's handlers */
  user_mask = before;
  parcel__signals_restore_mask(&user_mask);
  const pid_t child = fork();
  if (child == 0)
    serve(own);
  const int error = errno;
  sigprocmask(SIG_SETMASK, &before, NULL);
  errno = error;
  if (child < 0)
    return parcel_fail(PARCEL_SYSTEM, "the fork server did not start: %m; raise the limit of processes");
  server.process = child;
  return PARCEL_OK;
}

parcel_status parcel_workers_prepare(void)
{
  pthread_mutex_lock(&server.mutex);
  const parcel_status status = server.process ? PARCEL_OK : start_server();
  pthread_mutex_unlock(&server.mutex);
  return status;
}

void parcel_workers_release(void)
{
  pthread_mutex_lock(&server.mutex);
  if (server.process) {
    atomic_store(&shared->is_ending, true);
    parcel__bell_ring(&shared->events);
    while (waitpid(server.process, NULL, 0) < 0 && errno == EINTR)
      ;
    server.process = 0;
  }
  pthread_mutex_unlock(&server.mutex);
}

parcel_status parcel__forkserver_check(void)
{
  siginfo_t end = {0};
  const pid_t process = server.process;
  if (!process)
    return parcel_fail(PARCEL_INVALID,
                       "no worker processes without parcel_workers_prepare, first of all in main");
  if (waitid(P_PID, (id_t)process, &end, WEXITED | WNOHANG | WNOWAIT) || end.si_pid)
    return parcel_fail(PARCEL_SYSTEM,
                       "the fork server, process %d, is gone, and all workers with it; something killed it",
                       (int)process);
  return PARCEL_OK;
}

parcel_slot *parcel__slots_take(int count)
{
  parcel_slot *taken = NULL;
  int run = 0;
  pthread_mutex_lock(&server.mutex);
  for (int s = 0; s < PARCEL_SLOT_COUNT && !taken; ++s) {
    run = server.is_taken[s] ? 0 : run + 1;
    if (run < count)
      continue;
    taken = &shared->slots[s + 1 - count];
    for (int t = s + 1 - count; t <= s; ++t)
      server.is_taken[t] = true;
    if (s >= atomic_load(&shared->slots_used))
      atomic_store(&shared->slots_used, s + 1);
  }
  pthread_mutex_unlock(&server.mutex);
  for (int s = 0; s < count && taken; ++s)
    atomic_store(&taken[s].state, PARCEL_SLOT_IS_EMPTY);
  return taken;
}

void parcel__slots_give(parcel_slot *slots, int count)
{
  pthread_mutex_lock(&server.mutex);
  for (int s = 0; s < count; ++s)
    server.is_taken[slots - shared->slots + s] = false;
  pthread_mutex_unlock(&server.mutex);
}

void parcel__slot_request(parcel_slot *slot, uint32_t request)
{
  if (request == PARCEL_SLOT_ASKS_START)
    atomic_store(&slot->state, PARCEL_SLOT_IS_STARTING);
  atomic_store(&slot->request, request);
  parcel__bell_ring(&shared->events);
}
