/* What rank p sends to rank q is the plan between them (parcel/plan.h), which both can walk. So both cut it
 * into the same messages without a word about it: a long move is cut into messages of its own, sent from
 * where it lies to where it belongs; short ones are collected, up to packed_bytes, and copied through a
 * buffer on those sides where they are not adjacent.
 *
 * Why it does not deadlock: each rank sends to and receives from the rank at distance 1, then 2, and so on
 * (rank q is at distance (q - p) mod ranks of p), a few messages ahead in each direction. Of all messages
 * that are not yet delivered take one of the least distance, and of its pair the first. At its sender and at
 * its receiver everything before it is done, so both have posted it, and it is delivered. MPI keeps the order
 * of messages of a pair.
 *
 * Gather and scatter are exchanges with a side where one rank has everything. */
#include <parcel/exchange.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parcel/plan.h>

#include "terms_impl.h"
#include "world_impl.h"

enum { SLOTS = 16 }; /* messages under way in each direction */

static const parcel_index most_message_bytes = (parcel_index)1 << 30;
static const parcel_index default_packed_bytes = (parcel_index)1 << 18;
static const parcel_index worth_a_message = (parcel_index)1 << 15; /* where copying costs more than sending */

/* How one side's array is owned: by a layout, or all of it by root. */
typedef struct side {
  const parcel_layout *layout;
  int root; /* -1: by the layout */
} side;

typedef struct exchange {
  const parcel_world *world;
  int rank, ranks;
  side from, to;
  parcel_index element_bytes;
  const char *source;
  char *target;
  parcel_index message_bytes, packed_bytes;
  parcel_index direct_bytes; /* moves of as many bytes go by themselves; <= packed_bytes */
} exchange;

static parcel_slab slab_of(const side *side, int rank)
{
  parcel_slab slab = {.stride = 1, .block = 1};
  const parcel_index n = parcel_layout_size(side->layout);
  if (side->root < 0) {
    if (parcel_plan_slab(side->layout, rank, &slab))
      abort(); /* every rank has been checked to be a part */
  } else if (side->root == rank && n > 0) {
    slab = (parcel_slab){.stride = n, .block = n, .count = 1};
  }
  return slab;
}

static void plan_between(const exchange *exchange, int sender, int receiver, parcel_plan *plan)
{
  parcel_plan_of_slabs(slab_of(&exchange->from, sender), sender, slab_of(&exchange->to, receiver), receiver,
                       plan);
}

static void copy_own(const exchange *exchange)
{
  parcel_plan plan;
  parcel_move move;
  plan_between(exchange, exchange->rank, exchange->rank, &plan);
  while (parcel_plan_next(&plan, &move))
    memcpy(exchange->target + move.to.begin * exchange->element_bytes,
           exchange->source + move.from.begin * exchange->element_bytes,
           (size_t)(move.count * exchange->element_bytes));
}

/* ---- cutting plans into messages ---- */

/* All messages that a rank sends, or all that it receives, in their order. */
typedef struct stream {
  const exchange *exchange;
  bool is_sending;
  int distance; /* of the peer */
  int peer;
  parcel_plan plan; /* of what follows `move` */
  bool has_move;
  parcel_move move;
  parcel_index offset; /* bytes of the move that are in messages already */
} stream;

typedef struct message {
  int peer;
  parcel_index bytes;
  parcel_index place; /* in this rank's array, in bytes; unless packed */
  bool is_packed;
  parcel_index moves; /* if packed: this many, from `move` on and then as in `plan` */
  parcel_move move;
  parcel_plan plan;
} message;

static parcel_span own_span(const stream *stream, const parcel_move *move)
{
  return stream->is_sending ? move->from : move->to;
}

static bool next_peer(stream *stream)
{
  const exchange *exchange = stream->exchange;
  if (stream->distance + 1 >= exchange->ranks)
    return false;
  ++stream->distance;
  if (stream->is_sending) {
    stream->peer = (int)(((int64_t)exchange->rank + stream->distance) % exchange->ranks);
    plan_between(exchange, exchange->rank, stream->peer, &stream->plan);
  } else {
    stream->peer = (int)(((int64_t)exchange->rank - stream->distance + exchange->ranks) % exchange->ranks);
    plan_between(exchange, stream->peer, exchange->rank, &stream->plan);
  }
  return true;
}

static parcel_index bytes_of(const stream *stream, parcel_index elements)
{
  return elements * stream->exchange->element_bytes;
}

