/* What checksums and ledger cost a run that does nothing but write: the same sweep into a results file, and
 * into a plain file by a sink that only writes, in turns.
 *
 * usage: ledger_cost FOLDER [ROUNDS]     prints for each round the seconds of both, and their ratio */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <parcel/parcel.h>

enum { POSITIONS = 100000000, COLUMN_BYTES = 8 };

static const parcel_column columns[] = {{.name = "value", .type = PARCEL_INT64}};

static parcel_status fill(void *ctx, const parcel_slice *slice, void *const out[])
{
  int64_t *values = out[0];
  (void)ctx;
  for (parcel_index i = 0; i < slice->count; ++i)
    values[i] = slice->first + i * slice->step;
  return PARCEL_OK;
}

static parcel_status write_plainly(void *ctx, const parcel_block *block)
{
  const size_t bytes = (size_t)(block->positions.end - block->positions.begin) * COLUMN_BYTES;
  const off_t place = (off_t)block->positions.begin * COLUMN_BYTES;
  if (pwrite(*(const int *)ctx, block->columns[0], bytes, place) == (ssize_t)bytes)
    return PARCEL_OK;
  return parcel_fail(PARCEL_IO, "cannot write: %m");
}

/* Removes a file and waits until the disk is done with it, or that would fall into the time of whoever comes
 * next. */
static void forget(const char *path)
{
  unlink(path);
  sync();
}

static parcel_status run_plain(const parcel_world *world, const parcel_sweep *sweep, const char *path,
                               double *out)
{
  parcel_sweep_report report = {0};
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  const parcel_sink sink = {.ctx = &fd, .write = write_plainly};
  if (fd < 0 || posix_fallocate(fd, 0, (off_t)POSITIONS * COLUMN_BYTES) != 0)
    return parcel_fail(PARCEL_IO, "cannot make '%s'", path);
  const parcel_status status = parcel_sweep_run(world, sweep, sink, NULL, &report);
  close(fd);
  forget(path);
  *out = report.elapsed_seconds;
  return status;
}

static parcel_status run_results(const parcel_world *world, const parcel_sweep *sweep, const char *path,
                                 double *out)
{
  const parcel_results_options options = {.replaces = true};
  parcel_sweep_report report = {0};
  parcel_results *results = NULL;
  parcel_status status = parcel_results_create(world, sweep, path, &options, &results);
  if (!status)
    status = parcel_sweep_run(world, sweep, parcel_results_sink(results), NULL, &report);
  *out = report.elapsed_seconds;
  return parcel_results_close(&results, status);
}

static parcel_status compare(const parcel_world *world, const char *folder, int rounds)
{
  const parcel_sweep sweep = {.name = "fill",
                              .range = {.first = 0, .step = 1, .count = POSITIONS},
                              .columns = columns,
                              .column_count = 1,
                              .kernel = fill};
  char plain[4096];
  char file[4096];
  double seconds[2] = {0, 0};
  parcel_status status = PARCEL_OK;
  snprintf(plain, sizeof plain, "%s/plain", folder);
  snprintf(file, sizeof file, "%s/results.h5", folder);
  for (int r = 0; r < rounds && !status; ++r) {
    if (!(status = run_plain(world, &sweep, plain, &seconds[0])))
      status = run_results(world, &sweep, file, &seconds[1]);
    forget(file);
    printf("plain %.3f s, with checksums and ledger %.3f s, ratio %.3f\n", seconds[0], seconds[1],
           seconds[1] / seconds[0]);
  }
  return status;
}

int main(int argc, char **argv)
{
  parcel_world *world = NULL;
  parcel_status status = parcel_world_open(MPI_COMM_WORLD, &world);
  if (!status && argc < 2)
    status = parcel_fail(PARCEL_INVALID, "usage: ledger_cost FOLDER [ROUNDS]");
  if (!status)
    status = compare(world, argv[1], argc > 2 ? atoi(argv[2]) : 7);
  return parcel_world_close(&world, status);
}
