/* Parcel as a guest: a program that owns MPI, has an error handler and uses HDF5 itself runs sweeps on two
 * halves of its ranks at once, and then looks for anything left behind: threads, files, HDF5 ids,
 * communicators.
 *
 *     mpirun -n 4 consumer [single]       single: MPI_Init, without thread support */
#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <hdf5.h>
#include <mpi.h>
#include <parcel/parcel.h>

enum { POSITIONS = 100000, WIDTH = 3, GROUPS = 2 };

static int failures; /* on this rank */

static void check(bool is_good, const char *format, ...) PARCEL_PRINTF(2, 3);
static void check(bool is_good, const char *format, ...)
{
  va_list arguments;
  if (is_good)
    return;
  va_start(arguments, format);
  fprintf(stderr, "consumer: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  va_end(arguments);
  ++failures;
}

/* ---- every communicator that anyone makes or frees in this process, by MPI's profiling interface ---- */

static int comms_made, comms_freed;

static int count_made(int code, const MPI_Comm *made)
{
  comms_made += code == MPI_SUCCESS && *made != MPI_COMM_NULL;
  return code;
}

int MPI_Comm_dup(MPI_Comm comm, MPI_Comm *out)
{
  return count_made(PMPI_Comm_dup(comm, out), out);
}

int MPI_Comm_dup_with_info(MPI_Comm comm, MPI_Info info, MPI_Comm *out)
{
  return count_made(PMPI_Comm_dup_with_info(comm, info, out), out);
}

int MPI_Comm_split(MPI_Comm comm, int color, int key, MPI_Comm *out)
{
  return count_made(PMPI_Comm_split(comm, color, key, out), out);
}

int MPI_Comm_split_type(MPI_Comm comm, int type, int key, MPI_Info info, MPI_Comm *out)
{
  return count_made(PMPI_Comm_split_type(comm, type, key, info, out), out);
}

int MPI_Comm_create(MPI_Comm comm, MPI_Group group, MPI_Comm *out)
{
  return count_made(PMPI_Comm_create(comm, group, out), out);
}

int MPI_Comm_create_group(MPI_Comm comm, MPI_Group group, int tag, MPI_Comm *out)
{
  return count_made(PMPI_Comm_create_group(comm, group, tag, out), out);
}

int MPI_Comm_free(MPI_Comm *comm)
{
  ++comms_freed;
  return PMPI_Comm_free(comm);
}

/* ---- what a guest could leave behind ---- */

typedef struct traces {
  int threads;
  int files;
  int comms;
  ssize_t objects; /* of HDF5: files, datasets, groups, types, attributes */
  H5E_auto2_t complain;
} traces;

static int count_entries(const char *folder)
{
  int count = 0;
  DIR *opened = opendir(folder);
  while (opened && readdir(opened))
    ++count;
  if (opened)
    closedir(opened);
  return count;
}

static traces take_traces(void)
{
  void *data = NULL;
  traces now = {.threads = count_entries("/proc/self/task"),
                .files = count_entries("/proc/self/fd"),
                .comms = comms_made - comms_freed,
                .objects = H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL)};
  H5Eget_auto2(H5E_DEFAULT, &now.complain, &data);
  return now;
}

/* A thread that was joined stays in /proc for a moment. */
static void wait_for_threads(int wanted)
{
  const struct timespec millisecond = {.tv_nsec = 1000000};
  for (int tries = 0; tries < 1000 && count_entries("/proc/self/task") > wanted; ++tries)
    nanosleep(&millisecond, NULL);
}

static void compare_traces(const traces *before, const traces *after)
{
  check(after->threads <= before->threads, "%d threads before, %d after", before->threads, after->threads);
  check(after->files <= before->files, "%d open files before, %d after", before->files, after->files);
  check(after->comms == before->comms, "%d communicators before, %d after", before->comms, after->comms);
  check(after->objects == 0, "%zd HDF5 objects are still open", after->objects);
  check(after->complain == before->complain, "HDF5's error reporting was changed");
}

/* ---- the sweeps ---- */

static const parcel_column columns[] = {{.name = "square", .type = PARCEL_INT64, .units = "1"},
                                        {.name = "parts", .type = PARCEL_FLOAT64, .width = WIDTH}};

static int64_t square_of(int64_t value)
{
  return value * value;
}

static double part_of(int64_t value, int w)
{
  return (double)value / (w + 1);
}

static parcel_status kernel(void *ctx, const parcel_slice *slice, void *const outputs[])
{
  int64_t *squares = outputs[0];
  double *parts = outputs[1];
  (void)ctx;
  for (parcel_index i = 0; i < slice->count; ++i) {
    const int64_t value = slice->first + i * slice->step;
    squares[i] = square_of(value);
    for (int w = 0; w < WIDTH; ++w)
      parts[i * WIDTH + w] = part_of(value, w);
  }
  return PARCEL_OK;
}

static void check_values(const char *where, parcel_range range, const int64_t *squares, const double *parts)
{
  parcel_index wrong = 0;
  for (parcel_index p = 0; p < range.count; ++p) {
    const int64_t value = parcel_range_at(range, p);
    wrong += squares[p] != square_of(value);
    for (int w = 0; w < WIDTH; ++w)
      wrong += parts[p * WIDTH + w] != part_of(value, w);
  }
  check(wrong == 0, "%s: %" PRId64 " values are wrong", where, wrong);
}

static bool read_dataset(hid_t file, const char *name, hid_t type, void *values)
{
  const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
  const bool is_read = dataset >= 0 && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
  return dataset >= 0 && H5Dclose(dataset) >= 0 && is_read;
}

