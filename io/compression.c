#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coder_impl.h"
#include "compression_impl.h"

enum { DEFAULT_LEVEL = 4, LAST_LEVEL = 9 };

/* HDF5 counts the bytes of a chunk in 32 bits; half of that leaves room for the program's own sums. */
static const parcel_index most_chunk_bytes = (parcel_index)1 << 31;

static parcel_status parse_level(const char *text, const char *number, int *out)
{
  char *end = NULL;
  const long level = strtol(number, &end, 10);
  if (end == number || *end != '\0' || level < 1 || level > LAST_LEVEL)
    return parcel_fail(PARCEL_INVALID, "compression '%s': the level must be 1 (fastest) to %d (smallest)",
                       text, LAST_LEVEL);
  *out = (int)level;
  return PARCEL_OK;
}

parcel_status parcel_compression_parse(const char *text, parcel_compression *out)
{
  static const char deflate[] = "deflate";
  const size_t length = sizeof deflate - 1;
  parcel_compression read = {.kind = PARCEL_COMPRESSION_DEFLATE, .level = DEFAULT_LEVEL};
  parcel_status status = PARCEL_OK;
  if (strcmp(text, "none") == 0)
    read = (parcel_compression){.kind = PARCEL_COMPRESSION_NONE};
  else if (strncmp(text, deflate, length) != 0 || (text[length] != ',' && text[length] != '\0'))
    return parcel_fail(PARCEL_INVALID, "unknown compression '%s'; one of: none, deflate, deflate,LEVEL",
                       text);
  else if (text[length] == ',')
    status = parse_level(text, text + length + 1, &read.level);
  if (!status)
    status = parcel__compression_check(read);
  if (!status)
    *out = read;
  return status;
}

parcel_status parcel__compression_check(parcel_compression compression)
{
  if (compression.kind == PARCEL_COMPRESSION_NONE)
    return PARCEL_OK;
  if (compression.kind != PARCEL_COMPRESSION_DEFLATE || compression.level < 1 ||
      compression.level > LAST_LEVEL)
    return parcel_fail(PARCEL_INVALID, "no compression has kind %d and level %d", (int)compression.kind,
                       compression.level);
  if (!parcel__coder_exists())
    return parcel_fail(PARCEL_INVALID,
                       "this Parcel was built without libdeflate and zlib: it cannot compress");
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
    snprintf(text, PARCEL_COMPRESSION_TEXT_SIZE, "deflate,%d", compression.level);
  return text;
}
