#include "mpi_test.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <parcel/world.h>

enum { TOKEN_TAG = 32001 };

static bool owns_mpi;
static FILE *real_stderr; /* where a rank whose cmocka is mute still speaks */
static FILE *loud_stderr; /* stderr while it is being captured */
static char *captured;
static size_t captured_size;

static bool mpi_runs(void)
{
  int is_initialised = 0;
  int is_finalized = 0;
  MPI_Initialized(&is_initialised);
  MPI_Finalized(&is_finalized);
  return is_initialised && !is_finalized;
}

int mpi_test_open_world(void **state)
{
  parcel_world *world = NULL;
  if (parcel_world_open(MPI_COMM_WORLD, &world))
    return -1;
  *state = world;
  return 0;
}

int mpi_test_open_quiet_world(void **state)
{
  const int failed = mpi_test_open_world(state);
  if (!failed)
    parcel_world_set_quiet(*state, true);
  return failed;
}

int mpi_test_close_world(void **state)
{
  parcel_world *world = *state;
  return parcel_world_close(&world, PARCEL_OK);
}

int mpi_test_rank(void)
{
  static int rank;
  if (mpi_runs())
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

int mpi_test_size(void)
{
  static int size = 1;
  if (mpi_runs())
    MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

static bool holds_everywhere(bool claim)
{
  int own = claim;
  int all = own;
  if (mpi_runs())
    MPI_Allreduce(&own, &all, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
  return all != 0;
}

/* In one piece: other ranks speak too. */
PARCEL_PRINTF(3, 4)
static void complain(const char *file, int line, const char *format, ...)
{
  char text[4 * PARCEL_ERROR_SIZE];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  fprintf(real_stderr ? real_stderr : stderr, "rank %d: %s:%d: %s\n", mpi_test_rank(), file, line, text);
}

bool mpi_test_all(bool claim, const char *text, const char *file, int line)
{
  if (!claim)
    complain(file, line, "not so: %s", text);
  return holds_everywhere(claim);
}

bool mpi_test_status(parcel_status got, parcel_status expected, const char *call, const char *file, int line)
{
  if (got != expected)
    complain(file, line, "%s is %s, not %s; last error: %s", call, parcel_status_name(got),
             parcel_status_name(expected), parcel_last_error());
  return holds_everywhere(got == expected);
}

bool mpi_test_same_text(const char *text, const char *file, int line)
{
  char first[4 * PARCEL_ERROR_SIZE] = "";
  snprintf(first, sizeof first, "%s", text);
  MPI_Bcast(first, (int)sizeof first, MPI_CHAR, 0, MPI_COMM_WORLD);
  const bool is_same = strcmp(first, text) == 0;
  if (!is_same)
    complain(file, line, "'%s' is not rank 0's text, '%s'", text, first);
  return holds_everywhere(is_same);
}

void mpi_test_init(int level)
{
  int provided = 0;
  if (level == MPI_THREAD_SINGLE)
    MPI_Init(NULL, NULL);
  else
    MPI_Init_thread(NULL, NULL, level, &provided);
  owns_mpi = true;
}

/* The streams, not the descriptors: sanitizers and MPI itself must still be heard. */
static void mute_all_but_root(void)
{
  real_stderr = stderr;
  setvbuf(stderr, NULL, _IOLBF, 0);
  if (mpi_test_rank() == 0)
    return;
  FILE *nowhere = fopen("/dev/null", "we");
  if (nowhere)
    stdout = stderr = nowhere;
}

int mpi_test_run_group(const char *name, const struct CMUnitTest tests[], size_t count,
                       CMFixtureFunction setup, CMFixtureFunction teardown)
{
  alarm(mpi_test_longest_seconds);
  mute_all_but_root();
  const int failures = _cmocka_run_group_tests(name, tests, count, setup, teardown);
  const bool has_passed = holds_everywhere(failures == 0);
  const bool speaks = mpi_test_rank() == 0 || !mpi_runs();
  if (owns_mpi)
    MPI_Finalize();
  return !has_passed && speaks;
}

bool mpi_test_has_leftovers(MPI_Comm comm)
{
  int rank = 0;
  int size = 0;
  int token = 0;
  int has_message = 0;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
  for (int shift = 1; shift < size; ++shift)
    MPI_Sendrecv(&rank, 1, MPI_INT, (rank + shift) % size, TOKEN_TAG, &token, 1, MPI_INT,
                 (rank - shift + size) % size, TOKEN_TAG, comm, MPI_STATUS_IGNORE);
  MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, comm, &has_message, MPI_STATUS_IGNORE);
  MPI_Barrier(comm);
  return has_message != 0;
}

void mpi_test_begin_capture(void)
{
  loud_stderr = stderr;
  stderr = open_memstream(&captured, &captured_size);
}

char *mpi_test_end_capture(void)
{
  fclose(stderr);
  stderr = loud_stderr;
  return captured;
}

static parcel_signals signals;
static pthread_t main_thread;

static void note_stop(int signal_number)
{
  signals.stop = signal_number;
}

const parcel_signals *mpi_test_signals(void)
{
  struct sigaction action = {.sa_handler = note_stop, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(SIGUSR2, &action, NULL);
  main_thread = pthread_self();
  signals = (parcel_signals){0};
  return &signals;
}

void mpi_test_raise_stop(void)
{
  pthread_kill(main_thread, SIGUSR2);
}

int mpi_test_count_entries(const char *folder)
{
  int count = 0;
  DIR *entries = opendir(folder);
  for (const struct dirent *entry; entries && (entry = readdir(entries));)
    count += entry->d_name[0] != '.';
  if (entries)
    closedir(entries);
  return count;
}

double mpi_test_seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void mpi_test_sleep(double seconds)
{
  struct timespec time = {.tv_sec = (time_t)seconds};
  time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
  nanosleep(&time, NULL);
}
