/** @file
 *  A results file as the file system sees it: claimed, given room, written in place, published. No
 *  HDF5, no MPI. */
#ifndef PARCEL_FILE_IMPL_H
#define PARCEL_FILE_IMPL_H

#include <stdbool.h>

#include <parcel/base.h>

#include "plain_impl.h"

/** What follows the name of a .part in its fresh name, before a dot and the digits. */
#define PARCEL_FILE_FRESH ".new"

/** The names of one output, absolute: they mean the same file wherever the process goes. */
typedef struct parcel_file {
  char *path;  /* the final name */
  char *part;  /* path + ".part", while its results are being made */
  char *fresh; /* path + ".part.new." and random digits, until its structure is complete */
  char *lock;  /* path + ".part.lock", of the run that makes it */
} parcel_file;

/** Resolves path: from the working folder, and through links to folders, but not one that it names itself.
 *
 *  Owns: *out is the caller's, for parcel__file_free.
 *  Errors: INVALID (an empty path; one that is so long that what lies beside it cannot be made); MEMORY,
 *  SYSTEM. */
PARCEL_MUST_CHECK parcel_status parcel__file_make(const char *path, parcel_file *out);
void parcel__file_free(parcel_file *file);

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

/** Makes the file longer by `bytes` zeros, with room on the disk where the file system can reserve it, and
 *  brings its new length to the disk.
 *  Errors: SPACE, IO. */
PARCEL_MUST_CHECK parcel_status parcel__file_extend(const parcel_file *file, int fd, parcel_index bytes);

/** rename(2), except that a name that is taken is refused: -1 with EEXIST then. */
int parcel__file_rename_to_free_name(const char *from, const char *to);

/** The failure of a run whose .part others have removed or replaced.  Returns IO. */
parcel_status parcel__file_fail_lost(const parcel_file *file);

/** Refuses a .part that is not the file open as fd any more.  Errors: IO. */
PARCEL_MUST_CHECK parcel_status parcel__file_check_part(const parcel_file *file, int fd);

/** Gives the .part, open as fd, its final name, and mode, owner and group of a file that it replaces.
 *
 *  Errors: EXISTS (a link included); IO (the .part has been lost included). */
PARCEL_MUST_CHECK parcel_status parcel__file_publish(const parcel_file *file, int fd, bool replaces);

/** Brings the final name to the disk, after which no power cut undoes it.  Errors: IO, MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__file_sync_folder(const parcel_file *file);

#endif
