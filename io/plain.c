#include "plain_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

/* %m is the text of errno, from any thread; strerror is not made for that. */
parcel_status parcel__file_fail(const char *doing, const char *path)
{
  const bool is_full = errno == ENOSPC || errno == EDQUOT;
  const char *limit = errno == EFBIG ? " (ulimit -f, the process's limit on the size of files)" : "";
  return parcel_fail(is_full ? PARCEL_SPACE : PARCEL_IO, "cannot %s '%s': %m%s", doing, path, limit);
}

parcel_status parcel__plain_draw(char digits[PARCEL_PLAIN_DIGITS_SIZE])
{
  uint64_t number = 0;
  if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
    return parcel_fail(PARCEL_SYSTEM, "no random number for a file's name: %m");
  snprintf(digits, PARCEL_PLAIN_DIGITS_SIZE, "%016" PRIx64, number);
  return PARCEL_OK;
}

/* What open(2) says of links and of pipes without a reader is told in words of their own. */
static parcel_status refuse(const char *path)
{
  struct stat info;
  if (lstat(path, &info) != 0 || S_ISREG(info.st_mode))
    return PARCEL_OK;
  if (S_ISLNK(info.st_mode))
    return parcel_fail(PARCEL_EXISTS,
                       "'%s' is a symbolic link, which is not followed; remove it, or name its target", path);
  if (S_ISDIR(info.st_mode))
    return parcel_fail(PARCEL_IO, "cannot write '%s': it is a folder; name a file", path);
  return parcel_fail(PARCEL_IO, "cannot write '%s': it is not a regular file", path);
}

parcel_status parcel__plain_open(const char *path, int flags, mode_t mode, int *out)
{
  struct stat info;
  const int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode);
  if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
    *out = fd;
    return PARCEL_OK;
  }
  const int error = errno;
  if (fd >= 0)
    close(fd);
  const parcel_status status = refuse(path);
  errno = error;
  return status ? status : parcel__file_fail(flags & O_CREAT ? "create" : "open", path);
}

parcel_status parcel__plain_make_beside(const char *path, char **name, int *out)
{
  char digits[PARCEL_PLAIN_DIGITS_SIZE];
  char *beside = NULL;
  parcel_status status = parcel__plain_draw(digits);
  if (status)
    return status;
  if (asprintf(&beside, "%s.%s", path, digits) < 0)
    return parcel_fail(PARCEL_MEMORY, "no memory for a name beside '%s'", path);
  if ((status = parcel__plain_open(beside, O_RDWR | O_CREAT | O_EXCL, 0666, out)))
    free(beside);
  else
    *name = beside;
  return status;
}

parcel_status parcel__plain_replace(const char *name, int fd, const char *path)
{
  bool exists = false;
  struct stat info;
  parcel_status status = parcel__plain_look(path, &exists, &info);
  if (!status && exists)
    status = parcel__plain_take_mode(fd, &info, 0, path);
  if (!status && rename(name, path) != 0)
    status = parcel__file_fail("replace", path);
  return status;
}

parcel_status parcel__plain_look(const char *path, bool *exists, struct stat *info)
{
  *exists = lstat(path, info) == 0;
  if (*exists)
    return refuse(path);
  return errno == ENOENT ? PARCEL_OK : parcel__file_fail("look at", path);
}

bool parcel__plain_has_name(int fd, const char *path)
{
  struct stat open_file;
  struct stat named;
  return fstat(fd, &open_file) == 0 && lstat(path, &named) == 0 && open_file.st_dev == named.st_dev &&
         open_file.st_ino == named.st_ino;
}

parcel_status parcel__plain_take_mode(int fd, const struct stat *from, mode_t more, const char *path)
{
  mode_t mode = from->st_mode & (S_IRWXU | S_IRWXG | S_IRWXO);
  struct stat own;
  if (fchown(fd, from->st_uid, from->st_gid) != 0 && fchown(fd, (uid_t)-1, from->st_gid) != 0 &&
      fstat(fd, &own) == 0 && own.st_gid != from->st_gid)
    mode &= ~(mode_t)S_IRWXG | (mode & S_IRWXO) << 3;
  return fchmod(fd, mode | more) == 0 ? PARCEL_OK : parcel__file_fail("set the mode of", path);
}
