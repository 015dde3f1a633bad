/* Loops of another shape, each made of one parcel_pool_for: over tiles, whose numbers run along the rows, and
 * with a result. A reduction gives every part of the positions a result of its own, on a cache line of its
 * own, so that who does which part leaves no trace. */
#include <parcel/pool.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <parcel/block.h>

#include "pool_impl.h"

/* ---- tiles ---- */

typedef struct tiling {
  parcel_index rows, columns, tile_rows, tile_columns;
  parcel_index across; /* tiles beside each other */
  parcel_tile_body body;
  void *ctx;
} tiling;

static parcel_index pieces(parcel_index count, parcel_index size)
{
  return count / size + (count % size != 0);
}

static parcel_span nth_piece(parcel_index count, parcel_index size, parcel_index n)
{
  const parcel_index begin = n * size;
  return (parcel_span){begin, size < count - begin ? begin + size : count};
}

static parcel_status call_tiles(void *ctx, parcel_span tiles, int worker)
{
  const tiling *loop = ctx;
  parcel_status status = PARCEL_OK;
  for (parcel_index t = tiles.begin; t < tiles.end && !status; ++t) {
    const parcel_tile tile = {nth_piece(loop->rows, loop->tile_rows, t / loop->across),
                              nth_piece(loop->columns, loop->tile_columns, t % loop->across)};
    status = loop->body(loop->ctx, tile, worker);
  }
  return status;
}

parcel_status parcel_pool_for_2d(parcel_pool *pool, parcel_index rows, parcel_index columns,
                                 parcel_index tile_rows, parcel_index tile_columns, parcel_tile_body body,
                                 void *ctx)
{
  if (rows < 0 || columns < 0 || tile_rows < 0 || tile_columns < 0)
    return parcel_fail(PARCEL_INVALID,
                       "a loop over %" PRId64 " x %" PRId64 " positions by %" PRId64 " x %" PRId64
                       "; none may be negative",
                       rows, columns, tile_rows, tile_columns);
  tiling loop = {.rows = rows, .columns = columns, .body = body, .ctx = ctx};
  loop.tile_rows = tile_rows > 0 ? tile_rows : PARCEL_TILE_ROWS;
  loop.tile_columns = tile_columns > 0 ? tile_columns : PARCEL_TILE_COLUMNS;
  loop.across = pieces(columns, loop.tile_columns);
  parcel_index tiles = 0;
  if (__builtin_mul_overflow(pieces(rows, loop.tile_rows), loop.across, &tiles))
    return parcel_fail(PARCEL_RANGE,
                       "%" PRId64 " x %" PRId64 " positions have too many tiles of %" PRId64 " x %" PRId64
                       "; use larger ones",
                       rows, columns, loop.tile_rows, loop.tile_columns);
  return parcel_pool_for(pool, tiles, 0, call_tiles, &loop);
}

/* ---- reductions ---- */

typedef struct reducing {
  const parcel_reduction *how;
  void *ctx;
  parcel_index count, grain;
  parcel_index spans; /* calls of body */
  parcel_index parts; /* results */
  size_t stride;      /* from one result to the next, in bytes */
  char *results;      /* [parts] */
} reducing;

static parcel_status reduce_part(const reducing *loop, parcel_index part, int worker)
{
  const parcel_span spans = parcel_block_span(loop->spans, loop->parts, part);
  char *result = loop->results + (size_t)part * loop->stride;
  parcel_status status = PARCEL_OK;
  memcpy(result, loop->how->identity, loop->how->size);
  for (parcel_index s = spans.begin; s < spans.end && !status; ++s)
    status = loop->how->body(loop->ctx, nth_piece(loop->count, loop->grain, s), worker, result);
  return status;
}

static parcel_status reduce_parts(void *ctx, parcel_span parts, int worker)
{
  parcel_status status = PARCEL_OK;
  for (parcel_index p = parts.begin; p < parts.end && !status; ++p)
    status = reduce_part(ctx, p, worker);
  return status;
}

static void combine_in_order(const reducing *loop, void *result)
{
  memcpy(result, loop->results, loop->how->size);
  for (parcel_index p = 1; p < loop->parts; ++p)
    loop->how->combine(loop->ctx, result, loop->results + (size_t)p * loop->stride);
}

/* Without a grain a span is a part. */
static reducing divide(parcel_index count, parcel_index grain, const parcel_reduction *how, void *ctx)
{
  reducing loop = {.how = how, .ctx = ctx, .count = count, .grain = grain};
  if (grain == 0)
    loop.grain = count > 0 ? pieces(count, PARCEL_REDUCTION_RESULTS) : 1;
  loop.spans = pieces(count, loop.grain);
  loop.parts = loop.spans < PARCEL_REDUCTION_RESULTS ? loop.spans : PARCEL_REDUCTION_RESULTS;
  loop.stride = (how->size + PARCEL__CACHE_LINE - 1) / PARCEL__CACHE_LINE * PARCEL__CACHE_LINE;
  return loop;
}

parcel_status parcel_pool_reduce(parcel_pool *pool, parcel_index count, parcel_index grain,
                                 const parcel_reduction *how, void *ctx, void *result)
{
  if (count < 0 || grain < 0 || how->size == 0)
    return parcel_fail(PARCEL_INVALID,
                       "a reduction over %" PRId64 " positions by %" PRId64
                       " to %zu bytes; none may be negative, nor a result empty",
                       count, grain, how->size);
  if (count == 0) {
    memcpy(result, how->identity, how->size);
    return PARCEL_OK;
  }
  reducing loop = divide(count, grain, how, ctx);
  size_t bytes = 0;
  if (!__builtin_mul_overflow((size_t)loop.parts, loop.stride, &bytes))
    loop.results = aligned_alloc(PARCEL__CACHE_LINE, bytes);
  if (!loop.results)
    return parcel_fail(PARCEL_MEMORY, "no memory for %" PRId64 " results of %zu bytes", loop.parts,
                       how->size);
  const parcel_status status = parcel_pool_for(pool, loop.parts, 0, reduce_parts, &loop);
  if (!status)
    combine_in_order(&loop, result);
  free(loop.results);
  return status;
}
