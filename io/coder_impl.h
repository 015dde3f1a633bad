/** @file
 *  Chunks as HDF5's filters shuffle and deflate, or zstd, make them, without HDF5: by any thread, each with
 *  a coder of its own. A chunk always has all its bytes; what a short last block lacks is zeros. */
#ifndef PARCEL_CODER_IMPL_H
#define PARCEL_CODER_IMPL_H

#include <pthread.h>

#include "codec_impl.h"

/** One thread's tools and room. */
typedef struct parcel_coder {
  parcel_codec codec;
  char *shuffled; /* of the largest chunk */
  char *packed;   /* room for whoever uses the coder */
  struct parcel_coder *next;
} parcel_coder;

/** Coders for as many threads as come. */
typedef struct parcel_coders {
  pthread_mutex_t lock;
  parcel_coder *idle; /* under the lock */
  parcel_compression compression;
  parcel_index chunk_bytes, packed_bytes;
} parcel_coders;

/** compression  of level 0: only unpacking */
void parcel__coders_open(parcel_coders *coders, parcel_compression compression, parcel_index chunk_bytes,
                         parcel_index packed_bytes);
void parcel__coders_close(parcel_coders *coders);

/** An idle coder, or a new one. Any thread.  Errors: MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__coders_take(parcel_coders *coders, parcel_coder **out);
void parcel__coders_give(parcel_coders *coders, parcel_coder *coder);

/** What is in a chunk. */
typedef struct parcel_chunk {
  parcel_index element; /* bytes of a value */
  parcel_index values;  /* bytes of the values that are there; at most `bytes` */
  parcel_index bytes;   /* of the whole chunk */
} parcel_chunk;

/** The chunk of `exact` positions of a column of which so many are there. */
parcel_chunk parcel__chunk_of(const parcel_column *column, parcel_index exact, parcel_index positions);

/** Packs values into out[chunk.bytes]. Returns the bytes it took: chunk.bytes if the codec could not make it
 *  any smaller; it is only shuffled then. */
parcel_index parcel__coder_pack(parcel_coder *coder, parcel_chunk chunk, const void *values, char *out);

/** The reverse.  bytes: what parcel__coder_pack returned.  Errors: CORRUPT. */
PARCEL_MUST_CHECK parcel_status parcel__coder_unpack(parcel_coder *coder, parcel_chunk chunk,
                                                     const char *packed, parcel_index bytes, void *values);

#endif
