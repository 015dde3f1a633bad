/** @file
 *  A results file as the file system sees it: claimed, given room, written in place, published. No
 *  HDF5, no MPI. */
#ifndef PARCEL_FILE_IMPL_H
#define PARCEL_FILE_IMPL_H

#include <stdbool.h>

#include <parcel/base.h>

/** The names of one output. */
typedef struct parcel_file {
  char *path;  /* the final name */
  char *part;  /* path + ".part", while its results are being made */
  char *fresh; /* path + ".part.new", until its structure is complete */
} parcel_file;

/** Owns: *out is the caller's, for parcel__file_free. Errors: INVALID (an empty path); MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__file_make(const char *path, parcel_file *out);
void parcel__file_free(parcel_file *file);

/** The failure with errno's words: SPACE where a disk or a quota is full, else IO.  Returns that. */
parcel_status parcel__file_fail(const char *doing, const char *path);

/** The folder that holds path.  Owns: the caller, for free; NULL for want of memory. */
char *parcel__file_folder(const char *path);

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

/** Opens the .part again as fd: what other hosts have written and synced is seen then, wherever files are
 *  consistent from close to open.  Errors: IO (it is another file now, too); fd stays what it was. */
PARCEL_MUST_CHECK parcel_status parcel__file_open_again(const parcel_file *file, int fd);

/** Brings what was written through fd to the disk.  Errors: IO, SPACE. */
PARCEL_MUST_CHECK parcel_status parcel__file_sync(const parcel_file *file, int fd);

/** Makes room on the disk for `bytes` more at the end, which are zeros, where the file system can do so cheaply.
 *  Errors: SPACE, IO. */
PARCEL_MUST_CHECK parcel_status parcel__file_extend(const parcel_file *file, int fd, parcel_index bytes);

/** rename(2), but for names that are taken: -1 with EEXIST then. */
int parcel__file_rename_to_free_name(const char *from, const char *to);

/** Gives the .part its final name.  Errors: EXISTS, IO. */
PARCEL_MUST_CHECK parcel_status parcel__file_publish(const parcel_file *file, bool replaces);

/** Brings the final name to the disk, after which no power cut undoes it.  Errors: IO, MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__file_sync_folder(const parcel_file *file);

#endif
