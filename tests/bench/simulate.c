/* The scheduler at sizes that no machine here has: core/scheduler.c and core/board.c themselves, one of
 * each for every rank, in one process, on the network and the clock of this file: what they call of MPI is
 * defined here. A discrete-event simulation:
 *
 *      worker      takes a turn, is busy for its cost, takes the next; waits if there is none
 *      main thread of a host's first rank: polls, sleeps, polls; each message costs it a microsecond
 *      message     can be received 5 us after it was sent
 *
 * usage: simulate [RANKS_PER_HOST [BLOCK_MILLISECONDS [INDICES_PER_BLOCK]]]
 *
 * The cost of an index is lognormal (sigma 1), that of a block the sum over its indices.
 *
 * Prints the efficiency of each schedule: work / (ranks * end), where the end is the moment at which the
 * last rank knows that it is done. "greedy" is the bound: one list, no messages, no waiting, costs not
 * known beforehand. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "scheduler_impl.h"
#include "world_impl.h"

enum { BLOCKS_PER_RANK = 100, MESSAGE_BYTES = 64 };

static const double latency = 5e-6;
static const double overhead = 1e-6;
static const double worker_pause = 50e-6;
static const double busy_pause = 2e-3;     /* as in core/sweep_watch.c */
static const double urgent_pause = 200e-6; /* while an answer is awaited */

typedef struct letter {
  double arrival;
  int from;
  char content[MESSAGE_BYTES];
} letter;

/* What one rank is to the scheduler, and the letters to it: first come, first read, as latency is always
 * the same. */
struct parcel_world {
  int rank;
  parcel_scheduler *scheduler;
  letter *letters;
  int head, count, room;
  bool is_waiting; /* its worker, for the main thread */
  bool is_over;    /* its worker */
  bool is_done;    /* its main thread */
};

typedef struct event {
  double time;
  int rank;
  bool is_poll;
} event;

static struct {
  double now, end;
  int ranks, ranks_per_host, caller;
  struct parcel_world *worlds;
  void **shared; /* [hosts] */
  event *heap;
  int events;
  double *costs; /* [blocks] */
} sim;

static void *must_have(void *memory)
{
  if (memory)
    return memory;
  fprintf(stderr, "simulate: no memory\n");
  exit(EXIT_FAILURE);
}

/* ---- the clock ---- */

static void add_event(double time, int rank, bool is_poll)
{
  int at = sim.events++;
  for (; at > 0 && sim.heap[(at - 1) / 2].time > time; at = (at - 1) / 2)
    sim.heap[at] = sim.heap[(at - 1) / 2];
  sim.heap[at] = (event){time, rank, is_poll};
}

static event next_event(void)
{
  const event next = sim.heap[0];
  const event last = sim.heap[--sim.events];
  int at = 0;
  for (int child = 1; child < sim.events; at = child, child = 2 * child + 1) {
    child += child + 1 < sim.events && sim.heap[child + 1].time < sim.heap[child].time;
    if (last.time <= sim.heap[child].time)
      break;
    sim.heap[at] = sim.heap[child];
  }
  sim.heap[at] = last;
  return next;
}

/* ---- what the scheduler calls ---- */

MPI_Comm parcel_world_comm(const parcel_world *world)
{
  (void)world;
  return MPI_COMM_WORLD;
}

MPI_Comm parcel__world_node(const parcel_world *world)
{
  (void)world;
  return MPI_COMM_SELF;
}

int parcel_world_rank(const parcel_world *world)
{
  return world->rank;
}

int parcel_world_size(const parcel_world *world)
{
  (void)world;
  return sim.ranks;
}

int parcel_world_node_rank(const parcel_world *world)
{
  return world->rank % sim.ranks_per_host;
}

int parcel_world_node_size(const parcel_world *world)
{
  (void)world;
  return sim.ranks_per_host;
}

parcel_status parcel_world_agree(const parcel_world *world, parcel_status status)
{
  (void)world;
  return status;
}

parcel_status parcel_world_check_mpi(const parcel_world *world, int code, const char *doing)
{
  (void)world;
  return code == MPI_SUCCESS ? PARCEL_OK : parcel_fail(PARCEL_MPI, "%s failed", doing);
}

static int first_rank(int rank)
{
  return rank - rank % sim.ranks_per_host;
}

int MPI_Bcast(void *buffer, int count, MPI_Datatype type, int root, MPI_Comm comm)
{
  (void)count, (void)type, (void)root, (void)comm;
  *(int *)buffer = first_rank(sim.caller);
  return MPI_SUCCESS;
}

