/* Each rank's part of a profile to rank 0, one kind of row after the other. What is sent is bounded by the
 * trace's limits, whatever the number of blocks, and no message is near 2^31 bytes. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace_impl.h"

/* Rows of one kind, of this rank and then, on rank 0, of all. */
typedef struct rows {
  const void *own;
  parcel_index count;
  size_t size; /* of a row, in bytes */
  void *all;
  parcel_index total;
} rows;

/* Rank 0: how many rows come from each rank, and where they go. */
static parcel_status place_rows(rows *rows, const parcel_world *world, const int counts[], int places[])
{
  int64_t total = 0;
  for (int r = 0; r < parcel_world_size(world); ++r) {
    places[r] = (int)(total < INT_MAX ? total : INT_MAX);
    total += counts[r];
  }
  rows->total = total;
  rows->all = total < INT_MAX ? calloc((size_t)total + 1, rows->size) : NULL;
  return rows->all ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory for the profile of all ranks");
}

static parcel_status send_rows(rows *rows, const parcel_world *world, const int counts[], const int places[])
{
  MPI_Datatype row = MPI_DATATYPE_NULL;
  parcel_status status = PARCEL_OK;
  if ((status = parcel_world_check_mpi(world, MPI_Type_contiguous((int)rows->size, MPI_BYTE, &row),
                                       "MPI_Type_contiguous")))
    return status;
  if (!(status = parcel_world_check_mpi(world, MPI_Type_commit(&row), "MPI_Type_commit")))
    status = parcel_world_check_mpi(world,
                                    MPI_Gatherv(rows->own, (int)rows->count, row, rows->all, counts, places,
                                                row, 0, parcel_world_comm(world)),
                                    "MPI_Gatherv of a profile");
  MPI_Type_free(&row);
  return status;
}

static parcel_status gather_rows(rows *rows, const parcel_world *world)
{
  const bool is_root = parcel_world_rank(world) == 0;
  const size_t ranks = is_root ? (size_t)parcel_world_size(world) : 1;
  int *counts = calloc(2 * ranks, sizeof *counts);
  const int own = (int)rows->count;
  parcel_status status = counts ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory to gather a profile");
  if (!(status = parcel_world_agree(world, status)) &&
      !(status = parcel_world_check_mpi(
            world, MPI_Gather(&own, 1, MPI_INT, counts, 1, MPI_INT, 0, parcel_world_comm(world)),
            "MPI_Gather of a profile's sizes"))) {
    if (is_root)
      status = place_rows(rows, world, counts, counts + ranks);
    if (!(status = parcel_world_follow_root(world, status)))
      status = send_rows(rows, world, counts, counts + ranks);
  }
  free(counts);
  return status;
}

#define ROWS(array, rows_count)                                                                              \
  {                                                                                                          \
    .own = part->array, .count = part->rows_count, .size = sizeof *part->array                               \
  }

static parcel_status gather_arrays(const parcel_world *world, const parcel_profile *part, parcel_profile *out)
{
  enum { RANKS, WORKERS, ITEMS, SAMPLES, SLOWEST, KEPT, KINDS };
  rows all[KINDS] = {ROWS(ranks, rank_count),     ROWS(workers, worker_count),  ROWS(items, item_count),
                     ROWS(samples, sample_count), ROWS(slowest, slowest_count), ROWS(kept, kept_count)};
  parcel_status status = PARCEL_OK;
  for (int k = 0; k < KINDS && !status; ++k)
    status = gather_rows(&all[k], world);
  out->ranks = all[RANKS].all;
  out->workers = all[WORKERS].all;
  out->items = all[ITEMS].all;
  out->samples = all[SAMPLES].all;
  out->slowest = all[SLOWEST].all;
  out->kept = all[KEPT].all;
  out->rank_count = all[RANKS].total;
  out->worker_count = all[WORKERS].total;
  out->item_count = all[ITEMS].total;
  out->sample_count = all[SAMPLES].total;
  out->slowest_count = all[SLOWEST].total;
  out->kept_count = all[KEPT].total;
  return status;
}

