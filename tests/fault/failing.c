/* A small user of Parcel whose kernel goes wrong where it is told to.
 *
 * usage: failing OUTPUT COUNT BLOCK WHAT INDEX MILLISECONDS [STALL [TIMEOUT [HOW CALLS]]]
 *
 *   COUNT, BLOCK   the range is 0..COUNT-1, in blocks of at most BLOCK
 *   WHAT           none, fail (return a failure), crash (write to nowhere),
 *                  raise (SIGFPE, as runtimes of some languages do), hang (never come back), exit,
 *                  often (return a failure at every multiple of INDEX),
 *                  leave (go to the folder "elsewhere" in the working folder)
 *   INDEX          where it does so
 *   MILLISECONDS   that every block takes
 *   STALL          seconds without progress after which the run is to end; 0: none
 *   TIMEOUT        kernels run in processes, for so many seconds at most, and failures go on record
 *   HOW            new, packed (new, and compressed), resume or retry
 *   CALLS          a file that gets a line "FIRST COUNT" for every call of the kernel */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <parcel/parcel.h>

typedef struct fault {
  bool fails;
  bool crashes;
  bool raises;
  bool hangs;
  bool exits;
  bool is_frequent;
  bool leaves;
  volatile int *nowhere;
  parcel_index index;
  long milliseconds;
  const char *calls;
} fault;

static const parcel_column columns[] = {
    {.name = "value", .type = PARCEL_INT64, .long_name = "twice the index"}};

/* Lines of several processes, one after the other. */
static void note_call(const char *path, const parcel_slice *slice)
{
  const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0 || dprintf(fd, "%lld %lld\n", (long long)slice->first, (long long)slice->count) < 0)
    abort();
  close(fd);
}

static bool is_unlucky(const fault *fault, parcel_index index)
{
  return fault->is_frequent ? index % fault->index == 0 : fault->fails && index == fault->index;
}

static parcel_status twice(void *ctx, const parcel_slice *slice, void *const out[])
{
  const fault *fault = ctx;
  const struct timespec pause = {fault->milliseconds / 1000, fault->milliseconds % 1000 * 1000000};
  int64_t *value = out[0];
  if (fault->calls)
    note_call(fault->calls, slice);
  nanosleep(&pause, NULL);
  for (parcel_index i = 0; i < slice->count; ++i) {
    const parcel_index index = slice->first + i * slice->step;
    if (index == fault->index && fault->crashes)
      *fault->nowhere = 1;
    if (index == fault->index && fault->raises)
      raise(SIGFPE);
    while (index == fault->index && fault->hangs)
      nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
    if (index == fault->index && fault->exits)
      exit(0);
    if (index == fault->index && fault->leaves && chdir("elsewhere") != 0)
      abort();
    if (is_unlucky(fault, index))
      return parcel_fail(PARCEL_KERNEL, "%lld is an unlucky number", (long long)index);
    value[i] = 2 * index;
  }
  return PARCEL_OK;
}

static parcel_status parse(int argc, char **argv, parcel_sweep *sweep, fault *fault)
{
  parcel_index milliseconds = 0;
  parcel_status status = PARCEL_OK;
  if (argc < 7 || argc == 10 || argc > 11)
    return parcel_fail(
        PARCEL_INVALID,
        "usage: failing OUTPUT COUNT BLOCK WHAT INDEX MILLISECONDS [STALL [TIMEOUT [HOW CALLS]]]");
  if ((status = parcel_index_parse(argv[2], &sweep->range.count)) ||
      (status = parcel_index_parse(argv[3], &sweep->block)) ||
      (status = parcel_index_parse(argv[5], &fault->index)) ||
      (status = parcel_index_parse(argv[6], &milliseconds)))
    return status;
  fault->fails = strcmp(argv[4], "fail") == 0;
  fault->crashes = strcmp(argv[4], "crash") == 0;
  fault->raises = strcmp(argv[4], "raise") == 0;
  fault->hangs = strcmp(argv[4], "hang") == 0;
  fault->exits = strcmp(argv[4], "exit") == 0;
  fault->leaves = strcmp(argv[4], "leave") == 0;
  fault->is_frequent = strcmp(argv[4], "often") == 0;
  fault->milliseconds = (long)milliseconds;
  fault->calls = argc > 10 ? argv[10] : NULL;
  return PARCEL_OK;
}

static parcel_status run(const parcel_world *world, fault *fault, int argc, char **argv)
{
  parcel_results *results = NULL;
  parcel_sweep sweep = {.name = "twice",
                        .range = {.first = 0, .step = 1},
                        .columns = columns,
                        .column_count = 1,
                        .kernel = twice,
                        .ctx = fault,
                        .threads = 1};
  const bool in_processes = argc >= 9;
  const char *manner = argc > 10 ? argv[9] : "new";
  const bool is_packed = strcmp(manner, "packed") == 0;
  const parcel_results_options file = {
      .compression = {is_packed ? PARCEL_COMPRESSION_DEFLATE : PARCEL_COMPRESSION_NONE, 1},
      .keeps_failures = in_processes,
      .resumes = strcmp(manner, "resume") == 0,
      .retries = strcmp(manner, "retry") == 0};
  const parcel_sweep_options how = {.signals = parcel_signals_catch(),
                                    .stall_seconds = argc >= 8 ? strtod(argv[7], NULL) : 0,
                                    .in_processes = in_processes,
                                    .slice_seconds = in_processes ? strtod(argv[8], NULL) : 0,
                                    .on_error = in_processes ? PARCEL_ON_ERROR_RECORD : PARCEL_ON_ERROR_STOP};
  parcel_status status = parse(argc, argv, &sweep, fault);
  if (!status)
    status = parcel_results_create(world, &sweep, argv[1], &file, &results);
  if (!status)
    status = parcel_sweep_run(world, &sweep, parcel_results_sink(results), &how, NULL);
  return parcel_results_close(&results, status);
}

int main(int argc, char **argv)
{
  parcel_world *world = NULL;
  fault *fault = NULL;
  parcel_status status = parcel_shared_alloc(sizeof *fault, (void **)&fault);
  if (!status && argc >= 9)
    status = parcel_workers_prepare();
  if (!status)
    status = parcel_world_open(MPI_COMM_WORLD, &world);
  if (!status)
    status = run(world, fault, argc, argv);
  return parcel_world_close(&world, status);
}
