/* HDF5 runs its filters on one thread under one lock; here every worker packs its own blocks. The bytes are
 * such that HDF5 takes them for its own. */
#include "coder_impl.h"

#include <stdlib.h>
#include <string.h>

/* ---- shuffle ---- */

/* All first bytes of the values, then all second ones, and so on. The compiler unrolls constant sizes. */
static inline void shuffle_by(size_t size, size_t count, size_t stride, const char *from, char *to)
{
  for (size_t i = 0; i < count; ++i)
    for (size_t b = 0; b < size; ++b)
      to[b * stride + i] = from[i * size + b];
}

static inline void unshuffle_by(size_t size, size_t count, size_t stride, const char *from, char *to)
{
  for (size_t i = 0; i < count; ++i)
    for (size_t b = 0; b < size; ++b)
      to[i * size + b] = from[b * stride + i];
}

static void shuffle(parcel_chunk chunk, const char *values, char *to)
{
  const size_t count = (size_t)(chunk.values / chunk.element);
  const size_t stride = (size_t)(chunk.bytes / chunk.element);
  switch (chunk.element) {
  case 1: shuffle_by(1, count, stride, values, to); break;
  case 2: shuffle_by(2, count, stride, values, to); break;
  case 4: shuffle_by(4, count, stride, values, to); break;
  default: shuffle_by(8, count, stride, values, to); break;
  }
  for (parcel_index b = 0; b < chunk.element && count < stride; ++b)
    memset(to + (size_t)b * stride + count, 0, stride - count);
}

static void unshuffle(parcel_chunk chunk, const char *from, char *values)
{
  const size_t count = (size_t)(chunk.values / chunk.element);
  const size_t stride = (size_t)(chunk.bytes / chunk.element);
  switch (chunk.element) {
  case 1: unshuffle_by(1, count, stride, from, values); break;
  case 2: unshuffle_by(2, count, stride, from, values); break;
  case 4: unshuffle_by(4, count, stride, from, values); break;
  default: unshuffle_by(8, count, stride, from, values); break;
  }
}

/* ---- chunks ---- */

parcel_chunk parcel__chunk_of(const parcel_column *column, parcel_index exact, parcel_index positions)
{
  const parcel_index bytes = parcel_column_bytes(column);
  return (parcel_chunk){.element = (parcel_index)parcel_type_size(column->type),
                        .values = positions * bytes,
                        .bytes = exact * bytes};
}

parcel_index parcel__coder_pack(parcel_coder *coder, parcel_chunk chunk, const void *values, char *out)
{
  const size_t bytes = (size_t)chunk.bytes;
  shuffle(chunk, values, coder->shuffled);
  const size_t taken = parcel__codec_pack(&coder->codec, coder->shuffled, bytes, out, bytes - 1);
  if (taken > 0)
    return (parcel_index)taken;
  memcpy(out, coder->shuffled, bytes);
  return chunk.bytes;
}

parcel_status parcel__coder_unpack(parcel_coder *coder, parcel_chunk chunk, const char *packed,
                                   parcel_index bytes, void *values)
{
  const bool is_packed = bytes != chunk.bytes;
  if (is_packed &&
      !parcel__codec_unpack(&coder->codec, packed, (size_t)bytes, coder->shuffled, (size_t)chunk.bytes))
    return parcel_fail(PARCEL_CORRUPT, "a compressed chunk cannot be decompressed");
  unshuffle(chunk, is_packed ? coder->shuffled : packed, values);
  return PARCEL_OK;
}

/* ---- coders ---- */

static void free_coder(parcel_coder *coder)
{
  parcel__codec_close(&coder->codec);
  free(coder->shuffled);
  free(coder->packed);
  free(coder);
}

void parcel__coders_open(parcel_coders *coders, parcel_compression compression, parcel_index chunk_bytes,
                         parcel_index packed_bytes)
{
  *coders = (parcel_coders){.lock = PTHREAD_MUTEX_INITIALIZER,
                            .compression = compression,
                            .chunk_bytes = chunk_bytes,
                            .packed_bytes = packed_bytes};
}

void parcel__coders_close(parcel_coders *coders)
{
  while (coders->idle) {
    parcel_coder *first = coders->idle;
    coders->idle = first->next;
    free_coder(first);
  }
}

static parcel_status make_coder(const parcel_coders *coders, parcel_coder **out)
{
  parcel_coder *coder = calloc(1, sizeof *coder);
  if (coder) {
    coder->codec.compression = coders->compression;
    coder->shuffled = malloc((size_t)coders->chunk_bytes);
    coder->packed = malloc((size_t)coders->packed_bytes);
    if (parcel__codec_open(&coder->codec) && coder->shuffled && coder->packed) {
      *out = coder;
      return PARCEL_OK;
    }
    free_coder(coder);
  }
  return parcel_fail(PARCEL_MEMORY, "no memory to compress chunks of %lld bytes",
                     (long long)coders->chunk_bytes);
}

parcel_status parcel__coders_take(parcel_coders *coders, parcel_coder **out)
{
  pthread_mutex_lock(&coders->lock);
  parcel_coder *coder = coders->idle;
  if (coder)
    coders->idle = coder->next;
  pthread_mutex_unlock(&coders->lock);
  if (!coder)
    return make_coder(coders, out);
  *out = coder;
  return PARCEL_OK;
}

void parcel__coders_give(parcel_coders *coders, parcel_coder *coder)
{
  pthread_mutex_lock(&coders->lock);
  coder->next = coders->idle;
  coders->idle = coder;
  pthread_mutex_unlock(&coders->lock);
}
