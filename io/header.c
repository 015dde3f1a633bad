/* As documented (HDF5 File Format Specification 3.0, IV.A.1): a header of version 1 is a prefix of 16 bytes,
 * then messages, each with 8 bytes of type, size and flags. One of version 2 has a prefix whose length its
 * flags tell, and messages with 4 or 6 bytes. Some messages may be elsewhere in the file, where continuation
 * messages say; in version 2 these pieces begin with 4 bytes of signature and end with 4 of checksum.
 * Checksums are HDF5's business: it has opened the file, or is not to see this header. */
#include "header_impl.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "hdf5_impl.h"

#if H5_VERSION_GE(1, 12, 0)
typedef H5L_info1_t link_info;
#else
typedef H5L_info_t link_info;
#define H5Lget_info1 H5Lget_info
#endif

enum { PREFIX_BYTES = 16, MOST_BYTES = 1 << 16, MOST_PIECES = 64, CONTINUATION = 16 };

/* Messages that follow each other in the file. */
typedef struct piece {
  parcel_index at, bytes;
} piece;

/* How the messages of one header look, and where they are. A damaged header may lead in circles: none has as
 * many pieces. */
typedef struct reading {
  const parcel_file *file;
  int fd;
  bool is_version_2;
  parcel_index head_bytes; /* of a message */
  piece pieces[MOST_PIECES];
  int count;
  void (*visit)(void *ctx, const parcel_header_message *message);
  void *ctx;
} reading;

uint64_t parcel__header_number(const unsigned char *bytes, size_t size)
{
  uint64_t number = 0;
  memcpy(&number, bytes, size); /* both are little-endian */
  return number;
}

parcel_status parcel__header_find(hid_t group, const char *name, parcel_index *address)
{
  link_info link = {.type = H5L_TYPE_ERROR};
  if (!parcel__hdf5_good(H5Lget_info1(group, name, &link, H5P_DEFAULT), "find", name))
    return PARCEL_HDF5;
  if (link.type != H5L_TYPE_HARD || link.u.address > INT64_MAX - MOST_BYTES)
    return parcel_fail(PARCEL_CORRUPT, "the link '%s' leads elsewhere", name);
  *address = (parcel_index)link.u.address;
  return PARCEL_OK;
}

static void add_piece(reading *reading, uint64_t at, uint64_t bytes)
{
  if (reading->count < MOST_PIECES)
    reading->pieces[reading->count++] = (piece){(parcel_index)at, (parcel_index)bytes};
}

/* The prefix: version, and where the first messages are. */
static parcel_status begin(reading *reading, parcel_index address)
{
  unsigned char prefix[PREFIX_BYTES];
  uint64_t bytes = 0;
  const uint64_t from = (uint64_t)address;
  parcel_status status = parcel__file_read(reading->file, reading->fd, prefix, PREFIX_BYTES, address);
  if (status)
    return status;
  reading->is_version_2 = memcmp(prefix, "OHDR", 4) == 0 && prefix[4] == 2;
  if (!reading->is_version_2 && prefix[0] != 1)
    return parcel_fail(PARCEL_CORRUPT, "what should be a header at %" PRId64 " is none", address);
  if (!reading->is_version_2) {
    reading->head_bytes = 8;
    add_piece(reading, from + PREFIX_BYTES, parcel__header_number(prefix + 8, 4));
    return PARCEL_OK;
  }
  const unsigned flags = prefix[5];
  const unsigned length = 1U << (flags & 3);
  const unsigned before = 6U + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0);
  reading->head_bytes = flags & 4 ? 6 : 4;
  status = parcel__file_read(reading->file, reading->fd, &bytes, length, address + before);
  add_piece(reading, from + before + length, bytes);
  return status;
}

static void visit_messages(reading *reading, const unsigned char *bytes, piece piece)
{
  const parcel_index head = reading->head_bytes;
  const int type_bytes = reading->is_version_2 ? 1 : 2;
  const uint64_t frame = reading->is_version_2 ? 4 : 0; /* around a continuation */
  for (parcel_index at = 0; at + head <= piece.bytes;) {
    const parcel_header_message message = {
        .type = (unsigned)parcel__header_number(bytes + at, (size_t)type_bytes),
        .data = bytes + at + head,
        .size = (parcel_index)parcel__header_number(bytes + at + type_bytes, 2),
        .place = piece.at + at + head};
    if (message.size > piece.bytes - at - head)
      return;
    if (message.type == CONTINUATION && message.size >= 16)
      add_piece(reading, parcel__header_number(message.data, 8) + frame,
                parcel__header_number(message.data + 8, 8) - 2 * frame);
    else
      reading->visit(reading->ctx, &message);
    at += head + message.size;
  }
}

parcel_status parcel__header_visit(const parcel_file *file, int fd, parcel_index address,
                                   void (*visit)(void *ctx, const parcel_header_message *message), void *ctx)
{
  unsigned char bytes[MOST_BYTES + PARCEL_HEADER_SLACK];
  reading reading = {.file = file, .fd = fd, .visit = visit, .ctx = ctx};
  parcel_status status = begin(&reading, address);
  for (int p = 0; p < reading.count && !status; ++p) {
    const piece piece = reading.pieces[p];
    if (piece.at < 0 || piece.bytes < 0 || piece.bytes > MOST_BYTES)
      return parcel_fail(PARCEL_CORRUPT, "%" PRId64 " bytes of a header at %" PRId64, piece.bytes, piece.at);
    memset(bytes + piece.bytes, 0, PARCEL_HEADER_SLACK);
    if (!(status = parcel__file_read(file, fd, bytes, piece.bytes, piece.at)))
      visit_messages(&reading, bytes, piece);
  }
  return status;
}