int MPI_Allgather(const void *in, int in_count, MPI_Datatype in_type, void *out, int out_count,
                  MPI_Datatype out_type, MPI_Comm comm)
{
  (void)in, (void)in_count, (void)in_type, (void)out_count, (void)out_type, (void)comm;
  for (int rank = 0; rank < sim.ranks; ++rank)
    ((int *)out)[rank] = first_rank(rank);
  return MPI_SUCCESS;
}

/* The sum of what is the same everywhere. */
int MPI_Allreduce(const void *in, void *out, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
  (void)in, (void)count, (void)type, (void)op;
  *(int64_t *)out *= comm == MPI_COMM_WORLD ? sim.ranks : sim.ranks_per_host;
  return MPI_SUCCESS;
}

int MPI_Barrier(MPI_Comm comm)
{
  (void)comm;
  return MPI_SUCCESS;
}

int MPI_Win_allocate_shared(MPI_Aint bytes, int unit, MPI_Info info, MPI_Comm comm, void *base,
                            MPI_Win *window)
{
  (void)unit, (void)info, (void)comm, (void)base;
  if (bytes > 0)
    sim.shared[sim.caller / sim.ranks_per_host] = must_have(calloc(1, (size_t)bytes));
  *window = (MPI_Win)(intptr_t)1; /* one to be freed */
  return MPI_SUCCESS;
}

int MPI_Win_shared_query(MPI_Win window, int rank, MPI_Aint *bytes, int *unit, void *base)
{
  (void)window, (void)rank, (void)bytes, (void)unit;
  *(void **)base = sim.shared[sim.caller / sim.ranks_per_host];
  return MPI_SUCCESS;
}

int MPI_Win_free(MPI_Win *window)
{
  *window = MPI_WIN_NULL;
  return MPI_SUCCESS;
}

int MPI_Send(const void *content, int bytes, MPI_Datatype type, int to, int tag, MPI_Comm comm)
{
  struct parcel_world *world = &sim.worlds[to];
  (void)type, (void)tag, (void)comm;
  sim.now += overhead;
  if (world->count == world->room) {
    letter *letters = must_have(calloc(2 * (size_t)world->room + 4, sizeof *letters));
    for (int l = 0; l < world->count; ++l)
      letters[l] = world->letters[(world->head + l) % world->room];
    free(world->letters);
    world->letters = letters;
    world->head = 0;
    world->room = 2 * world->room + 4;
  }
  letter *out = &world->letters[(world->head + world->count++) % world->room];
  *out = (letter){.arrival = sim.now + latency, .from = sim.caller};
  memcpy(out->content, content, (size_t)bytes);
  return MPI_SUCCESS;
}

int MPI_Isend(const void *content, int bytes, MPI_Datatype type, int to, int tag, MPI_Comm comm,
              MPI_Request *request)
{
  *request = MPI_REQUEST_NULL;
  return MPI_Send(content, bytes, type, to, tag, comm);
}

int MPI_Wait(MPI_Request *request, MPI_Status *status)
{
  (void)request, (void)status;
  return MPI_SUCCESS;
}

int MPI_Iprobe(int from, int tag, MPI_Comm comm, int *has_message, MPI_Status *envelope)
{
  const struct parcel_world *world = &sim.worlds[sim.caller];
  (void)from, (void)tag, (void)comm;
  *has_message = world->count > 0 && world->letters[world->head].arrival <= sim.now;
  if (*has_message)
    envelope->MPI_SOURCE = world->letters[world->head].from;
  return MPI_SUCCESS;
}

int MPI_Recv(void *content, int bytes, MPI_Datatype type, int from, int tag, MPI_Comm comm,
             MPI_Status *status)
{
  struct parcel_world *world = &sim.worlds[sim.caller];
  (void)type, (void)from, (void)tag, (void)comm, (void)status;
  sim.now += overhead;
  memcpy(content, world->letters[world->head].content, (size_t)bytes);
  world->head = (world->head + 1) % world->room;
  --world->count;
  return MPI_SUCCESS;
}

/* ---- a run ---- */

static void work(struct parcel_world *world)
{
  parcel_index turn = 0;
  world->is_waiting = false;
  if (parcel__scheduler_take(world->scheduler, &turn, &world->is_over)) {
    world->is_over = false;
    add_event(sim.now + sim.costs[turn], world->rank, false);
  } else
    world->is_waiting = !world->is_over;
  if (world->is_over && sim.now > sim.end)
    sim.end = sim.now;
}

