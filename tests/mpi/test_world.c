#include "mpi_test.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <parcel/parcel.h>

#include "every_type.h"

/* ---- opening and closing ---- */

static void adopted_mpi_is_left_running(void **state)
{
  parcel_world *world = NULL;
  int is_finalized = 1;
  (void)state;
  assert_status(parcel_world_open(MPI_COMM_WORLD, &world), PARCEL_OK);
  assert_all(parcel_world_rank(world) == mpi_test_rank());
  assert_all(parcel_world_size(world) == mpi_test_size());
  assert_all(parcel_world_close(&world, PARCEL_OK) == 0);
  assert_all(world == NULL);
  MPI_Finalized(&is_finalized);
  assert_all(!is_finalized);
}

static void what_is_no_group_of_ranks_is_refused(void **state)
{
  parcel_world *world = NULL;
  MPI_Comm half = MPI_COMM_NULL;
  MPI_Comm both = MPI_COMM_NULL;
  const int side = mpi_test_rank() % 2;
  (void)state;
  assert_status(parcel_world_open(MPI_COMM_NULL, &world), PARCEL_INVALID);
  if (mpi_test_size() == 1)
    return;
  MPI_Comm_split(MPI_COMM_WORLD, side, mpi_test_rank(), &half);
  MPI_Intercomm_create(half, 0, MPI_COMM_WORLD, 1 - side, 1, &both);
  const parcel_status status = parcel_world_open(both, &world);
  MPI_Comm_free(&both);
  MPI_Comm_free(&half);
  assert_status(status, PARCEL_INVALID);
  assert_all(strstr(parcel_last_error(), "inter-communicator") != NULL);
  assert_all(world == NULL);
}

static void *open_in_another_thread(void *status)
{
  parcel_world *world = NULL;
  *(parcel_status *)status = parcel_world_open(MPI_COMM_WORLD, &world);
  return NULL;
}

static void only_the_thread_that_initialised_mpi_opens(void **state)
{
  pthread_t thread;
  parcel_status status = PARCEL_OK;
  (void)state;
  assert_all(pthread_create(&thread, NULL, open_in_another_thread, &status) == 0);
  pthread_join(thread, NULL);
  assert_all(status == PARCEL_INVALID);
}

static void close_reports_once_and_only_root_carries_the_code(void **state)
{
  parcel_world *world = NULL;
  (void)state;
  assert_status(parcel_world_open(MPI_COMM_WORLD, &world), PARCEL_OK);
  parcel_fail(PARCEL_IO, "the moon is not writable");
  mpi_test_begin_capture();
  const int code = parcel_world_close(&world, PARCEL_IO);
  char *said = mpi_test_end_capture();
  const bool is_root = mpi_test_rank() == 0;
  const bool is_right =
      strcmp(said, is_root ? "test_world: the moon is not writable\n" : "") == 0 && code == (is_root ? 1 : 0);
  free(said);
  assert_all(is_right);
}

static void close_without_a_text_says_what_the_status_means(void **state)
{
  parcel_world *world = NULL;
  (void)state;
  assert_status(parcel_world_open(MPI_COMM_WORLD, &world), PARCEL_OK);
  parcel_fail(PARCEL_OK, "%s", "");
  mpi_test_begin_capture();
  const int code = parcel_world_close(&world, PARCEL_STOPPED);
  char *said = mpi_test_end_capture();
  const bool is_right =
      mpi_test_rank() != 0 || (strcmp(said, "test_world: stopped early on request\n") == 0 && code == 75);
  free(said);
  assert_all(is_right);
}

/* ---- the communicator ---- */

static void communicator_is_a_named_dup(void **state)
{
  const MPI_Comm comm = parcel_world_comm(*state);
  char name[MPI_MAX_OBJECT_NAME] = "";
  int length = 0;
  int likeness = MPI_UNEQUAL;
  MPI_Comm_compare(comm, MPI_COMM_WORLD, &likeness);
  MPI_Comm_get_name(comm, name, &length);
  assert_all(likeness == MPI_CONGRUENT);
  assert_all(strstr(name, "parcel") != NULL);
}

