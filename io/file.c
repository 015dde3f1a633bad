#include "file_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <parcel/world.h>

#include "fault_impl.h"

/* Blocks of 8 MiB were written five times as fast in such pieces as in one call each (Linux 6.18, ext4). The
 * page cache's folios become as large as a call allows, and those of several MiB seem to be dear. */
static const parcel_index most_bytes_per_call = (parcel_index)1 << 20;

/* The longest that is added to a name: of a file aside that becomes the status file. */
static const size_t longest_suffix = sizeof ".part.status.json." - 1 + PARCEL_PLAIN_DIGITS;

/* folder as an absolute path; one that cannot be resolved is left to those who want to write there. */
static char *resolve_folder(const char *folder)
{
  char *here = realpath(folder, NULL);
  if (here || *folder == '/')
    return here ? here : strdup(folder);
  char *whole = NULL;
  char *working = getcwd(NULL, 0);
  if (!working || asprintf(&whole, "%s/%s", working, folder) < 0)
    whole = NULL;
  free(working);
  return whole;
}

/* What lies beside the output can be made, too. */
static parcel_status check_length(const char *folder, const char *name)
{
  const long most = pathconf(folder, _PC_NAME_MAX);
  const size_t most_name = (most > 0 ? (size_t)most : NAME_MAX) - longest_suffix;
  const size_t most_path = PATH_MAX - 1 - longest_suffix;
  if (strlen(name) > most_name)
    return parcel_fail(
        PARCEL_INVALID,
        "the output's name is too long: it has %zu bytes, and there %zu are possible, since what "
        "lies beside it until it is complete has longer names: '%.40s...'",
        strlen(name), most_name, name);
  if (strlen(folder) + 1 + strlen(name) > most_path)
    return parcel_fail(
        PARCEL_INVALID,
        "the output's path is too long: it has %zu bytes, and %zu are possible, since what lies "
        "beside it until it is complete has longer names: '...%s'",
        strlen(folder) + 1 + strlen(name), most_path, name);
  return PARCEL_OK;
}

static parcel_status name_files(const char *folder, const char *name, parcel_file *file)
{
  char digits[PARCEL_PLAIN_DIGITS_SIZE];
  const char *slash = strcmp(folder, "/") == 0 ? "" : "/";
  const parcel_status status = parcel__plain_draw(digits);
  if (status)
    return status;
  if (asprintf(&file->path, "%s%s%s", folder, slash, name) < 0)
    file->path = NULL;
  if (!file->path || asprintf(&file->part, "%s.part", file->path) < 0)
    file->part = NULL;
  if (!file->part || asprintf(&file->fresh, "%s" PARCEL_FILE_FRESH ".%s", file->part, digits) < 0)
    file->fresh = NULL;
  if (!file->fresh || asprintf(&file->lock, "%s.lock", file->part) < 0)
    file->lock = NULL;
  return file->lock ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory for the names of '%s'", name);
}

parcel_status parcel__file_make(const char *path, parcel_file *out)
{
  const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
  if (*path == '\0')
    return parcel_fail(PARCEL_INVALID, "the output's name is empty");
  if (*name == '\0')
    return parcel_fail(PARCEL_IO, "cannot write '%s': it is a folder; name a file", path);
  parcel_file file = {.path = NULL};
  char *given = parcel__file_folder(path);
  char *folder = given ? resolve_folder(given) : NULL;
  parcel_status status = folder ? check_length(folder, name)
                                : parcel_fail(PARCEL_MEMORY, "no memory for the name of '%s'", path);
  if (!status && (status = name_files(folder, name, &file)))
    parcel__file_free(&file);
  if (!status)
    *out = file;
  free(folder);
  free(given);
  return status;
}

void parcel__file_free(parcel_file *file)
{
  free(file->path);
  free(file->part);
  free(file->fresh);
  free(file->lock);
  *file = (parcel_file){.path = NULL};
}

char *parcel__file_folder(const char *path)
{
  char *copy = strdup(path);
  char *folder = copy ? strdup(dirname(copy)) : NULL;
  free(copy);
  return folder;
}

parcel_status parcel__file_draw_seed(uint64_t *out)
{
  uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
    return parcel_fail(PARCEL_SYSTEM, "no random number for the checksums: %m");
  *out = seed & INT64_MAX;
  return PARCEL_OK;
}

parcel_status parcel__file_open(const parcel_file *file, int *out)
{
  return parcel__fault("results.open") ? parcel__file_fail("open", file->part)
                                       : parcel__plain_open(file->part, O_RDWR, 0, out);
}

