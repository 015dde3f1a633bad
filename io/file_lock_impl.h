/** @file
 *  One run at a time writes an output: its .part is locked for as long as the run lives.
 *
 *  The lock is of the open file description (Linux's OFD locks), so that HDF5, which opens and closes the
 *  file in the same process, does not drop it, as it would a plain POSIX lock. It ends with the process,
 *  however that ends, and works across hosts wherever the file system has locks. Where it has none, the
 *  text `owner` in the file's provenance tells whether its process is still alive on this host. */
#ifndef PARCEL_FILE_LOCK_IMPL_H
#define PARCEL_FILE_LOCK_IMPL_H

#include <stdbool.h>

#include <parcel/base.h>

enum { PARCEL_OWNER_SIZE = 128 };

/** This process as the text `owner`: "process 4711 on node1 since 2026-11-21T08:15:30Z".  Returns text. */
char *parcel__lock_owner(char text[PARCEL_OWNER_SIZE]);

/** Opens a file for reading and writing and locks it until *out is closed.
 *
 *  creates  an empty file where there is none; otherwise *out is then -1
 *  Errors: EXISTS (another run holds it; the text names host, process and start); IO. */
PARCEL_MUST_CHECK parcel_status parcel__lock_open(const char *path, bool creates, int *out);

#endif
