/* A .part has its whole structure from its first moment: it is laid out under another name. The lock is
 * taken there, and goes with the file from name to name. */
#include "claim_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <parcel/signals.h>

#include "beside_impl.h"
#include "fault_impl.h"
#include "file_lock_impl.h"

static const parcel_index reserved_at_once = (parcel_index)1 << 28;

/* Whether there is something of this name, which could be replaced. */
static parcel_status look_at(const char *path, bool *exists)
{
  struct stat info;
  *exists = lstat(path, &info) == 0;
  if (!*exists)
    return errno == ENOENT ? PARCEL_OK : parcel__file_fail("look at", path);
  if (S_ISDIR(info.st_mode))
    return parcel_fail(PARCEL_IO, "cannot write '%s': it is a folder; name a file", path);
  if (!S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode))
    return parcel_fail(PARCEL_IO, "cannot write '%s': it is no regular file", path);
  return PARCEL_OK;
}

/* Refuses a .part that another run holds. */
static parcel_status check_unlocked(const parcel_file *file)
{
  int fd = -1;
  const parcel_status status = parcel__lock_open(file->part, false, &fd);
  if (fd >= 0)
    close(fd);
  return status;
}

parcel_status parcel__claim_check(const parcel_file *file, bool replaces)
{
  bool exists = false;
  parcel_status status = look_at(file->path, &exists);
  if (!status && exists && !replaces)
    return parcel_fail(PARCEL_EXISTS, "'%s' exists already; choose another name, or --force to replace it",
                       file->path);
  if (status || (status = look_at(file->part, &exists)) || !exists || (status = check_unlocked(file)) ||
      replaces)
    return status;
  return parcel_fail(
      PARCEL_EXISTS,
      "'%s' exists already; it is the unfinished output of another run; --resume to go on with it, "
      "or --force to start afresh",
      file->part);
}

static parcel_status check_space(const parcel_file *file, parcel_index bytes)
{
  struct statvfs disk;
  char *folder = parcel__file_folder(file->path);
  parcel_status status = PARCEL_OK;
  if (!folder)
    status = parcel_fail(PARCEL_MEMORY, "no memory for the folder of '%s'", file->path);
  else if (statvfs(folder, &disk) != 0)
    status = parcel__file_fail("use the folder", folder);
  else if ((uint64_t)bytes > (uint64_t)disk.f_bavail * disk.f_frsize)
    status = parcel_fail(PARCEL_SPACE,
                         "'%s' needs %" PRId64 " bytes, but only %" PRIu64 " are free on the disk of '%s'",
                         file->path, bytes, (uint64_t)disk.f_bavail * disk.f_frsize, folder);
  free(folder);
  return status;
}

/* An unfinished output that nobody wants any more, before the new one takes its room. */
static parcel_status remove_part(const parcel_file *file)
{
  int fd = -1;
  parcel_status status = parcel__lock_open(file->part, false, &fd);
  if (!status && fd >= 0 && unlink(file->part) != 0)
    status = parcel__file_fail("replace", file->part);
  if (fd >= 0)
    close(fd);
  return status;
}

/* fallocate and not posix_fallocate: where a file system cannot reserve, glibc would write into every page
 * instead. In pieces, for a request to stop to be heard; on some file systems a signal ends the call itself. */
static parcel_status reserve(const parcel_file *file, int fd, parcel_index bytes)
{
  parcel_status status = PARCEL_OK;
  bool can_reserve = true;
  for (parcel_index begin = 0; begin < bytes && can_reserve && !status;) {
    const parcel_index piece = bytes - begin < reserved_at_once ? bytes - begin : reserved_at_once;
    const bool is_done = !parcel__fault("results.reserve") && fallocate(fd, 0, begin, piece) == 0;
    can_reserve = is_done || (errno != EOPNOTSUPP && errno != ENOSYS);
    if (!is_done && can_reserve && errno != EINTR)
      return parcel__file_fail("reserve room on the disk for", file->path);
    if (is_done)
      begin += piece;
    status = parcel_signals_check("room for the output is reserved");
  }
  return status;
}

parcel_status parcel__claim_make(const parcel_file *file, bool replaces, parcel_index bytes, int *out)
{
  int fd = -1;
  parcel_status status = replaces ? remove_part(file) : PARCEL_OK;
  if (!status)
    status = check_space(file, bytes);
  if (!status)
    status = parcel__fault("results.create") ? parcel__file_fail("create", file->fresh)
                                             : parcel__lock_open(file->fresh, true, &fd);
  if (status)
    return status;
  status = ftruncate(fd, 0) == 0 ? reserve(file, fd, bytes) : parcel__file_fail("empty", file->fresh);
  if (status) {
    unlink(file->fresh);
    close(fd);
    return status;
  }
  *out = fd;
  return PARCEL_OK;
}

static parcel_status name_part(const parcel_file *file)
{
  if (!parcel__fault("results.part") && parcel__file_rename_to_free_name(file->fresh, file->part) == 0)
    return PARCEL_OK;
  if (errno == EEXIST)
    return parcel_fail(PARCEL_EXISTS, "'%s' has appeared in this moment; another run has made it",
                       file->part);
  return parcel__file_fail("create", file->part);
}

parcel_status parcel__claim_show(const parcel_file *file, int fd)
{
  struct stat info;
  parcel_status status =
      fstat(fd, &info) == 0 ? reserve(file, fd, info.st_size) : parcel__file_fail("look at", file->fresh);
  if (!status)
    status = parcel__file_sync(file, fd);
  return status ? status : name_part(file);
}

/* While the fresh name is locked, nobody makes a .part that the files could belong to. */
void parcel__claim_clear(const parcel_file *file)
{
  int fd = -1;
  if ((!parcel__beside_has_any(file) && access(file->fresh, F_OK) != 0) ||
      parcel__lock_open(file->fresh, true, &fd))
    return;
  if (access(file->part, F_OK) != 0 && errno == ENOENT)
    parcel__beside_clear(file);
  unlink(file->fresh);
  close(fd);
}