/* The next piece of a long move. */
static void cut(stream *stream, message *message)
{
  const parcel_index bytes = bytes_of(stream, stream->move.count);
  const parcel_index rest = bytes - stream->offset;
  message->bytes = rest < stream->exchange->message_bytes ? rest : stream->exchange->message_bytes;
  message->place = bytes_of(stream, own_span(stream, &stream->move).begin) + stream->offset;
  stream->offset += message->bytes;
  if (stream->offset == bytes) {
    stream->has_move = false;
    stream->offset = 0;
  }
}

/* As many short moves to the same peer as fit, packed unless they are adjacent here. */
static void collect(stream *stream, message *message)
{
  const exchange *exchange = stream->exchange;
  parcel_index end = own_span(stream, &stream->move).begin;
  message->place = bytes_of(stream, end);
  message->move = stream->move;
  message->plan = stream->plan;
  for (; stream->has_move; stream->has_move = parcel_plan_next(&stream->plan, &stream->move)) {
    const parcel_index bytes = bytes_of(stream, stream->move.count);
    const parcel_span own = own_span(stream, &stream->move);
    if (bytes >= exchange->direct_bytes || message->bytes + bytes > exchange->packed_bytes)
      break;
    message->is_packed = message->is_packed || own.begin != end;
    message->bytes += bytes;
    ++message->moves;
    end = own.end;
  }
}

static bool next_message(stream *stream, message *out)
{
  while (!stream->has_move)
    if (!(stream->has_move = parcel_plan_next(&stream->plan, &stream->move)) && !next_peer(stream))
      return false;
  *out = (message){.peer = stream->peer};
  if (bytes_of(stream, stream->move.count) >= stream->exchange->direct_bytes)
    cut(stream, out);
  else
    collect(stream, out);
  return true;
}

/* ---- messages under way ---- */

typedef struct slot {
  message message;
  char *buffer; /* [packed_bytes] */
} slot;

/* Both directions: the first half of the slots send, the others receive. */
typedef struct traffic {
  const exchange *exchange;
  stream streams[2];
  slot slots[2 * SLOTS];
  MPI_Request requests[2 * SLOTS];
  char *buffers;
} traffic;

static bool is_sending(int slot)
{
  return slot < SLOTS;
}

static void pack(const exchange *exchange, message *message, char *buffer)
{
  parcel_index moves = message->moves;
  do {
    const parcel_index bytes = message->move.count * exchange->element_bytes;
    memcpy(buffer, exchange->source + message->move.from.begin * exchange->element_bytes, (size_t)bytes);
    buffer += bytes;
  } while (--moves > 0 && parcel_plan_next(&message->plan, &message->move));
}

static void unpack(const exchange *exchange, message *message, const char *buffer)
{
  parcel_index moves = message->moves;
  do {
    const parcel_index bytes = message->move.count * exchange->element_bytes;
    memcpy(exchange->target + message->move.to.begin * exchange->element_bytes, buffer, (size_t)bytes);
    buffer += bytes;
  } while (--moves > 0 && parcel_plan_next(&message->plan, &message->move));
}

/* Puts the slot's next message under way; where there is none, its request stays MPI_REQUEST_NULL. */
static int start(traffic *traffic, int index)
{
  const exchange *exchange = traffic->exchange;
  slot *slot = &traffic->slots[index];
  message *message = &slot->message;
  MPI_Comm comm = parcel_world_comm(exchange->world);
  if (!next_message(&traffic->streams[is_sending(index) ? 0 : 1], message))
    return MPI_SUCCESS;
  if (!is_sending(index))
    return MPI_Irecv(message->is_packed ? slot->buffer : exchange->target + message->place,
                     (int)message->bytes, MPI_BYTE, message->peer, PARCEL_TAG_EXCHANGE, comm,
                     &traffic->requests[index]);
  if (message->is_packed)
    pack(exchange, message, slot->buffer);
  return MPI_Isend(message->is_packed ? slot->buffer : exchange->source + message->place, (int)message->bytes,
                   MPI_BYTE, message->peer, PARCEL_TAG_EXCHANGE, comm, &traffic->requests[index]);
}

static int finish(traffic *traffic, int index)
{
  slot *slot = &traffic->slots[index];
  if (!is_sending(index) && slot->message.is_packed)
    unpack(traffic->exchange, &slot->message, slot->buffer);
  return start(traffic, index);
}

/* Receives are posted before sends are packed: a message that is expected needs no copy inside MPI. */
static int run(traffic *traffic)
{
  int code = MPI_SUCCESS;
  for (int index = 2 * SLOTS - 1; index >= SLOTS && code == MPI_SUCCESS; --index)
    code = start(traffic, index);
  for (int index = 0; index < SLOTS && code == MPI_SUCCESS; ++index)
    code = start(traffic, index);
  if (code == MPI_SUCCESS)
    copy_own(traffic->exchange);
  while (code == MPI_SUCCESS) {
    int done[2 * SLOTS];
    int count = 0;
    code = MPI_Waitsome(2 * SLOTS, traffic->requests, &count, done, MPI_STATUSES_IGNORE);
    if (count == MPI_UNDEFINED)
      break;
    for (int k = 0; k < count && code == MPI_SUCCESS; ++k)
      code = finish(traffic, done[k]);
  }
  return code;
}

