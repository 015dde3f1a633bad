/* Blocks are chosen by selection sampling (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S), so
 * that every rank makes the same list in one pass. Totals are estimated by the expansion of the sample's
 * mean, their intervals by Student's t with the correction for a finite population (Cochran, Sampling
 * Techniques, 3rd edition, 2.6 to 2.8). */
#include <parcel/sample.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "coder_impl.h"
#include "compression_impl.h"
#include "ledger_impl.h"
#include "schema_impl.h"
#include "scratch_impl.h"

enum { FEWEST_BLOCKS = 16, MOST_BLOCKS = 1000000 };

typedef struct sampling {
  const parcel_world *world;
  const parcel_sweep *sweep;
  const parcel_sample_options *options;
  parcel_block_grid grid;
  uint64_t *done;       /* a sink's bits: all blocks but those of the sample */
  parcel_index *chosen; /* [count] ascending */
  double *seconds;      /* [count] of this rank's blocks, else 0: to compute, compress and write */
  double *packed_bytes; /* [count] of this rank's blocks, else 0 */
  parcel_index count;
  parcel_file scratch; /* by its .part */
  int fd;
  parcel_index slot; /* bytes for each block there */
  parcel_coders coders;
} sampling;

static bool is_packed(const sampling *sample)
{
  return sample->grid.exact > 0;
}

/* ---- the choice ---- */

