/* Whatever the schedule, the cost of blocks and the number of ranks and threads: each block once, the same
 * bytes, and an end. Hosts are played: ranks that think they share no memory send each other what hosts
 * do. */
#include "mpi_test.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <parcel/parcel.h>

static const parcel_column columns[] = {{.name = "value", .type = PARCEL_INT64}};

typedef enum cost { UNIFORM, LINEAR, LOGNORMAL, ONE_HUGE, LATE_RANK, COSTS } cost;

typedef struct field {
  cost cost;
  parcel_index blocks;
  parcel_block_grid grid;
  atomic_int *writes; /* [blocks] by position */
  atomic_bool is_wrong;
  atomic_int stop_after; /* calls; 0: never */
  atomic_int calls;
  parcel_index fails_at; /* position; -1: nowhere */
} field;

/* In seconds; the mean of each is about 1 ms. */
static double cost_of(const field *field, parcel_index position)
{
  const double share = (double)position / (double)field->blocks;
  const uint64_t noise = ((uint64_t)position + 1) * 0x9E3779B97F4A7C15U >> 54; /* 10 bits */
  switch (field->cost) {
  case LINEAR: return 2e-3 * share;
  case LOGNORMAL: return noise > 1000 ? 20e-3 : noise > 800 ? 2e-3 : 0.3e-3;
  case ONE_HUGE: return position == field->blocks / 2 ? 50e-3 : 0.1e-3;
  case LATE_RANK: return mpi_test_rank() == 0 ? 3e-3 : 0.2e-3;
  case UNIFORM:
  case COSTS: break;
  }
  return 1e-3;
}

static parcel_status kernel(void *ctx, const parcel_slice *slice, void *const out[])
{
  field *field = ctx;
  int64_t *values = out[0];
  if (atomic_fetch_add(&field->calls, 1) + 1 == atomic_load(&field->stop_after))
    mpi_test_raise_stop();
  for (parcel_index i = 0; i < slice->count; ++i) {
    if (slice->position + i == field->fails_at)
      return parcel_fail(PARCEL_KERNEL, "told to");
    mpi_test_sleep(cost_of(field, slice->position + i));
    values[i] = slice->first + i * slice->step;
  }
  return PARCEL_OK;
}

static parcel_status write_block(void *ctx, const parcel_block *block)
{
  field *field = ctx;
  const int64_t *values = block->columns[0];
  for (parcel_index p = block->positions.begin; p < block->positions.end; ++p) {
    atomic_fetch_add(&field->writes[p], 1);
    if (values[p - block->positions.begin] != 5 + 2 * p)
      atomic_store(&field->is_wrong, true);
  }
  return PARCEL_OK;
}

static parcel_status run(const parcel_world *world, field *field, parcel_sweep_schedule schedule, int threads,
                         const uint64_t *done)
{
  const parcel_sweep sweep = {.name = "field",
                              .range = {.first = 5, .step = 2, .count = field->blocks},
                              .columns = columns,
                              .column_count = 1,
                              .kernel = kernel,
                              .ctx = field,
                              .threads = threads,
                              .block = 1,
                              .schedule = schedule};
  const parcel_status status = parcel_sweep_grid(world, &sweep, &field->grid);
  if (status)
    return status;
  const parcel_sweep_options options = {.signals = mpi_test_signals()};
  const parcel_sink sink = {.ctx = field, .write = write_block, .done = done};
  return parcel_sweep_run(world, &sweep, sink, &options, NULL);
}

static field make_field(cost cost, parcel_index blocks)
{
  return (field){.cost = cost,
                 .blocks = blocks,
                 .writes = calloc((size_t)blocks + 1, sizeof(atomic_int)),
                 .fails_at = -1};
}