/* After a failure of MPI some messages may still be under way; their buffers are then left to them. */
static void release(traffic *traffic)
{
  bool is_idle = true;
  for (int index = 0; index < 2 * SLOTS; ++index)
    if (traffic->requests[index] != MPI_REQUEST_NULL) {
      is_idle = false;
      MPI_Request_free(&traffic->requests[index]);
    }
  if (is_idle)
    free(traffic->buffers);
  free(traffic);
}

static traffic *make_traffic(const exchange *exchange)
{
  traffic *traffic = calloc(1, sizeof *traffic);
  char *buffers = malloc((size_t)2 * SLOTS * (size_t)exchange->packed_bytes);
  if (!traffic || !buffers) {
    free(traffic);
    free(buffers);
    return NULL;
  }
  traffic->exchange = exchange;
  traffic->buffers = buffers;
  for (int direction = 0; direction < 2; ++direction) {
    traffic->streams[direction] = (stream){.exchange = exchange, .is_sending = direction == 0};
    parcel_plan_of_slabs((parcel_slab){.stride = 1, .block = 1}, 0, (parcel_slab){.stride = 1, .block = 1}, 0,
                         &traffic->streams[direction].plan);
  }
  for (int index = 0; index < 2 * SLOTS; ++index) {
    traffic->slots[index].buffer = buffers + index * exchange->packed_bytes;
    traffic->requests[index] = MPI_REQUEST_NULL;
  }
  return traffic;
}

/* ---- arguments ---- */

static parcel_status check_side(const exchange *exchange, const side *side)
{
  if (!side->layout)
    return parcel_fail(PARCEL_INVALID, "an exchange needs layouts: one is NULL");
  if (parcel_layout_parts(side->layout) != exchange->ranks)
    return parcel_fail(PARCEL_INVALID,
                       "a layout of %d parts cannot be exchanged among %d ranks; make it of %d parts",
                       parcel_layout_parts(side->layout), exchange->ranks, exchange->ranks);
  if (side->root < -1 || side->root >= exchange->ranks)
    return parcel_fail(PARCEL_INVALID, "root %d is none of the %d ranks", side->root, exchange->ranks);
  return PARCEL_OK;
}

static parcel_status check_array(const exchange *exchange, const side *side, const void *array,
                                 const char *name, parcel_index *bytes)
{
  const parcel_index count = parcel_slab_size(slab_of(side, exchange->rank));
  if (count > INT64_MAX / exchange->element_bytes)
    return parcel_fail(PARCEL_RANGE, "%" PRId64 " elements of %" PRId64 " bytes are beyond 2^63 bytes", count,
                       exchange->element_bytes);
  if (count > 0 && !array)
    return parcel_fail(PARCEL_INVALID, "the %s of %" PRId64 " elements is NULL", name, count);
  *bytes = count * exchange->element_bytes;
  return PARCEL_OK;
}

static parcel_status check(const exchange *exchange)
{
  parcel_status status = PARCEL_OK;
  parcel_index source = 0;
  parcel_index target = 0;
  if ((status = check_side(exchange, &exchange->from)) || (status = check_side(exchange, &exchange->to)))
    return status;
  if (parcel_layout_size(exchange->from.layout) != parcel_layout_size(exchange->to.layout))
    return parcel_fail(PARCEL_INVALID, "%" PRId64 " positions cannot be exchanged for %" PRId64,
                       parcel_layout_size(exchange->from.layout), parcel_layout_size(exchange->to.layout));
  if (exchange->element_bytes < 1)
    return parcel_fail(PARCEL_INVALID, "elements of %" PRId64 " bytes; must be at least 1",
                       exchange->element_bytes);
  if (exchange->message_bytes < 1 || exchange->message_bytes > most_message_bytes ||
      exchange->packed_bytes < 1)
    return parcel_fail(PARCEL_INVALID,
                       "messages of %" PRId64 " bytes, packed ones of %" PRId64
                       "; they must be from 1 to 2^30",
                       exchange->message_bytes, exchange->packed_bytes);
  if ((status = check_array(exchange, &exchange->from, exchange->source, "source", &source)) ||
      (status = check_array(exchange, &exchange->to, exchange->target, "target", &target)))
    return status;
  const uintptr_t source_place = (uintptr_t)exchange->source;
  const uintptr_t target_place = (uintptr_t)exchange->target;
  if (source > 0 && target > 0 && source_place < target_place + (uintptr_t)target &&
      target_place < source_place + (uintptr_t)source)
    return parcel_fail(PARCEL_INVALID, "source and target overlap; an exchange needs two arrays");
  return PARCEL_OK;
}

