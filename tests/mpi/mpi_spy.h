/* What the library asks MPI for: its calls come through here, by MPI's profiling interface. */
#ifndef PARCEL_MPI_SPY_H
#define PARCEL_MPI_SPY_H

#include "mpi_test.h"

#include <parcel/world.h>

extern struct mpi_spy {
  int live_types;    /* datatypes made, and not freed */
  int live_requests; /* begun, and not seen complete */
  int sent_messages;
  int largest_message; /* in bytes */
} mpi_spy;

/** No datatype, request or message of this world is left. Collective. */
#define assert_nothing_left(world)                                                                           \
  do {                                                                                                       \
    assert_all(mpi_spy.live_types == 0);                                                                     \
    assert_all(mpi_spy.live_requests == 0);                                                                  \
    assert_all(!mpi_test_has_leftovers(parcel_world_comm(world)));                                           \
  } while (0)

#endif
