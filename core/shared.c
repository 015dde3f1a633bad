/* One mapping for all, made before the first fork: so no part of it needs a name, a descriptor or an
 * agreement on addresses. Blocks are powers of two, each kept for its size once it was cut. That costs
 * address space, of which there is plenty, and no memory: pages beyond what was asked for are never touched.
 *
 * The books (which block is where) are in the private memory of the process that allocates, out of reach of
 * a worker that writes where it should not. Global state, since a process has only one address space. */
#include "shared_impl.h"

#include <inttypes.h>
#include <pthread.h>
#include <search.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SMALLEST_BITS = 6, PAGE_BITS = 12, REMOVED_BITS = 16, MOST_BITS = 63 };

static const size_t least_mapping = (size_t)1 << 26;
static const size_t most_mapping = (size_t)1 << 46; /* of the 2^47 bytes that a process has */

typedef struct block {
  char *begin;
  int bits;           /* 2^bits bytes */
  struct block *next; /* free ones of the same size */
} block;

static struct {
  pthread_mutex_t mutex;
  char *begin, *fresh, *end; /* never handed out yet: [fresh, end) */
  block *free[MOST_BITS + 1];
  void *used; /* tree of blocks, by address */
  bool is_worker;
} arena = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static int compare_blocks(const void *left, const void *right)
{
  const char *a = ((const block *)left)->begin;
  const char *b = ((const block *)right)->begin;
  return (a > b) - (a < b);
}

/* Four times the memory, since blocks of a size are not reused for another. A system that counts address
 * space as memory (vm.overcommit_memory = 2, RLIMIT_AS) is asked for less. */
static parcel_status map_arena(void)
{
  size_t size = 4 * (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
  void *begin = MAP_FAILED;
  if (size > most_mapping)
    size = most_mapping;
  while (begin == MAP_FAILED && size >= least_mapping) {
    begin = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (begin == MAP_FAILED)
      size /= 16;
  }
  if (begin == MAP_FAILED)
    return parcel_fail(PARCEL_MEMORY, "no address space for shared memory: %m; raise RLIMIT_AS (ulimit -v)");
  madvise(begin, size, MADV_DONTDUMP); /* a core of this size helps nobody */
  arena.begin = arena.fresh = begin;
  arena.end = arena.begin + size;
  return PARCEL_OK;
}

static int bits_for(parcel_index bytes)
{
  int bits = SMALLEST_BITS;
  while (bits < MOST_BITS && bytes > (parcel_index)1 << bits)
    ++bits;
  return bits;
}

/* Alignment to a page suffices for large blocks; small ones of 2^k bytes are aligned to 2^k. */
static block *cut_block(int bits)
{
  const size_t size = (size_t)1 << bits;
  const size_t alignment = (size_t)1 << (bits < PAGE_BITS ? bits : PAGE_BITS);
  const size_t gap = (size_t)(arena.begin - arena.fresh) & (alignment - 1);
  const size_t left = (size_t)(arena.end - arena.fresh);
  if (gap > left || size > left - gap)
    return NULL;
  block *new = malloc(sizeof *new);
  if (!new)
    return NULL;
  *new = (block){.begin = arena.fresh + gap, .bits = bits};
  arena.fresh += gap + size;
  return new;
}

static parcel_status take_block(parcel_index bytes, void **out)
{
  const int bits = bits_for(bytes);
  block *taken = arena.free[bits];
  if (taken)
    arena.free[bits] = taken->next;
  else
    taken = cut_block(bits);
  if (taken && tsearch(taken, &arena.used, compare_blocks)) {
    *out = taken->begin;
    return PARCEL_OK;
  }
  if (taken) {
    taken->next = arena.free[bits];
    arena.free[bits] = taken;
  }
  return parcel_fail(PARCEL_MEMORY,
                     "no room for %" PRId64 " bytes of shared memory; %td of %td bytes of address space are"
                     " left",
                     bytes, arena.end - arena.fresh, arena.end - arena.begin);
}

parcel_status parcel__shared_map(void)
{
  pthread_mutex_lock(&arena.mutex);
  const parcel_status status = arena.begin ? PARCEL_OK : map_arena();
  pthread_mutex_unlock(&arena.mutex);
  return status;
}

void parcel__shared_become_worker(void)
{
  arena.is_worker = true;
}

parcel_status parcel_shared_alloc(parcel_index bytes, void **out)
{
  if (bytes < 1)
    return parcel_fail(PARCEL_INVALID, "%" PRId64 " bytes of shared memory; ask for at least 1", bytes);
  if (arena.is_worker)
    return parcel_fail(PARCEL_INVALID,
                       "a worker process cannot allocate shared memory; its parent can, beforehand");
  parcel_status status = parcel__shared_map();
  if (status)
    return status;
  pthread_mutex_lock(&arena.mutex);
  status = take_block(bytes, out);
  pthread_mutex_unlock(&arena.mutex);
  return status;
}

/* What is free is zero. Large blocks give their pages back to the system. */
static void wipe(const block *old)
{
  const size_t size = (size_t)1 << old->bits;
  if (old->bits < REMOVED_BITS || madvise(old->begin, size, MADV_REMOVE))
    memset(old->begin, 0, size);
}

void parcel_shared_free(void *memory)
{
  const block wanted = {.begin = memory};
  if (!memory || arena.is_worker)
    return;
  pthread_mutex_lock(&arena.mutex);
  block **found = tfind(&wanted, &arena.used, compare_blocks);
  block *old = found ? *found : NULL;
  if (old)
    tdelete(old, &arena.used, compare_blocks);
  pthread_mutex_unlock(&arena.mutex);
  if (!old)
    return;
  wipe(old);
  pthread_mutex_lock(&arena.mutex);
  old->next = arena.free[old->bits];
  arena.free[old->bits] = old;
  pthread_mutex_unlock(&arena.mutex);
}
