/* Agreement is one MPI_Allreduce of "the first failing rank" and, only when there is one, one MPI_Bcast of
 * its status and text. A request to stop ranks behind every real failure: its order is shifted by the
 * number of ranks. */
#include "world_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <parcel/block.h>

#include "fabric_impl.h"
#include "keep_loaded_impl.h"
#include "text_impl.h"
#include "watch_impl.h"

/* Apart, since a world is constant to its sweeps. */
struct notes {
  bool has_warned;     /* of its launch */
  parcel_watch *watch; /* NULL: none */
  MPI_Comm signs;      /* of life, for the watch */
};

struct parcel_world {
  MPI_Comm comm; /* a dup of the caller's */
  MPI_Comm node; /* the ranks of this host */
  int rank, size;
  int node_rank, node_size;
  int cpus;         /* this rank's fair share, at least 1 */
  parcel_cpus mask; /* what the share was taken from */
  int sharers;      /* ranks that it is shared by */
  int bound;        /* CPUs in the masks of this host's ranks */
  bool is_single;   /* MPI_THREAD_SINGLE: no other thread may exist */
  bool is_quiet;    /* no warnings */
  struct notes *notes;
  bool owns_mpi; /* MPI_Init was called here, so MPI_Finalize is too */
  double opened; /* parcel__seconds() */
};

/* To say that MPI is broken. */
enum { MOST_TURNS = 20 };
static const double seconds_per_turn = 0.5;

double parcel__seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double parcel__world_opened(const parcel_world *world)
{
  return world->opened;
}

parcel_status parcel_mpi_check(int code, const char *doing)
{
  char reason[MPI_MAX_ERROR_STRING];
  int length = 0;
  if (code == MPI_SUCCESS)
    return PARCEL_OK;
  if (MPI_Error_string(code, reason, &length) != MPI_SUCCESS)
    snprintf(reason, sizeof reason, "MPI error %d", code);
  return parcel_fail(PARCEL_MPI, "%s: %s", doing, reason);
}

/* MPI has failed on this rank, and perhaps on others in the same moment. They wait for their turn to say so,
 * and are gone before it comes: rank 0, if it has failed as well, does not wait. A signal meanwhile is the
 * launcher's, which ends the job. */
static bool has_turn_to_speak(int rank)
{
  const double wait = rank < MOST_TURNS ? rank * seconds_per_turn : MOST_TURNS * seconds_per_turn;
  const struct timespec time = {.tv_sec = (time_t)wait, .tv_nsec = (long)((wait - floor(wait)) * 1e9)};
  return nanosleep(&time, NULL) == 0;
}

static _Noreturn void abandon(MPI_Comm comm)
{
  char host[HOST_NAME_MAX + 1] = "";
  int rank = 0;
  gethostname(host, sizeof host - 1);
  MPI_Comm_rank(comm, &rank);
  if (has_turn_to_speak(rank))
    fprintf(stderr, "%s: rank %d on %s: %s; the ranks cannot go on together, and the job ends here\n",
            program_invocation_short_name, rank, host, parcel_last_error());
  MPI_Abort(comm, parcel_status_exit_code(PARCEL_MPI));
  abort();
}

void parcel__world_abandon(const parcel_world *world)
{
  abandon(world->comm);
}

static parcel_status check_mpi(MPI_Comm comm, int code, const char *doing)
{
  if (parcel_mpi_check(code, doing))
    abandon(comm);
  return PARCEL_OK;
}

parcel_status parcel_world_check_mpi(const parcel_world *world, int code, const char *doing)
{
  return check_mpi(world->comm, code, doing);
}

static parcel_status start_mpi(int *provided)
{
  parcel_fabric_setting settings[PARCEL_FABRIC_SETTINGS];
  parcel__fabric_settings("", settings);
  parcel__fabric_set(settings);
  const int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, provided);
  parcel__fabric_unset(settings);
  return parcel_mpi_check(code, "MPI_Init_thread");
}