/* How often each block was written, by all ranks together, is what it should be. */
static bool is_written(const field *field, const uint64_t *done, bool is_stopped)
{
  bool is_right = !atomic_load(&field->is_wrong);
  int *all = calloc((size_t)field->blocks + 1, sizeof *all);
  for (parcel_index b = 0; b < field->blocks; ++b)
    all[b] = atomic_load(&field->writes[b]);
  MPI_Allreduce(MPI_IN_PLACE, all, (int)field->blocks, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  for (parcel_index p = 0; p < field->blocks; ++p) {
    const parcel_index b = done ? parcel_block_grid_owner(field->grid, p) : 0;
    const bool is_done = done && (done[b / 64] >> (b % 64) & 1);
    is_right = is_right && (is_done ? all[p] == 0 : is_stopped ? all[p] <= 1 : all[p] == 1);
  }
  free(all);
  return is_right;
}

static void check(const parcel_world *world, cost cost, parcel_index blocks, int threads)
{
  for (int schedule = PARCEL_SWEEP_STEAL; schedule <= PARCEL_SWEEP_FACTORING; ++schedule) {
    field field = make_field(cost, blocks);
    assert_status(run(world, &field, (parcel_sweep_schedule)schedule, threads, NULL), PARCEL_OK);
    assert_all(is_written(&field, NULL, false));
    assert_all(!mpi_test_has_leftovers(parcel_world_comm(world)));
    free(field.writes);
  }
}

static void every_block_is_done_once_whatever_the_cost(void **state)
{
  for (int cost = UNIFORM; cost < COSTS; ++cost)
    check(*state, (enum cost)cost, 61, 1 + cost % 2);
}

static void fewer_blocks_than_workers_are_done_too(void **state)
{
  check(*state, UNIFORM, 0, 1);
  check(*state, UNIFORM, 1, 2);
  check(*state, UNIFORM, mpi_test_size() - 1, 2);
  check(*state, UNIFORM, mpi_test_size() + 1, 2);
}

static void a_scattered_list_is_done_and_nothing_else(void **state)
{
  uint64_t done[4] = {0x5555555555555555U, UINT64_MAX, 0, 0xFFFF0000FFFF0001U};
  for (int schedule = PARCEL_SWEEP_STEAL; schedule <= PARCEL_SWEEP_FACTORING; ++schedule) {
    field field = make_field(LATE_RANK, 200);
    assert_status(run(*state, &field, (parcel_sweep_schedule)schedule, 2, done), PARCEL_OK);
    assert_all(is_written(&field, done, false));
    free(field.writes);
  }
}

static void a_stop_or_failure_at_any_moment_ends_everywhere(void **state)
{
  for (int round = 0; round < 20; ++round) {
    field field = make_field(round % 2 ? UNIFORM : LOGNORMAL, 100);
    const parcel_sweep_schedule schedule = (parcel_sweep_schedule)(round % 5);
    const int stopper = round % mpi_test_size();
    if (round % 3)
      atomic_store(&field.stop_after, mpi_test_rank() == stopper ? 1 + round / 4 : 0);
    else
      field.fails_at = round * 2;
    const parcel_status status = run(*state, &field, schedule, 2, NULL);
    assert_all(round % 3 ? status == PARCEL_STOPPED || status == PARCEL_OK : status == PARCEL_KERNEL);
    assert_all(is_written(&field, NULL, status != PARCEL_OK));
    assert_all(!mpi_test_has_leftovers(parcel_world_comm(*state)));
    free(field.writes);
  }
}

static void names_are_read_and_unknown_ones_refused(void **state)
{
  parcel_sweep_schedule schedule = PARCEL_SWEEP_STEAL;
  (void)state;
  for (int kind = PARCEL_SWEEP_STEAL; kind <= PARCEL_SWEEP_FACTORING; ++kind) {
    const char *name = parcel_sweep_schedule_name((parcel_sweep_schedule)kind);
    assert_all(parcel_sweep_schedule_parse(name, &schedule) == PARCEL_OK && (int)schedule == kind);
  }
  assert_all(parcel_sweep_schedule_parse("dinamic", &schedule) == PARCEL_INVALID);
  assert_all(strstr(parcel_last_error(), "unknown schedule 'dinamic'; one of: steal, ") != NULL);
}

/* ---- hosts ---- */

static int ranks_per_host; /* 0: as it is */

/* The world asks by this who shares memory with whom. */
int MPI_Comm_split_type(MPI_Comm comm, int type, int key, MPI_Info info, MPI_Comm *out)
{
  int rank = 0;
  PMPI_Comm_rank(comm, &rank);
  return ranks_per_host > 0 ? PMPI_Comm_split(comm, rank / ranks_per_host, key, out)
                            : PMPI_Comm_split_type(comm, type, key, info, out);
}

static int open_one_host(void **state)
{
  ranks_per_host = 0;
  return mpi_test_open_quiet_world(state);
}

static int open_single_hosts(void **state)
{
  ranks_per_host = 1;
  return mpi_test_open_quiet_world(state);
}

static int open_double_hosts(void **state)
{
  ranks_per_host = 2;
  return mpi_test_open_quiet_world(state);
}

static void hosts_are_played(void **state)
{
  const int expected = mpi_test_size() > 1 ? ranks_per_host : 1;
  assert_root(parcel_world_node_size(*state) == expected);
}

#define ON(hosts, test) cmocka_unit_test_setup_teardown(test, open_##hosts, mpi_test_close_world)
#define ALL_ON(hosts)                                                                                        \
  ON(hosts, every_block_is_done_once_whatever_the_cost), ON(hosts, fewer_blocks_than_workers_are_done_too),  \
      ON(hosts, a_scattered_list_is_done_and_nothing_else),                                                  \
      ON(hosts, a_stop_or_failure_at_any_moment_ends_everywhere)

int main(void)
{
  static const struct CMUnitTest tests[] = {
      ALL_ON(one_host),
      ON(one_host, names_are_read_and_unknown_ones_refused),
      ON(single_hosts, hosts_are_played),
      ALL_ON(single_hosts),
      ON(double_hosts, hosts_are_played),
      ALL_ON(double_hosts),
  };
  mpi_test_init(MPI_THREAD_FUNNELED);
  return mpi_test_run(tests, NULL, NULL);
}