static parcel_status add_up(const parcel_world *world, const parcel_profile *part, parcel_profile *out)
{
  const parcel_index counts[3] = {part->positions, part->blocks, part->failures};
  parcel_index sums[3] = {0, 0, 0};
  MPI_Comm comm = parcel_world_comm(world);
  parcel_status status = PARCEL_OK;
  if ((status = parcel_world_check_mpi(world, MPI_Reduce(counts, sums, 3, MPI_INT64_T, MPI_SUM, 0, comm),
                                       "MPI_Reduce of a profile's counts")) ||
      (status = parcel_world_check_mpi(
           world, MPI_Reduce(part->bins, out->bins, PARCEL_TRACE_BINS, MPI_INT64_T, MPI_SUM, 0, comm),
           "MPI_Reduce of a histogram")) ||
      (status = parcel_world_check_mpi(
           world, MPI_Reduce(&part->elapsed_seconds, &out->elapsed_seconds, 1, MPI_DOUBLE, MPI_MAX, 0, comm),
           "MPI_Reduce of the time elapsed")))
    return status;
  out->positions = sums[0];
  out->blocks = sums[1];
  out->failures = sums[2];
  return PARCEL_OK;
}

/* One after the other, by rank: the sum is the same in every run of the same times. */
static parcel_status add_up_moments(const parcel_world *world, const parcel_profile *part,
                                    parcel_profile *out)
{
  rows all = {.own = &part->block_seconds, .count = 1, .size = sizeof part->block_seconds};
  const parcel_status status = gather_rows(&all, world);
  const parcel_trace_moments *moments = all.all;
  for (parcel_index r = 0; r < all.total && !status; ++r)
    parcel__trace_add_moments(&out->block_seconds, &moments[r]);
  free(all.all);
  return status;
}

static int slowest_first(const void *left, const void *right)
{
  const double a = ((const parcel_trace_block *)left)->compute_seconds;
  const double b = ((const parcel_trace_block *)right)->compute_seconds;
  return (a < b) - (a > b);
}

/* Where each rank's and worker's rows begin, the idle times, and the sums over all workers. */
static void settle(parcel_profile *profile)
{
  parcel_trace_rank *ranks = profile->ranks;
  parcel_trace_worker *workers = profile->workers;
  parcel_index worker = 0;
  parcel_index sample = 0;
  parcel_index item = 0;
  for (parcel_index r = 0; r < profile->rank_count; ++r) {
    ranks[r].first_worker = worker;
    ranks[r].first_sample = sample;
    worker += ranks[r].threads;
    sample += ranks[r].sample_count;
  }
  for (parcel_index w = 0; w < profile->worker_count; ++w) {
    const double busy = workers[w].compute_seconds + workers[w].write_seconds + workers[w].handout_seconds;
    workers[w].first_item = item;
    workers[w].idle_seconds = profile->elapsed_seconds - busy;
    item += workers[w].item_count;
    profile->compute_seconds += workers[w].compute_seconds;
    profile->write_seconds += workers[w].write_seconds;
    profile->handout_seconds += workers[w].handout_seconds;
    profile->idle_seconds += workers[w].idle_seconds;
  }
  qsort(profile->slowest, (size_t)profile->slowest_count, sizeof *profile->slowest, slowest_first);
  if (profile->slowest_count > PARCEL_TRACE_SLOWEST)
    profile->slowest_count = PARCEL_TRACE_SLOWEST;
}

parcel_status parcel__trace_gather(parcel_trace *trace, const parcel_world *world, parcel_block_grid grid,
                                   double elapsed_seconds)
{
  parcel_profile part = {.elapsed_seconds = 0};
  if (!trace)
    return PARCEL_OK;
  parcel_profile *whole = &trace->profile;
  parcel_status status = parcel_world_agree(world, parcel__trace_collect(trace, elapsed_seconds, &part));
  *whole = (parcel_profile){.grid = grid, .start_time = trace->start_time};
  if (!status && !(status = add_up(world, &part, whole)) && !(status = add_up_moments(world, &part, whole)))
    status = gather_arrays(world, &part, whole);
  parcel__profile_release(&part);
  trace->is_gathered = !status && parcel_world_rank(world) == 0;
  if (trace->is_gathered)
    settle(whole);
  return status;
}
