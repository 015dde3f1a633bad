/* One lock guards a host's board. It is held for some tens of nanoseconds, once for each block: millions of
 * turns a second, where blocks are meant to take milliseconds. It lies in memory of an MPI window, which
 * serves for nothing else: no one-sided operation is ever used. */
#include "board_impl.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "window_impl.h"
#include "world_impl.h"

typedef struct face {
  pthread_mutex_t mutex;
  parcel_span steps;   /* of the schedule, that this host was given and nobody has taken */
  parcel_span reserve; /* steps or turns that came after those */
  bool is_finished;    /* nothing will be added */
  bool is_idle;        /* a worker found nothing, and none has found anything since */
  parcel_span hands[]; /* [ranks of the host] turns of each */
} face;

struct parcel_board {
  parcel_board_kind kind;
  const parcel_schedule *schedule;
  face *face; /* shared by the host's ranks */
  MPI_Win window;
  int own, ranks; /* of the host */
};

/* The owner of a robust lock may have been killed: its host's run is about to end, and until then the board
 * is as good as it was, since each change is one assignment. */
static void lock(face *face)
{
  if (pthread_mutex_lock(&face->mutex) == EOWNERDEAD)
    pthread_mutex_consistent(&face->mutex);
}

static void unlock(face *face)
{
  pthread_mutex_unlock(&face->mutex);
}

static parcel_index count_of(parcel_span span)
{
  return span.end - span.begin;
}

/* ---- opening and closing ---- */

static parcel_status init_face(face *face)
{
  pthread_mutexattr_t attributes;
  int error = pthread_mutexattr_init(&attributes);
  if (!error)
    error = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  if (!error)
    error = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  if (!error)
    error = pthread_mutex_init(&face->mutex, &attributes);
  errno = error;
  return error ? parcel_fail(PARCEL_SYSTEM, "a lock for the ranks of a host could not be made: %m")
               : PARCEL_OK;
}

/* The first rank of the host has the memory; the others map it. */
static void map_face(const parcel_world *world, parcel_board *board, size_t bytes)
{
  MPI_Aint size = 0;
  int unit = 1;
  void *base = NULL;
  parcel_world_check_mpi(world,
                         MPI_Win_allocate_shared(board->own == 0 ? (MPI_Aint)bytes : 0, 1, MPI_INFO_NULL,
                                                 parcel__world_node(world), &base, &board->window),
                         "MPI_Win_allocate_shared of a host's board");
  parcel_world_check_mpi(world, MPI_Win_shared_query(board->window, 0, &size, &unit, &base),
                         "MPI_Win_shared_query");
  board->face = base;
}

/* What a rank can find out by itself, before all map the face. */
static parcel_status prepare(parcel_board *board, size_t bytes)
{
  if (board->ranks == 1)
    board->face = malloc(bytes);
  if (board->ranks == 1 && !board->face)
    return parcel_fail(PARCEL_MEMORY, "no memory for the schedule");
  return board->ranks > 1 && board->own == 0 ? parcel__window_check_room(bytes) : PARCEL_OK;
}

static parcel_status clear_face(const parcel_board *board)
{
  face *face = board->face;
  face->steps = face->reserve = (parcel_span){0, 0};
  face->is_finished = face->is_idle = false;
  for (int rank = 0; rank < board->ranks; ++rank)
    face->hands[rank] = (parcel_span){0, 0};
  return init_face(face);
}

parcel_status parcel__board_open(const parcel_world *world, parcel_board_kind kind,
                                 const parcel_schedule *schedule, parcel_board **out)
{
  const int ranks = kind == PARCEL_BOARD_OWN ? 1 : parcel_world_node_size(world);
  const size_t bytes = sizeof(face) + (size_t)ranks * sizeof(parcel_span);
  parcel_board *board = calloc(1, sizeof *board);
  parcel_status status = board ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory for the schedule");
  if (board) {
    *board = (parcel_board){.kind = kind, .schedule = schedule, .window = MPI_WIN_NULL, .ranks = ranks};
    board->own = ranks > 1 ? parcel_world_node_rank(world) : 0;
    status = prepare(board, bytes);
  }
  if ((status = parcel_world_agree(world, status))) {
    if (board && ranks == 1)
      free(board->face);
    free(board);
    return status;
  }
  if (ranks > 1)
    map_face(world, board, bytes);
  status = parcel_world_agree(world, board->own == 0 ? clear_face(board) : PARCEL_OK);
  if (status)
    parcel__board_close(&board);
  else
    *out = board;
  return status;
}

