/* Along one dimension a halo is a row of strips, each owned by one coordinate: the own box in the middle, and
 * on either side what lies there, cut where the owner changes. A piece of the halo is one strip of each
 * dimension, but for the middle of all. Who receives from me? Those whose halo meets my box; and since a
 * point is in the halo of a box exactly when the box meets the halo of the point, they are, along each
 * dimension, the owners of my own strips. So a rank makes its own strips and, for each coordinate among their
 * owners, the strips which that one has from me.
 *
 * Both sides enumerate the pieces of a pair in the receiver's order, and cut large ones alike, so MPI's own
 * order matches them. */
#include <parcel/halo.h>

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "terms_impl.h"
#include "world_impl.h"

static const parcel_index most_message_bytes = (parcel_index)1 << 30;

/* ---- datatypes ---- */

/* Replaces *type, which is freed, by `count` of it at a stride. */
static int repeat(MPI_Datatype *type, int count, MPI_Aint stride)
{
  MPI_Datatype inner = *type;
  const int code = MPI_Type_create_hvector(count, 1, stride, inner, type);
  const int freed = MPI_Type_free(&inner);
  if (code != MPI_SUCCESS)
    *type = MPI_DATATYPE_NULL;
  return code != MPI_SUCCESS ? code : freed;
}

static int shift(MPI_Datatype *type, MPI_Aint offset, MPI_Aint extent)
{
  const int one = 1;
  MPI_Datatype inner = *type;
  MPI_Datatype moved = MPI_DATATYPE_NULL;
  *type = MPI_DATATYPE_NULL;
  int code = MPI_Type_create_hindexed(1, &one, &offset, inner, &moved);
  MPI_Type_free(&inner);
  if (code != MPI_SUCCESS)
    return code;
  code = MPI_Type_create_resized(moved, 0, extent, type);
  MPI_Type_free(&moved);
  if (code != MPI_SUCCESS)
    *type = MPI_DATATYPE_NULL;
  return code;
}

static parcel_status check_box(int dimensions, const parcel_index sizes[], const parcel_box *box,
                               parcel_index element_extent)
{
  parcel_index bytes = element_extent;
  if (dimensions < 1 || dimensions > PARCEL_GRID_DIMENSIONS)
    return parcel_fail(PARCEL_INVALID, "an array of %d dimensions; must be 1 to %d", dimensions,
                       PARCEL_GRID_DIMENSIONS);
  for (int d = 0; d < dimensions; ++d) {
    const parcel_index begin = box->begin[d];
    const parcel_index end = box->end[d];
    if (begin < 0 || begin >= end || end > sizes[d])
      return parcel_fail(PARCEL_INVALID,
                         "dimension %d: [%" PRId64 ", %" PRId64 ") is empty or beyond the %" PRId64
                         " points of the array",
                         d, begin, end, sizes[d]);
    if (end - begin > INT_MAX)
      return parcel_fail(PARCEL_RANGE, "dimension %d: a box of %" PRId64 " points is more than an int holds",
                         d, end - begin);
    if (bytes > 0 && sizes[d] > PTRDIFF_MAX / bytes)
      return parcel_fail(PARCEL_RANGE, "dimension %d: the array is larger than memory can be", d);
    bytes *= sizes[d];
  }
  return PARCEL_OK;
}

parcel_status parcel_halo_datatype(int dimensions, const parcel_index sizes[], const parcel_box *box,
                                   MPI_Datatype element, MPI_Datatype *out)
{
  MPI_Aint low = 0;
  MPI_Aint stride = 0;
  MPI_Aint offset = 0;
  MPI_Datatype type = MPI_DATATYPE_NULL;
  parcel_status status = parcel_mpi_check(MPI_Type_get_extent(element, &low, &stride), "MPI_Type_get_extent");
  if (status || (status = check_box(dimensions, sizes, box, stride)))
    return status;
  int code = MPI_Type_dup(element, &type);
  for (int d = dimensions - 1; d >= 0 && code == MPI_SUCCESS; --d) {
    code = repeat(&type, (int)(box->end[d] - box->begin[d]), stride);
    offset += box->begin[d] * stride;
    stride *= sizes[d];
  }
  if (code == MPI_SUCCESS)
    code = shift(&type, offset, stride);
  if (code == MPI_SUCCESS)
    code = MPI_Type_commit(&type);
  if ((status = parcel_mpi_check(code, "making a datatype for a box"))) {
    if (type != MPI_DATATYPE_NULL)
      MPI_Type_free(&type);
    return status;
  }
  *out = type;
  return PARCEL_OK;
}

