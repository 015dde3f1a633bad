/* nfs_client SERVER MOUNTPOINT: shows a folder through FUSE as an NFS client would, in the foreground until
 * it is unmounted. Two of them are two hosts that do not see each other's pages:
 *
 *  - What is written stays here until the file is synced, closed, locked or unlocked. Then whole pages of 4
 *  KiB go to
 *    the server, with whatever this client believes about the bytes that it did not write.
 *  - What was read, and a file's size, stay as they were until the file is opened again or locked
 *  (close-to-open). - Locks are the server's. Renaming cannot spare a name that is taken, and no file can be
 *  without a name. */
#define FUSE_USE_VERSION 312

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { PAGE = 4096, POLL_MICROSECONDS = 5000 };

typedef struct page {
  bool is_dirty;
  char bytes[PAGE];
} page;

/* A file that is open here. */
typedef struct node {
  dev_t device;
  ino_t inode;
  int opens;
  int fd; /* of its own, as locks hang on those of the handles */
  off_t size;
  page **pages; /* [page_count], NULL: not here */
  off_t page_count;
  struct node *next;
} node;

typedef struct handle {
  int fd;
  node *node;
} handle;

static int server = -1;
static node *nodes;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of nodes and all in them */

/* ---- pages; under the mutex ---- */

static int result_of(ssize_t returned)
{
  return returned < 0 ? -errno : 0;
}

static int flush_pages(node *node)
{
  for (off_t p = 0; p < node->page_count; ++p) {
    page *page = node->pages[p];
    if (!page || !page->is_dirty)
      continue;
    const off_t left = node->size - p * PAGE;
    if (left > 0 && pwrite(node->fd, page->bytes, left < PAGE ? (size_t)left : PAGE, p * PAGE) < 0)
      return -errno;
    page->is_dirty = false;
  }
  return 0;
}

static void drop_pages(node *node)
{
  struct stat info;
  for (off_t p = 0; p < node->page_count; ++p)
    free(node->pages[p]);
  free(node->pages);
  node->pages = NULL;
  node->page_count = 0;
  if (fstat(node->fd, &info) == 0)
    node->size = info.st_size;
}

static int revalidate(node *node)
{
  const int failed = flush_pages(node);
  if (!failed)
    drop_pages(node);
  return failed;
}

static page *load_page(node *node, off_t number)
{
  if (number >= node->page_count) {
    page **pages = realloc(node->pages, (size_t)(number + 1) * sizeof(page *));
    if (!pages)
      return NULL;
    memset(pages + node->page_count, 0, (size_t)(number + 1 - node->page_count) * sizeof(page *));
    node->pages = pages;
    node->page_count = number + 1;
  }
  if (!node->pages[number]) {
    node->pages[number] = calloc(1, sizeof(page));
    if (!node->pages[number] || pread(node->fd, node->pages[number]->bytes, PAGE, number * PAGE) < 0)
      return NULL;
  }
  return node->pages[number];
}

/* Copies between a buffer and the pages, one of which is NULL. */
static int copy(node *node, char *to, const char *from, size_t size, off_t offset)
{
  size_t done = 0;
  while (done < size) {
    const size_t within = (size_t)(offset % PAGE);
    const size_t count = PAGE - within < size - done ? PAGE - within : size - done;
    page *page = load_page(node, offset / PAGE);
    if (!page)
      return -EIO;
    if (from)
      memcpy(page->bytes + within, from + done, count);
    else
      memcpy(to + done, page->bytes + within, count);
    page->is_dirty = page->is_dirty || from;
    done += count;
    offset += (off_t)count;
  }
  return (int)size;
}

/* ---- files that are open ---- */

static node *find_node(const struct stat *info)
{
  node *found = nodes;
  while (found && (found->device != info->st_dev || found->inode != info->st_ino))
    found = found->next;
  return found;
}

static node *make_node(int fd, const struct stat *info)
{
  char path[64];
  node *made = calloc(1, sizeof *made);
  if (!made)
    return NULL;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  *made = (node){
      .device = info->st_dev, .inode = info->st_ino, .fd = open(path, O_RDWR | O_CLOEXEC), .next = nodes};
  nodes = made;
  return made;
}

static void leave_node(node *node)
{
  struct node **link = &nodes;
  if (--node->opens > 0)
    return;
  flush_pages(node);
  drop_pages(node);
  while (*link != node)
    link = &(*link)->next;
  *link = node->next;
  close(node->fd);
  free(node);
}

static handle *handle_of(const struct fuse_file_info *info)
{
  return (handle *)(uintptr_t)info->fh; /* NOLINT(performance-no-int-to-ptr): as FUSE keeps it */
}

