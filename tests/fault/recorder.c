/* What a process does to the files of one folder, in order, for power_cut.py: a library to be preloaded.
 *
 *   RECORD_FOLDER   the folder (its real path)
 *   RECORD_LOG      where the record goes, outside of it
 *
 * One event: kind (1 byte), then inode, offset and size (8 bytes each, of this machine), then `size` bytes.
 *
 *   c  a name, perhaps new, of the inode              bytes: the name
 *   w  bytes written at the offset                    bytes: they
 *   t  the file's length is now the offset            f  it is at least that
 *   s  the file, or the folder, is on the disk now (inode 0: the folder)
 *   r  a file is renamed                              bytes: old name, 0, new name
 *   u  a name is removed                              bytes: the name */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The parameters of what is replaced have words for names here.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

/* Held over a call and its event, so that events are in the order of what they tell of. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static FILE *record;

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

/* The part of a path below the folder; NULL: it is elsewhere. "": the folder itself. */
static const char *name_within(const char *path)
{
  const char *folder = getenv("RECORD_FOLDER");
  const size_t length = folder ? strlen(folder) : 0;
  if (length == 0 || strncmp(path, folder, length) != 0 || (path[length] != '/' && path[length] != '\0'))
    return NULL;
  return path[length] == '/' ? path + length + 1 : "";
}

static const char *name_of(int fd, char path[PATH_MAX])
{
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, PATH_MAX - 1);
  path[length > 0 ? length : 0] = '\0';
  return name_within(path);
}

static uint64_t inode_of(int fd)
{
  struct stat info;
  return fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? info.st_ino : 0;
}

static void note(char kind, uint64_t inode, int64_t offset, const void *bytes, size_t size)
{
  const int before = errno;
  const uint64_t head[3] = {inode, (uint64_t)offset, size};
  if (!record && !(record = REAL(fopen)(getenv("RECORD_LOG"), "ae")))
    abort();
  fputc(kind, record);
  fwrite(head, sizeof head, 1, record);
  fwrite(bytes, 1, size, record);
  fflush(record);
  errno = before;
}

static bool is_recorded(int fd)
{
  char path[PATH_MAX];
  return name_of(fd, path) != NULL;
}

static int note_open(int fd, const char *path, int flags)
{
  const char *name = name_within(path);
  if (fd >= 0 && name && (flags & O_CREAT)) {
    note('c', inode_of(fd), 0, name, strlen(name));
    if (flags & O_TRUNC)
      note('t', inode_of(fd), 0, NULL, 0);
  }
  return fd;
}

#define OPEN_LIKE(function)                                                                                  \
  int function(const char *path, int flags, ...)                                                             \
  {                                                                                                          \
    va_list more;                                                                                            \
    va_start(more, flags);                                                                                   \
    const mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;                                          \
    va_end(more);                                                                                            \
    pthread_mutex_lock(&lock);                                                                               \
    const int fd = note_open(REAL(function)(path, flags, mode), path, flags);                                \
    pthread_mutex_unlock(&lock);                                                                             \
    return fd;                                                                                               \
  }

OPEN_LIKE(open)
OPEN_LIKE(open64)

static ssize_t note_write(int fd, const void *data, ssize_t written, off_t offset)
{
  if (written > 0 && is_recorded(fd))
    note('w', inode_of(fd), offset, data, (size_t)written);
  return written;
}

#define PWRITE_LIKE(function)                                                                                \
  ssize_t function(int fd, const void *data, size_t size, off_t offset)                                      \
  {                                                                                                          \
    pthread_mutex_lock(&lock);                                                                               \
    const ssize_t written = note_write(fd, data, REAL(function)(fd, data, size, offset), offset);            \
    pthread_mutex_unlock(&lock);                                                                             \
    return written;                                                                                          \
  }

PWRITE_LIKE(pwrite)
PWRITE_LIKE(pwrite64)

