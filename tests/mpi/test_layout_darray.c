/* Layouts against MPI's own distributed arrays: what MPI_Type_create_darray picks for each process out of an
 * array of its positions is what the layout says is that part's. Each rank does the parts that fall to it. */
#include "mpi_test.h"

#include <parcel/layout.h>

enum { MOST = 150, MOST_PARTS = 12 };

/* The positions that MPI gives to `part`, packed into picked; returns how many. */
static int pick(int n, int parts, int part, int distribution, int argument, int64_t picked[])
{
  int64_t positions[MOST];
  MPI_Datatype type = MPI_DATATYPE_NULL;
  int bytes = 0;
  for (int p = 0; p < n; ++p)
    positions[p] = p;
  MPI_Type_create_darray(parts, part, 1, &n, &distribution, &argument, &parts, MPI_ORDER_C, MPI_INT64_T,
                         &type);
  MPI_Type_commit(&type);
  MPI_Pack(positions, 1, type, picked, MOST * (int)sizeof *picked, &bytes, MPI_COMM_WORLD);
  MPI_Type_free(&type);
  return bytes / (int)sizeof *picked;
}

static bool is_darrays_part(const parcel_layout *layout, int part, int distribution, int argument)
{
  int64_t picked[MOST];
  const int n = (int)parcel_layout_size(layout);
  const int count = pick(n, parcel_layout_parts(layout), part, distribution, argument, picked);
  bool is_same = count == parcel_layout_count(layout, part);
  for (int local = 0; is_same && local < count; ++local)
    is_same = parcel_layout_global(layout, part, local) == picked[local] &&
              parcel_layout_owner(layout, picked[local]) == part &&
              parcel_layout_local(layout, picked[local]) == local;
  return is_same;
}

/* Consumes the layout; false too if it could not be made. */
static bool is_darray(parcel_layout *layout, int distribution, int argument)
{
  bool is_same = layout != NULL;
  for (int part = mpi_test_rank(); is_same && part < parcel_layout_parts(layout); part += mpi_test_size())
    is_same = is_darrays_part(layout, part, distribution, argument);
  parcel_layout_free(&layout);
  return is_same;
}

static void ceiling_is_darrays_default_block(void **state)
{
  bool is_same = true;
  (void)state;
  for (int n = 1; n <= MOST; ++n)
    for (int parts = 1; parts <= MOST_PARTS; ++parts) {
      parcel_layout *layout = NULL;
      is_same = is_same && parcel_layout_ceiling(n, parts, &layout) == PARCEL_OK;
      is_same = is_same && is_darray(layout, MPI_DISTRIBUTE_BLOCK, MPI_DISTRIBUTE_DFLT_DARG);
    }
  assert_all(is_same);
}

static void cyclic_is_darrays_cyclic(void **state)
{
  bool is_same = true;
  (void)state;
  for (int n = 1; n <= MOST; ++n)
    for (int parts = 1; parts <= MOST_PARTS; ++parts) {
      parcel_layout *layout = NULL;
      is_same = is_same && parcel_layout_cyclic(n, parts, 1, &layout) == PARCEL_OK;
      is_same = is_same && is_darray(layout, MPI_DISTRIBUTE_CYCLIC, MPI_DISTRIBUTE_DFLT_DARG);
    }
  assert_all(is_same);
}

static void block_cyclic_is_darrays_block_cyclic(void **state)
{
  bool is_same = true;
  (void)state;
  for (int n = 1; n <= MOST; n += 1 + n / 20)
    for (int parts = 1; parts <= MOST_PARTS; ++parts)
      for (int block = 2; block <= 40; block += 1 + block / 4) {
        parcel_layout *layout = NULL;
        is_same = is_same && parcel_layout_cyclic(n, parts, block, &layout) == PARCEL_OK;
        is_same = is_same && is_darray(layout, MPI_DISTRIBUTE_CYCLIC, block);
      }
  assert_all(is_same);
}

int main(void)
{
  const struct CMUnitTest darrays[] = {
      cmocka_unit_test(ceiling_is_darrays_default_block),
      cmocka_unit_test(cyclic_is_darrays_cyclic),
      cmocka_unit_test(block_cyclic_is_darrays_block_cyclic),
  };
  mpi_test_init(MPI_THREAD_FUNNELED);
  return mpi_test_run(darrays, NULL, NULL);
}