/* ---- strips ---- */

typedef struct strip {
  int coordinate;     /* of the peer: who owns it, or whose halo it is in */
  parcel_index begin; /* in this rank's array with its halo */
  parcel_index count;
  bool is_middle; /* the receiver's own box */
} strip;

/* Along one dimension. */
typedef struct strips {
  strip *items;
  int count, room;
} strips;

typedef struct halo {
  const parcel_world *world;
  const parcel_grid *grid;
  int dimensions;
  int coordinates[PARCEL_GRID_DIMENSIONS];
  parcel_index widths[PARCEL_GRID_DIMENSIONS];
  parcel_index shape[PARCEL_GRID_DIMENSIONS]; /* of this rank's array */
  bool is_empty;                              /* this rank owns no point, so it takes no part in messages */
  bool without_corners;
  parcel_index element_bytes, message_bytes;
  MPI_Datatype element;
  char *array;
  strips in[PARCEL_GRID_DIMENSIONS];
  strips out[PARCEL_GRID_DIMENSIONS];
  MPI_Request *requests;
  int request_count, request_room;
} halo;

static parcel_status append(strips *strips, strip item)
{
  if (strips->count == strips->room) {
    const int room = strips->room ? 2 * strips->room : 8;
    strip *items = room < INT_MAX / 4 ? realloc(strips->items, (size_t)room * sizeof *items) : NULL;
    if (!items)
      return parcel_fail(PARCEL_MEMORY, "no memory for %d strips of a halo", room);
    strips->items = items;
    strips->room = room;
  }
  strips->items[strips->count++] = item;
  return PARCEL_OK;
}

/* The strips of one coordinate's halo, in order: all of them if owner < 0, else those from that owner, with
 * `begin` as it is in the owner's array. */
static parcel_status make_strips(const halo *halo, int dimension, int coordinate, int owner, strips *out)
{
  const parcel_grid line = {.dimensions = 1, .axes = {halo->grid->axes[dimension]}};
  const parcel_index extent = line.axes[0].extent;
  const parcel_index width = halo->widths[dimension];
  const parcel_span own = parcel_grid_span(&line, coordinate, 0, 0);
  const bool is_clipped = !line.axes[0].is_periodic;
  const parcel_index low = is_clipped && own.begin < width ? 0 : own.begin - width;
  const parcel_index high = is_clipped && extent - own.end < width ? extent : own.end + width;
  parcel_status status = PARCEL_OK;
  parcel_index count = 0;
  for (parcel_index x = low; x < high && own.begin < own.end && !status; x += count) {
    const bool is_middle = x == own.begin;
    parcel_index wrapped = x;
    if (!parcel_grid_wrap(&line, &wrapped))
      break; /* never: x is in the halo, which is clipped where there is no turn */
    const int from = parcel_grid_owner(&line, &wrapped);
    const parcel_span run = parcel_grid_span(&line, from, 0, 0);
    const parcel_index limit = x < own.begin ? own.begin : is_middle ? own.end : high;
    count = run.end - wrapped < limit - x ? run.end - wrapped : limit - x;
    if (owner < 0)
      status = append(out, (strip){from, x - own.begin + width, count, is_middle});
    else if (from == owner)
      status = append(out, (strip){coordinate, wrapped - run.begin + width, count, is_middle});
  }
  return status;
}

static int compare_coordinates(const void *one, const void *other)
{
  const int a = *(const int *)one;
  const int b = *(const int *)other;
  return (a > b) - (a < b);
}