/* The main thread of a host; its workers look again shortly after it has. */
static void poll(struct parcel_world *first)
{
  const int end = first->rank + sim.ranks_per_host;
  const bool was_done = first->is_done;
  const bool is_answered = parcel__scheduler_poll(first->scheduler, false);
  bool is_over = true;
  for (int rank = first->rank; rank < end; ++rank) {
    is_over = is_over && sim.worlds[rank].is_over;
    if (sim.worlds[rank].is_waiting)
      add_event(sim.now + worker_pause, rank, false);
    sim.worlds[rank].is_waiting = false;
  }
  first->is_done = is_over && is_answered;
  if (first->is_done && !was_done && sim.now > sim.end)
    sim.end = sim.now;
  add_event(sim.now + (is_answered ? busy_pause : urgent_pause), first->rank, true);
}

static bool is_done(int *first_open)
{
  while (*first_open < sim.ranks && sim.worlds[*first_open].is_done)
    *first_open += sim.ranks_per_host;
  return *first_open >= sim.ranks;
}

static void open_rank(int rank, parcel_sweep_schedule kind)
{
  struct parcel_world *world = &sim.worlds[rank];
  *world = (struct parcel_world){.rank = rank};
  sim.caller = rank;
  if (parcel__scheduler_open(world, kind, (parcel_index)sim.ranks * BLOCKS_PER_RANK, 1, &world->scheduler)) {
    fprintf(stderr, "simulate: %s\n", parcel_last_error());
    exit(EXIT_FAILURE);
  }
}

static void close_rank(int rank)
{
  parcel__scheduler_close(&sim.worlds[rank].scheduler);
  free(sim.worlds[rank].letters);
}

/* Seconds until all ranks are done. */
static double run(parcel_sweep_schedule kind)
{
  int first_open = 0;
  sim.now = sim.end = 0;
  sim.events = 0;
  for (int rank = 0; rank < sim.ranks; ++rank) {
    open_rank(rank, kind);
    add_event(0, rank, false);
    if (rank % sim.ranks_per_host == 0)
      add_event(busy_pause * rank / sim.ranks, rank, true);
  }
  while (!is_done(&first_open)) {
    const event next = next_event();
    sim.now = next.time;
    sim.caller = next.rank;
    (next.is_poll ? poll : work)(&sim.worlds[next.rank]);
  }
  for (int rank = 0; rank < sim.ranks; ++rank)
    close_rank(rank);
  for (int host = 0; host < sim.ranks / sim.ranks_per_host; ++host) {
    free(sim.shared[host]);
    sim.shared[host] = NULL;
  }
  return sim.end;
}

/* The bound: who is free takes the next block at once. */
static double run_greedily(parcel_index blocks)
{
  double end = 0;
  sim.events = 0;
  for (int rank = 0; rank < sim.ranks; ++rank)
    add_event(0, rank, false);
  for (parcel_index b = 0; b < blocks; ++b) {
    const event free_rank = next_event();
    const double until = free_rank.time + sim.costs[b];
    end = until > end ? until : end;
    add_event(until, free_rank.rank, false);
  }
  return end;
}

static void simulate(int ranks, double block_seconds, int indices)
{
  const parcel_index blocks = (parcel_index)ranks * BLOCKS_PER_RANK;
  double work = 0;
  sim.ranks = ranks;
  sim.worlds = must_have(calloc((size_t)ranks, sizeof *sim.worlds));
  sim.shared = must_have(calloc((size_t)ranks, sizeof *sim.shared));
  sim.heap = must_have(calloc(3 * (size_t)ranks, sizeof *sim.heap));
  sim.costs = must_have(calloc((size_t)blocks, sizeof *sim.costs));
  for (parcel_index i = 0; i < blocks * indices; ++i)
    sim.costs[i / indices] += block_seconds / (double)indices * bench_lognormal(i, 1);
  for (parcel_index b = 0; b < blocks; ++b)
    work += sim.costs[b];
  printf("| %d |", ranks);
  for (int kind = PARCEL_SWEEP_STEAL; kind <= PARCEL_SWEEP_FACTORING; ++kind) {
    printf(" %.3f |", work / ranks / run((parcel_sweep_schedule)kind));
    fflush(stdout);
  }
  printf(" %.3f |\n", work / ranks / run_greedily(blocks));
  free(sim.worlds);
  free(sim.shared);
  free(sim.heap);
  free(sim.costs);
}

int main(int argc, char **argv)
{
  const double block_seconds = argc > 2 ? atof(argv[2]) * 1e-3 : 10e-3;
  const int indices = argc > 3 ? atoi(argv[3]) : 16;
  sim.ranks_per_host = argc > 1 ? atoi(argv[1]) : 1;
  printf(
      "| ranks | steal | static | dynamic | guided | factoring | greedy |\n|---|---|---|---|---|---|---|\n");
  for (int ranks = 64; ranks <= 4096; ranks *= 4)
    simulate(ranks, block_seconds, indices);
  return EXIT_SUCCESS;
}