static void check_file(const char *path, parcel_range range, int64_t *squares, double *parts)
{
  const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  const bool is_read = file >= 0 && read_dataset(file, "square", H5T_NATIVE_INT64, squares) &&
                       read_dataset(file, "parts", H5T_NATIVE_DOUBLE, parts);
  check(is_read && H5Fclose(file) >= 0, "%s cannot be read", path);
  if (is_read)
    check_values(path, range, squares, parts);
}

static parcel_status run_into_file(const parcel_world *world, const parcel_sweep *sweep, const char *path,
                                   parcel_sweep_report *report)
{
  parcel_results *results = NULL;
  parcel_status status = parcel_results_create(world, sweep, path, NULL, &results);
  if (!status)
    status = parcel_sweep_run(world, sweep, parcel_results_sink(results), NULL, report);
  return parcel_results_close(&results, status);
}

/* On one group of ranks, while the other group does the same with other values into another file. */
static void run_sweeps(MPI_Comm comm, int group, int threads)
{
  char path[32];
  parcel_world *world = NULL;
  parcel_sweep_report report = {0};
  parcel_sweep sweep = {.name = "consumer", .columns = columns, .column_count = 2, .kernel = kernel};
  sweep.range = (parcel_range){.first = group * 1000, .step = 1 - 3 * group, .count = POSITIONS + group};
  sweep.threads = threads;
  int64_t *squares = calloc((size_t)sweep.range.count, sizeof *squares);
  double *parts = calloc((size_t)sweep.range.count * WIDTH, sizeof *parts);
  void *const arrays[] = {squares, parts};

  snprintf(path, sizeof path, "group_%d.h5", group);
  parcel_status status = parcel_world_open(comm, &world);
  if (!status) {
    parcel_world_set_quiet(world, true);
    const int workers = parcel_world_size(world) * (threads ? threads : 1);
    const bool is_root = parcel_world_rank(world) == 0;
    if (!(status = run_into_file(world, &sweep, path, &report)) && is_root)
      check_file(path, sweep.range, squares, parts);
    check(status || (report.positions == sweep.range.count && report.workers == workers),
          "group %d: %" PRId64 " positions by %" PRId64 " workers", group, report.positions, report.workers);
    memset(squares, 0, (size_t)sweep.range.count * sizeof *squares);
    if (!status && !(status = parcel_sweep_gather(world, &sweep, 0, arrays, NULL, NULL)) && is_root)
      check_values("gathered", sweep.range, squares, parts);
  }
  check(!status, "group %d: %s", group, parcel_last_error());
  check(parcel_world_close(&world, PARCEL_OK) == 0, "group %d: closing failed", group);
  free(squares);
  free(parts);
}

/* ---- the host program ---- */

static void handle_error(MPI_Comm *comm, int *code, ...)
{
  (void)comm;
  check(false, "MPI error %d reached the program's own handler", *code);
}

static void check_handler(MPI_Comm comm, MPI_Errhandler own)
{
  MPI_Errhandler now = MPI_ERRHANDLER_NULL;
  MPI_Comm_get_errhandler(comm, &now);
  check(now == own, "the program's error handler was replaced");
  MPI_Errhandler_free(&now);
}

/* Messages between all ranks, so that whatever MPI opens for them it opens here. */
static void talk(MPI_Comm comm)
{
  int values[64] = {0};
  int size = 0;
  MPI_Comm_size(comm, &size);
  for (int r = 0; r < size && r < 64; ++r)
    values[r] = r;
  check(MPI_Alltoall(MPI_IN_PLACE, 0, MPI_INT, values, 1, MPI_INT, comm) == MPI_SUCCESS,
        "MPI stopped working");
}

static int start_mpi(bool is_single)
{
  int provided = MPI_THREAD_SINGLE;
  if (is_single)
    return MPI_Init(NULL, NULL);
  const int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
  check(provided >= MPI_THREAD_FUNNELED, "MPI offers no MPI_THREAD_FUNNELED");
  return code;
}

int main(int argc, char **argv)
{
  const bool is_single = argc > 1 && strcmp(argv[1], "single") == 0;
  MPI_Comm comm = MPI_COMM_NULL;
  MPI_Errhandler own = MPI_ERRHANDLER_NULL;
  int rank = 0;
  int is_finalized = 0;
  int all = 0;

  if (start_mpi(is_single) != MPI_SUCCESS || H5open() < 0)
    return EXIT_FAILURE;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_create_errhandler(handle_error, &own);
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, own);
  MPI_Comm_split(MPI_COMM_WORLD, rank % GROUPS, rank, &comm);
  talk(MPI_COMM_WORLD);
  talk(comm);

  const int made_before = comms_made;
  const traces before = take_traces();
  run_sweeps(comm, rank % GROUPS, is_single ? 0 : 2);
  wait_for_threads(before.threads);
  const traces after = take_traces();
  compare_traces(&before, &after);
  check(comms_made > made_before, "Parcel's communicators were not seen");

  MPI_Finalized(&is_finalized);
  if (is_finalized) {
    fprintf(stderr, "consumer: MPI was finalized behind the program's back\n");
    return EXIT_FAILURE;
  }
  check_handler(MPI_COMM_WORLD, own);
  check_handler(comm, own);
  talk(MPI_COMM_WORLD);
  talk(comm);
  MPI_Allreduce(&failures, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  MPI_Comm_free(&comm);
  MPI_Errhandler_free(&own);
  MPI_Finalize();
  if (rank == 0 && all == 0)
    printf("consumer: values are right, nothing is left behind\n");
  return rank == 0 && all > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
