/* A world that finds no MPI running. MPI cannot be started twice, so these tests are steps of one life, in
 * order. */
#include "mpi_test.h"

#include <stdlib.h>
#include <string.h>

#include <parcel/parcel.h>

#include "every_type.h"

static parcel_world *world;
static const char component[] = "/mca_pml_ob1.so"; /* of Open MPI 4 */
static bool has_components;

static void open_has_initialised_mpi_for_threads(void **state)
{
  int is_initialised = 0;
  int level = MPI_THREAD_SINGLE;
  (void)state;
  MPI_Initialized(&is_initialised);
  MPI_Query_thread(&level);
  assert_all(is_initialised);
  assert_all(level >= MPI_THREAD_FUNNELED);
}

static void the_world_works(void **state)
{
  int64_t values[50] = {0};
  void *arrays[] = {values};
  const parcel_sweep sweep = {.name = "copy",
                              .range = {.first = 1, .step = 1, .count = 50},
                              .columns = one_column,
                              .column_count = 1,
                              .kernel = copy_index,
                              .threads = 2};
  (void)state;
  parcel_world_set_quiet(world, true);
  assert_status(parcel_sweep_gather(world, &sweep, 0, arrays, NULL, NULL), PARCEL_OK);
  assert_root(values[0] == 1 && values[49] == 50);
}

/* Whether a library whose name holds `word` is mapped. */
static bool is_mapped(const char *word)
{
  char line[4096];
  bool is_there = false;
  FILE *maps = fopen("/proc/self/maps", "re");
  while (maps && !is_there && fgets(line, sizeof line, maps))
    is_there = strstr(line, word) != NULL;
  if (maps)
    fclose(maps);
  return is_there;
}

/* From here on each rank is alone. */
static void close_finalizes_what_open_initialised(void **state)
{
  int is_finalized = 0;
  const bool is_root = mpi_test_rank() == 0;
  (void)state;
  has_components = is_mapped(component);
  parcel_fail(PARCEL_STOPPED, "enough");
  mpi_test_begin_capture();
  const int code = parcel_world_close(&world, PARCEL_STOPPED);
  char *said = mpi_test_end_capture();
  const bool is_right = strcmp(said, is_root ? "test_world_owned: enough\n" : "") == 0;
  free(said);
  MPI_Finalized(&is_finalized);
  assert_all(is_right);
  assert_all(is_finalized);
  assert_all(code == (is_root ? 75 : 0));
  assert_all(world == NULL);
}

/* Open MPI's threads may still be in them, where they are libraries of their own. */
static void components_outlive_mpi(void **state)
{
  (void)state;
  assert_all(is_mapped(component) == has_components);
}

static void no_world_after_finalize(void **state)
{
  (void)state;
  assert_status(parcel_world_open(MPI_COMM_WORLD, &world), PARCEL_INVALID);
  assert_all(strstr(parcel_last_error(), "finalized") != NULL);
  assert_all(world == NULL);
}

static void close_of_a_world_that_never_opened_still_speaks(void **state)
{
  (void)state;
  parcel_fail(PARCEL_MPI, "no MPI here");
  mpi_test_begin_capture();
  const int code = parcel_world_close(&world, PARCEL_MPI);
  char *said = mpi_test_end_capture();
  const bool is_right = strcmp(said, "test_world_owned: no MPI here\n") == 0;
  free(said);
  assert_all(is_right);
  assert_all(code == 1);
}

int main(void)
{
  const struct CMUnitTest life[] = {
      cmocka_unit_test(open_has_initialised_mpi_for_threads),
      cmocka_unit_test(the_world_works),
      cmocka_unit_test(close_finalizes_what_open_initialised),
      cmocka_unit_test(components_outlive_mpi),
      cmocka_unit_test(no_world_after_finalize),
      cmocka_unit_test(close_of_a_world_that_never_opened_still_speaks),
  };
  if (parcel_world_open(MPI_COMM_WORLD, &world))
    return parcel_world_close(&world, PARCEL_MPI);
  return mpi_test_run(life, NULL, NULL);
}