static int open_file(const char *path, struct fuse_file_info *info, int more_flags, mode_t mode)
{
  struct stat file;
  handle *made = calloc(1, sizeof *made);
  const int flags = (info->flags & ~(O_APPEND | O_NOFOLLOW | O_DIRECT)) | more_flags | O_CLOEXEC;
  const int fd = made ? openat(server, path + 1, flags, mode) : -1;
  if (fd < 0 || fstat(fd, &file) != 0) {
    const int error = errno;
    free(made);
    return -error;
  }
  pthread_mutex_lock(&mutex);
  node *node = find_node(&file);
  if (!node)
    node = make_node(fd, &file);
  if (info->flags & O_TRUNC)
    drop_pages(node);
  const int failed = revalidate(node);
  ++node->opens;
  pthread_mutex_unlock(&mutex);
  *made = (handle){.fd = fd, .node = node};
  info->fh = (uint64_t)(uintptr_t)made;
  info->direct_io = 1;
  return failed;
}

static int nfs_open(const char *path, struct fuse_file_info *info)
{
  return open_file(path, info, 0, 0);
}

static int nfs_create(const char *path, mode_t mode, struct fuse_file_info *info)
{
  return open_file(path, info, O_CREAT, mode);
}

static int nfs_read(const char *path, char *to, size_t size, off_t offset, struct fuse_file_info *info)
{
  node *node = handle_of(info)->node;
  (void)path;
  pthread_mutex_lock(&mutex);
  const off_t left = node->size > offset ? node->size - offset : 0;
  const int count = copy(node, to, NULL, (off_t)size < left ? size : (size_t)left, offset);
  pthread_mutex_unlock(&mutex);
  return count;
}

static int nfs_write(const char *path, const char *from, size_t size, off_t offset,
                     struct fuse_file_info *info)
{
  node *node = handle_of(info)->node;
  (void)path;
  pthread_mutex_lock(&mutex);
  const int count = copy(node, NULL, from, size, offset);
  if (count > 0 && offset + count > node->size)
    node->size = offset + count;
  pthread_mutex_unlock(&mutex);
  return count;
}

static int nfs_flush(const char *path, struct fuse_file_info *info)
{
  (void)path;
  pthread_mutex_lock(&mutex);
  const int failed = flush_pages(handle_of(info)->node);
  pthread_mutex_unlock(&mutex);
  return failed;
}

static int nfs_fsync(const char *path, int only_data, struct fuse_file_info *info)
{
  const int failed = nfs_flush(path, info);
  (void)only_data;
  return failed ? failed : result_of(fsync(handle_of(info)->fd));
}

static int nfs_release(const char *path, struct fuse_file_info *info)
{
  handle *handle = handle_of(info);
  (void)path;
  pthread_mutex_lock(&mutex);
  leave_node(handle->node);
  pthread_mutex_unlock(&mutex);
  close(handle->fd);
  free(handle);
  return 0;
}

static int nfs_fallocate(const char *path, int mode, off_t offset, off_t length, struct fuse_file_info *info)
{
  node *node = handle_of(info)->node;
  (void)path;
  pthread_mutex_lock(&mutex);
  int failed = flush_pages(node);
  if (!failed)
    failed = result_of(fallocate(node->fd, mode, offset, length));
  drop_pages(node);
  pthread_mutex_unlock(&mutex);
  return failed;
}

/* ---- locks ---- */

/* A lock is asked for again and again: a process that waits for it can be killed. */
static int take_lock(int fd, struct flock *lock, bool waits)
{
  lock->l_pid = 0;
  while (fcntl(fd, F_OFD_SETLK, lock) != 0) {
    if (!waits || (errno != EAGAIN && errno != EACCES))
      return -errno;
    if (fuse_interrupted())
      return -EINTR;
    usleep(POLL_MICROSECONDS);
  }
  return 0;
}

static int nfs_lock(const char *path, struct fuse_file_info *info, int command, struct flock *lock)
{
  handle *handle = handle_of(info);
  (void)path;
  if (command == F_GETLK) {
    lock->l_pid = 0;
    return result_of(fcntl(handle->fd, F_OFD_GETLK, lock));
  }
  if (lock->l_type == F_UNLCK)
    nfs_flush(path, info);
  const int failed = take_lock(handle->fd, lock, command == F_SETLKW);
  if (failed || lock->l_type == F_UNLCK)
    return failed;
  pthread_mutex_lock(&mutex);
  const int stale = revalidate(handle->node);
  pthread_mutex_unlock(&mutex);
  return stale;
}

static int nfs_flock(const char *path, struct fuse_file_info *info, int operation)
{
  (void)path;
  while (flock(handle_of(info)->fd, operation | LOCK_NB) != 0) {
    if ((operation & LOCK_NB) || errno != EWOULDBLOCK)
      return -errno;
    if (fuse_interrupted())
      return -EINTR;
    usleep(POLL_MICROSECONDS);
  }
  return 0;
}

/* ---- names ---- */

static int nfs_getattr(const char *path, struct stat *out, struct fuse_file_info *info)
{
  const char *name = path && path[1] ? path + 1 : ".";
  const int failed = info ? fstat(handle_of(info)->fd, out) : fstatat(server, name, out, AT_SYMLINK_NOFOLLOW);
  if (failed)
    return -errno;
  pthread_mutex_lock(&mutex);
  const node *node = find_node(out);
  if (node)
    out->st_size = node->size;
  pthread_mutex_unlock(&mutex);
  return 0;
}

