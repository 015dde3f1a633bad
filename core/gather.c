/* The root's workers put their blocks in place themselves. Elsewhere a worker queues its block and sleeps
 * until the main thread, which alone speaks MPI, has sent it: first a header, then each column in pieces,
 * one request at a time. MPI keeps the order between two ranks, so the root, having a header, knows what
 * follows it from that rank. */
#include <parcel/gather.h>

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "world_impl.h"

/* Single transfers above 2^31 bytes go wrong in several MPI versions. */
static const parcel_index piece_bytes = (parcel_index)1 << 30;

/* A block that waits to be sent, on the stack of the worker that waits with it. */
typedef struct parcel_outgoing {
  const parcel_block *block;
  struct parcel_outgoing *next;
  bool is_sent;
} outgoing;

typedef struct gather {
  const parcel_world *world;
  const parcel_sweep *sweep;
  MPI_Comm comm;
  int root;
  bool is_root;
  void *const *arrays;

  pthread_mutex_t mutex; /* guards the queue and every is_sent in it */
  pthread_cond_t sent;   /* some is_sent became true */
  outgoing *first, *last;

  /* The block being sent, by the main thread alone: its column and how much of that has gone. */
  outgoing *current;
  int64_t header[2]; /* begin and end of its positions */
  int column;
  parcel_index offset;
  MPI_Request request;

  pthread_t main; /* that speaks MPI; it computes blocks as well where it is the only thread */
  int64_t blocks; /* sent so far, or on root received */
} gather;

static parcel_index bytes_of(const gather *gather, int column, parcel_index positions)
{
  return positions * parcel_column_bytes(&gather->sweep->columns[column]);
}

static char *place_of(const gather *gather, int column, parcel_index position)
{
  return (char *)gather->arrays[column] + bytes_of(gather, column, position);
}

static void place_block(const gather *gather, const parcel_block *block)
{
  for (int c = 0; c < gather->sweep->column_count; ++c)
    memcpy(place_of(gather, c, block->positions.begin), block->columns[c],
           (size_t)bytes_of(gather, c, block->positions.end - block->positions.begin));
}

/* ---- ranks that send ---- */

static outgoing *next_in_queue(gather *gather)
{
  pthread_mutex_lock(&gather->mutex);
  outgoing *next = gather->first;
  if (next) {
    gather->first = next->next;
    if (!gather->first)
      gather->last = NULL;
  }
  pthread_mutex_unlock(&gather->mutex);
  return next;
}

static void release_worker(gather *gather)
{
  pthread_mutex_lock(&gather->mutex);
  gather->current->is_sent = true;
  pthread_cond_broadcast(&gather->sent);
  pthread_mutex_unlock(&gather->mutex);
  gather->current = NULL;
  ++gather->blocks;
}

static int send_header(gather *gather)
{
  const parcel_span positions = gather->current->block->positions;
  gather->header[0] = positions.begin;
  gather->header[1] = positions.end;
  gather->column = 0;
  gather->offset = 0;
  return MPI_Isend(gather->header, 2, MPI_INT64_T, gather->root, PARCEL_TAG_GATHER_HEADER, gather->comm,
                   &gather->request);
}

static parcel_index next_piece(parcel_index bytes, parcel_index offset)
{
  return bytes - offset < piece_bytes ? bytes - offset : piece_bytes;
}

/* Sends the next piece of the current block, or lets its worker go when there is none. */
static int send_piece(gather *gather)
{
  if (gather->column == gather->sweep->column_count) {
    release_worker(gather);
    return MPI_SUCCESS;
  }
  const parcel_block *block = gather->current->block;
  const parcel_index bytes = bytes_of(gather, gather->column, block->positions.end - block->positions.begin);
  const parcel_index piece = next_piece(bytes, gather->offset);
  const char *data = (const char *)block->columns[gather->column] + gather->offset;
  gather->offset += piece;
  if (gather->offset == bytes) {
    ++gather->column;
    gather->offset = 0;
  }
  return MPI_Isend(data, (int)piece, MPI_BYTE, gather->root, PARCEL_TAG_GATHER_DATA, gather->comm,
                   &gather->request);
}

static int send_blocks(gather *gather)
{
  for (;;) {
    int is_sent = 0;
    int code = MPI_Test(&gather->request, &is_sent, MPI_STATUS_IGNORE);
    if (code != MPI_SUCCESS || !is_sent)
      return code;
    if (gather->current)
      code = send_piece(gather);
    else if ((gather->current = next_in_queue(gather)))
      code = send_header(gather);
    else
      return MPI_SUCCESS;
    if (code != MPI_SUCCESS)
      return code;
  }
}

