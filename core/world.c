/* Agreement is one MPI_Allreduce of "the first failing rank" and, only when there is one, one MPI_Bcast of
 * its status and text. A request to stop ranks behind every real failure: its order is shifted by the
 * number of ranks. */
#include "world_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
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
  bool *has_warned; /* of its launch; apart, since a world is constant to its sweeps */
  bool owns_mpi;    /* MPI_Init was called here, so MPI_Finalize is too */
  double opened;    /* parcel__seconds() */
};

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

static parcel_status open_comms(parcel_world *world, MPI_Comm comm)
{
  parcel_status status = PARCEL_OK;
  if ((status = parcel_mpi_check(MPI_Comm_dup(comm, &world->comm), "MPI_Comm_dup")) ||
      (status = parcel_mpi_check(MPI_Comm_set_errhandler(world->comm, MPI_ERRORS_RETURN),
                                 "MPI_Comm_set_errhandler")) ||
      (status = parcel_mpi_check(MPI_Comm_set_name(world->comm, "parcel"), "MPI_Comm_set_name")) ||
      (status = parcel_mpi_check(MPI_Comm_rank(world->comm, &world->rank), "MPI_Comm_rank")) ||
      (status = parcel_mpi_check(MPI_Comm_size(world->comm, &world->size), "MPI_Comm_size")) ||
      (status = parcel_mpi_check(
           MPI_Comm_split_type(world->comm, MPI_COMM_TYPE_SHARED, world->rank, MPI_INFO_NULL, &world->node),
           "MPI_Comm_split_type")) ||
      (status = parcel_mpi_check(MPI_Comm_rank(world->node, &world->node_rank), "MPI_Comm_rank")) ||
      (status = parcel_mpi_check(MPI_Comm_size(world->node, &world->node_size), "MPI_Comm_size")))
    return status;
  return PARCEL_OK;
}

/* Ranks with the same mask and quota share it as equal parts; a rank beyond the last CPU still gets one. */
static parcel_status share_cpus(parcel_world *world)
{
  parcel_cpus *all = calloc((size_t)world->node_size, sizeof *all);
  parcel_status status =
      all ? PARCEL_OK
          : parcel_fail(PARCEL_MEMORY, "no memory for the CPU masks of %d ranks", world->node_size);
  if ((status = parcel_world_agree(world, status))) {
    free(all);
    return status;
  }
  world->mask = parcel__cpus_of_process();
  const int bytes = (int)sizeof world->mask;
  const int code = MPI_Allgather(&world->mask, bytes, MPI_BYTE, all, bytes, MPI_BYTE, world->node);
  status = parcel_mpi_check(code, "MPI_Allgather of CPU masks");
  int sharers = 0;
  int place = 0;
  for (int r = 0; r < world->node_size && !status; ++r)
    if (strcmp(all[r].list, world->mask.list) == 0 && all[r].allowed == world->mask.allowed) {
      place += r < world->node_rank;
      ++sharers;
    }
  world->bound = status ? 0 : parcel__cpus_together(all, world->node_size);
  free(all);
  if ((status = parcel_world_agree(world, status)))
    return status;
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

static void release(parcel_world **world)
{
  if ((*world)->node != MPI_COMM_NULL)
    MPI_Comm_free(&(*world)->node);
  if ((*world)->comm != MPI_COMM_NULL)
    MPI_Comm_free(&(*world)->comm);
  if ((*world)->owns_mpi) {
    parcel__keep_loaded();
    MPI_Finalize();
  }
  free((*world)->has_warned);
  free(*world);
  *world = NULL;
}

parcel_status parcel_world_open(MPI_Comm comm, parcel_world **out)
{
  parcel_status status = PARCEL_OK;
  parcel_world *world = calloc(1, sizeof *world);
  bool *has_warned = calloc(1, sizeof *has_warned);
  if (!world || !has_warned) {
    free(world);
    free(has_warned);
    return parcel_fail(PARCEL_MEMORY, "no memory for a world");
  }
  world->has_warned = has_warned;
  world->comm = world->node = MPI_COMM_NULL;
  world->opened = parcel__seconds();
  if ((status = init_mpi(world)) || (status = open_comms(world, comm)) || (status = share_cpus(world))) {
    release(&world);
    return status;
  }
  *out = world;
  return PARCEL_OK;
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
    release(world);
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

static parcel_status hear_verdict(const parcel_world *world, int speaker, parcel_status status)
{
  verdict said = {.status = status};
  snprintf(said.text, sizeof said.text, "%s", parcel_last_error());
  const int code = MPI_Bcast(&said, (int)sizeof said, MPI_BYTE, speaker, world->comm);
  const parcel_status broken = parcel_mpi_check(code, "MPI_Bcast of a verdict");
  if (broken)
    return broken;
  return said.status ? parcel_fail((parcel_status)said.status, "%s", said.text) : PARCEL_OK;
}

parcel_status parcel_world_agree(const parcel_world *world, parcel_status status)
{
  int64_t mine = order_of(world, status);
  int64_t first = INT64_MAX;
  const int code = MPI_Allreduce(&mine, &first, 1, MPI_INT64_T, MPI_MIN, world->comm);
  const parcel_status broken = parcel_mpi_check(code, "MPI_Allreduce of the ranks' statuses");
  if (broken)
    return broken;
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
  return world->has_warned;
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