static parcel_status init_mpi(parcel_world *world)
{
  int provided = MPI_THREAD_SINGLE;
  int is_main = 0;
  int flag = 0;
  parcel_status status = PARCEL_OK;

  MPI_Finalized(&flag);
  if (flag)
    return parcel_fail(PARCEL_INVALID, "MPI is finalized already; open the world before MPI_Finalize");
  MPI_Initialized(&flag);
  if (!flag) {
    if ((status = start_mpi(&provided)))
      return status;
    world->owns_mpi = true;
    if (provided < MPI_THREAD_FUNNELED)
      return parcel_fail(PARCEL_MPI,
                         "this MPI library offers no MPI_THREAD_FUNNELED; use one built with threads");
  }
  if ((status = parcel_mpi_check(MPI_Query_thread(&provided), "MPI_Query_thread")) ||
      (status = parcel_mpi_check(MPI_Is_thread_main(&is_main), "MPI_Is_thread_main")))
    return status;
  if (!is_main)
    return parcel_fail(PARCEL_INVALID, "a world must be opened by the thread that initialised MPI");
  world->is_single = provided < MPI_THREAD_FUNNELED;
  return PARCEL_OK;
}

/* The same on all ranks of comm, so nobody is left waiting. */
static parcel_status check_comm(MPI_Comm comm)
{
  int is_inter = 0;
  if (comm == MPI_COMM_NULL)
    return parcel_fail(PARCEL_INVALID, "a world cannot be opened over MPI_COMM_NULL");
  check_mpi(comm, MPI_Comm_test_inter(comm, &is_inter), "MPI_Comm_test_inter");
  if (is_inter)
    return parcel_fail(PARCEL_INVALID, "a world cannot be opened over an inter-communicator; merge it first "
                                       "(MPI_Intercomm_merge)");
  return PARCEL_OK;
}