static bool is_same(int one, int other)
{
  struct stat first;
  struct stat second;
  return fstat(one, &first) == 0 && fstat(other, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

parcel_status parcel__file_open_again(const parcel_file *file, int fd)
{
  int fresh = -1;
  parcel_status status = parcel__file_open(file, &fresh);
  if (status)
    return status;
  if (!is_same(fd, fresh))
    status = parcel_fail(PARCEL_IO, "'%s' has been replaced during the run", file->part);
  else if (dup3(fresh, fd, O_CLOEXEC) < 0)
    status = parcel__file_fail("open again", file->part);
  close(fresh);
  return status;
}

parcel_status parcel__file_write(const parcel_file *file, int fd, const char *point, const void *data,
                                 parcel_index bytes, parcel_index offset)
{
  const char *from = data;
  if (parcel__fault(point))
    return parcel__file_fail("write", file->part);
  while (bytes > 0) {
    const parcel_index wanted = bytes < most_bytes_per_call ? bytes : most_bytes_per_call;
    const ssize_t written = pwrite(fd, from, (size_t)wanted, offset);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return parcel__file_fail("write", file->part);
    parcel_world_touch();
    from += written;
    offset += written;
    bytes -= written;
  }
  return PARCEL_OK;
}

parcel_status parcel__file_read(const parcel_file *file, int fd, void *data, parcel_index bytes,
                                parcel_index offset)
{
  char *to = data;
  if (parcel__fault("results.read"))
    return parcel__file_fail("read", file->part);
  while (bytes > 0) {
    const parcel_index wanted = bytes < most_bytes_per_call ? bytes : most_bytes_per_call;
    const ssize_t got = pread(fd, to, (size_t)wanted, offset);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return parcel__file_fail("read", file->part);
    if (got == 0)
      return parcel_fail(PARCEL_IO, "cannot read '%s': it ends before byte %" PRId64, file->part,
                         offset + bytes);
    parcel_world_touch();
    to += got;
    offset += got;
    bytes -= got;
  }
  return PARCEL_OK;
}

parcel_status parcel__file_sync(const parcel_file *file, int fd)
{
  return !parcel__fault("results.sync") && fsync(fd) == 0
             ? PARCEL_OK
             : parcel__file_fail("bring to the disk", file->part);
}

parcel_status parcel__file_extend(const parcel_file *file, int fd, parcel_index bytes)
{
  struct stat info;
  const bool is_known = fstat(fd, &info) == 0;
  const bool is_reserved = is_known && fallocate(fd, 0, info.st_size, bytes) == 0;
  const bool has_none = is_known && !is_reserved && (errno == EOPNOTSUPP || errno == ENOSYS);
  if (is_reserved || (has_none && ftruncate(fd, info.st_size + bytes) == 0))
    return parcel__file_sync(file, fd);
  return parcel__file_fail("reserve room on the disk for", file->part);
}

/* In one step where the file system can. */
int parcel__file_rename_to_free_name(const char *from, const char *to)
{
  if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL && errno != ENOSYS)
    return -1;
  if (access(to, F_OK) == 0) {
    errno = EEXIST;
    return -1;
  }
  return rename(from, to);
}

parcel_status parcel__file_fail_lost(const parcel_file *file)
{
  return parcel_fail(
      PARCEL_IO,
      "'%s' was removed or replaced during the run: what was computed is lost, and nothing was "
      "given its final name",
      file->part);
}

parcel_status parcel__file_check_part(const parcel_file *file, int fd)
{
  return parcel__plain_has_name(fd, file->part) ? PARCEL_OK : parcel__file_fail_lost(file);
}

/* As the file that is going to be replaced is now. */
static parcel_status take_mode(const parcel_file *file, int fd)
{
  bool exists = false;
  struct stat info;
  const parcel_status status = parcel__plain_look(file->path, &exists, &info);
  return status || !exists ? status : parcel__plain_take_mode(fd, &info, 0, file->part);
}

parcel_status parcel__file_publish(const parcel_file *file, int fd, bool replaces)
{
  parcel_status status = replaces ? take_mode(file, fd) : PARCEL_OK;
  if (status || (status = parcel__file_check_part(file, fd)))
    return status;
  const int failed = parcel__fault("results.rename") ? -1
                     : replaces                      ? rename(file->part, file->path)
                                : parcel__file_rename_to_free_name(file->part, file->path);
  if (failed && errno == EEXIST)
    return parcel_fail(PARCEL_EXISTS, "'%s' has appeared during the run; the complete results are in '%s'",
                       file->path, file->part);
  if (failed)
    return parcel__file_fail("give its final name to", file->part);
  if (parcel__plain_has_name(fd, file->path))
    return PARCEL_OK;
  parcel__file_rename_to_free_name(file->path, file->part);
  return parcel_fail(PARCEL_IO, "'%s' was replaced by another file at the moment of its publication",
                     file->part);
}

parcel_status parcel__file_sync_folder(const parcel_file *file)
{
  char *folder = parcel__file_folder(file->path);
  const int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  parcel_status status = PARCEL_OK;
  if (!folder)
    status = parcel_fail(PARCEL_MEMORY, "no memory for the folder of '%s'", file->path);
  else if (fd < 0 || parcel__fault("results.folder") ||
           (fsync(fd) != 0 && errno != EINVAL)) /* EINVAL: a file system without synced folders */
    status =
        parcel_fail(PARCEL_IO,
                    "'%s' is complete, but its folder cannot be brought to the disk: %m; a power cut may "
                    "still undo the renaming of its .part",
                    file->path);
  if (fd >= 0)
    close(fd);
  free(folder);
  return status;
}