/* Where it was written is known afterwards, of files opened to be appended to as well. */
ssize_t write(int fd, const void *data, size_t size)
{
  ssize_t (*const real)(int, const void *, size_t) = REAL(write);
  if (!is_recorded(fd))
    return real(fd, data, size);
  pthread_mutex_lock(&lock);
  ssize_t written = real(fd, data, size);
  written = note_write(fd, data, written, lseek(fd, 0, SEEK_CUR) - (written > 0 ? written : 0));
  pthread_mutex_unlock(&lock);
  return written;
}

#define TRUNCATE_LIKE(function)                                                                              \
  int function(int fd, off_t length)                                                                         \
  {                                                                                                          \
    pthread_mutex_lock(&lock);                                                                               \
    const int result = REAL(function)(fd, length);                                                           \
    if (result == 0 && is_recorded(fd))                                                                      \
      note('t', inode_of(fd), length, NULL, 0);                                                              \
    pthread_mutex_unlock(&lock);                                                                             \
    return result;                                                                                           \
  }

TRUNCATE_LIKE(ftruncate)
TRUNCATE_LIKE(ftruncate64)

#define FALLOCATE_LIKE(function)                                                                             \
  int function(int fd, int mode, off_t offset, off_t length)                                                 \
  {                                                                                                          \
    pthread_mutex_lock(&lock);                                                                               \
    const int result = REAL(function)(fd, mode, offset, length);                                             \
    if (result == 0 && mode == 0 && is_recorded(fd))                                                         \
      note('f', inode_of(fd), offset + length, NULL, 0);                                                     \
    pthread_mutex_unlock(&lock);                                                                             \
    return result;                                                                                           \
  }

FALLOCATE_LIKE(fallocate)
FALLOCATE_LIKE(fallocate64)

#define SYNC_LIKE(function)                                                                                  \
  int function(int fd)                                                                                       \
  {                                                                                                          \
    pthread_mutex_lock(&lock);                                                                               \
    const int result = REAL(function)(fd);                                                                   \
    if (result == 0 && is_recorded(fd))                                                                      \
      note('s', inode_of(fd), 0, NULL, 0);                                                                   \
    pthread_mutex_unlock(&lock);                                                                             \
    return result;                                                                                           \
  }

SYNC_LIKE(fsync)
SYNC_LIKE(fdatasync)

static int note_rename(int result, const char *from, const char *to)
{
  char names[2 * PATH_MAX];
  const char *old_name = name_within(from);
  const char *new_name = name_within(to);
  if (result == 0 && old_name && new_name)
    note('r', 0, 0, names, (size_t)snprintf(names, sizeof names, "%s%c%s", old_name, 0, new_name));
  return result;
}

int rename(const char *from, const char *to)
{
  pthread_mutex_lock(&lock);
  const int result = note_rename(REAL(rename)(from, to), from, to);
  pthread_mutex_unlock(&lock);
  return result;
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
  pthread_mutex_lock(&lock);
  const int result = note_rename(REAL(renameat2)(from_folder, from, to_folder, to, flags), from, to);
  pthread_mutex_unlock(&lock);
  return result;
}

int unlink(const char *path)
{
  const char *name = name_within(path);
  pthread_mutex_lock(&lock);
  const int result = REAL(unlink)(path);
  if (result == 0 && name)
    note('u', 0, 0, name, strlen(name));
  pthread_mutex_unlock(&lock);
  return result;
}

/* No copy without bytes: they would be missing in the record. */
int ioctl(int fd, unsigned long request, ...)
{
  va_list more;
  va_start(more, request);
  void *argument = va_arg(more, void *);
  va_end(more);
  if (is_recorded(fd)) {
    errno = EOPNOTSUPP;
    return -1;
  }
  return REAL(ioctl)(fd, request, argument);
}

ssize_t copy_file_range(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t size,
                        unsigned flags)
{
  char piece[4096];
  (void)flags;
  const ssize_t got = pread(from, piece, size < sizeof piece ? size : sizeof piece, *from_offset);
  const ssize_t copied = got > 0 ? pwrite(to, piece, (size_t)got, *to_offset) : got;
  if (copied > 0) {
    *from_offset += copied;
    *to_offset += copied;
  }
  return copied;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