static void messages_of_the_caller_do_not_collide(void **state)
{
  enum { TAGS = 4 };
  const int rank = mpi_test_rank();
  const int next = (rank + 1) % mpi_test_size();
  MPI_Request requests[TAGS];
  int got[TAGS];
  parcel_index value[100];
  void *arrays[] = {value};
  parcel_sweep sweep = {.name = "copy", .columns = one_column, .column_count = 1, .kernel = copy_index};
  sweep.range = (parcel_range){.first = 0, .step = 1, .count = 100};
  for (int tag = 0; tag < TAGS; ++tag)
    MPI_Isend(&rank, 1, MPI_INT, next, tag, MPI_COMM_WORLD, &requests[tag]);
  assert_all(!mpi_test_has_leftovers(parcel_world_comm(*state)));
  assert_status(parcel_sweep_gather(*state, &sweep, 0, arrays, NULL, NULL), PARCEL_OK);
  for (int tag = 0; tag < TAGS; ++tag)
    MPI_Recv(&got[tag], 1, MPI_INT, MPI_ANY_SOURCE, tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  MPI_Waitall(TAGS, requests, MPI_STATUSES_IGNORE);
  for (int tag = 0; tag < TAGS; ++tag)
    assert_all((got[tag] + 1) % mpi_test_size() == rank);
}

static void ignore_error(MPI_Comm *comm, int *code, ...)
{
  (void)comm;
  (void)code;
}

static void error_handler_of_the_caller_is_left_alone(void **state)
{
  MPI_Comm comm;
  MPI_Errhandler own;
  MPI_Errhandler after;
  parcel_world *world = NULL;
  (void)state;
  MPI_Comm_dup(MPI_COMM_WORLD, &comm);
  MPI_Comm_create_errhandler(ignore_error, &own);
  MPI_Comm_set_errhandler(comm, own);
  assert_status(parcel_world_open(comm, &world), PARCEL_OK);
  MPI_Comm_get_errhandler(comm, &after);
  assert_all(after == own);
  MPI_Errhandler_free(&after);
  MPI_Comm_get_errhandler(parcel_world_comm(world), &after);
  assert_all(after == MPI_ERRORS_RETURN);
  assert_all(parcel_world_close(&world, PARCEL_OK) == 0);
  MPI_Comm_get_errhandler(comm, &after);
  assert_all(after == own);
  MPI_Errhandler_free(&after);
  MPI_Errhandler_free(&own);
  MPI_Comm_free(&comm);
}

static int count_deletion(MPI_Comm comm, int key, void *count, void *unused)
{
  (void)comm;
  (void)key;
  (void)unused;
  ++*(int *)count;
  return MPI_SUCCESS;
}

static void close_frees_the_communicator(void **state)
{
  parcel_world *world = NULL;
  int key = MPI_KEYVAL_INVALID;
  int deletions = 0;
  (void)state;
  assert_status(parcel_world_open(MPI_COMM_WORLD, &world), PARCEL_OK);
  MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, count_deletion, &key, NULL);
  MPI_Comm_set_attr(parcel_world_comm(world), key, &deletions);
  assert_all(parcel_world_close(&world, PARCEL_OK) == 0);
  MPI_Comm_free_keyval(&key);
  assert_all(deletions == 1);
}

/* The number that Fortran would know the next communicator by: freed ones are used again. */
static MPI_Fint next_handle(void)
{
  MPI_Comm comm;
  MPI_Comm_dup(MPI_COMM_WORLD, &comm);
  const MPI_Fint handle = MPI_Comm_c2f(comm);
  MPI_Comm_free(&comm);
  return handle;
}

static void two_hundred_worlds_leave_nothing_behind(void **state)
{
  (void)state;
  bool is_good = true;
  const MPI_Fint handle = next_handle();
  const int files = mpi_test_count_entries("/proc/self/fd");
  const int threads = mpi_test_count_entries("/proc/self/task");
  for (int i = 0; i < 200; ++i) {
    parcel_world *world = NULL;
    is_good = parcel_world_open(MPI_COMM_WORLD, &world) == PARCEL_OK && is_good;
    is_good = parcel_world_close(&world, PARCEL_OK) == 0 && is_good;
  }
  assert_all(is_good);
  assert_all(next_handle() == handle);
  assert_all(mpi_test_count_entries("/proc/self/fd") == files);
  assert_all(mpi_test_count_entries("/proc/self/task") == threads);
}