static void describe(const void *ctx, char *text, size_t size)
{
  const exchange *exchange = ctx;
  char sides[2][48];
  for (int k = 0; k < 2; ++k) {
    const side *side = k == 0 ? &exchange->from : &exchange->to;
    if (side->root >= 0)
      snprintf(sides[k], sizeof sides[k], "rank %d", side->root);
    else if (parcel_layout_format(side->layout, sides[k], sizeof sides[k]) >= (parcel_index)sizeof sides[k])
      memcpy(sides[k] + sizeof sides[k] - 4, "...", 4);
  }
  snprintf(text, size, "%s to %s, %" PRId64 " bytes each, messages of %" PRId64 " and %" PRId64, sides[0],
           sides[1], exchange->element_bytes, exchange->message_bytes, exchange->packed_bytes);
}

static uint64_t hash(const exchange *exchange)
{
  uint64_t hash = parcel__hash_number(0, parcel_layout_hash(exchange->from.layout));
  hash = parcel__hash_number(hash, parcel_layout_hash(exchange->to.layout));
  hash = parcel__hash_number(hash, (uint64_t)exchange->from.root);
  hash = parcel__hash_number(hash, (uint64_t)exchange->to.root);
  hash = parcel__hash_number(hash, (uint64_t)exchange->element_bytes);
  hash = parcel__hash_number(hash, (uint64_t)exchange->message_bytes);
  return parcel__hash_number(hash, (uint64_t)exchange->packed_bytes);
}

static parcel_index least(parcel_index one, parcel_index other)
{
  return one < other ? one : other;
}

/* The exchange comes with its sides, element size and arrays. */
static parcel_status carry_out(exchange *exchange, const parcel_world *world,
                               const parcel_exchange_options *options)
{
  const parcel_exchange_options chosen =
      options ? *options : (parcel_exchange_options)PARCEL_EXCHANGE_OPTIONS_INIT;
  exchange->world = world;
  exchange->rank = parcel_world_rank(world);
  exchange->ranks = parcel_world_size(world);
  exchange->message_bytes = chosen.message_bytes ? chosen.message_bytes : most_message_bytes;
  exchange->packed_bytes =
      least(chosen.packed_bytes ? chosen.packed_bytes : default_packed_bytes, exchange->message_bytes);
  exchange->direct_bytes = least(worth_a_message, exchange->packed_bytes);
  traffic *traffic = NULL;
  parcel_status status = check(exchange);
  if (!status && !(traffic = make_traffic(exchange)))
    status = parcel_fail(PARCEL_MEMORY, "no memory for %d buffers of %" PRId64 " bytes; lower packed_bytes",
                         2 * SLOTS, exchange->packed_bytes);
  const parcel_terms terms = {.hash = status ? 0 : hash(exchange), .describe = describe, .ctx = exchange};
  status = parcel__agree_on_terms(world, status, &terms);
  if (!status)
    status = parcel_world_check_mpi(world, run(traffic), "exchanging a distributed array");
  if (traffic)
    release(traffic);
  return status;
}

parcel_status parcel_exchange(const parcel_world *world, const parcel_layout *from, const parcel_layout *to,
                              parcel_index element_bytes, const void *source, void *target,
                              const parcel_exchange_options *options)
{
  exchange exchange = {
      .from = {from, -1}, .to = {to, -1}, .element_bytes = element_bytes, .source = source, .target = target};
  return carry_out(&exchange, world, options);
}

/* -1 means a layout here, so a root that is none becomes one that no world has. */
static int no_rank_but_root(int root)
{
  return root < 0 ? -2 : root;
}

parcel_status parcel_exchange_gather(const parcel_world *world, const parcel_layout *layout, int root,
                                     parcel_index element_bytes, const void *source, void *target,
                                     const parcel_exchange_options *options)
{
  exchange exchange = {.from = {layout, -1},
                       .to = {layout, no_rank_but_root(root)},
                       .element_bytes = element_bytes,
                       .source = source,
                       .target = target};
  return carry_out(&exchange, world, options);
}

parcel_status parcel_exchange_scatter(const parcel_world *world, const parcel_layout *layout, int root,
                                      parcel_index element_bytes, const void *source, void *target,
                                      const parcel_exchange_options *options)
{
  exchange exchange = {.from = {layout, no_rank_but_root(root)},
                       .to = {layout, -1},
                       .element_bytes = element_bytes,
                       .source = source,
                       .target = target};
  return carry_out(&exchange, world, options);
}
