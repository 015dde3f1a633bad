#include "seal_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <parcel/signals.h>

#include "reader_impl.h"

enum {
  PAGE = 4096,
  PIECE = 1 << 16,
  MOST_WORDS = 1 << 21,
};

enum { MAGIC, WORDS, OWN_CHECKSUM, FILE_BYTES, CHECKSUM, EXTENTS, FIRST_EXTENT };

/* "PARSEAL1", as a little-endian number. */
static const uint64_t magic = UINT64_C(0x314c414553524150);

parcel_index parcel__seal_words(parcel_index extents)
{
  const parcel_index page = PAGE / (parcel_index)sizeof(uint64_t);
  const parcel_index words = FIRST_EXTENT + 2 * extents;
  return words < page ? page : words;
}

static uint64_t own_checksum(uint64_t *seal)
{
  const uint64_t kept = seal[OWN_CHECKSUM];
  seal[OWN_CHECKSUM] = 0;
  const uint64_t checksum = XXH3_64bits(seal, seal[WORDS] * sizeof *seal);
  seal[OWN_CHECKSUM] = kept;
  return checksum;
}

/* ---- what is covered ---- */

static parcel_status add_bytes(const parcel_file *file, int fd, XXH3_state_t *state, parcel_index begin,
                               parcel_index end)
{
  char piece[PIECE];
  parcel_status status = PARCEL_OK;
  while (begin < end && !status) {
    const parcel_index count = end - begin < PIECE ? end - begin : PIECE;
    if (!(status = parcel__file_read(file, fd, piece, count, begin)))
      XXH3_64bits_update(state, piece, (size_t)count);
    begin += count;
    if (!status && begin < end)
      status = parcel_signals_check("the structure of a file is read");
  }
  return status;
}

/* The checksum of everything between the extents. The seal itself, at `place`, is one more that is left
 * out. */
static parcel_status covered_checksum(const parcel_file *file, int fd, const uint64_t *seal,
                                      parcel_index place, uint64_t *out)
{
  const parcel_index bytes = (parcel_index)seal[FILE_BYTES];
  const parcel_index own = (parcel_index)(seal[WORDS] * sizeof *seal);
  XXH3_state_t *state = XXH3_createState();
  if (!state)
    return parcel_fail(PARCEL_MEMORY, "no memory to check '%s'", file->part);
  XXH3_64bits_reset(state);
  parcel_status status = PARCEL_OK;
  parcel_index next = 0; /* all before is done */
  bool is_own_done = false;
  for (uint64_t e = 0; e <= seal[EXTENTS] && !status; ++e) {
    const bool is_last = e == seal[EXTENTS];
    const uint64_t *extent = &seal[FIRST_EXTENT + 2 * e];
    const parcel_index end = is_last ? bytes : (parcel_index)extent[0];
    if (!is_own_done && place < end) {
      status = add_bytes(file, fd, state, next, place);
      next = place + own;
      is_own_done = true;
    }
    if (!status)
      status = add_bytes(file, fd, state, next, end);
    next = is_last ? end : (parcel_index)(extent[0] + extent[1]);
  }
  *out = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  return status;
}

/* ---- checking ---- */

/* Where the seal is: 0 if it is nowhere. */
static parcel_status find(const parcel_file *file, int fd, parcel_index bytes, parcel_index *out)
{
  *out = 0;
  for (parcel_index page = 1; page < PARCEL_SEAL_PAGES && (page + 1) * PAGE <= bytes; ++page) {
    uint64_t word = 0;
    const parcel_status status = parcel__file_read(file, fd, &word, (parcel_index)sizeof word, page * PAGE);
    if (status)
      return status;
    if (word == magic) {
      *out = page * PAGE;
      return PARCEL_OK;
    }
  }
  return PARCEL_OK;
}

static parcel_status fail_damaged(const parcel_file *file)
{
  return parcel_fail(PARCEL_CORRUPT, "'%s': its seal is damaged", file->part);
}

/* Extents that ascend, end within the file and leave the seal out. */
static bool has_good_extents(const uint64_t *seal, parcel_index place, parcel_index bytes)
{
  uint64_t next = 0;
  const uint64_t begin = (uint64_t)place;
  const uint64_t end = begin + seal[WORDS] * sizeof *seal;
  if (seal[EXTENTS] > (seal[WORDS] - FIRST_EXTENT) / 2)
    return false;
  for (uint64_t e = 0; e < seal[EXTENTS]; ++e) {
    const uint64_t *extent = &seal[FIRST_EXTENT + 2 * e];
    if (extent[0] < next || extent[0] > (uint64_t)bytes || extent[1] > (uint64_t)bytes - extent[0] ||
        (extent[0] < end && begin < extent[0] + extent[1]))
      return false;
    next = extent[0] + extent[1];
  }
  return true;
}

