/* On one host there is nothing to say: its board holds all turns or steps from the beginning. Several hosts:
 *
 *      static              each rank has its part, and nobody asks
 *      dynamic, guided,    rank 0 counts the steps that it has given away; a host asks it for as many as it
 *      factoring           has workers when it has fewer left than that
 *      steal               hosts begin with their ranks' parts; one that has fewer turns left than workers
 *                          asks another for the far half of its fullest hand; if one of its workers waits
 *                          already, for a last turn as well, which would wait there for the end of a block
 *
 * Whom a host asks: all others one after the other, in an order of its own, so that the questions of
 * thousands are spread evenly over them.
 *
 * Termination. A host is finished, and says so to its workers, when rank 0 has no steps left to give, or
 * when many others in a row, twice all of them if there are few, had nothing to give or to keep. Something
 * may then still be somewhere else, or on its way between two others, who will do it: what is lost is
 * balance, of the last turns, never a turn. Turns cannot travel for ever: a host asks for a last one only
 * if a worker waits, and does not give away what a worker waits for; so after two journeys one of them is
 * taken. Until it is finished, a host of which a worker waits gets either turns or one more refusal of the
 * kind that counts. Every question is answered, as each rank answers until the control plane knows that all
 * are finished, and none is finished that still waits for an answer: so no message is left over.
 *
 * The idea of random stealing, and of the half: Blumofe and Leiserson, JACM 46(5), 1999; Dinan et al.,
 * Scalable Work Stealing, SC 2009. The number of refusals: tests/bench/README.md, "Schedules". */
#include "scheduler_impl.h"

#include <stdlib.h>
#include <string.h>

#include "board_impl.h"
#include "world_impl.h"

enum { ASK, ANSWER };
enum { ROUNDS_WITHOUT = 2, MOST_REFUSALS = 16 };

typedef struct message {
  int64_t kind;
  int64_t wanted;   /* ASK: steps */
  parcel_span span; /* ANSWER: steps or turns; empty: none to give */
  bool is_idle;     /* ASK: a worker waits already */
  bool is_bare;     /* ANSWER: neither to give nor to keep */
} message;

struct parcel_scheduler {
  const parcel_world *world;
  MPI_Comm comm;
  int rank;
  parcel_sweep_schedule kind;
  parcel_schedule steps; /* of the kinds that have them */
  parcel_board *board;
  int host, hosts;
  int *leaders;    /* [hosts] first rank of each; NULL but on these */
  int64_t workers; /* of this host */

  /* The leader's. */
  parcel_index given; /* rank 0: steps given away */
  bool is_finished;   /* nothing can be had any more */
  bool is_waiting;    /* for an answer */
  int refusals;       /* in a row, by hosts that keep nothing */
  int victim;         /* host that is asked next */
  int stride;         /* from one victim to the next, modulo hosts */
  message question;
  MPI_Request asking;
};

/* ---- names ---- */

static const char *const names[] = {
#define NAME(name, text) [PARCEL_SWEEP_##name] = (text),
    PARCEL_SWEEP_SCHEDULE_MAP(NAME)
#undef NAME
};

const char *parcel_sweep_schedule_name(parcel_sweep_schedule schedule)
{
  return (size_t)schedule < sizeof names / sizeof *names ? names[schedule] : "unknown";
}

parcel_status parcel_sweep_schedule_parse(const char *text, parcel_sweep_schedule *out)
{
  for (size_t kind = 0; kind < sizeof names / sizeof *names; ++kind)
    if (strcmp(text, names[kind]) == 0) {
      *out = (parcel_sweep_schedule)kind;
      return PARCEL_OK;
    }
  return parcel_fail(PARCEL_INVALID,
                     "unknown schedule '%s'; one of: steal, static, dynamic, guided, factoring", text);
}

/* ---- opening and closing ---- */

static bool has_steps(const parcel_scheduler *scheduler)
{
  return scheduler->kind == PARCEL_SWEEP_DYNAMIC || scheduler->kind == PARCEL_SWEEP_GUIDED ||
         scheduler->kind == PARCEL_SWEEP_FACTORING;
}

static bool is_leader(const parcel_scheduler *scheduler)
{
  return scheduler->leaders != NULL;
}

static int64_t greatest_common_divisor(int64_t a, int64_t b)
{
  return b == 0 ? a : greatest_common_divisor(b, a % b);
}

/* Anything, but coprime to the number of hosts, so that all of them are met before one is met again. */
static int choose_stride(int host, int hosts)
{
  int64_t stride = (int64_t)((uint64_t)(host + 1) * 0x9E3779B97F4A7C15U >> 33) % hosts;
  while (greatest_common_divisor(stride, hosts) != 1)
    stride = (stride + 1) % hosts;
  return (int)stride;
}

