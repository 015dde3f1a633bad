/* hwloc spreads the threads over the cores that the process may use, before it doubles up on a core's
 * hardware threads, and knows which CPUs those are on every machine. */
#include "pool_impl.h"

#include <hwloc.h>
#include <limits.h>
#include <stdlib.h>

static int bind_threads(const parcel_pool *pool, hwloc_topology_t topology, hwloc_cpuset_t *places)
{
  hwloc_obj_t root = hwloc_get_root_obj(topology);
  int error = hwloc_distrib(topology, &root, 1, places, (unsigned)pool->threads, INT_MAX, 0);
  for (int worker = 0; worker < pool->threads && !error; ++worker) {
    hwloc_bitmap_singlify(places[worker]);
    if (pool->seats[worker].has_thread)
      error = hwloc_set_thread_cpubind(topology, pool->seats[worker].thread, places[worker], 0);
  }
  return error;
}

/* The machine without the CPUs that the calling thread, and so the pool, may not use. */
static int load(hwloc_topology_t topology)
{
  hwloc_bitmap_t allowed = hwloc_bitmap_alloc();
  int error = !allowed || hwloc_topology_load(topology) ||
              hwloc_get_cpubind(topology, allowed, HWLOC_CPUBIND_THREAD) ||
              hwloc_topology_restrict(topology, allowed, 0);
  hwloc_bitmap_free(allowed);
  return error;
}

parcel_status parcel__pool_pin(const parcel_pool *pool)
{
  hwloc_topology_t topology = NULL;
  hwloc_cpuset_t *places = calloc((size_t)pool->threads, sizeof(hwloc_cpuset_t));
  int error =
      !places || hwloc_topology_init(&topology) || load(topology) || bind_threads(pool, topology, places);
  for (int worker = 0; worker < pool->threads && places; ++worker)
    hwloc_bitmap_free(places[worker]);
  free(places);
  if (topology)
    hwloc_topology_destroy(topology);
  return error ? parcel_fail(PARCEL_SYSTEM, "%d threads could not be bound to cores: %m; leave out pin",
                             pool->threads)
               : PARCEL_OK;
}