static void open_comms(parcel_world *world, MPI_Comm comm)
{
  check_mpi(comm, MPI_Comm_dup(comm, &world->comm), "MPI_Comm_dup");
  check_mpi(comm, MPI_Comm_set_errhandler(world->comm, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  parcel_world_check_mpi(world, MPI_Comm_set_name(world->comm, "parcel"), "MPI_Comm_set_name");
  parcel_world_check_mpi(world, MPI_Comm_rank(world->comm, &world->rank), "MPI_Comm_rank");
  parcel_world_check_mpi(world, MPI_Comm_size(world->comm, &world->size), "MPI_Comm_size");
  parcel_world_check_mpi(
      world, MPI_Comm_split_type(world->comm, MPI_COMM_TYPE_SHARED, world->rank, MPI_INFO_NULL, &world->node),
      "MPI_Comm_split_type");
  parcel_world_check_mpi(world, MPI_Comm_rank(world->node, &world->node_rank), "MPI_Comm_rank");
  parcel_world_check_mpi(world, MPI_Comm_size(world->node, &world->node_size), "MPI_Comm_size");
}

/* Ranks with the same mask and quota share it as equal parts; a rank beyond the last CPU still gets one. */
static parcel_status share_cpus(parcel_world *world)
{
  parcel_cpus *all = calloc((size_t)world->node_size, sizeof *all);
  const parcel_status status = parcel_world_agree(
      world, all ? PARCEL_OK
                 : parcel_fail(PARCEL_MEMORY, "no memory for the CPU masks of %d ranks", world->node_size));
  if (status) {
    free(all);
    return status;
  }
  world->mask = parcel__cpus_of_process();
  const int bytes = (int)sizeof world->mask;
  parcel_world_check_mpi(world,
                         MPI_Allgather(&world->mask, bytes, MPI_BYTE, all, bytes, MPI_BYTE, world->node),
                         "MPI_Allgather of CPU masks");
  int sharers = 0;
  int place = 0;
  for (int r = 0; r < world->node_size; ++r)
    if (strcmp(all[r].list, world->mask.list) == 0 && all[r].allowed == world->mask.allowed) {
      place += r < world->node_rank;
      ++sharers;
    }
  world->bound = status ? 0 : parcel__cpus_together(all, world->node_size);
  free(all);
  world->sharers = sharers;
  const parcel_span share = parcel_block_span(world->mask.allowed, sharers, place);
  world->cpus = share.end > share.begin ? (int)(share.end - share.begin) : 1;
  if (world->cpus > world->mask.per_task)
    world->cpus = world->mask.per_task;
  if (world->is_single && world->cpus > 1) {
    world->cpus = 1;
    parcel_world_warn(world,
                      "MPI was initialised without thread support, so each rank uses one thread only; call "
                      "MPI_Init_thread with MPI_THREAD_FUNNELED to use every CPU");
  }
  return PARCEL_OK;
}

static void end_watch(struct notes *notes)
{
  if (!notes->watch)
    return;
  parcel__watch_step(notes->watch, "the ranks take leave of each other");
  if (notes->signs != MPI_COMM_NULL) {
    parcel__watch_drain(notes->watch);
    MPI_Comm_free(&notes->signs);
  }
}

static void release(parcel_world *world)
{
  if (world->notes)
    end_watch(world->notes);
  if (world->node != MPI_COMM_NULL)
    MPI_Comm_free(&world->node);
  if (world->comm != MPI_COMM_NULL)
    MPI_Comm_free(&world->comm);
  if (world->owns_mpi) {
    parcel__keep_loaded();
    MPI_Finalize();
  }
  if (world->notes)
    parcel__watch_close(&world->notes->watch);
  free(world->notes);
}

/* Out of memory on one rank is the end on all. */
static parcel_status keep(parcel_world *opened, parcel_world **out)
{
  parcel_world *world = malloc(sizeof *world);
  opened->notes = calloc(1, sizeof *opened->notes);
  const parcel_status status = parcel_world_agree(
      opened, world && opened->notes ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory for a world"));
  if (status) {
    free(world);
    return status;
  }
  opened->notes->signs = MPI_COMM_NULL;
  *world = *opened;
  *out = world;
  return PARCEL_OK;
}

parcel_status parcel_world_open(MPI_Comm comm, parcel_world **out)
{
  parcel_world world = {.comm = MPI_COMM_NULL, .node = MPI_COMM_NULL, .opened = parcel__seconds()};
  parcel_status status = init_mpi(&world);
  if (!status && !(status = check_comm(comm))) {
    open_comms(&world, comm);
    if (!(status = share_cpus(&world)))
      status = keep(&world, out);
  }
  if (status)
    release(&world);
  return status;
}

/* mpirun kills every rank as soon as one has exited with a failure, and Open MPI 4.1 may then crash in a rank
 * that has not left MPI_Finalize yet. The others are given the time to be gone first. */
static void let_others_exit(void)
{
  const struct timespec time = {.tv_nsec = 200000000};
  nanosleep(&time, NULL);
}

int parcel_world_leave(parcel_world **world, int code)
{
  const bool speaks = !*world || (*world)->rank == 0;
  const bool has_others = *world && (*world)->owns_mpi && (*world)->size > 1;
  if (*world)
    release(*world);
  free(*world);
  *world = NULL;
  if (code && speaks && has_others)
    let_others_exit();
  return speaks ? code : 0;
}

int parcel_world_close(parcel_world **world, parcel_status status)
{
  if (status && (!*world || (*world)->rank == 0))
    fprintf(stderr, "%s: %s\n", program_invocation_short_name,
            *parcel_last_error() ? parcel_last_error() : parcel_status_text(status));
  return parcel_world_leave(world, parcel_status_exit_code(status));
}

/* Where a status stands among all ranks' failures; the least comes first. */
static int64_t order_of(const parcel_world *world, parcel_status status)
{
  if (status == PARCEL_OK)
    return INT64_MAX;
  return status == PARCEL_STOPPED ? (int64_t)world->size + world->rank : world->rank;
}

/* A status and its text on their way from one rank to all. */
typedef struct verdict {
  int status;
  char text[PARCEL_ERROR_SIZE];
} verdict;

/* Agreements are where ranks wait for each other. One that is watched must tell those that are busy from
 * those that are stuck meanwhile. */
static bool is_watched(const parcel_world *world)
{
  return world->notes && parcel__watch_is_shared(world->notes->watch);
}

static void await(const parcel_world *world, MPI_Request *request, const char *doing)
{
  parcel_world_check_mpi(world, parcel__watch_wait(world->notes->watch, request), doing);
}

static void broadcast(const parcel_world *world, verdict *said, int speaker)
{
  static const char doing[] = "MPI_Bcast of a verdict";
  const int bytes = (int)sizeof *said;
  MPI_Request request = MPI_REQUEST_NULL;
  if (!is_watched(world)) {
    parcel_world_check_mpi(world, MPI_Bcast(said, bytes, MPI_BYTE, speaker, world->comm), doing);
    return;
  }
  parcel_world_check_mpi(world, MPI_Ibcast(said, bytes, MPI_BYTE, speaker, world->comm, &request), doing);
  await(world, &request, doing);
}

static int64_t least_of_all(const parcel_world *world, int64_t mine)
{
  static const char doing[] = "MPI_Allreduce of the ranks' statuses";
  int64_t least = mine;
  MPI_Request request = MPI_REQUEST_NULL;
  if (!is_watched(world)) {
    parcel_world_check_mpi(world, MPI_Allreduce(&mine, &least, 1, MPI_INT64_T, MPI_MIN, world->comm), doing);
    return least;
  }
  parcel_world_check_mpi(world, MPI_Iallreduce(&mine, &least, 1, MPI_INT64_T, MPI_MIN, world->comm, &request),
                         doing);
  await(world, &request, doing);
  return least;
}

static parcel_status hear_verdict(const parcel_world *world, int speaker, parcel_status status)
{
  verdict said = {.status = status};
  snprintf(said.text, sizeof said.text, "%s", parcel_last_error());
  broadcast(world, &said, speaker);
  return said.status ? parcel_fail((parcel_status)said.status, "%s", said.text) : PARCEL_OK;
}

parcel_status parcel_world_agree(const parcel_world *world, parcel_status status)
{
  const int64_t mine = order_of(world, status);
  const int64_t first = least_of_all(world, mine);
  if (first == INT64_MAX)
    return PARCEL_OK;
  if (mine == first && status != PARCEL_STOPPED) {
    char host[HOST_NAME_MAX + 1] = "";
    gethostname(host, sizeof host - 1);
    status = parcel_fail(status, "rank %d on %s: %s", world->rank, host, parcel_last_error());
  }
  return hear_verdict(world, (int)(first % world->size), status);
}

parcel_status parcel_world_follow_root(const parcel_world *world, parcel_status status)
{
  return hear_verdict(world, 0, status);
}

void parcel_world_warn(const parcel_world *world, const char *format, ...)
{
  if (world->rank != 0 || world->is_quiet)
    return;
  char text[PARCEL_ERROR_SIZE + 3]; /* the rest of a character that only the copy cuts */
  char line[PARCEL_ERROR_SIZE];
  va_list arguments;
  va_start(arguments, format);
  /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): a false alarm where this is inlined */
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  parcel__text_copy(line, sizeof line, text);
  fprintf(stderr, "%s: warning: %s\n", program_invocation_short_name, parcel__text_line(line));
}

void parcel_world_set_quiet(parcel_world *world, bool is_quiet)
{
  world->is_quiet = is_quiet;
}

/* ---- the watch ---- */

parcel_status parcel_world_set_stall_seconds(parcel_world *world, double seconds)
{
  struct notes *notes = world->notes;
  double most = 0;
  parcel_status status = PARCEL_OK;
  if (!(seconds >= 0))
    status =
        parcel_fail(PARCEL_INVALID, "a limit of %g s without progress; it must not be negative", seconds);
  else if (notes->watch)
    status = parcel_fail(PARCEL_INVALID, "this world is watched already");
  if ((status = parcel_world_agree(world, status)))
    return status;
  if (world->is_single)
    seconds = 0;
  parcel_world_check_mpi(world, MPI_Allreduce(&seconds, &most, 1, MPI_DOUBLE, MPI_MAX, world->comm),
                         "MPI_Allreduce of a limit");
  if (most == 0)
    return PARCEL_OK;
  parcel_world_check_mpi(world, MPI_Comm_dup(world->comm, &notes->signs), "MPI_Comm_dup");
  parcel_watch *watch = NULL;
  status = parcel_world_agree(world, parcel__watch_open(notes->signs, world->rank, most, &watch));
  if (status) {
    parcel__watch_close(&watch);
    MPI_Comm_free(&notes->signs);
  }
  notes->watch = watch;
  return status;
}

const char *parcel_world_step(const parcel_world *world, const char *step)
{
  return parcel__watch_step(world->notes->watch, step);
}

parcel_watch **parcel__world_watch(const parcel_world *world)
{
  return &world->notes->watch;
}

MPI_Comm parcel__world_node(const parcel_world *world)
{
  return world->node;
}

bool parcel__world_is_single(const parcel_world *world)
{
  return world->is_single;
}

const parcel_cpus *parcel__world_mask(const parcel_world *world)
{
  return &world->mask;
}

int parcel__world_sharers(const parcel_world *world)
{
  return world->sharers;
}

int parcel__world_bound(const parcel_world *world)
{
  return world->bound;
}

bool *parcel__world_has_warned(const parcel_world *world)
{
  return &world->notes->has_warned;
}

MPI_Comm parcel_world_comm(const parcel_world *world)
{
  return world->comm;
}

int parcel_world_rank(const parcel_world *world)
{
  return world->rank;
}

int parcel_world_size(const parcel_world *world)
{
  return world->size;
}

int parcel_world_node_rank(const parcel_world *world)
{
  return world->node_rank;
}

int parcel_world_node_size(const parcel_world *world)
{
  return world->node_size;
}

int parcel_world_cpus(const parcel_world *world)
{
  return world->cpus;
}