static parcel_status check_seal(const parcel_file *file, int fd, parcel_index bytes, parcel_index place,
                                uint64_t *seal)
{
  uint64_t checksum = 0;
  if (seal[OWN_CHECKSUM] != own_checksum(seal) || !has_good_extents(seal, place, bytes))
    return fail_damaged(file);
  if (seal[FILE_BYTES] > (uint64_t)bytes)
    return parcel_fail(PARCEL_CORRUPT, "'%s' has %" PRId64 " bytes, and had %" PRIu64 " when it was finished",
                       file->part, bytes, seal[FILE_BYTES]);
  if (seal[FILE_BYTES] < (uint64_t)bytes)
    return parcel_fail(PARCEL_UNEQUAL,
                       "'%s' was changed after it was finished: it has %" PRIu64
                       " bytes more (an attribute or a dataset was added), and its seal no longer holds",
                       file->part, (uint64_t)bytes - seal[FILE_BYTES]);
  const parcel_status status = covered_checksum(file, fd, seal, place, &checksum);
  if (!status && checksum != seal[CHECKSUM])
    return parcel_fail(
        PARCEL_CORRUPT,
        "'%s' was changed after it was finished, or is damaged: bytes of its structure (all but "
        "the columns' values) are not what was written",
        file->part);
  return status;
}

parcel_status parcel__seal_check(const parcel_file *file, int fd, parcel_index bytes, parcel_index *sealed)
{
  uint64_t head[WORDS + 1];
  parcel_index place = 0;
  parcel_status status = find(file, fd, bytes, &place);
  *sealed = 0;
  if (status || place == 0 || (status = parcel__file_read(file, fd, head, (parcel_index)sizeof head, place)))
    return status;
  if (head[WORDS] < FIRST_EXTENT || head[WORDS] > MOST_WORDS ||
      (parcel_index)(head[WORDS] * sizeof *head) > bytes - place)
    return fail_damaged(file);
  uint64_t *seal = calloc(head[WORDS], sizeof *seal);
  if (!seal)
    return parcel_fail(PARCEL_MEMORY, "no memory for the seal of '%s'", file->part);
  status = parcel__file_read(file, fd, seal, (parcel_index)(head[WORDS] * sizeof *seal), place);
  if (!status)
    status = check_seal(file, fd, bytes, place, seal);
  if (!status || status == PARCEL_UNEQUAL)
    *sealed = (parcel_index)seal[FILE_BYTES];
  free(seal);
  return status;
}

/* ---- making ---- */

static int compare_extents(const void *a, const void *b)
{
  const uint64_t one = *(const uint64_t *)a;
  const uint64_t other = *(const uint64_t *)b;
  return (one > other) - (one < other);
}

/* None of a compressed file: the checksums of the values say nothing of the packed bytes, so it does. */
static void list_extents(const parcel_reader *reader, uint64_t *seal)
{
  if (reader->grid.exact > 0)
    return;
  for (int c = 0; c < reader->column_count && reader->range.count > 0; ++c) {
    uint64_t *extent = &seal[FIRST_EXTENT + 2 * seal[EXTENTS]++];
    extent[0] = (uint64_t)reader->places[c].offset;
    extent[1] = (uint64_t)(reader->range.count * parcel_column_bytes(&reader->columns[c]));
  }
  qsort(&seal[FIRST_EXTENT], seal[EXTENTS], 2 * sizeof *seal, compare_extents);
}

parcel_status parcel__seal_make(const parcel_file *file, int fd)
{
  parcel_reader *reader = NULL;
  uint64_t *seal = NULL;
  parcel_status status = parcel_reader_open(file->part, &reader);
  if (status)
    return status;
  const parcel_index bytes = reader->seal_words * (parcel_index)sizeof *seal;
  if (!(seal = calloc((size_t)reader->seal_words, sizeof *seal)))
    status = parcel_fail(PARCEL_MEMORY, "no memory for the seal of '%s'", file->part);
  if (!status) {
    seal[MAGIC] = magic;
    seal[WORDS] = (uint64_t)reader->seal_words;
    seal[FILE_BYTES] = (uint64_t)reader->bytes;
    list_extents(reader, seal);
    status = covered_checksum(file, fd, seal, reader->seal, &seal[CHECKSUM]);
    seal[OWN_CHECKSUM] = own_checksum(seal);
  }
  if (!status)
    status = parcel__file_write(file, fd, "results.seal", seal, bytes, reader->seal);
  free(seal);
  parcel_reader_close(&reader);
  return status;
}