/* The first rank of every host, in order; on every rank, and kept by these first ranks only. */
static parcel_status find_hosts(const parcel_world *world, parcel_scheduler *scheduler)
{
  const int size = parcel_world_size(world);
  int first = scheduler->rank;
  int *firsts = malloc((size_t)size * sizeof *firsts);
  parcel_status status = parcel_world_check_mpi(
      world, MPI_Bcast(&first, 1, MPI_INT, 0, parcel__world_node(world)), "MPI_Bcast of a host's first rank");
  if (!firsts)
    status = parcel_fail(PARCEL_MEMORY, "no memory for the hosts of %d ranks", size);
  if ((status = parcel_world_agree(world, status)) ||
      (status = parcel_world_check_mpi(world,
                                       MPI_Allgather(&first, 1, MPI_INT, firsts, 1, MPI_INT, scheduler->comm),
                                       "MPI_Allgather of the hosts' first ranks"))) {
    free(firsts);
    return status;
  }
  scheduler->hosts = 1; /* rank 0 is the first of its host */
  scheduler->host = first > 0;
  for (int rank = 1; rank < size; ++rank)
    if (firsts[rank] == rank) {
      scheduler->host += rank < first;
      firsts[scheduler->hosts++] = rank;
    }
  if (first == scheduler->rank)
    scheduler->leaders = firsts;
  else
    free(firsts);
  scheduler->stride = choose_stride(scheduler->host, scheduler->hosts);
  scheduler->victim = (scheduler->host + scheduler->stride) % scheduler->hosts;
  return PARCEL_OK;
}

static parcel_status make_steps(parcel_scheduler *scheduler, parcel_index count, int64_t workers)
{
  const parcel_schedule_kind kind = scheduler->kind == PARCEL_SWEEP_DYNAMIC  ? PARCEL_SCHEDULE_SELF
                                    : scheduler->kind == PARCEL_SWEEP_GUIDED ? PARCEL_SCHEDULE_GUIDED
                                                                             : PARCEL_SCHEDULE_FACTORING;
  return parcel_schedule_make(kind, count, (int)(workers < INT32_MAX ? workers : INT32_MAX), 0,
                              &scheduler->steps);
}

static parcel_status count_workers(const parcel_world *world, parcel_scheduler *scheduler, int threads,
                                   int64_t *all)
{
  *all = threads;
  scheduler->workers = threads;
  const parcel_status status = parcel_world_check_mpi(
      world, MPI_Allreduce(MPI_IN_PLACE, all, 1, MPI_INT64_T, MPI_SUM, scheduler->comm),
      "MPI_Allreduce of the workers");
  return status ? status
                : parcel_world_check_mpi(world,
                                         MPI_Allreduce(MPI_IN_PLACE, &scheduler->workers, 1, MPI_INT64_T,
                                                       MPI_SUM, parcel__world_node(world)),
                                         "MPI_Allreduce of a host's workers");
}

/* What everybody begins with. */
static void deal(parcel_scheduler *scheduler, const parcel_world *world, parcel_index count)
{
  const bool is_alone = scheduler->hosts == 1;
  scheduler->is_finished = scheduler->kind == PARCEL_SWEEP_STATIC || is_alone;
  if (!has_steps(scheduler))
    parcel__board_deal(scheduler->board, parcel_block_span(count, parcel_world_size(world), scheduler->rank));
  else if (is_alone && is_leader(scheduler))
    parcel__board_add(scheduler->board, (parcel_span){0, parcel_schedule_steps(&scheduler->steps)});
  if (scheduler->is_finished)
    parcel__board_finish(scheduler->board);
}

parcel_status parcel__scheduler_open(const parcel_world *world, parcel_sweep_schedule kind,
                                     parcel_index count, int threads, parcel_scheduler **out)
{
  const parcel_board_kind board = kind == PARCEL_SWEEP_STATIC  ? PARCEL_BOARD_OWN
                                  : kind == PARCEL_SWEEP_STEAL ? PARCEL_BOARD_STEAL
                                                               : PARCEL_BOARD_STEPS;
  int64_t workers = 0;
  parcel_scheduler *scheduler = calloc(1, sizeof *scheduler);
  parcel_status status = scheduler ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory for the schedule");
  if ((status = parcel_world_agree(world, status))) {
    free(scheduler);
    return status;
  }
  scheduler->world = world;
  scheduler->comm = parcel_world_comm(world);
  scheduler->rank = parcel_world_rank(world);
  scheduler->kind = kind;
  scheduler->asking = MPI_REQUEST_NULL;
  if ((status = find_hosts(world, scheduler)) ||
      (status = count_workers(world, scheduler, threads, &workers)) ||
      (status = make_steps(scheduler, count, workers)) ||
      (status = parcel__board_open(world, board, &scheduler->steps, &scheduler->board))) {
    parcel__scheduler_close(&scheduler);
    return status;
  }
  deal(scheduler, world, count);
  *out = scheduler;
  return parcel_world_check_mpi(world, MPI_Barrier(parcel__world_node(world)),
                                "MPI_Barrier before the first turn");
}

void parcel__scheduler_close(parcel_scheduler **scheduler)
{
  if (!*scheduler)
    return;
  parcel__board_close(&(*scheduler)->board);
  free((*scheduler)->leaders);
  free(*scheduler);
  *scheduler = NULL;
}