static int nfs_truncate(const char *path, off_t size, struct fuse_file_info *info)
{
  struct stat file;
  const int fd = info ? handle_of(info)->fd : openat(server, path + 1, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &file) != 0)
    return -errno;
  pthread_mutex_lock(&mutex);
  node *node = find_node(&file);
  if (node)
    flush_pages(node);
  const int failed = result_of(ftruncate(fd, size));
  if (node)
    drop_pages(node);
  pthread_mutex_unlock(&mutex);
  if (!info)
    close(fd);
  return failed;
}

static int nfs_opendir(const char *path, struct fuse_file_info *info)
{
  const int fd = openat(server, path[1] ? path + 1 : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  info->fh = (uint64_t)fd;
  return result_of(fd);
}

static int nfs_releasedir(const char *path, struct fuse_file_info *info)
{
  (void)path;
  return result_of(close((int)info->fh));
}

static int nfs_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
                       struct fuse_file_info *info, enum fuse_readdir_flags flags)
{
  (void)path;
  (void)offset;
  (void)flags;
  const int fd = openat((int)info->fh, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *folder = fd < 0 ? NULL : fdopendir(fd);
  if (!folder)
    return -errno;
  for (struct dirent *entry = NULL; (entry = readdir(folder));)
    fill(buffer, entry->d_name, NULL, 0, 0);
  closedir(folder);
  return 0;
}

static int nfs_fsyncdir(const char *path, int only_data, struct fuse_file_info *info)
{
  (void)path;
  (void)only_data;
  return result_of(fsync((int)info->fh));
}

static int nfs_rename(const char *from, const char *to, unsigned flags)
{
  return flags ? -EINVAL : result_of(renameat(server, from + 1, server, to + 1));
}

static int nfs_link(const char *from, const char *to)
{
  return result_of(linkat(server, from + 1, server, to + 1, 0));
}

static int nfs_unlink(const char *path)
{
  return result_of(unlinkat(server, path + 1, 0));
}

static int nfs_mkdir(const char *path, mode_t mode)
{
  return result_of(mkdirat(server, path + 1, mode));
}

static int nfs_rmdir(const char *path)
{
  return result_of(unlinkat(server, path + 1, AT_REMOVEDIR));
}

static int nfs_chmod(const char *path, mode_t mode, struct fuse_file_info *info)
{
  return result_of(info ? fchmod(handle_of(info)->fd, mode) : fchmodat(server, path + 1, mode, 0));
}

static int nfs_chown(const char *path, uid_t user, gid_t group, struct fuse_file_info *info)
{
  return result_of(info ? fchown(handle_of(info)->fd, user, group)
                        : fchownat(server, path + 1, user, group, AT_SYMLINK_NOFOLLOW));
}

static int nfs_utimens(const char *path, const struct timespec times[2], struct fuse_file_info *info)
{
  return result_of(info ? futimens(handle_of(info)->fd, times)
                        : utimensat(server, path + 1, times, AT_SYMLINK_NOFOLLOW));
}

static int nfs_statfs(const char *path, struct statvfs *out)
{
  (void)path;
  return result_of(fstatvfs(server, out));
}

static void *nfs_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
  (void)connection;
  config->use_ino = 1;
  config->hard_remove = 1;
  config->nullpath_ok = 1;
  config->entry_timeout = 0; /* names are looked up anew, as NFS does for what is opened */
  config->attr_timeout = 0;  /* the nodes keep what an open file looked like */
  return NULL;
}

static const struct fuse_operations operations = {
    .init = nfs_init,
    .getattr = nfs_getattr,
    .open = nfs_open,
    .create = nfs_create,
    .read = nfs_read,
    .write = nfs_write,
    .flush = nfs_flush,
    .fsync = nfs_fsync,
    .release = nfs_release,
    .fallocate = nfs_fallocate,
    .lock = nfs_lock,
    .flock = nfs_flock,
    .truncate = nfs_truncate,
    .opendir = nfs_opendir,
    .readdir = nfs_readdir,
    .releasedir = nfs_releasedir,
    .fsyncdir = nfs_fsyncdir,
    .rename = nfs_rename,
    .link = nfs_link,
    .unlink = nfs_unlink,
    .mkdir = nfs_mkdir,
    .rmdir = nfs_rmdir,
    .chmod = nfs_chmod,
    .chown = nfs_chown,
    .utimens = nfs_utimens,
    .statfs = nfs_statfs,
};

int main(int argc, char **argv)
{
  if (argc != 3)
    return fprintf(stderr, "usage: nfs_client SERVER MOUNTPOINT\n"), 2;
  server = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (server < 0)
    return perror(argv[1]), 1;
  char *arguments[] = {argv[0], "-f", "-o", "clone_fd,max_threads=100,default_permissions", argv[2], NULL};
  return fuse_main(5, arguments, &operations, NULL);
}
