/* A file with floating-point columns and a wide one, for tests of the tool.
 *
 * usage: waves FILE RANGE [INDEX DELTA]      DELTA is added to the sine of INDEX
 *        waves FILE RANGE sign SIGN          the vectors are multiplied by SIGN
 *        waves FILE RANGE fail K             multiples of K fail, and are on record
 *        waves FILE RANGE compress LEVEL     the columns are deflated
 *        waves FILE RANGE hold PATH          one thread a rank; with a status file; the last index waits
 *        until
 *                                            PATH is there
 *        waves FILE RANGE hide PATH          the same without a status file */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <parcel/parcel.h>

typedef struct change {
  parcel_index index;
  double delta;
  double sign;
  parcel_index failing;
  int level; /* of compression; 0: none */
  parcel_index last;
  const char *awaited; /* NULL: nothing */
} change;

static double sine_of(parcel_index index)
{
  if (index % 11 == 0)
    return NAN;
  if (index % 13 == 0)
    return index > 0 ? INFINITY : -INFINITY;
  return sin((double)index) * pow(10, (double)(index % 600 - 300));
}

/* Each block takes so long that its entry is not kept back until others are there. */
static void hold(const change *change, const parcel_slice *slice)
{
  usleep(20000);
  while (slice->first + (slice->count - 1) * slice->step == change->last &&
         access(change->awaited, F_OK) != 0)
    usleep(20000);
}

static parcel_status compute(void *ctx, const parcel_slice *slice, void *const columns[])
{
  const change *change = ctx;
  if (change->awaited)
    hold(change, slice);
  for (parcel_index i = 0; i < slice->count; ++i) {
    const parcel_index index = slice->first + i * slice->step;
    if (change->failing && index % change->failing == 0)
      return parcel_fail(PARCEL_KERNEL, "no wave at %d", (int)index);
    ((double *)columns[0])[i] = sine_of(index) + (index == change->index ? change->delta : 0);
    ((float *)columns[1])[i] = (float)cos((double)index) / 3;
    for (int k = 0; k < 3; ++k)
      ((double *)columns[2])[3 * i + k] = change->sign * (double)index / (k + 1);
    ((int8_t *)columns[3])[i] = (int8_t)(index % 100);
  }
  return PARCEL_OK;
}

int main(int argc, char **argv)
{
  static const parcel_column columns[] = {{.name = "sine", .type = PARCEL_FLOAT64, .units = "m"},
                                          {.name = "cosine", .type = PARCEL_FLOAT32},
                                          {.name = "vector", .type = PARCEL_FLOAT64, .width = 3},
                                          {.name = "rest", .type = PARCEL_INT8}};
  change change = {.index = INT64_MIN, .sign = 1};
  parcel_world *world = NULL;
  parcel_results *results = NULL;
  parcel_sweep sweep = {
      .name = "waves", .columns = columns, .column_count = 4, .kernel = compute, .ctx = &change};
  sweep.block = 100;
  if (argc < 3)
    return 2;
  if (argc > 4 && strcmp(argv[3], "sign") == 0)
    change.sign = strtod(argv[4], NULL);
  else if (argc > 4 && strcmp(argv[3], "fail") == 0)
    change.failing = strtoll(argv[4], NULL, 10);
  else if (argc > 4 && strcmp(argv[3], "compress") == 0)
    change.level = atoi(argv[4]);
  else if (argc > 4 && (strcmp(argv[3], "hold") == 0 || strcmp(argv[3], "hide") == 0))
    change.awaited = argv[4];
  else if (argc > 4)
    change = (struct change){.index = strtoll(argv[3], NULL, 10), .delta = strtod(argv[4], NULL), .sign = 1};
  const parcel_results_options file = {
      .keeps_failures = change.failing != 0,
      .compression = {change.level > 0 ? PARCEL_COMPRESSION_DEFLATE : PARCEL_COMPRESSION_NONE, change.level}};
  const bool is_seen = change.awaited && strcmp(argv[3], "hold") == 0;
  parcel_status_file *shown = NULL;
  parcel_sweep_options how = {.on_error = change.failing ? PARCEL_ON_ERROR_RECORD : PARCEL_ON_ERROR_STOP};
  sweep.threads = change.awaited ? 1 : 0;
  parcel_status status = parcel_world_open(MPI_COMM_WORLD, &world);
  if (!status)
    status = parcel_range_parse(argv[2], &sweep.range);
  if (!status)
    status = parcel_results_create(world, &sweep, argv[1], &file, &results);
  change.last = parcel_range_at(sweep.range, sweep.range.count - 1);
  if (!status && is_seen && !(status = parcel_status_file_open(world, &sweep, argv[1], NULL, NULL, &shown))) {
    how.show = parcel_status_file_show;
    how.show_ctx = shown;
  }
  if (!status)
    status = parcel_sweep_run(world, &sweep, parcel_results_sink(results), &how, NULL);
  status = parcel_results_close(&results, status);
  parcel_status_file_close(&shown);
  return parcel_world_close(&world, status);
}
