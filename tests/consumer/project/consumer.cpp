// Parcel from C++17: every header, and a sweep whose kernel is a lambda, gathered into a vector on rank 0.
#include <cstdio>
#include <vector>

#include <parcel/parcel.h>

namespace
{
const parcel_kernel triple = [](void *, const parcel_slice *slice, void *const columns[]) {
  auto *values = static_cast<parcel_index *>(columns[0]);
  for (parcel_index i = 0; i < slice->count; ++i)
    values[i] = 3 * (slice->first + i * slice->step);
  return PARCEL_OK;
};

parcel_status run(const parcel_world *world)
{
  const parcel_column column = {"triple", PARCEL_INT64, 1, "1", nullptr};
  parcel_sweep sweep = {};
  sweep.name = "triple";
  sweep.columns = &column;
  sweep.column_count = 1;
  sweep.kernel = triple;
  const parcel_status status = parcel_range_make(-500, 500, 1, &sweep.range);
  if (status)
    return status;

  std::vector<parcel_index> values(static_cast<std::size_t>(sweep.range.count));
  void *const arrays[] = {values.data()};
  const parcel_sweep_options options = {};
  const parcel_status gathered = parcel_sweep_gather(world, &sweep, 0, arrays, &options, nullptr);
  if (gathered || parcel_world_rank(world) != 0)
    return gathered;
  for (parcel_index p = 0; p < sweep.range.count; ++p)
    if (values[static_cast<std::size_t>(p)] != 3 * (p - 500))
      return parcel_fail(PARCEL_KERNEL, "wrong value at position %lld", static_cast<long long>(p));
  std::puts("C++: 1001 values are right");
  return PARCEL_OK;
}
} // namespace

int main()
{
  parcel_world *world = nullptr;
  parcel_status status = parcel_world_open(MPI_COMM_WORLD, &world);
  if (!status)
    status = run(world);
  return parcel_world_close(&world, status);
}
