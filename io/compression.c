#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec_impl.h"
#include "compression_impl.h"

/* HDF5 counts the bytes of a chunk in 32 bits; half of that leaves room for the program's own sums. */
static const parcel_index most_chunk_bytes = (parcel_index)1 << 31;

typedef struct method {
  const char *name;
  int usual_level, last_level;
  const char *libraries;
} method;

static const method *method_of(parcel_compression_kind kind)
{
  static const method methods[] = {
      [PARCEL_COMPRESSION_DEFLATE] = {"deflate", 4, 9, "libdeflate and zlib"},
      [PARCEL_COMPRESSION_ZSTD] = {"zstd", 3, 19, "libzstd"},
  };
  return kind == PARCEL_COMPRESSION_DEFLATE || kind == PARCEL_COMPRESSION_ZSTD ? &methods[kind] : NULL;
}

static parcel_status parse_level(const char *text, const char *number, const method *method, int *out)
{
  char *end = NULL;
  const long level = strtol(number, &end, 10);
  if (end == number || *end != '\0' || level < 1 || level > method->last_level)
    return parcel_fail(PARCEL_INVALID, "compression '%s': the level must be 1 (fastest) to %d (smallest)",
                       text, method->last_level);
  *out = (int)level;
  return PARCEL_OK;
}

/* "deflate", "deflate,4". */
static parcel_status parse_kind(const char *text, parcel_compression *out)
{
  for (int kind = PARCEL_COMPRESSION_DEFLATE; kind <= PARCEL_COMPRESSION_ZSTD; ++kind) {
    const method *method = method_of((parcel_compression_kind)kind);
    const size_t length = strlen(method->name);
    if (strncmp(text, method->name, length) != 0 || (text[length] != ',' && text[length] != '\0'))
      continue;
    *out = (parcel_compression){.kind = (parcel_compression_kind)kind, .level = method->usual_level};
    return text[length] == ',' ? parse_level(text, text + length + 1, method, &out->level) : PARCEL_OK;
  }
  return parcel_fail(PARCEL_INVALID,
                     "unknown compression '%s'; one of: none, deflate, zstd, or these with "
                     "',LEVEL'",
                     text);
}

parcel_status parcel_compression_parse(const char *text, parcel_compression *out)
{
  parcel_compression read = {.kind = PARCEL_COMPRESSION_NONE};
  parcel_status status = strcmp(text, "none") == 0 ? PARCEL_OK : parse_kind(text, &read);
  if (!status)
    status = parcel__compression_check(read);
  if (!status)
    *out = read;
  return status;
}

parcel_status parcel__compression_check(parcel_compression compression)
{
  const method *method = method_of(compression.kind);
  if (compression.kind == PARCEL_COMPRESSION_NONE)
    return PARCEL_OK;
  if (!method || compression.level < 1 || compression.level > method->last_level)
    return parcel_fail(PARCEL_INVALID, "no compression has kind %d and level %d", (int)compression.kind,
                       compression.level);
  if (!parcel__codec_exists(compression.kind))
    return parcel_fail(PARCEL_INVALID, "this Parcel was built without %s: it cannot compress by %s",
                       method->libraries, method->name);
  return PARCEL_OK;
}

parcel_status parcel__compression_grid(const parcel_sweep *sweep, parcel_block_grid *grid)
{
  const parcel_index block = parcel_block_grid_largest(*grid);
  for (int c = 0; c < sweep->column_count; ++c) {
    const parcel_index bytes = parcel_column_bytes(&sweep->columns[c]);
    if (block > most_chunk_bytes / bytes)
      return parcel_fail(
          PARCEL_INVALID,
          "a block of %lld positions of column '%s' is too large to be compressed in one piece; "
          "choose smaller blocks",
          (long long)block, sweep->columns[c].name);
  }
  const parcel_status status = parcel_block_grid_make(grid->positions, 1, block, grid);
  if (!status)
    grid->exact = block;
  return status;
}

bool parcel__compression_is_same(parcel_compression a, parcel_compression b)
{
  return a.kind == b.kind && (a.level == b.level || a.kind == PARCEL_COMPRESSION_NONE);
}

const char *parcel__compression_text(parcel_compression compression, char text[PARCEL_COMPRESSION_TEXT_SIZE])
{
  if (compression.kind == PARCEL_COMPRESSION_NONE)
    snprintf(text, PARCEL_COMPRESSION_TEXT_SIZE, "none");
  else
    snprintf(text, PARCEL_COMPRESSION_TEXT_SIZE, "%s,%d", method_of(compression.kind)->name,
             compression.level);
  return text;
}
