/** @file
 *  Object headers of an HDF5 file, as bytes: for what HDF5 does not tell, or only by opening what is
 *  damaged. */
#ifndef PARCEL_HEADER_IMPL_H
#define PARCEL_HEADER_IMPL_H

#include <hdf5.h>
#include <stdint.h>

#include "file_impl.h"

/** A message of a header. Its bytes are valid during the visit only; at least PARCEL_HEADER_SLACK zeros
 *  follow them. */
typedef struct parcel_header_message {
  unsigned type; /* 1: dataspace, 8: data layout, ... */
  const unsigned char *data;
  parcel_index size;
  parcel_index place; /* of the data in the file */
} parcel_header_message;

enum {
  PARCEL_HEADER_DATASPACE = 1,
  PARCEL_HEADER_LAYOUT = 8,
  PARCEL_HEADER_SLACK = 32 /* so that fixed parts of short messages can be read */
};

/** Where the object of a hard link has its header. Errors: HDF5 (no such link); CORRUPT (it leads
 *  elsewhere). */
PARCEL_MUST_CHECK parcel_status parcel__header_find(hid_t group, const char *name, parcel_index *address);

/** Calls visit for every message, in order.  Errors: IO; CORRUPT (it is no header). */
PARCEL_MUST_CHECK parcel_status parcel__header_visit(const parcel_file *file, int fd, parcel_index address,
                                                     void (*visit)(void *ctx,
                                                                   const parcel_header_message *message),
                                                     void *ctx);

/** A number of `size` bytes, at most 8, little-endian. */
uint64_t parcel__header_number(const unsigned char *bytes, size_t size);

#endif
