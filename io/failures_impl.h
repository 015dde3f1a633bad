/** @file
 *  All failures on record for a file that is being made: those in the journals beside it. Its table is
 *  made at the end (table_impl.h); in a .part without a seal it does not count. Rank 0. */
#ifndef PARCEL_FAILURES_IMPL_H
#define PARCEL_FAILURES_IMPL_H

#include "journal_impl.h"
#include "store_impl.h"

/** Loads and sorts them, those of blocks that are not done or were computed again since included.
 *  Errors: IO, MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__failures_load(const parcel_store_site *site,
                                                      parcel_failure_records *out);

/** The failures of a finished file, from its table, by position, with block_checksum 0.
 *  Errors: as parcel_reader_open. */
PARCEL_MUST_CHECK parcel_status parcel__failures_of_file(const char *path, parcel_failure_records *out);

/** Brings the failures of a finished file that has become a .part again, as its seal proves, from its table
 *  into a journal; does nothing for any other .part, whose journals have all.
 *  Errors: as parcel_reader_open; SPACE. */
PARCEL_MUST_CHECK parcel_status parcel__failures_recover(const parcel_store_site *site);

/** All ranks get rank 0's records. Collective.  Errors: MEMORY, MPI; the same on every rank. */
PARCEL_MUST_CHECK parcel_status parcel__failures_share(const parcel_world *world,
                                                       parcel_failure_records *records);

/** Loads those that count at the end of a run, in order of position.
 *  Errors: as parcel__failures_load. */
PARCEL_MUST_CHECK parcel_status parcel__failures_settle(const parcel_store_site *site,
                                                        parcel_failure_records *out);

#endif
