/** @file
 *  A ledger that rank 0 alone writes, for all ranks: where hosts overwrite each other's bytes within a page,
 *  as clients of NFS may. The entries that wait on a rank (ledger_batch_impl.h) are sent to rank 0 while the
 *  sweep runs; a kill may cost what has been finished since the main threads last looked, which they do every
 *  fraction of a millisecond. */
#ifndef PARCEL_LEDGER_RELAY_IMPL_H
#define PARCEL_LEDGER_RELAY_IMPL_H

#include <parcel/world.h>

#include "ledger_batch_impl.h"

/** One rank's. Main thread. */
typedef struct parcel_ledger_relay {
  const parcel_world *world;
  parcel_ledger_batch *batch;
  MPI_Comm comm;       /* its own, so that messages mix with no others; MPI_COMM_NULL: there is no relay */
  MPI_Request request; /* of the message under way */
  parcel_ledger_line *lines; /* [count] being sent, of which the first `next` are, or are under way */
  int count, next;
  int64_t passed; /* lines that were sent, on rank 0 received */
} parcel_ledger_relay;

/** From now on what is added to the batch goes to rank 0. Collective.  Errors: MPI. */
PARCEL_MUST_CHECK parcel_status parcel__ledger_relay_open(const parcel_world *world,
                                                          parcel_ledger_batch *batch,
                                                          parcel_ledger_relay *out);

/** Sends what waits, and on rank 0 writes it and all that has come. Does not block.
 *
 *  Errors: MPI; IO, SPACE on rank 0. */
PARCEL_MUST_CHECK parcel_status parcel__ledger_relay_poll(parcel_ledger_relay *relay);

/** Brings all that still waits anywhere into the ledger. Collective, after the last block.
 *
 *  Errors: as poll, the same on every rank; `outcome` comes first. */
PARCEL_MUST_CHECK parcel_status parcel__ledger_relay_end(parcel_ledger_relay *relay, parcel_status outcome);

/** Frees it. Collective. */
void parcel__ledger_relay_close(parcel_ledger_relay *relay);

#endif
