/* Threads take their places in the spool by adding to its end, and write without a lock. */
#include "spool_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "beside_impl.h"
#include "checksum_impl.h"

static parcel_index round_up(parcel_index offset)
{
  return (offset + PARCEL_SPOOL_ALIGNMENT - 1) / PARCEL_SPOOL_ALIGNMENT * PARCEL_SPOOL_ALIGNMENT;
}

static uint64_t checksum_of(const parcel_spool_head *head, uint64_t seed)
{
  return parcel__checksum(&head->bytes_checksum, sizeof *head - sizeof head->checksum, seed);
}

/* ---- writing ---- */

static parcel_status name_spool(const parcel_file *file, int rank, parcel_file *out)
{
  *out = (parcel_file){.path = NULL};
  if (asprintf(&out->part, "%s" PARCEL_BESIDE_SPOOL "%d", file->part, rank) >= 0)
    return PARCEL_OK;
  out->part = NULL;
  return parcel_fail(PARCEL_MEMORY, "no memory for the name of a spool of '%s'", file->part);
}

parcel_status parcel__spool_open(const parcel_file *file, int rank, uint64_t seed, int64_t run,
                                 parcel_spool *out)
{
  struct stat info;
  parcel_file own;
  parcel_status status = name_spool(file, rank, &own);
  if (status)
    return status;
  int fd = -1;
  if (!(status = parcel__plain_open(own.part, O_WRONLY | O_CREAT, 0666, &fd)) && fstat(fd, &info) != 0) {
    status = parcel__file_fail("look at", own.part);
    close(fd);
  }
  if (status) {
    parcel__file_free(&own);
    return status;
  }
  *out = (parcel_spool){.file = own, .fd = fd, .seed = seed, .run = run};
  atomic_init(&out->end, round_up(info.st_size));
  return PARCEL_OK;
}

void parcel__spool_close(parcel_spool *spool)
{
  if (spool->fd >= 0)
    close(spool->fd);
  spool->fd = -1;
  parcel__file_free(&spool->file);
}

parcel_status parcel__spool_write(parcel_spool *spool, parcel_index block, void *record, parcel_index bytes)
{
  parcel_spool_head *head = record;
  const parcel_index all = (parcel_index)sizeof *head + bytes;
  *head = (parcel_spool_head){.bytes_checksum = parcel__checksum(head + 1, (size_t)bytes, spool->seed),
                              .block = block,
                              .bytes = bytes,
                              .run = spool->run};
  head->checksum = checksum_of(head, spool->seed);
  const parcel_index offset = atomic_fetch_add(&spool->end, round_up(all));
  return parcel__file_write(&spool->file, spool->fd, "results.write", record, all, offset);
}

/* ---- finding ---- */

typedef struct search {
  parcel_spool_index *index;
  uint64_t seed;
} search;

static bool is_head(const search *search, const parcel_spool_head *head, parcel_index room)
{
  return head->checksum == checksum_of(head, search->seed) && head->block >= 0 &&
         head->block < search->index->blocks && head->bytes >= 0 && head->bytes <= room && head->run >= 0 &&
         head->run < INT32_MAX;
}

static void note(parcel_spool_index *index, const parcel_spool_head *head, int rank, parcel_index offset)
{
  parcel_spool_place *place = &index->places[head->block];
  if (place->rank < 0 || place->run <= head->run)
    *place = (parcel_spool_place){.offset = offset, .rank = rank, .run = (int32_t)head->run};
  if (index->runs <= head->run)
    index->runs = head->run + 1;
}

static parcel_status look_into(const search *search, const parcel_file *spool, int fd, int rank)
{
  struct stat info;
  parcel_spool_head head;
  const parcel_index size = (parcel_index)sizeof head;
  if (fstat(fd, &info) != 0)
    return parcel__file_fail("look at", spool->part);
  for (parcel_index offset = 0; offset + size <= info.st_size;) {
    const parcel_status status = parcel__file_read(spool, fd, &head, size, offset);
    if (status)
      return status;
    const bool is_record = is_head(search, &head, info.st_size - offset - size);
    if (is_record)
      note(search->index, &head, rank, offset);
    offset += is_record ? round_up(size + head.bytes) : PARCEL_SPOOL_ALIGNMENT;
  }
  return PARCEL_OK;
}

/* A parcel__beside_visit. */
static parcel_status look_into_spool(void *ctx, char *path, const char *rank)
{
  const parcel_file spool = {.part = path};
  char *end = NULL;
  const long number = strtol(rank, &end, 10);
  if (*rank == '\0' || *end != '\0' || number < 0 || number > INT32_MAX)
    return PARCEL_OK; /* somebody else's */
  int fd = -1;
  parcel_status status = parcel__plain_open(path, O_RDONLY, 0, &fd);
  if (status)
    return status;
  status = look_into(ctx, &spool, fd, (int)number);
  close(fd);
  return status;
}

parcel_status parcel__spool_index_make(const parcel_file *file, uint64_t seed, parcel_index blocks,
                                       parcel_spool_index *out)
{
  parcel_spool_index index = {.blocks = blocks, .places = calloc((size_t)blocks, sizeof *index.places)};
  search search = {.index = &index, .seed = seed};
  if (!index.places)
    return parcel_fail(PARCEL_MEMORY, "no memory for the places of %" PRId64 " blocks", blocks);
  for (parcel_index b = 0; b < blocks; ++b)
    index.places[b].rank = -1;
  const parcel_status status = parcel__beside_visit(file, PARCEL_BESIDE_SPOOL, look_into_spool, &search);
  if (status)
    parcel__spool_index_free(&index);
  else
    *out = index;
  return status;
}

void parcel__spool_index_free(parcel_spool_index *index)
{
  free(index->places);
  *index = (parcel_spool_index){.places = NULL};
}

/* ---- reading ---- */

static parcel_status read_record(const parcel_file *spool, int fd, const search *search, parcel_index block,
                                 void *record, parcel_index room)
{
  parcel_spool_head *head = record;
  const parcel_index size = (parcel_index)sizeof *head;
  const parcel_index offset = search->index->places[block].offset;
  parcel_status status = parcel__file_read(spool, fd, head, size, offset);
  if (status)
    return status;
  if (!is_head(search, head, room - size) || head->block != block)
    return parcel_fail(PARCEL_CORRUPT, "'%s': the record of block %" PRId64 " is damaged", spool->part,
                       block);
  if ((status = parcel__file_read(spool, fd, head + 1, head->bytes, offset + size)))
    return status;
  if (head->bytes_checksum != parcel__checksum(head + 1, (size_t)head->bytes, search->seed))
    status =
        parcel_fail(PARCEL_CORRUPT, "'%s': the record of block %" PRId64 " is damaged", spool->part, block);
  return status;
}

parcel_status parcel__spool_read(const parcel_file *file, uint64_t seed, const parcel_spool_index *index,
                                 parcel_index block, void *record, parcel_index room)
{
  const search search = {.index = (parcel_spool_index *)index, .seed = seed};
  const int rank = index->places[block].rank;
  parcel_file spool;
  if (rank < 0)
    return parcel_fail(PARCEL_CORRUPT, "no spool of '%s' has block %" PRId64, file->part, block);
  parcel_status status = name_spool(file, rank, &spool);
  if (status)
    return status;
  int fd = -1;
  if (!(status = parcel__plain_open(spool.part, O_RDONLY, 0, &fd))) {
    status = read_record(&spool, fd, &search, block, record, room);
    close(fd);
  }
  parcel__file_free(&spool);
  return status;
}
