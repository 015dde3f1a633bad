#include "file_lock_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <parcel/reader.h>

#include "fault_impl.h"
#include "file_impl.h"
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
static void read_owner(const char *path, char text[PARCEL_OWNER_SIZE])
{
  parcel_reader *reader = NULL;
  *text = '\0';
  if (parcel_reader_open(path, &reader) == PARCEL_OK)
    snprintf(text, PARCEL_OWNER_SIZE, "%s", parcel_reader_provenance_of(reader, "owner"));
  parcel_reader_close(&reader);
}

static parcel_status refuse(const char *path, const char *owner)
{
  return parcel_fail(PARCEL_EXISTS, "'%s' is being written by %s; wait for its end, or end it", path,
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

static parcel_status take_lock(int fd, const char *path)
{
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  char owner[PARCEL_OWNER_SIZE];
  if (!parcel__fault("results.lock") && fcntl(fd, F_OFD_SETLK, &whole) == 0)
    return PARCEL_OK;
  const bool is_held = errno == EAGAIN || errno == EACCES;
  read_owner(path, owner);
  return is_held || is_alive(owner) ? refuse(path, owner) : PARCEL_OK;
}

/* Whoever held the lock may have renamed or replaced the file before it was ours. */
static bool has_name(int fd, const char *path)
{
  struct stat open_file;
  struct stat named;
  return fstat(fd, &open_file) == 0 && stat(path, &named) == 0 && open_file.st_dev == named.st_dev &&
         open_file.st_ino == named.st_ino;
}

parcel_status parcel__lock_open(const char *path, bool creates, int *out)
{
  const int how = O_RDWR | O_CLOEXEC | (creates ? O_CREAT : 0);
  for (;;) {
    const int fd = open(path, how, 0666);
    if (fd < 0 && errno == ENOENT && !creates) {
      *out = -1;
      return PARCEL_OK;
    }
    if (fd < 0)
      return parcel__file_fail(creates ? "create" : "open", path);
    const parcel_status status = take_lock(fd, path);
    if (!status && has_name(fd, path)) {
      *out = fd;
      return PARCEL_OK;
    }
    close(fd);
    if (status)
      return status;
  }
}
