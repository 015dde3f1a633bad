/** @file
 *  All failures on record for a file that is being made: those in the journals beside it. Its table is
 *  written at the end, in several steps, and a run may be ended between them: in a .part without a seal
 *  it means nothing. Rank 0. */
#ifndef PARCEL_FAILURES_IMPL_H
#define PARCEL_FAILURES_IMPL_H

#include "store_impl.h"
#include "table_impl.h"

/** Loads and sorts them, those of blocks that are not done or were computed again since included.
 *  Errors: IO, MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__failures_load(const parcel_store_site *site,
                                                      parcel_failure_records *out);

/** The same for a .part that is resumed. A finished file that has become a .part again, as its seal proves,
 *  has its failures in its table alone: they go into a journal first. The table is empty afterwards.
 *  Errors: as above; SPACE, CORRUPT. */
PARCEL_MUST_CHECK parcel_status parcel__failures_recover(const parcel_store_site *site, parcel_table *table,
                                                         parcel_failure_records *out);

/** All ranks get rank 0's records. Collective.  Errors: MEMORY, MPI; the same on every rank. */
PARCEL_MUST_CHECK parcel_status parcel__failures_share(const parcel_world *world,
                                                       parcel_failure_records *records);

/** Brings those that count into the table, which is empty, at the end of a run: *count of them.
 *  Errors: FULL (more than the table has room for); IO, SPACE, MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__failures_settle(const parcel_store_site *site, parcel_table *table,
                                                        parcel_index *count);

#endif
