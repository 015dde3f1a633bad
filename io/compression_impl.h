/** @file
 *  What the rooms of the results file share about compression. */
#ifndef PARCEL_COMPRESSION_IMPL_H
#define PARCEL_COMPRESSION_IMPL_H

#include <parcel/results.h>

/** Whether there is such a compression, in this build.  Errors: INVALID. */
PARCEL_MUST_CHECK parcel_status parcel__compression_check(parcel_compression compression);

/** Makes a sweep's grid one for a compressed file: its blocks are the chunks, and HDF5 wants those of one
 *  size.
 *
 *  grid  has positions
 *  Errors: INVALID (blocks larger than HDF5's chunks may be). */
PARCEL_MUST_CHECK parcel_status parcel__compression_grid(const parcel_sweep *sweep, parcel_block_grid *grid);

bool parcel__compression_is_same(parcel_compression a, parcel_compression b);

enum { PARCEL_COMPRESSION_TEXT_SIZE = 24 };

/** "none", "deflate,4".  Returns text. */
const char *parcel__compression_text(parcel_compression compression, char text[PARCEL_COMPRESSION_TEXT_SIZE]);

#endif