/* Each coordinate among the owners of the strips once, in ascending order. */
static parcel_status make_out_strips(const halo *halo, int dimension, const strips *in, strips *out)
{
  parcel_status status = PARCEL_OK;
  int *owners = malloc((size_t)in->count * sizeof *owners);
  if (!owners)
    return parcel_fail(PARCEL_MEMORY, "no memory for %d strips of a halo", in->count);
  for (int k = 0; k < in->count; ++k)
    owners[k] = in->items[k].coordinate;
  qsort(owners, (size_t)in->count, sizeof *owners, compare_coordinates);
  for (int k = 0; k < in->count && !status; ++k)
    if (k == 0 || owners[k] != owners[k - 1])
      status = make_strips(halo, dimension, owners[k], halo->coordinates[dimension], out);
  free(owners);
  return status;
}

static parcel_status make_all_strips(halo *halo)
{
  parcel_status status = PARCEL_OK;
  for (int d = 0; d < halo->dimensions && !status && !halo->is_empty; ++d) {
    status = make_strips(halo, d, halo->coordinates[d], -1, &halo->in[d]);
    if (!status)
      status = make_out_strips(halo, d, &halo->in[d], &halo->out[d]);
  }
  return status;
}

/* ---- messages ---- */

/* Before there are requests, messages are only counted: so that memory cannot fail once ranks wait for each
 * other. */
static parcel_status post(halo *halo, bool is_sending, int peer, const parcel_box *box)
{
  MPI_Comm comm = parcel_world_comm(halo->world);
  MPI_Datatype type = MPI_DATATYPE_NULL;
  if (!halo->requests) {
    if (halo->request_room == INT_MAX)
      return parcel_fail(PARCEL_RANGE, "a halo of more than %d messages; make message_bytes larger", INT_MAX);
    ++halo->request_room;
    return PARCEL_OK;
  }
  const parcel_status status = parcel_halo_datatype(halo->dimensions, halo->shape, box, halo->element, &type);
  if (status)
    return status;
  MPI_Request *request = &halo->requests[halo->request_count];
  const int code = is_sending ? MPI_Isend(halo->array, 1, type, peer, PARCEL_TAG_HALO, comm, request)
                              : MPI_Irecv(halo->array, 1, type, peer, PARCEL_TAG_HALO, comm, request);
  halo->request_count += code == MPI_SUCCESS;
  MPI_Type_free(&type); /* when the message is through */
  return parcel_world_check_mpi(halo->world, code, "exchanging a halo");
}

/* Halves the box along its slowest dimension until a half is small enough for one message. */
static parcel_status post_cut(halo *halo, bool is_sending, int peer, const parcel_box *box)
{
  parcel_index bytes = halo->element_bytes;
  int widest = -1;
  for (int d = halo->dimensions - 1; d >= 0; --d) {
    const parcel_index count = box->end[d] - box->begin[d];
    bytes *= count; /* less than the array, which is in memory */
    widest = count > 1 ? d : widest;
  }
  if (bytes <= halo->message_bytes || widest < 0)
    return post(halo, is_sending, peer, box);
  parcel_box halves[2] = {*box, *box};
  halves[0].end[widest] = halves[1].begin[widest] =
      box->begin[widest] + (box->end[widest] - box->begin[widest]) / 2;
  const parcel_status status = post_cut(halo, is_sending, peer, &halves[0]);
  return status ? status : post_cut(halo, is_sending, peer, &halves[1]);
}

static parcel_status post_piece(halo *halo, bool is_sending, const strips along[], const int digits[])
{
  int coordinates[PARCEL_GRID_DIMENSIONS];
  int outside = 0;
  parcel_box box = {{0}, {0}};
  for (int d = 0; d < halo->dimensions; ++d) {
    const strip *strip = &along[d].items[digits[d]];
    coordinates[d] = strip->coordinate;
    outside += !strip->is_middle;
    box.begin[d] = strip->begin;
    box.end[d] = strip->begin + strip->count;
  }
  if (outside == 0 || (outside > 1 && halo->without_corners))
    return PARCEL_OK;
  return post_cut(halo, is_sending, parcel_grid_part(halo->grid, coordinates), &box);
}

