/* A .part has its whole structure from its first moment: it is laid out under another name. */
#include "claim_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <parcel/signals.h>

#include "beside_impl.h"
#include "fault_impl.h"

static const parcel_index reserved_at_once = (parcel_index)1 << 28;

static parcel_status check_folder(const parcel_file *file)
{
  struct stat info;
  char *folder = parcel__file_folder(file->path);
  parcel_status status = PARCEL_OK;
  if (!folder)
    status = parcel_fail(PARCEL_MEMORY, "no memory for the folder of '%s'", file->path);
  else if (stat(folder, &info) != 0)
    status = parcel__file_fail("use the folder", folder);
  free(folder);
  return status;
}

parcel_status parcel__claim_check(const parcel_file *file, bool replaces)
{
  bool exists = false;
  struct stat info;
  parcel_status status = parcel__plain_look(file->path, &exists, &info);
  if (!status && exists && !replaces)
    status = parcel_fail(PARCEL_EXISTS, "'%s' exists already; choose another name, or --force to replace it",
                         file->path);
  return status ? status : check_folder(file);
}

parcel_status parcel__claim_check_part(const parcel_file *file, bool replaces)
{
  bool exists = false;
  struct stat info;
  const parcel_status status = parcel__plain_look(file->part, &exists, &info);
  if (status || !exists || replaces)
    return status;
  return parcel_fail(
      PARCEL_EXISTS,
      "'%s' exists already; it is the unfinished output of another run; --resume to go on with it, "
      "or --force to start afresh",
      file->part);
}

/* What would otherwise end the process by a signal. */
static parcel_status check_limit(const parcel_file *file, parcel_index bytes)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
      (uint64_t)bytes <= (uint64_t)limit.rlim_cur)
    return PARCEL_OK;
  return parcel_fail(PARCEL_SPACE,
                     "'%s' needs %" PRId64
                     " bytes, but the limit on the size of files (ulimit -f) is %" PRIu64,
                     file->path, bytes, (uint64_t)limit.rlim_cur);
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
  return unlink(file->part) == 0 || errno == ENOENT ? PARCEL_OK : parcel__file_fail("replace", file->part);
}

/* What replaces a file is open to nobody to whom that was closed, and always to its own run. */
static parcel_status make_fresh(const parcel_file *file, int *out)
{
  bool exists = false;
  struct stat info;
  parcel_status status = PARCEL_OK;
  if (parcel__fault("results.create"))
    return parcel__file_fail("create", file->fresh);
  if ((status = parcel__plain_look(file->path, &exists, &info)) ||
      (status = parcel__plain_open(file->fresh, O_RDWR | O_CREAT | O_EXCL, exists ? 0600 : 0666, out)) ||
      !exists)
    return status;
  if ((status = parcel__plain_take_mode(*out, &info, S_IRUSR | S_IWUSR, file->fresh))) {
    unlink(file->fresh);
    close(*out);
  }
  return status;
}

/* fallocate and not posix_fallocate: where a file system cannot reserve, glibc would write into every page
 * instead. In pieces, for a request to stop to be heard; on some file systems a signal ends the call itself.
 * */
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
  if (status)
    return status;
  parcel__beside_clear(file);
  if ((status = check_limit(file, bytes)) || (status = check_space(file, bytes)) ||
      (status = make_fresh(file, &fd)))
    return status;
  if ((status = reserve(file, fd, bytes))) {
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
    return parcel_fail(PARCEL_EXISTS, "'%s' has appeared while it was being made", file->part);
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

void parcel__claim_clear(const parcel_file *file)
{
  if (access(file->part, F_OK) != 0 && errno == ENOENT)
    parcel__beside_clear(file);
}