/* SplitMix64 (Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014), as [0, 1). */
static double draw(uint64_t *state)
{
  uint64_t z = *state += 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static parcel_index sample_size(double fraction, parcel_index blocks)
{
  const double wanted = ceil((fraction > 0 ? fraction : 0.01) * (double)blocks);
  const double most = fmin(MOST_BLOCKS, (double)blocks);
  return (parcel_index)fmin(fmax(wanted, FEWEST_BLOCKS), most);
}

static parcel_status choose(sampling *sample)
{
  const parcel_index blocks = parcel_block_grid_count(sample->grid);
  const size_t bytes = (size_t)(blocks / 64 + 1) * sizeof *sample->done;
  uint64_t state = sample->options->seed;
  sample->count = sample_size(sample->options->fraction, blocks);
  sample->done = malloc(bytes);
  sample->chosen = calloc((size_t)sample->count + 1, sizeof *sample->chosen);
  sample->seconds = calloc((size_t)sample->count + 1, sizeof *sample->seconds);
  sample->packed_bytes = calloc((size_t)sample->count + 1, sizeof *sample->packed_bytes);
  if (!sample->done || !sample->chosen || !sample->seconds || !sample->packed_bytes)
    return parcel_fail(PARCEL_MEMORY, "no memory for a sample of %" PRId64 " blocks", sample->count);
  memset(sample->done, 0xff, bytes);
  parcel_index taken = 0;
  for (parcel_index block = 0; block < blocks && taken < sample->count; ++block) {
    if ((double)(blocks - block) * draw(&state) >= (double)(sample->count - taken))
      continue;
    sample->done[block / 64] &= ~((uint64_t)1 << (block % 64));
    sample->chosen[taken++] = block;
  }
  return PARCEL_OK;
}

static int compare(const void *a, const void *b)
{
  const parcel_index left = *(const parcel_index *)a;
  const parcel_index right = *(const parcel_index *)b;
  return (left > right) - (left < right);
}

static parcel_index place_in_sample(const sampling *sample, parcel_index block)
{
  const parcel_index *found = bsearch(&block, sample->chosen, (size_t)sample->count, sizeof block, compare);
  return found - sample->chosen;
}

/* ---- the sink ---- */

static parcel_status write_packed(sampling *sample, const parcel_block *block, parcel_index place)
{
  const parcel_index count = block->positions.end - block->positions.begin;
  parcel_coder *coder = NULL;
  parcel_status status = parcel__coders_take(&sample->coders, &coder);
  parcel_index bytes = 0;
  if (status)
    return status;
  for (int c = 0; c < sample->sweep->column_count; ++c) {
    const parcel_chunk chunk = parcel__chunk_of(&sample->sweep->columns[c], sample->grid.exact, count);
    bytes += parcel__coder_pack(coder, chunk, block->columns[c], coder->packed + bytes);
  }
  sample->packed_bytes[place] = (double)bytes;
  status = parcel__file_write(&sample->scratch, sample->fd, "sample.write", coder->packed, bytes,
                              place * sample->slot);
  parcel__coders_give(&sample->coders, coder);
  return status;
}

static parcel_status write_plain(const sampling *sample, const parcel_block *block, parcel_index place)
{
  const parcel_index count = block->positions.end - block->positions.begin;
  parcel_index offset = place * sample->slot;
  parcel_status status = PARCEL_OK;
  for (int c = 0; c < sample->sweep->column_count && !status; ++c) {
    const parcel_index bytes = count * parcel_column_bytes(&sample->sweep->columns[c]);
    status =
        parcel__file_write(&sample->scratch, sample->fd, "sample.write", block->columns[c], bytes, offset);
    offset += bytes;
  }
  return status;
}

static double now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static parcel_status write_block(void *ctx, const parcel_block *block)
{
  sampling *sample = ctx;
  const double begin = now();
  const parcel_index place = place_in_sample(sample, block->number);
  const parcel_ledger_entry entry = parcel__ledger_entry(sample->sweep, 0, block, 0);
  const parcel_status status =
      is_packed(sample) ? write_packed(sample, block, place) : write_plain(sample, block, place);
  (void)entry; /* what it costs is what matters */
  sample->seconds[place] = block->seconds + (now() - begin);
  return status;
}

/* ---- the file without a name ---- */

static parcel_status reserve(const sampling *sample)
{
  parcel_index bytes = 0;
  if (__builtin_mul_overflow(sample->count, sample->slot, &bytes))
    return parcel_fail(PARCEL_RANGE, "a sample of %" PRId64 " blocks has more bytes than can be counted",
                       sample->count);
  if (bytes == 0 || fallocate(sample->fd, 0, 0, bytes) == 0 || errno == EOPNOTSUPP || errno == ENOSYS)
    return PARCEL_OK;
  return parcel__file_fail("reserve room for the sample", sample->scratch.part);
}

static parcel_status open_scratch(sampling *sample, const char *path)
{
  const parcel_world *world = sample->world;
  parcel_file file = {.path = NULL};
  char *name = NULL;
  sample->slot = parcel_block_grid_largest(sample->grid) *
                 parcel_columns_bytes(sample->sweep->columns, sample->sweep->column_count);
  parcel_status status = parcel__file_make(path, &file);
  if (!status && asprintf(&name, "%s.sample", file.path) < 0) {
    name = NULL;
    status = parcel_fail(PARCEL_MEMORY, "no memory for the name of a sample of '%s'", path);
  }
  if (!(status = parcel_world_agree(world, status)))
    status = parcel__scratch_open(world, name, &sample->scratch, &sample->fd);
  if (!status)
    status = parcel_world_follow_root(world, parcel_world_rank(world) == 0 ? reserve(sample) : PARCEL_OK);
  free(name);
  parcel__file_free(&file);
  return status;
}

static void close_sampling(sampling *sample)
{
  if (sample->fd >= 0)
    close(sample->fd);
  if (is_packed(sample))
    parcel__coders_close(&sample->coders);
  parcel__file_free(&sample->scratch);
  free(sample->packed_bytes);
  free(sample->seconds);
  free(sample->chosen);
  free(sample->done);
}

/* ---- the estimates ---- */

/* Student's quantile for 95 % confidence (Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5):
 * to 4 digits from 5 degrees of freedom on. */
static double student(double degrees)
{
  const double z = 1.959963984540054;
  const double z2 = z * z;
  const double g1 = z * (z2 + 1) / 4;
  const double g2 = z * ((5 * z2 + 16) * z2 + 3) / 96;
  const double g3 = z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384;
  const double g4 = z * ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / 92160;
  return z + (g1 + (g2 + (g3 + g4 / degrees) / degrees) / degrees) / degrees;
}

/* Of a quantity whose sum over the sample, and squared differences from its mean, are known. */
static parcel_estimate expand(const sampling *sample, double sum, double squares)
{
  const double all = (double)parcel_block_grid_count(sample->grid);
  const double count = (double)sample->count;
  if (sample->count < 2)
    return (parcel_estimate){sum, sum, sum}; /* there are no more blocks */
  const double value = all * sum / count;
  const double error = all * sqrt(squares / (count - 1) / count * (1 - count / all));
  const double margin = student(count - 1) * error;
  return (parcel_estimate){value, fmax(value - margin, sum), value + margin};
}

static double sum_of(const double values[], parcel_index count)
{
  double sum = 0;
  for (parcel_index b = 0; b < count; ++b)
    sum += values[b];
  return sum;
}

/* The squared differences from the mean. */
static double squares_of(const double values[], parcel_index count)
{
  const double mean = count > 0 ? sum_of(values, count) / (double)count : 0;
  double squares = 0;
  for (parcel_index b = 0; b < count; ++b)
    squares += (values[b] - mean) * (values[b] - mean);
  return squares;
}

/* Rank 0's.
 *
 * structure     bytes of the file that are not compressed
 * sync_seconds  that the disk took for the sample */
static void estimate(const sampling *sample, const parcel_profile *profile, parcel_index structure,
                     double sync_seconds, parcel_sample_report *out)
{
  const double sum = profile->compute_seconds + profile->write_seconds + profile->handout_seconds;
  const parcel_index count = sample->count;
  const parcel_estimate packed =
      expand(sample, sum_of(sample->packed_bytes, count), squares_of(sample->packed_bytes, count));
  const double fixed = (double)structure;
  const double share =
      sample->grid.positions > 0 ? (double)profile->positions / (double)sample->grid.positions : 1;
  *out = (parcel_sample_report){.blocks = count,
                                .all_blocks = parcel_block_grid_count(sample->grid),
                                .positions = profile->positions,
                                .all_positions = sample->grid.positions,
                                .failures = profile->failures,
                                .workers = profile->worker_count,
                                .elapsed_seconds = profile->elapsed_seconds,
                                .longest_block_seconds = profile->block_seconds.most,
                                .worker_seconds = expand(sample, sum, squares_of(sample->seconds, count)),
                                .bytes = {fixed + packed.value, fixed + packed.low, fixed + packed.high},
                                .disk_seconds = share > 0 ? sync_seconds / share : 0};
}

/* Brings this rank's part of the sample to the disk, and takes the time of the slowest rank. Collective. */
static parcel_status time_sync(const sampling *sample, double *seconds)
{
  const double begin = MPI_Wtime();
  const parcel_status status =
      parcel_world_agree(sample->world, parcel__file_sync(&sample->scratch, sample->fd));
  *seconds = MPI_Wtime() - begin;
  return status ? status
                : parcel_world_check_mpi(sample->world,
                                         MPI_Allreduce(MPI_IN_PLACE, seconds, 1, MPI_DOUBLE, MPI_MAX,
                                                       parcel_world_comm(sample->world)),
                                         "MPI_Allreduce of a sample's time");
}

/* Bytes of the file, but for compressed values. Collective; rank 0's answer counts. */
static parcel_status measure_structure(const sampling *sample, parcel_index *out)
{
  parcel_provenance provenance = {.count = 0};
  const parcel_status status = parcel__provenance_collect(sample->world, sample->sweep, &provenance);
  const parcel_schema schema = {.sweep = sample->sweep,
                                .grid = sample->grid,
                                .compression = is_packed(sample) ? sample->options->compression
                                                                 : (parcel_compression){.level = 0},
                                .provenance = &provenance};
  *out = parcel__schema_bytes(&schema);
  parcel__provenance_free(&provenance);
  return status;
}

/* On rank 0: each block was written by one rank. */
static parcel_status add_up_ranks(const sampling *sample, double values[])
{
  const bool is_root = parcel_world_rank(sample->world) == 0;
  return parcel_world_check_mpi(sample->world,
                                MPI_Reduce(is_root ? MPI_IN_PLACE : values, values, (int)sample->count,
                                           MPI_DOUBLE, MPI_SUM, 0, parcel_world_comm(sample->world)),
                                "MPI_Reduce of a sample's blocks");
}

static parcel_status report_sample(const sampling *sample, const parcel_trace *trace,
                                   parcel_sample_report *out)
{
  const parcel_world *world = sample->world;
  const bool is_root = parcel_world_rank(world) == 0;
  MPI_Comm comm = parcel_world_comm(world);
  parcel_index structure = 0;
  double sync_seconds = 0;
  parcel_status status = parcel_world_follow_root(world, measure_structure(sample, &structure));
  if (!status)
    status = time_sync(sample, &sync_seconds);
  if (!status)
    status = add_up_ranks(sample, sample->packed_bytes);
  if (!status)
    status = add_up_ranks(sample, sample->seconds);
  if (!status && is_root && !parcel_trace_profile(trace))
    status = parcel_fail(PARCEL_MEMORY, "the times of the sample are lost");
  if ((status = parcel_world_follow_root(world, status)))
    return status;
  if (is_root)
    estimate(sample, parcel_trace_profile(trace), structure, sync_seconds, out);
  return parcel_world_check_mpi(sample->world, MPI_Bcast(out, (int)sizeof *out, MPI_BYTE, 0, comm),
                                "MPI_Bcast of a sample");
}

/* ---- the run ---- */

static parcel_status make_grid(sampling *sample)
{
  const parcel_compression compression = sample->options->compression;
  parcel_status status = PARCEL_OK;
  if (!(sample->options->fraction >= 0 && sample->options->fraction <= 1))
    return parcel_fail(PARCEL_INVALID, "a sample of %g of the blocks is none", sample->options->fraction);
  if ((status = parcel_sweep_grid(sample->world, sample->sweep, &sample->grid)) ||
      (status = parcel__compression_check(compression)) || compression.kind == PARCEL_COMPRESSION_NONE ||
      sample->grid.positions == 0)
    return status;
  return parcel__compression_grid(sample->sweep, &sample->grid);
}

static void open_coders(sampling *sample)
{
  const parcel_column *columns = sample->sweep->columns;
  parcel_index largest = 0;
  for (int c = 0; c < sample->sweep->column_count; ++c)
    largest = parcel_column_bytes(&columns[c]) > largest ? parcel_column_bytes(&columns[c]) : largest;
  parcel__coders_open(&sample->coders, sample->options->compression, sample->grid.exact * largest,
                      sample->slot);
}

static parcel_status run(sampling *sample, const parcel_sweep_options *how, parcel_sample_report *out)
{
  const parcel_sink sink = {.ctx = sample,
                            .grid = &sample->grid,
                            .done = sample->done,
                            .keeps_failures = true,
                            .write = write_block};
  parcel_sweep_options options = *how;
  parcel_trace *trace = NULL;
  if (is_packed(sample))
    open_coders(sample);
  parcel_status status = parcel_world_agree(sample->world, parcel_trace_create(NULL, &trace));
  options.trace = trace;
  if (!status)
    status = parcel_sweep_run(sample->world, sample->sweep, sink, &options, NULL);
  if (!status)
    status = report_sample(sample, trace, out);
  parcel_trace_free(&trace);
  return status;
}

parcel_status parcel_sample_run(const parcel_world *world, const parcel_sweep *sweep, const char *path,
                                const parcel_sample_options *options, const parcel_sweep_options *how,
                                parcel_sample_report *out)
{
  static const parcel_sample_options defaults = PARCEL_SAMPLE_OPTIONS_INIT;
  static const parcel_sweep_options sweep_defaults = PARCEL_SWEEP_OPTIONS_INIT;
  sampling sample = {.world = world, .sweep = sweep, .options = options ? options : &defaults, .fd = -1};
  parcel_status status = parcel_world_agree(world, make_grid(&sample));
  if (status)
    return status;
  status = parcel_world_agree(world, choose(&sample));
  if (!status)
    status = open_scratch(&sample, path);
  if (!status)
    status = run(&sample, how ? how : &sweep_defaults, out);
  close_sampling(&sample);
  return status;
}

/* ---- in words ---- */

typedef struct unit {
  double size;
  const char *name;
} unit;

/* The largest unit that is not larger than the value; units ascend. */
static void print_estimate(const char *what, parcel_estimate estimate, const unit units[], int count,
                           FILE *to)
{
  int u = 0;
  while (u + 1 < count && estimate.value >= units[u + 1].size)
    ++u;
  const double size = units[u].size;
  fprintf(to, "%-10s %.4g %s", what, estimate.value / size, units[u].name);
  if (estimate.low < estimate.high)
    fprintf(to, " (%.4g to %.4g)", estimate.low / size, estimate.high / size);
}

static parcel_estimate exactly(double value)
{
  return (parcel_estimate){value, value, value};
}

static parcel_estimate divided(parcel_estimate estimate, double by)
{
  return (parcel_estimate){estimate.value / by, estimate.low / by, estimate.high / by};
}

void parcel_sample_print(const parcel_sample_report *report, FILE *to)
{
  static const unit times[] = {{1e-3, "ms"}, {1, "s"}, {60, "min"}, {3600, "h"}, {86400, "days"}};
  static const unit sizes[] = {{1, "B"}, {1e3, "kB"}, {1e6, "MB"}, {1e9, "GB"}, {1e12, "TB"}, {1e15, "PB"}};
  static const unit hours[] = {{1, "core hours"}};
  fprintf(to, "sample: %" PRId64 " of %" PRId64 " blocks, %" PRId64 " of %" PRId64 " positions, in %.4g s",
          report->blocks, report->all_blocks, report->positions, report->all_positions,
          report->elapsed_seconds);
  if (report->failures > 0)
    fprintf(to, "; %" PRId64 " indices failed", report->failures);
  fprintf(to, "\nall of it, with 95 %% confidence:\n");
  print_estimate("  elapsed", divided(report->worker_seconds, (double)report->workers), times, 5, to);
  fprintf(to, ", if all %" PRId64 " workers are busy until the end\n", report->workers);
  print_estimate("  work", divided(report->worker_seconds, 3600), hours, 1, to);
  print_estimate("\n  file", report->bytes, sizes, 6, to);
  print_estimate("\n  disk", exactly(report->disk_seconds), times, 5, to);
  fprintf(to, " at the pace of the sample, which counts where the page cache is too small\n");
  fprintf(to, "  the longest block of the sample took %.4g s\n", report->longest_block_seconds);
}
