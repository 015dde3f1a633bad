/** @file
 *  The seal: what makes every byte of a finished file count. The blocks' checksums in the ledger cover the
 *  values; the seal covers all the rest: HDF5's own structure, attributes, the ledger, provenance, gaps. It
 *  is checked before HDF5 sees the file.
 *
 *  In the file it is the dataset /parcel/seal of 64-bit numbers (little-endian), which begins at one of the
 *  first PARCEL_SEAL_PAGES pages of 4096 bytes:
 *
 *      0   magic: the bytes "PARSEAL1"
 *      1   words: how many numbers the dataset has
 *      2   XXH3-64 of the dataset itself, with this number as 0
 *      3   bytes of the file
 *      4   XXH3-64 of the file's bytes in order, but for the dataset itself and for the extents below
 *      5   extents: how many there are
 *      6.. offset and length of each, in bytes, ascending: the columns' values; none of a compressed file,
 *          whose chunks the seal covers like all the rest
 *      0s  up to the end
 *
 *  It is made last, and does not count in a .part, which may still change. */
#ifndef PARCEL_SEAL_IMPL_H
#define PARCEL_SEAL_IMPL_H

#include "file_impl.h"

enum { PARCEL_SEAL_PAGES = 16 };

/** How many numbers the dataset must have for a file of so many extents of values, at least: a page or more,
 *  so that it begins at one. */
parcel_index parcel__seal_words(parcel_index extents);

/** Seals a .part that will not change any more. Main thread.
 *
 *  fd  of the .part, open for reading and writing
 *  Errors: as parcel_reader_open, IO, SPACE. */
PARCEL_MUST_CHECK parcel_status parcel__seal_make(const parcel_file *file, int fd);

/** Compares a file with its seal. Any thread.
 *
 *  bytes   of the file
 *  sealed  bytes that it had when it was sealed; 0 if there is no seal to be found
 *  Errors: UNEQUAL (the file has grown since, which HDF5 does to what is added to it; the text says so);
 *  CORRUPT, IO, MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__seal_check(const parcel_file *file, int fd, parcel_index bytes,
                                                   parcel_index *sealed);

#endif
