#include "copy_impl.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <parcel/signals.h>

#include "file_impl.h"

enum { AT_ONCE = 1 << 28, PIECE = 1 << 16 };

/* What a file system cannot copy by itself. */
static parcel_status copy_through_memory(const parcel_file *file, int from, int to, parcel_index begin,
                                         parcel_index end)
{
  char piece[PIECE];
  parcel_status status = PARCEL_OK;
  for (parcel_index count = 0; begin < end && !status; begin += count) {
    count = end - begin < PIECE ? end - begin : PIECE;
    if (!(status = parcel__file_read(file, from, piece, count, begin)))
      status = parcel__file_write(file, to, "results.copy", piece, count, begin);
  }
  return status;
}

parcel_status parcel__copy_bytes(const char *path, int from, int to)
{
  const parcel_file file = {.part = (char *)path};
  struct stat info;
  if (fstat(from, &info) != 0)
    return parcel__file_fail("look at", path);
  if (ioctl(to, FICLONE, from) == 0)
    return PARCEL_OK;
  for (off64_t source = 0, written = 0; written < info.st_size;) {
    const off64_t left = info.st_size - written;
    const ssize_t copied =
        copy_file_range(from, &source, to, &written, left < AT_ONCE ? (size_t)left : AT_ONCE, 0);
    if (copied < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP))
      return copy_through_memory(&file, from, to, written, info.st_size);
    if (copied < 0 && errno != EINTR)
      return parcel__file_fail("copy", path);
    if (copied == 0)
      return parcel_fail(PARCEL_IO, "cannot copy '%s': it has become shorter", path);
    const parcel_status status = parcel_signals_check("a file is copied");
    if (status)
      return status;
  }
  return PARCEL_OK;
}
