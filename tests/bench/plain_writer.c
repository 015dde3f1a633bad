/* The peer of tests/bench/write_limit.py: what parsquares writes, by the least code that can write it. Two
 * threads fill blocks with squares and pwrite them into a file that was given its room before the clock
 * started.
 *
 * usage: plain_writer FILE COUNT [BLOCK_BYTES]      prints the seconds from the first block to the last */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 2 };

static int file;
static int64_t count;
static int64_t block; /* squares per block */
static _Atomic int64_t next;

static double seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void fail(const char *what)
{
  fprintf(stderr, "plain_writer: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void *write_blocks(void *unused)
{
  uint64_t *squares = aligned_alloc(4096, (size_t)block * sizeof *squares);
  if (!squares)
    fail("memory");
  for (int64_t begin = block * next++; begin < count; begin = block * next++) {
    const int64_t here = count - begin < block ? count - begin : block;
    for (int64_t i = 0; i < here; ++i) {
      const uint64_t index = (uint64_t)(begin + i + 1);
      squares[i] = index * index;
    }
    const ssize_t bytes = (ssize_t)((size_t)here * sizeof *squares);
    if (pwrite(file, squares, (size_t)bytes, begin * (int64_t)sizeof *squares) != bytes)
      fail("pwrite");
  }
  free(squares);
  return unused;
}

int main(int argc, char **argv)
{
  pthread_t threads[THREADS];
  if (argc < 3)
    return 2;
  count = strtoll(argv[2], NULL, 10);
  block = (argc > 3 ? strtoll(argv[3], NULL, 10) : 768 << 10) / (int64_t)sizeof(uint64_t);
  file = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (file < 0 || posix_fallocate(file, 0, count * (int64_t)sizeof(uint64_t)) != 0)
    fail(argv[1]);
  const double begin = seconds();
  for (int t = 0; t < THREADS; ++t)
    if (pthread_create(&threads[t], NULL, write_blocks, NULL) != 0)
      fail("thread");
  for (int t = 0; t < THREADS; ++t)
    pthread_join(threads[t], NULL);
  printf("%.4f\n", seconds() - begin);
  return close(file) == 0 ? 0 : 1;
}