void parcel__board_close(parcel_board **board)
{
  if (!*board)
    return;
  if ((*board)->window != MPI_WIN_NULL)
    MPI_Win_free(&(*board)->window);
  else
    free((*board)->face);
  free(*board);
  *board = NULL;
}

/* ---- giving ---- */

void parcel__board_deal(parcel_board *board, parcel_span turns)
{
  lock(board->face);
  board->face->hands[board->own] = turns;
  unlock(board->face);
}

void parcel__board_add(parcel_board *board, parcel_span more)
{
  lock(board->face);
  board->face->reserve = more;
  unlock(board->face);
}

void parcel__board_finish(parcel_board *board)
{
  lock(board->face);
  board->face->is_finished = true;
  unlock(board->face);
}

/* ---- taking ---- */

static parcel_span *fullest_hand(parcel_board *board)
{
  parcel_span *fullest = &board->face->hands[0];
  for (int rank = 1; rank < board->ranks; ++rank)
    if (count_of(board->face->hands[rank]) > count_of(*fullest))
      fullest = &board->face->hands[rank];
  return fullest;
}

/* The far part of the fullest hand, half of it rounded up, but at least `least` must be there. */
static parcel_span split_fullest(parcel_board *board, parcel_index least)
{
  parcel_span *fullest = fullest_hand(board);
  const parcel_index count = count_of(*fullest);
  parcel_span far = {fullest->end, fullest->end};
  if (count >= least)
    far.begin = fullest->begin + count / 2;
  fullest->end = far.begin;
  return far;
}

static parcel_span take_reserve(face *face)
{
  const parcel_span reserve = face->reserve;
  face->reserve = (parcel_span){0, 0};
  return reserve;
}

static parcel_span refill(parcel_board *board)
{
  face *face = board->face;
  if (board->kind == PARCEL_BOARD_OWN)
    return (parcel_span){0, 0};
  if (board->kind == PARCEL_BOARD_STEAL)
    return count_of(face->reserve) > 0 ? take_reserve(face) : split_fullest(board, 1);
  if (count_of(face->steps) == 0)
    face->steps = take_reserve(face);
  return count_of(face->steps) > 0 ? parcel_schedule_span(board->schedule, face->steps.begin++)
                                   : (parcel_span){0, 0};
}

bool parcel__board_take(parcel_board *board, parcel_index *turn, bool *is_finished)
{
  parcel_span *hand = &board->face->hands[board->own];
  lock(board->face);
  if (count_of(*hand) == 0)
    *hand = refill(board);
  const bool has_turn = count_of(*hand) > 0;
  if (has_turn)
    *turn = hand->begin++;
  board->face->is_idle = !has_turn;
  *is_finished = board->face->is_finished;
  unlock(board->face);
  return has_turn;
}

parcel_span parcel__board_give(parcel_board *board, bool is_last_too, bool *is_bare)
{
  const face *face = board->face;
  lock(board->face);
  parcel_span given = split_fullest(board, is_last_too ? 1 : 2);
  if (count_of(given) == 0 && is_last_too && !face->is_idle)
    given = take_reserve(board->face);
  *is_bare = count_of(given) == 0 && count_of(*fullest_hand(board)) == 0 && count_of(face->reserve) == 0;
  unlock(board->face);
  return given;
}

bool parcel__board_is_idle(parcel_board *board)
{
  lock(board->face);
  const bool is_idle = board->face->is_idle;
  unlock(board->face);
  return is_idle;
}

bool parcel__board_wants(parcel_board *board, parcel_index workers)
{
  const face *face = board->face;
  lock(board->face);
  parcel_index left = count_of(face->steps);
  for (int rank = 0; rank < board->ranks; ++rank)
    left += count_of(face->hands[rank]);
  const bool wants = left < workers && count_of(face->reserve) == 0;
  unlock(board->face);
  return wants;
}