/* Every combination of one strip of each dimension, the last dimension fastest. */
static parcel_status post_all(halo *halo, bool is_sending)
{
  const strips *along = is_sending ? halo->out : halo->in;
  int digits[PARCEL_GRID_DIMENSIONS] = {0};
  parcel_status status = PARCEL_OK;
  int d = 0;
  while (d >= 0 && !status) {
    status = post_piece(halo, is_sending, along, digits);
    for (d = halo->dimensions - 1; d >= 0 && ++digits[d] == along[d].count; --d)
      digits[d] = 0;
  }
  return status;
}

/* Receives first: a message that is expected needs no copy inside MPI. */
static parcel_status post_both(halo *halo)
{
  if (halo->is_empty)
    return PARCEL_OK;
  const parcel_status status = post_all(halo, false);
  return status ? status : post_all(halo, true);
}

static parcel_status make_requests(halo *halo)
{
  const parcel_status status = post_both(halo);
  if (status)
    return status;
  halo->requests = calloc((size_t)halo->request_room + 1, sizeof(MPI_Request));
  if (!halo->requests)
    return parcel_fail(PARCEL_MEMORY, "no memory for %d messages of a halo", halo->request_room);
  return PARCEL_OK;
}

/* All ranks wait for each other's messages: a rank that cannot post its own has no way to tell them. */
static void run(halo *halo)
{
  if (post_both(halo))
    parcel__world_abandon(halo->world);
  parcel_world_check_mpi(halo->world, MPI_Waitall(halo->request_count, halo->requests, MPI_STATUSES_IGNORE),
                         "exchanging a halo");
}

static void release(halo *halo)
{
  for (int d = 0; d < PARCEL_GRID_DIMENSIONS; ++d) {
    free(halo->in[d].items);
    free(halo->out[d].items);
  }
  for (int k = 0; k < halo->request_count; ++k) /* after a failure of MPI only */
    if (halo->requests[k] != MPI_REQUEST_NULL)
      MPI_Request_free(&halo->requests[k]);
  free(halo->requests);
  if (halo->element != MPI_DATATYPE_NULL)
    MPI_Type_free(&halo->element);
}

/* ---- arguments ---- */

parcel_status parcel_halo_shape(const parcel_grid *grid, int part, const parcel_index widths[],
                                parcel_index shape[])
{
  parcel_box box;
  parcel_index own[PARCEL_GRID_DIMENSIONS] = {0};
  parcel_index points = 1;
  const parcel_status status = parcel_grid_halo(grid, part, widths, &box);
  if (status)
    return status;
  const bool is_empty = box.begin[0] == box.end[0];
  for (int d = 0; d < grid->dimensions && !is_empty; ++d) {
    const parcel_index inner = parcel_grid_count(grid, part, d);
    if (widths[d] > (INT64_MAX - inner) / 2 || inner + 2 * widths[d] > INT64_MAX / points)
      return parcel_fail(PARCEL_RANGE, "part %d with its halo has more than 2^63 points", part);
    own[d] = inner + 2 * widths[d];
    points *= own[d];
  }
  memcpy(shape, own, (size_t)grid->dimensions * sizeof *shape);
  return PARCEL_OK;
}

static parcel_status check(const halo *halo, const void *array)
{
  const int parts = parcel_grid_parts(halo->grid);
  if (parts != parcel_world_size(halo->world))
    return parcel_fail(PARCEL_INVALID, "a grid of %d parts cannot be that of %d ranks", parts,
                       parcel_world_size(halo->world));
  if (halo->element_bytes < 1 || halo->element_bytes > INT_MAX)
    return parcel_fail(PARCEL_INVALID, "elements of %" PRId64 " bytes; must be from 1 to %d",
                       halo->element_bytes, INT_MAX);
  if (halo->message_bytes < 1 || halo->message_bytes > most_message_bytes)
    return parcel_fail(PARCEL_INVALID, "messages of %" PRId64 " bytes; must be from 1 to 2^30",
                       halo->message_bytes);
  parcel_index points = 1;
  for (int d = 0; d < halo->dimensions; ++d)
    points *= halo->shape[d];
  if (points > INT64_MAX / halo->element_bytes)
    return parcel_fail(PARCEL_RANGE, "%" PRId64 " elements of %" PRId64 " bytes are beyond 2^63 bytes",
                       points, halo->element_bytes);
  if (points > 0 && !array)
    return parcel_fail(PARCEL_INVALID, "the array of %" PRId64 " elements is NULL", points);
  return PARCEL_OK;
}

