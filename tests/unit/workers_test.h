/* What tests of worker processes have in common: workers, tasks for them, and what is to be seen of them in
 * /proc. */
#ifndef PARCEL_TESTS_WORKERS_TEST_H
#define PARCEL_TESTS_WORKERS_TEST_H

#include "unit.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <parcel/shared.h>
#include <parcel/workers.h>

static inline void sleep_for(double seconds)
{
  const struct timespec time = {.tv_sec = (time_t)seconds,
                                .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
  nanosleep(&time, NULL);
}

static inline double now_in_seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The children of a process with one thread, zombies included; returns how many. */
static inline int children_of(pid_t parent, pid_t children[], int most)
{
  char path[64];
  int count = 0;
  int child = 0;
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
  FILE *file = fopen(path, "re");
  while (file && count < most && fscanf(file, "%d", &child) == 1)
    children[count++] = child;
  if (file)
    fclose(file);
  return count;
}

static inline int count_children(pid_t parent)
{
  pid_t children[64];
  return children_of(parent, children, 64);
}

/* Whether there are so many before long: a worker that took the place of another may still be on its way. */
static inline bool has_children(pid_t parent, int count)
{
  for (int tries = 0; tries < 1000 && count_children(parent) != count; ++tries)
    usleep(10000);
  return count_children(parent) == count;
}

/* R, S, D, Z ...; 0 for a process that is no more. */
static inline char state_of(pid_t process)
{
  char path[64];
  char state = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
  FILE *file = fopen(path, "re");
  if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
    state = 0;
  if (file)
    fclose(file);
  return state;
}

/* No more, or a zombie that init has still to reap. */
static inline bool is_gone(pid_t process)
{
  const char state = state_of(process);
  return state == 0 || state == 'Z' || state == 'X';
}

static inline bool is_gone_within(pid_t process, double seconds)
{
  const double deadline = now_in_seconds() + seconds;
  while (!is_gone(process) && now_in_seconds() < deadline)
    sleep_for(0.002);
  return is_gone(process);
}

static inline int count_open_files(void)
{
  DIR *folder = opendir("/proc/self/fd");
  int count = 0;
  while (folder && readdir(folder))
    ++count;
  if (folder)
    closedir(folder);
  return count;
}

/* This process's only child. */
static inline pid_t fork_server(void)
{
  pid_t server = 0;
  assert_int_equal(children_of(getpid(), &server, 1), 1);
  return server;
}

static inline parcel_workers *make_workers(parcel_workers_options options)
{
  parcel_workers *workers = NULL;
  assert_ok(parcel_workers_create(&options, &workers));
  return workers;
}

static inline void *make_shared(size_t bytes)
{
  void *memory = NULL;
  assert_ok(parcel_shared_alloc((parcel_index)bytes, &memory));
  return memory;
}

typedef struct square {
  parcel_index value, result;
  int worker;
  pid_t process;
} square;

static inline parcel_status compute_square(void *argument, int worker)
{
  square *own = argument;
  own->result = own->value * own->value;
  own->worker = worker;
  own->process = getpid();
  return PARCEL_OK;
}

/* main, between parcel_workers_prepare and parcel_workers_release; counts what is left over as a failure. */
#define run_with_workers(tests) run_group_with_workers(#tests, tests, sizeof(tests) / sizeof *(tests))

static inline int run_group_with_workers(const char *name, const struct CMUnitTest tests[], size_t count)
{
  if (parcel_workers_prepare()) {
    fprintf(stderr, "%s\n", parcel_last_error());
    return EXIT_FAILURE;
  }
  int failures = _cmocka_run_group_tests(name, tests, count, NULL, NULL);
  if (count_children(fork_server()) > 0 && ++failures)
    fprintf(stderr, "a worker process was left over\n");
  parcel_workers_release();
  if (count_children(getpid()) > 0 && ++failures)
    fprintf(stderr, "the fork server was left over\n");
  return failures;
}

#endif