static bool gathers_index(const parcel_world *world, int root)
{
  enum { COUNT = 1009 };
  static int64_t value[COUNT];
  void *arrays[] = {value};
  const parcel_sweep sweep = {.name = "copy",
                              .range = {.first = -5, .step = 3, .count = COUNT},
                              .columns = one_column,
                              .column_count = 1,
                              .kernel = copy_index};
  memset(value, 0, sizeof value);
  if (parcel_sweep_gather(world, &sweep, root, arrays, NULL, NULL))
    return false;
  for (int p = 0; p < COUNT && parcel_world_rank(world) == root; ++p)
    if (value[p] != -5 + 3 * p)
      return false;
  return true;
}

static void two_worlds_on_two_halves_at_the_same_time(void **state)
{
  MPI_Comm half;
  parcel_world *world = NULL;
  const bool is_odd = mpi_test_rank() % 2 == 1;
  (void)state;
  MPI_Comm_split(MPI_COMM_WORLD, is_odd, -mpi_test_rank(), &half);
  assert_status(parcel_world_open(half, &world), PARCEL_OK);
  assert_all(gathers_index(world, parcel_world_size(world) - 1));
  parcel_fail(PARCEL_IO, "odd");
  const parcel_status status = parcel_world_agree(world, is_odd ? PARCEL_IO : PARCEL_OK);
  assert_all(status == (is_odd ? PARCEL_IO : PARCEL_OK));
  mpi_test_begin_capture();
  const int code = parcel_world_close(&world, status);
  free(mpi_test_end_capture());
  assert_all(code == 0 || is_odd);
  MPI_Comm_free(&half);
}

static void two_worlds_of_one_rank_do_not_mix(void **state)
{
  parcel_world *first = *state;
  parcel_world *second = NULL;
  assert_status(parcel_world_open(parcel_world_comm(first), &second), PARCEL_OK);
  assert_all(gathers_index(second, 0));
  assert_all(gathers_index(first, 0));
  assert_all(!mpi_test_has_leftovers(parcel_world_comm(first)));
  assert_all(!mpi_test_has_leftovers(parcel_world_comm(second)));
  assert_all(parcel_world_close(&second, PARCEL_OK) == 0);
  assert_status(parcel_world_agree(first, PARCEL_OK), PARCEL_OK);
}

static void cartesian_communicator_works(void **state)
{
  const int size = mpi_test_size();
  const int is_periodic = 1;
  MPI_Comm ring;
  parcel_world *world = NULL;
  (void)state;
  MPI_Cart_create(MPI_COMM_WORLD, 1, &size, &is_periodic, 1, &ring);
  assert_status(parcel_world_open(ring, &world), PARCEL_OK);
  assert_all(parcel_world_size(world) == size);
  assert_all(gathers_index(world, 0));
  assert_status(parcel_world_agree(world, PARCEL_OK), PARCEL_OK);
  assert_all(parcel_world_close(&world, PARCEL_OK) == 0);
  MPI_Comm_free(&ring);
}

/* ---- agreement ---- */

static bool text_names(const char *text, int rank, const char *reason)
{
  char host[HOST_NAME_MAX + 1] = "";
  char expected[PARCEL_ERROR_SIZE];
  gethostname(host, sizeof host - 1);
  snprintf(expected, sizeof expected, "rank %d on %s: %s", rank, host, reason);
  return strcmp(text, expected) == 0;
}

static void all_agree_on_success(void **state)
{
  assert_status(parcel_world_agree(*state, PARCEL_OK), PARCEL_OK);
}

static void one_failing_rank_is_heard_by_all(void **state)
{
  for (int failing = 0; failing < mpi_test_size(); ++failing) {
    parcel_status own = PARCEL_OK;
    parcel_fail(PARCEL_OK, "an old text that nobody asked for");
    if (mpi_test_rank() == failing)
      own = parcel_fail(PARCEL_SPACE, "reason %d", failing);
    assert_status(parcel_world_agree(*state, own), PARCEL_SPACE);
    char reason[32];
    snprintf(reason, sizeof reason, "reason %d", failing);
    assert_all(text_names(parcel_last_error(), failing, reason));
  }
}