/* ---- the rank that receives ---- */

static int receive_block(gather *gather, int source)
{
  int64_t header[2];
  int code =
      MPI_Recv(header, 2, MPI_INT64_T, source, PARCEL_TAG_GATHER_HEADER, gather->comm, MPI_STATUS_IGNORE);
  for (int c = 0; c < gather->sweep->column_count; ++c) {
    const parcel_index bytes = bytes_of(gather, c, header[1] - header[0]);
    for (parcel_index offset = 0; offset < bytes && code == MPI_SUCCESS; offset += piece_bytes)
      code = MPI_Recv(place_of(gather, c, header[0]) + offset, (int)next_piece(bytes, offset), MPI_BYTE,
                      source, PARCEL_TAG_GATHER_DATA, gather->comm, MPI_STATUS_IGNORE);
  }
  ++gather->blocks;
  return code;
}

static int receive_blocks(gather *gather)
{
  for (;;) {
    int has_header = 0;
    MPI_Status envelope;
    int code = MPI_Iprobe(MPI_ANY_SOURCE, PARCEL_TAG_GATHER_HEADER, gather->comm, &has_header, &envelope);
    if (code == MPI_SUCCESS && has_header)
      code = receive_block(gather, envelope.MPI_SOURCE);
    if (code != MPI_SUCCESS || !has_header)
      return code;
  }
}

static parcel_status poll_blocks(void *ctx)
{
  gather *gather = ctx;
  return parcel_world_check_mpi(gather->world, gather->is_root ? receive_blocks(gather) : send_blocks(gather),
                                "gathering blocks");
}

static void put_in_queue(gather *gather, outgoing *last)
{
  pthread_mutex_lock(&gather->mutex);
  if (gather->last)
    gather->last->next = last;
  else
    gather->first = last;
  gather->last = last;
  pthread_mutex_unlock(&gather->mutex);
}

static void await_sent(gather *gather, const outgoing *own)
{
  pthread_mutex_lock(&gather->mutex);
  while (!own->is_sent)
    pthread_cond_wait(&gather->sent, &gather->mutex);
  pthread_mutex_unlock(&gather->mutex);
}

static parcel_status write_block(void *ctx, const parcel_block *block)
{
  gather *gather = ctx;
  if (block->positions.begin == block->positions.end)
    return PARCEL_OK;
  if (gather->is_root) {
    place_block(gather, block);
    return PARCEL_OK;
  }
  outgoing own = {.block = block};
  put_in_queue(gather, &own);
  if (pthread_equal(pthread_self(), gather->main))
    while (!own.is_sent && poll_blocks(gather) == PARCEL_OK)
      continue;
  else
    await_sent(gather, &own);
  return PARCEL_OK;
}

/* Every send is complete by now, but the root may not have looked at the last of them yet. */
static parcel_status end_gather(void *ctx, parcel_status outcome)
{
  gather *gather = ctx;
  const int64_t sent = gather->is_root ? 0 : gather->blocks;
  int64_t all = 0;
  int code = MPI_Reduce(&sent, &all, 1, MPI_INT64_T, MPI_SUM, gather->root, gather->comm);
  while (code == MPI_SUCCESS && gather->is_root && gather->blocks < all)
    code = receive_blocks(gather);
  const parcel_status status = parcel_world_check_mpi(gather->world, code, "gathering the last blocks");
  return outcome ? outcome : parcel_world_agree(gather->world, status);
}

parcel_status parcel_sweep_gather(const parcel_world *world, const parcel_sweep *sweep, int root,
                                  void *const arrays[], const parcel_sweep_options *options,
                                  parcel_sweep_report *report)
{
  if (root < 0 || root >= parcel_world_size(world))
    return parcel_fail(PARCEL_INVALID, "root %d is none of the %d ranks", root, parcel_world_size(world));
  gather gather = {.world = world,
                   .sweep = sweep,
                   .comm = parcel_world_comm(world),
                   .root = root,
                   .is_root = parcel_world_rank(world) == root,
                   .arrays = arrays,
                   .mutex = PTHREAD_MUTEX_INITIALIZER,
                   .sent = PTHREAD_COND_INITIALIZER,
                   .main = pthread_self(),
                   .request = MPI_REQUEST_NULL};
  const parcel_sink sink = {.ctx = &gather, .write = write_block, .poll = poll_blocks, .end = end_gather};
  const parcel_status status = parcel_sweep_run(world, sweep, sink, options, report);
  pthread_cond_destroy(&gather.sent);
  pthread_mutex_destroy(&gather.mutex);
  return status;
}
