/** @file
 *  A results file as the file system sees it: claimed, given room, written in place, published. No
 *  HDF5, no MPI. */
#ifndef PARCEL_FILE_IMPL_H
#define PARCEL_FILE_IMPL_H

#include <stdbool.h>

#include <parcel/base.h>

/** The two names of one output. */
typedef struct parcel_file {
  char *path; /* the final name */
  char *part; /* path + ".part", while it is being made */
} parcel_file;

/** Owns: *out is the caller's, for parcel__file_free. Errors: INVALID (an empty path); MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__file_make(const char *path, parcel_file *out);
void parcel__file_free(parcel_file *file);

/** The failure with errno's words: SPACE where a disk or a quota is full, else IO.  Returns that. */
parcel_status parcel__file_fail(const char *doing, const char *path);

/** Refuses an output that cannot or must not be made: a folder, an existing file or .part that must not be
 *  replaced, a disk with less than `bytes` free.  Errors: EXISTS, IO, SPACE. */
PARCEL_MUST_CHECK parcel_status parcel__file_check(const parcel_file *file, bool replaces,
                                                   parcel_index bytes);

/** Creates the .part as a new file; one that is being replaced is unlinked first. Its room of `bytes` is
 *  reserved where the file system can do so cheaply, before HDF5, which is lost when it runs out of room,
 *  truncates it.
 *  Errors: SPACE, IO; no file is left then. */
PARCEL_MUST_CHECK parcel_status parcel__file_claim(const parcel_file *file, bool replaces,
                                                   parcel_index bytes);

/** Reserves room for the whole .part, as long as it is now, in the same way.  Errors: SPACE, IO. */
PARCEL_MUST_CHECK parcel_status parcel__file_reserve(const parcel_file *file);

/** A random number that no other file has, from 0 to INT64_MAX.  Errors: SYSTEM. */
PARCEL_MUST_CHECK parcel_status parcel__file_draw_seed(uint64_t *out);

/** Opens the .part for reading and writing in place.  Owns: *out is the caller's, for close.  Errors: IO. */
PARCEL_MUST_CHECK parcel_status parcel__file_open(const parcel_file *file, int *out);

/** Writes all of it at offset, in bytes from the start.  Errors: IO, SPACE. Any thread.
 *
 *  point    where a test can make it fail (core/fault_impl.h) */
PARCEL_MUST_CHECK parcel_status parcel__file_write(const parcel_file *file, int fd, const char *point,
                                                   const void *data, parcel_index bytes, parcel_index offset);

/** Reads all of it.  Errors: IO (a file that ends too early included). */
PARCEL_MUST_CHECK parcel_status parcel__file_read(const parcel_file *file, int fd, void *data,
                                                  parcel_index bytes, parcel_index offset);

/** Brings what was written through fd to the disk.  Errors: IO, SPACE. */
PARCEL_MUST_CHECK parcel_status parcel__file_sync(const parcel_file *file, int fd);

/** Gives the .part its final name, for good: the folder is synced too.  Errors: EXISTS, IO. */
PARCEL_MUST_CHECK parcel_status parcel__file_publish(const parcel_file *file, bool replaces);

#endif
