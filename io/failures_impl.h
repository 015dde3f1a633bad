/** @file
 *  All failures on record for a file, wherever they are: in its table, and in the journals beside it. Rank
 *  0. */
#ifndef PARCEL_FAILURES_IMPL_H
#define PARCEL_FAILURES_IMPL_H

#include "store_impl.h"
#include "table_impl.h"

/** Loads and sorts them, those of blocks that are not done or were computed again since included. Those of
 * the table
 *  count for whatever entry their block has.  Errors: IO, MEMORY, CORRUPT. */
PARCEL_MUST_CHECK parcel_status parcel__failures_load(const parcel_store_site *site,
                                                      const parcel_table *table, parcel_failure_records *out);

/** All ranks get rank 0's records. Collective.  Errors: MEMORY, MPI; the same on every rank. */
PARCEL_MUST_CHECK parcel_status parcel__failures_share(const parcel_world *world,
                                                       parcel_failure_records *records);

/** Brings those that count into the table, at the end of a run: *count of them.
 *  Errors: FULL (more than the table has room for); IO, SPACE, MEMORY, CORRUPT. */
PARCEL_MUST_CHECK parcel_status parcel__failures_settle(const parcel_store_site *site, parcel_table *table,
                                                        parcel_index *count);

#endif
