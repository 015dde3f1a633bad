#include "window_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* MPI's own bookkeeping beside a window: some pages a rank. */
static const int64_t bookkeeping_bytes = 1 << 18;

int64_t parcel__window_room(void)
{
  struct statvfs disk;
  if (access(PARCEL_WINDOW_FOLDER, W_OK) != 0 || statvfs(PARCEL_WINDOW_FOLDER, &disk) != 0)
    return INT64_MAX;
  return (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
}

/* A file without a name, since what is free by the books may still not be had: of a memory limit, or by other
 * users at the same time. Systems that cannot make one are not asked further. */
parcel_status parcel__window_check_room(size_t bytes)
{
  const int64_t wanted = (int64_t)bytes + bookkeeping_bytes;
  const int64_t room = parcel__window_room();
  int error = room < wanted ? ENOSPC : 0;
  const int fd =
      error || room == INT64_MAX ? -1 : open(PARCEL_WINDOW_FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0 && fallocate(fd, 0, 0, wanted) != 0 && (errno == ENOSPC || errno == ENOMEM || errno == EDQUOT))
    error = errno;
  if (fd >= 0)
    close(fd);
  if (!error)
    return PARCEL_OK;
  errno = error;
  return parcel_fail(PARCEL_SPACE,
                     "no room for the memory that the ranks of a host share: " PARCEL_WINDOW_FOLDER
                     " has %" PRId64 " bytes free and %" PRId64
                     " are needed (%m); remove what is left there, "
                     "make it larger, or run one rank per host",
                     room, wanted);
}