static void lowest_of_several_failing_ranks_is_heard(void **state)
{
  for (int lowest = 0; lowest < mpi_test_size(); ++lowest) {
    const int rank = mpi_test_rank();
    const parcel_status codes[] = {PARCEL_IO, PARCEL_MEMORY, PARCEL_KERNEL};
    parcel_status own = PARCEL_OK;
    if (rank >= lowest)
      own = parcel_fail(codes[rank % 3], "reason %d", rank);
    char reason[32];
    snprintf(reason, sizeof reason, "reason %d", lowest);
    assert_status(parcel_world_agree(*state, own), codes[lowest % 3]);
    assert_all(text_names(parcel_last_error(), lowest, reason));
  }
}

static void a_stop_counts_less_than_any_failure(void **state)
{
  const int last = mpi_test_size() - 1;
  parcel_status own = parcel_fail(PARCEL_STOPPED, "please stop");
  assert_status(parcel_world_agree(*state, own), PARCEL_STOPPED);
  assert_same_text(parcel_last_error());
  own = mpi_test_rank() == 0 ? parcel_fail(PARCEL_STOPPED, "please stop") : PARCEL_OK;
  assert_status(parcel_world_agree(*state, own), PARCEL_STOPPED);
  assert_all(strstr(parcel_last_error(), "please stop") != NULL);
  own =
      mpi_test_rank() == last ? parcel_fail(PARCEL_IO, "broken") : parcel_fail(PARCEL_STOPPED, "please stop");
  assert_status(parcel_world_agree(*state, own), PARCEL_IO);
  assert_all(text_names(parcel_last_error(), last, "broken"));
}

static void all_follow_root(void **state)
{
  const bool is_root = mpi_test_rank() == 0;
  parcel_status own = is_root ? PARCEL_OK : parcel_fail(PARCEL_IO, "nobody asks me");
  assert_status(parcel_world_follow_root(*state, own), PARCEL_OK);
  own = is_root ? parcel_fail(PARCEL_EXISTS, "root's reason") : PARCEL_OK;
  assert_status(parcel_world_follow_root(*state, own), PARCEL_EXISTS);
  assert_all(strcmp(parcel_last_error(), "root's reason") == 0);
}

static void longest_texts_are_cut_the_same_everywhere(void **state)
{
  char longest[2 * PARCEL_ERROR_SIZE];
  memset(longest, 'x', sizeof longest - 1);
  longest[sizeof longest - 1] = '\0';
  parcel_status own = PARCEL_OK;
  if (mpi_test_rank() == mpi_test_size() - 1)
    own = parcel_fail(PARCEL_IO, "%s", longest);
  assert_status(parcel_world_agree(*state, own), PARCEL_IO);
  assert_same_text(parcel_last_error());
  assert_all(strlen(parcel_last_error()) == PARCEL_ERROR_SIZE - 1);
}

int main(void)
{
  const struct CMUnitTest worlds[] = {
      cmocka_unit_test(adopted_mpi_is_left_running),
      cmocka_unit_test(what_is_no_group_of_ranks_is_refused),
      cmocka_unit_test(only_the_thread_that_initialised_mpi_opens),
      cmocka_unit_test(close_reports_once_and_only_root_carries_the_code),
      cmocka_unit_test(close_without_a_text_says_what_the_status_means),
      cmocka_unit_test(communicator_is_a_named_dup),
      cmocka_unit_test(messages_of_the_caller_do_not_collide),
      cmocka_unit_test(error_handler_of_the_caller_is_left_alone),
      cmocka_unit_test(close_frees_the_communicator),
      cmocka_unit_test(two_hundred_worlds_leave_nothing_behind),
      cmocka_unit_test(two_worlds_on_two_halves_at_the_same_time),
      cmocka_unit_test(two_worlds_of_one_rank_do_not_mix),
      cmocka_unit_test(cartesian_communicator_works),
      cmocka_unit_test(all_agree_on_success),
      cmocka_unit_test(one_failing_rank_is_heard_by_all),
      cmocka_unit_test(lowest_of_several_failing_ranks_is_heard),
      cmocka_unit_test(a_stop_counts_less_than_any_failure),
      cmocka_unit_test(all_follow_root),
      cmocka_unit_test(longest_texts_are_cut_the_same_everywhere),
  };
  mpi_test_init(MPI_THREAD_FUNNELED);
  return mpi_test_run(worlds, mpi_test_open_world, mpi_test_close_world);
}
