#include "file_lock_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fault_impl.h"
#include "provenance_impl.h"

#define HOST_FORMAT "%64s" /* HOST_NAME_MAX characters */

char *parcel__lock_owner(char text[PARCEL_OWNER_SIZE])
{
  char host[HOST_NAME_MAX + 1] = "";
  char now[PARCEL_TIME_SIZE];
  gethostname(host, sizeof host - 1);
  snprintf(text, PARCEL_OWNER_SIZE, "process %ld on %s since %s", (long)getpid(), host,
           parcel__time_text(now));
  return text;
}

/* What the file says of its owner; "" if it does not. */
static void read_owner(int fd, char text[PARCEL_OWNER_SIZE])
{
  const ssize_t size = pread(fd, text, PARCEL_OWNER_SIZE - 1, 0);
  text[size > 0 ? size : 0] = '\0';
}

static parcel_status write_owner(const parcel_file *file, int fd)
{
  char text[PARCEL_OWNER_SIZE];
  const size_t size = strlen(parcel__lock_owner(text));
  if (ftruncate(fd, 0) == 0 && pwrite(fd, text, size, 0) == (ssize_t)size)
    return PARCEL_OK;
  return parcel__file_fail("write", file->lock);
}

static parcel_status refuse(const parcel_file *file, const char *owner)
{
  return parcel_fail(PARCEL_EXISTS, "'%s' is being written by %s; wait for its end, or end it", file->part,
                     *owner ? owner : "another run");
}

/* A process that has ended may be listed until its parent asks for it, as Z. */
static bool is_running(long process)
{
  char path[64];
  char state = 'Z';
  snprintf(path, sizeof path, "/proc/%ld/stat", process);
  FILE *stat = fopen(path, "re");
  if (!stat)
    return false;
  const bool is_read = fscanf(stat, "%*d (%*[^)]) %c", &state) == 1;
  fclose(stat);
  return is_read && state != 'Z' && state != 'X';
}

/* Is the owner a process of this host that lives? What cannot be known is answered with no: a run must be
 * resumable after its host has gone. */
static bool is_alive(const char *owner)
{
  char host[HOST_NAME_MAX + 1] = "";
  char own_host[HOST_NAME_MAX + 1] = "";
  long process = 0;
  gethostname(own_host, sizeof own_host - 1);
  if (sscanf(owner, "process %ld on " HOST_FORMAT " since", &process, host) != 2 || process <= 0)
    return false;
  return strcmp(host, own_host) == 0 && process != (long)getpid() && is_running(process);
}

static parcel_status lock_file(const parcel_file *file, int fd)
{
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  char owner[PARCEL_OWNER_SIZE];
  if (!parcel__fault("results.lock") && fcntl(fd, F_OFD_SETLK, &whole) == 0)
    return PARCEL_OK;
  const bool is_held = errno == EAGAIN || errno == EACCES;
  read_owner(fd, owner);
  return is_held || is_alive(owner) ? refuse(file, owner) : PARCEL_OK;
}

/* Whoever held the lock may have removed the file before it was ours. */
parcel_status parcel__lock_take(const parcel_file *file, int *out)
{
  for (;;) {
    int fd = -1;
    parcel_status status = parcel__plain_open(file->lock, O_RDWR | O_CREAT, 0666, &fd);
    if (status)
      return status;
    status = lock_file(file, fd);
    const bool is_named = !status && parcel__plain_has_name(fd, file->lock);
    if (is_named && !(status = write_owner(file, fd))) {
      *out = fd;
      return PARCEL_OK;
    }
    if (is_named)
      unlink(file->lock);
    close(fd);
    if (status)
      return status;
  }
}

bool parcel__lock_is_held(const parcel_file *file, int lock)
{
  return lock >= 0 && parcel__plain_has_name(lock, file->lock);
}

void parcel__lock_release(const parcel_file *file, int *lock)
{
  if (parcel__lock_is_held(file, *lock))
    unlink(file->lock);
  if (*lock >= 0)
    close(*lock);
  *lock = -1;
}
