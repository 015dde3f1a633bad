/* deflate by libdeflate, which does in half the time what zlib does, or by zlib; zstd by libzstd, in one
 * frame that tells its size, as HDF5's filter wants it. */
#include "codec_impl.h"

#ifdef PARCEL_WITH_LIBDEFLATE
#include <libdeflate.h>
#endif
#ifdef PARCEL_WITH_ZLIB
#include <zlib.h>
#endif
#ifdef PARCEL_WITH_ZSTD
#include <zstd.h>
#endif

/* ---- deflate ---- */

#if defined(PARCEL_WITH_LIBDEFLATE)

static bool open_deflate(parcel_codec *codec)
{
  const int level = codec->compression.level;
  codec->unpacker = libdeflate_alloc_decompressor();
  codec->packer = level > 0 ? libdeflate_alloc_compressor(level) : NULL;
  return codec->unpacker && (codec->packer || level == 0);
}

static void close_deflate(parcel_codec *codec)
{
  if (codec->unpacker)
    libdeflate_free_decompressor(codec->unpacker);
  if (codec->packer)
    libdeflate_free_compressor(codec->packer);
}

static size_t pack_deflate(const parcel_codec *codec, const char *from, size_t bytes, char *to, size_t room)
{
  return libdeflate_zlib_compress(codec->packer, from, bytes, to, room);
}

static bool unpack_deflate(const parcel_codec *codec, const char *from, size_t bytes, char *to, size_t wanted)
{
  return libdeflate_zlib_decompress(codec->unpacker, from, bytes, to, wanted, NULL) == LIBDEFLATE_SUCCESS;
}

#elif defined(PARCEL_WITH_ZLIB)

static bool open_deflate(parcel_codec *codec)
{
  (void)codec;
  return true;
}

static void close_deflate(parcel_codec *codec)
{
  (void)codec;
}

static size_t pack_deflate(const parcel_codec *codec, const char *from, size_t bytes, char *to, size_t room)
{
  uLongf taken = room;
  const int result = compress2((Bytef *)to, &taken, (const Bytef *)from, bytes, codec->compression.level);
  return result == Z_OK ? taken : 0;
}

static bool unpack_deflate(const parcel_codec *codec, const char *from, size_t bytes, char *to, size_t wanted)
{
  (void)codec;
  uLongf got = wanted;
  return uncompress((Bytef *)to, &got, (const Bytef *)from, bytes) == Z_OK && got == wanted;
}

#endif

/* ---- zstd ---- */

#ifdef PARCEL_WITH_ZSTD

static bool open_zstd(parcel_codec *codec)
{
  const int level = codec->compression.level;
  codec->unpacker = ZSTD_createDCtx();
  codec->packer = level > 0 ? ZSTD_createCCtx() : NULL;
  return codec->unpacker && (codec->packer || level == 0);
}

static void close_zstd(parcel_codec *codec)
{
  ZSTD_freeDCtx(codec->unpacker);
  ZSTD_freeCCtx(codec->packer);
}

static size_t pack_zstd(const parcel_codec *codec, const char *from, size_t bytes, char *to, size_t room)
{
  const size_t taken = ZSTD_compressCCtx(codec->packer, to, room, from, bytes, codec->compression.level);
  return ZSTD_isError(taken) ? 0 : taken;
}

static bool unpack_zstd(const parcel_codec *codec, const char *from, size_t bytes, char *to, size_t wanted)
{
  return ZSTD_decompressDCtx(codec->unpacker, to, wanted, from, bytes) == wanted;
}

#endif

/* ---- by kind ---- */

typedef struct methods {
  bool (*open)(parcel_codec *codec);
  void (*close)(parcel_codec *codec);
  size_t (*pack)(const parcel_codec *codec, const char *from, size_t bytes, char *to, size_t room);
  bool (*unpack)(const parcel_codec *codec, const char *from, size_t bytes, char *to, size_t wanted);
} methods;

/* NULL where the library is missing. */
static const methods *methods_of(parcel_compression_kind kind)
{
#if defined(PARCEL_WITH_LIBDEFLATE) || defined(PARCEL_WITH_ZLIB)
  static const methods deflate = {open_deflate, close_deflate, pack_deflate, unpack_deflate};
  if (kind == PARCEL_COMPRESSION_DEFLATE)
    return &deflate;
#endif
#ifdef PARCEL_WITH_ZSTD
  static const methods zstd = {open_zstd, close_zstd, pack_zstd, unpack_zstd};
  if (kind == PARCEL_COMPRESSION_ZSTD)
    return &zstd;
#endif
  (void)kind;
  return NULL;
}

bool parcel__codec_exists(parcel_compression_kind kind)
{
  return methods_of(kind) != NULL;
}

bool parcel__codec_open(parcel_codec *codec)
{
  const methods *methods = methods_of(codec->compression.kind);
  return !methods || methods->open(codec);
}

void parcel__codec_close(parcel_codec *codec)
{
  const methods *methods = methods_of(codec->compression.kind);
  if (methods)
    methods->close(codec);
}

size_t parcel__codec_pack(const parcel_codec *codec, const char *from, size_t bytes, char *to, size_t room)
{
  const methods *methods = methods_of(codec->compression.kind);
  return methods ? methods->pack(codec, from, bytes, to, room) : 0;
}

bool parcel__codec_unpack(const parcel_codec *codec, const char *from, size_t bytes, char *to, size_t wanted)
{
  const methods *methods = methods_of(codec->compression.kind);
  return methods && methods->unpack(codec, from, bytes, to, wanted);
}
