/** @file
 *  The compressions themselves: bytes into fewer bytes, and back. */
#ifndef PARCEL_CODEC_IMPL_H
#define PARCEL_CODEC_IMPL_H

#include <stdbool.h>
#include <stddef.h>

#include <parcel/results.h>

/** One thread's tools for one kind of compression. */
typedef struct parcel_codec {
  parcel_compression compression; /* level 0: for unpacking only */
  void *packer, *unpacker;        /* of the library; NULL where it needs none */
} parcel_codec;

/** Whether this build has the compression's library. */
bool parcel__codec_exists(parcel_compression_kind kind);

/** Makes the tools; false for want of memory. codec->compression is there. */
bool parcel__codec_open(parcel_codec *codec);
void parcel__codec_close(parcel_codec *codec);

/** Returns the bytes of the result in to[room]; 0 if it takes more. */
size_t parcel__codec_pack(const parcel_codec *codec, const char *from, size_t bytes, char *to, size_t room);

/** True if from[bytes] is what some to[wanted] was packed into, which is then there. */
bool parcel__codec_unpack(const parcel_codec *codec, const char *from, size_t bytes, char *to, size_t wanted);

#endif
