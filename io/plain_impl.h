/** @file
 *  Files opened and made so that nothing that others have put under their names does harm: no link is
 *  followed, and what is not a regular file is refused without waiting for it. Any thread. */
#ifndef PARCEL_PLAIN_IMPL_H
#define PARCEL_PLAIN_IMPL_H

#include <stdbool.h>
#include <sys/stat.h>

#include <parcel/base.h>

/** Digits of a name that nobody can guess, and room for them and the closing zero. */
enum { PARCEL_PLAIN_DIGITS = 16, PARCEL_PLAIN_DIGITS_SIZE = PARCEL_PLAIN_DIGITS + 1 };

/** The failure with errno's words: SPACE where a disk or a quota is full, else IO.  Returns that. */
parcel_status parcel__file_fail(const char *doing, const char *path);

/** Draws them.  Errors: SYSTEM. */
PARCEL_MUST_CHECK parcel_status parcel__plain_draw(char digits[PARCEL_PLAIN_DIGITS_SIZE]);

/** Opens a regular file.
 *
 *  flags  of open(2); with O_CREAT, mode counts
 *  Owns: *out is the caller's, for close.
 *  Errors: IO (errno is ENOENT if it is missing), SPACE, EXISTS (a link). */
PARCEL_MUST_CHECK parcel_status parcel__plain_open(const char *path, int flags, mode_t mode, int *out);

/** Makes an empty file beside path, open for reading and writing, to be renamed to path or removed.
 *
 *  name  path, a dot, and digits that nobody can guess
 *  Owns: *name is the caller's, for free, and *out, for close.
 *  Errors: IO, SPACE, MEMORY, SYSTEM. */
PARCEL_MUST_CHECK parcel_status parcel__plain_make_beside(const char *path, char **name, int *out);

/** Renames what parcel__plain_make_beside has made to path, with the mode, owner and group of the file that
 *  it replaces.  Errors: EXISTS (path is a link); IO. */
PARCEL_MUST_CHECK parcel_status parcel__plain_replace(const char *name, int fd, const char *path);

/** Refuses a name under which there is something else than a regular file.
 *
 *  exists  whether there is one
 *  info    of it
 *  Errors: EXISTS (a link), IO. */
PARCEL_MUST_CHECK parcel_status parcel__plain_look(const char *path, bool *exists, struct stat *info);

/** Whether path names the file that is open as fd. */
bool parcel__plain_has_name(int fd, const char *path);

/** Gives a file the mode of another, and its owner and group as far as the system allows it. Where the group
 *  cannot be had, it may do no more than others.
 *
 *  more  bits that the mode has in any case
 *  Errors: IO. */
PARCEL_MUST_CHECK parcel_status parcel__plain_take_mode(int fd, const struct stat *from, mode_t more,
                                                        const char *path);

#endif