bool parcel__scheduler_take(parcel_scheduler *scheduler, parcel_index *turn, bool *is_finished)
{
  return parcel__board_take(scheduler->board, turn, is_finished);
}

/* ---- between hosts ---- */

static void must(const parcel_scheduler *scheduler, int code, const char *doing)
{
  parcel_world_check_mpi(scheduler->world, code, doing);
}

/* Rank 0: the next steps, as many as wanted or as are left. */
static parcel_span give_steps(parcel_scheduler *scheduler, int64_t wanted)
{
  const parcel_index steps = parcel_schedule_steps(&scheduler->steps);
  const parcel_index left = steps - scheduler->given;
  const parcel_span given = {scheduler->given, scheduler->given + (wanted < left ? wanted : left)};
  scheduler->given = given.end;
  return given;
}

static void answer(parcel_scheduler *scheduler, int to, const message *question, bool is_stopping)
{
  message out = {.kind = ANSWER, .is_bare = true};
  if (!is_stopping && has_steps(scheduler))
    out.span = give_steps(scheduler, question->wanted);
  else if (!is_stopping)
    out.span = parcel__board_give(scheduler->board, question->is_idle, &out.is_bare);
  must(scheduler, MPI_Send(&out, (int)sizeof out, MPI_BYTE, to, PARCEL_TAG_SCHEDULER, scheduler->comm),
       "MPI_Send of work to another host");
}

static void finish(parcel_scheduler *scheduler)
{
  scheduler->is_finished = true;
  parcel__board_finish(scheduler->board);
}

static void take_answer(parcel_scheduler *scheduler, parcel_span span, bool is_bare)
{
  const bool is_refusal = span.begin == span.end;
  scheduler->is_waiting = false;
  scheduler->refusals = is_refusal && is_bare ? scheduler->refusals + 1 : 0;
  if (has_steps(scheduler)) {
    if (is_refusal)
      finish(scheduler);
    else
      parcel__board_add(scheduler->board, span);
    return;
  }
  if (!is_refusal)
    parcel__board_add(scheduler->board, span);
  else if (scheduler->refusals >= MOST_REFUSALS ||
           scheduler->refusals >= ROUNDS_WITHOUT * (scheduler->hosts - 1))
    finish(scheduler);
  do
    scheduler->victim = (scheduler->victim + scheduler->stride) % scheduler->hosts;
  while (scheduler->victim == scheduler->host);
}

static void receive_all(parcel_scheduler *scheduler, bool is_stopping)
{
  for (;;) {
    int has_message = 0;
    MPI_Status envelope;
    message in;
    must(scheduler,
         MPI_Iprobe(MPI_ANY_SOURCE, PARCEL_TAG_SCHEDULER, scheduler->comm, &has_message, &envelope),
         "MPI_Iprobe for other hosts");
    if (!has_message)
      return;
    must(scheduler,
         MPI_Recv(&in, (int)sizeof in, MPI_BYTE, envelope.MPI_SOURCE, PARCEL_TAG_SCHEDULER, scheduler->comm,
                  MPI_STATUS_IGNORE),
         "MPI_Recv from another host");
    if (in.kind == ASK)
      answer(scheduler, envelope.MPI_SOURCE, &in, is_stopping);
    else
      take_answer(scheduler, in.span, in.is_bare);
  }
}

static void ask(parcel_scheduler *scheduler)
{
  const int to = has_steps(scheduler) ? 0 : scheduler->leaders[scheduler->victim];
  scheduler->is_waiting = true;
  scheduler->question = (message){
      .kind = ASK, .wanted = scheduler->workers, .is_idle = parcel__board_is_idle(scheduler->board)};
  if (to == scheduler->rank) {
    take_answer(scheduler, give_steps(scheduler, scheduler->workers), true);
    return;
  }
  must(scheduler, MPI_Wait(&scheduler->asking, MPI_STATUS_IGNORE), "MPI_Wait for the last question");
  must(scheduler,
       MPI_Isend(&scheduler->question, (int)sizeof scheduler->question, MPI_BYTE, to, PARCEL_TAG_SCHEDULER,
                 scheduler->comm, &scheduler->asking),
       "MPI_Isend of a question to another host");
}

/* An answer proves that the question was received, so its request is complete or about to be. */
bool parcel__scheduler_poll(parcel_scheduler *scheduler, bool is_stopping)
{
  if (!is_leader(scheduler) || scheduler->hosts == 1 || scheduler->kind == PARCEL_SWEEP_STATIC)
    return true;
  receive_all(scheduler, is_stopping);
  if (!scheduler->is_finished && !scheduler->is_waiting && is_stopping)
    finish(scheduler);
  if (!scheduler->is_finished && !scheduler->is_waiting &&
      parcel__board_wants(scheduler->board, scheduler->workers))
    ask(scheduler);
  if (scheduler->is_waiting)
    return false;
  must(scheduler, MPI_Wait(&scheduler->asking, MPI_STATUS_IGNORE), "MPI_Wait for the last question");
  return true;
}
