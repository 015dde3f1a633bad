/* The peer of tests/bench/verify_speed.py: reads every byte of a file by pread, in pieces of 1 MiB, with two
 * threads, and looks at none.
 *
 * usage: plain_reader FILE      prints the seconds from the first piece to the last */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 2, PIECE = 1 << 20 };

static int file;
static int64_t bytes;
static _Atomic int64_t next;

static double seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void fail(const char *what)
{
  fprintf(stderr, "plain_reader: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void *read_pieces(void *unused)
{
  char *piece = malloc(PIECE);
  if (!piece)
    fail("memory");
  for (int64_t begin = next++ * PIECE; begin < bytes; begin = next++ * PIECE)
    if (pread(file, piece, PIECE, begin) < 0)
      fail("pread");
  free(piece);
  return unused;
}

int main(int argc, char **argv)
{
  pthread_t threads[THREADS];
  struct stat info;
  if (argc < 2)
    return 2;
  file = open(argv[1], O_RDONLY);
  if (file < 0 || fstat(file, &info) != 0)
    fail(argv[1]);
  bytes = info.st_size;
  const double begin = seconds();
  for (int t = 0; t < THREADS; ++t)
    if (pthread_create(&threads[t], NULL, read_pieces, NULL) != 0)
      fail("thread");
  for (int t = 0; t < THREADS; ++t)
    pthread_join(threads[t], NULL);
  printf("%.4f\n", seconds() - begin);
  return 0;
}