static void describe(const void *ctx, char *text, size_t size)
{
  const halo *halo = ctx;
  char axes[96] = "";
  for (int d = 0; d < halo->dimensions; ++d) {
    const parcel_grid_axis *axis = &halo->grid->axes[d];
    const size_t used = strlen(axes);
    snprintf(axes + used, sizeof axes - used, "%s%" PRId64 "/%d%s+%" PRId64, d ? " x " : "", axis->extent,
             axis->parts, axis->is_periodic ? " periodic" : "", halo->widths[d]);
  }
  snprintf(text, size, "the halo of %s%s, %" PRId64 " bytes each, messages of %" PRId64, axes,
           halo->without_corners ? " without corners" : "", halo->element_bytes, halo->message_bytes);
}

static uint64_t hash(const halo *halo)
{
  uint64_t hash = parcel__hash_number(0, (uint64_t)PARCEL_TAG_HALO);
  hash = parcel__hash_number(hash, (uint64_t)halo->dimensions);
  for (int d = 0; d < halo->dimensions; ++d) {
    const parcel_grid_axis *axis = &halo->grid->axes[d];
    hash = parcel__hash_number(hash, (uint64_t)axis->extent);
    hash = parcel__hash_number(hash, (uint64_t)axis->parts);
    hash = parcel__hash_number(hash, (uint64_t)axis->kind);
    hash = parcel__hash_number(hash, (uint64_t)axis->block);
    hash = parcel__hash_number(hash, (uint64_t)axis->is_periodic);
    hash = parcel__hash_number(hash, (uint64_t)halo->widths[d]);
  }
  hash = parcel__hash_number(hash, (uint64_t)halo->element_bytes);
  hash = parcel__hash_number(hash, (uint64_t)halo->message_bytes);
  return parcel__hash_number(hash, (uint64_t)halo->without_corners);
}

/* All that can fail without any other rank: done before the ranks agree. */
static parcel_status prepare(halo *halo, const parcel_index widths[], void *array)
{
  const int rank = parcel_world_rank(halo->world);
  parcel_status status = PARCEL_OK;
  if (!halo->grid || !widths)
    return parcel_fail(PARCEL_INVALID, "a halo needs a grid and widths: one is NULL");
  /* Cyclic dimensions are refused by those ranks that have several runs, and so by all. */
  if ((status = parcel_halo_shape(halo->grid, rank, widths, halo->shape)))
    return status;
  halo->dimensions = halo->grid->dimensions;
  halo->is_empty = halo->shape[0] == 0;
  memcpy(halo->widths, widths, (size_t)halo->dimensions * sizeof *widths);
  if ((status = check(halo, array)))
    return status;
  parcel_grid_coordinates(halo->grid, rank, halo->coordinates);
  if ((status = parcel_mpi_check(MPI_Type_contiguous((int)halo->element_bytes, MPI_BYTE, &halo->element),
                                 "MPI_Type_contiguous")))
    return status;
  if ((status = make_all_strips(halo)))
    return status;
  return make_requests(halo);
}

parcel_status parcel_halo_exchange(const parcel_world *world, const parcel_grid *grid,
                                   const parcel_index widths[], parcel_index element_bytes, void *array,
                                   const parcel_halo_options *options)
{
  const parcel_halo_options chosen = options ? *options : (parcel_halo_options)PARCEL_HALO_OPTIONS_INIT;
  halo halo = {.world = world,
               .grid = grid,
               .without_corners = chosen.without_corners,
               .element_bytes = element_bytes,
               .message_bytes = chosen.message_bytes ? chosen.message_bytes : most_message_bytes,
               .element = MPI_DATATYPE_NULL,
               .array = array};
  parcel_status status = prepare(&halo, widths, array);
  const parcel_terms terms = {.hash = status ? 0 : hash(&halo), .describe = describe, .ctx = &halo};
  status = parcel__agree_on_terms(world, status, &terms);
  if (!status)
    run(&halo);
  release(&halo);
  return status;
}
