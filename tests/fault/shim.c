/* Fails calls of the C library and of MPI, whoever makes them, as a layer that does not know the program: a
 * library to be preloaded.
 *
 *   SHIM      function:path:nth[+]:what[:rank], several of them separated by commas
 *   SHIM_LOG  set: a line on stderr for each call that is hit
 *
 *   function  in lower case: pwrite, write, pread, fsync, rename, renameat2, open, ftruncate, fallocate,
 *   close,
 *             copy_file_range, unlink, fcntl (locks only), pthread_create, fork, mmap, mpi_bcast,
 *             mpi_allreduce ...
 *   path      a part of the file's name; * is any, and all there is for functions without a file
 *   nth       the call that is hit, counted from 1 over those of the rank that fit; with + all that follow,
 *   too
 *   what      an error number of the system or of MPI; `short`: half of the bytes, of calls that can; or,
 *   before
 *             the call is made as usual, `pause`: 0.01 s, or a signal to oneself: stop, kill, term, int,
 *             usr1, usr2
 *   rank      in the launcher's MPI_COMM_WORLD; left out: any */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <mpi.h>

/* The parameters of what is replaced have words for names here.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

enum { MOST_FAULTS = 16, WORD_SIZE = 64 };

typedef struct fault {
  char function[WORD_SIZE], path[WORD_SIZE], what[WORD_SIZE];
  long nth;
  bool goes_on; /* beyond the nth call */
  int rank;     /* -1: any */
  atomic_long calls;
} fault;

static fault faults[MOST_FAULTS];
static int fault_count;

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void read_faults(void)
{
  const char *text = getenv("SHIM");
  while (text && *text && fault_count < MOST_FAULTS) {
    fault *new = &faults[fault_count++];
    char nth[WORD_SIZE] = "";
    new->rank = -1;
    if (sscanf(text, "%63[^:,]:%63[^:,]:%63[^:,]:%63[^:,]:%d", new->function, new->path, nth, new->what,
               &new->rank) < 4) {
      dprintf(2, "shim: cannot read '%s'\n", text);
      _exit(2);
    }
    new->nth = strtol(nth, NULL, 10);
    new->goes_on = strchr(nth, '+') != NULL;
    text += strcspn(text, ",");
    text += *text == ',';
  }
}

static int own_rank(void)
{
  const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"};
  for (size_t n = 0; n < sizeof names / sizeof *names; ++n)
    if (getenv(names[n]))
      return (int)strtol(getenv(names[n]), NULL, 10);
  return 0;
}

/* What is to happen to this call; NULL: nothing. */
static const char *what_for(const char *function, const char *path)
{
  for (int f = 0; f < fault_count; ++f) {
    fault *fault = &faults[f];
    if (strcmp(fault->function, function) != 0 || (fault->rank >= 0 && fault->rank != own_rank()) ||
        (strcmp(fault->path, "*") != 0 && !strstr(path, fault->path)))
      continue;
    const long call = atomic_fetch_add(&fault->calls, 1) + 1;
    if (call != fault->nth && !(fault->goes_on && call > fault->nth))
      continue;
    if (getenv("SHIM_LOG"))
      dprintf(2, "shim: %s %s, call %ld: %s\n", function, path, call, fault->what);
    return fault->what;
  }
  return NULL;
}

/* True after a signal or a pause, if that is what is to happen. */
static bool is_signal(const char *what)
{
  static const struct timespec moment = {.tv_nsec = 10000000};
  static const struct {
    const char *name;
    int number;
  } signals[] = {{"stop", SIGSTOP}, {"kill", SIGKILL}, {"term", SIGTERM},
                 {"int", SIGINT},   {"usr1", SIGUSR1}, {"usr2", SIGUSR2}};
  for (size_t s = 0; s < sizeof signals / sizeof *signals; ++s)
    if (strcmp(what, signals[s].name) == 0) {
      kill(getpid(), signals[s].number);
      return true;
    }
  return strcmp(what, "pause") == 0 && nanosleep(&moment, NULL) == 0;
}

/* The error number to fail with; 0: the call is made, of all bytes or, where *is_short, of half of them. */
static int error_for(const char *function, const char *path, bool *is_short)
{
  const char *what = what_for(function, path);
  *is_short = what && strcmp(what, "short") == 0;
  return !what || *is_short || is_signal(what) ? 0 : (int)strtol(what, NULL, 10);
}

static int error_for_fd(const char *function, int fd, bool *is_short)
{
  char link[WORD_SIZE];
  char path[PATH_MAX] = "";
  if (fault_count == 0) {
    *is_short = false;
    return 0;
  }
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  path[length > 0 ? length : 0] = '\0';
  return error_for(function, path, is_short);
}

/* ---- the C library ---- */

/* A call of a function with a descriptor; `less` is the call of half of the bytes. */
#define FD_CALL(type, name, spelled, parameters, fd, whole, less)                                            \
  type name parameters                                                                                       \
  {                                                                                                          \
    bool is_short;                                                                                           \
    const int error = error_for_fd(spelled, fd, &is_short);                                                  \
    if (error) {                                                                                             \
      errno = error;                                                                                         \
      return -1;                                                                                             \
    }                                                                                                        \
    return is_short ? REAL(name) less : REAL(name) whole;                                                    \
  }

#define HALF(size) ((size) > 1 ? (size) / 2 : (size))

#define FD_BYTES(name, spelled, pointer)                                                                     \
  FD_CALL(ssize_t, name, spelled, (int fd, pointer bytes, size_t size, off_t offset), fd,                    \
          (fd, bytes, size, offset), (fd, bytes, HALF(size), offset))

FD_BYTES(pwrite, "pwrite", const void *)
FD_BYTES(pwrite64, "pwrite", const void *)
FD_BYTES(pread, "pread", void *)
FD_BYTES(pread64, "pread", void *)
FD_CALL(ssize_t, write, "write", (int fd, const void *bytes, size_t size), fd, (fd, bytes, size),
        (fd, bytes, HALF(size)))
FD_CALL(int, fsync, "fsync", (int fd), fd, (fd), (fd))
FD_CALL(int, ftruncate, "ftruncate", (int fd, off_t length), fd, (fd, length), (fd, length))
FD_CALL(int, ftruncate64, "ftruncate", (int fd, off_t length), fd, (fd, length), (fd, length))
FD_CALL(int, fallocate, "fallocate", (int fd, int mode, off_t offset, off_t length), fd,
        (fd, mode, offset, length), (fd, mode, offset, length))
FD_CALL(int, fallocate64, "fallocate", (int fd, int mode, off_t offset, off_t length), fd,
        (fd, mode, offset, length), (fd, mode, offset, length))
FD_CALL(ssize_t, copy_file_range, "copy_file_range",
        (int from, off64_t *from_offset, int to, off64_t *to_offset, size_t size, unsigned flags), to,
        (from, from_offset, to, to_offset, size, flags),
        (from, from_offset, to, to_offset, HALF(size), flags))

/* The descriptor is closed in any case, as Linux does. */
int close(int fd)
{
  bool is_short;
  const int error = error_for_fd("close", fd, &is_short);
  const int result = REAL(close)(fd);
  if (!error)
    return result;
  errno = error;
  return -1;
}

/* A call of a function with a path, or without any. */
#define PATH_CALL(type, name, spelled, parameters, path, failed, whole)                                      \
  type name parameters                                                                                       \
  {                                                                                                          \
    bool is_short;                                                                                           \
    const int error = error_for(spelled, path, &is_short);                                                   \
    if (!error)                                                                                              \
      return REAL(name) whole;                                                                               \
    errno = error;                                                                                           \
    return failed;                                                                                           \
  }

PATH_CALL(int, rename, "rename", (const char *from, const char *to), from, -1, (from, to))
PATH_CALL(int, renameat2, "renameat2",
          (int from_folder, const char *from, int to_folder, const char *to, unsigned flags), from, -1,
          (from_folder, from, to_folder, to, flags))
PATH_CALL(int, unlink, "unlink", (const char *path), path, -1, (path))
PATH_CALL(int, unlinkat, "unlink", (int folder, const char *path, int flags), path, -1, (folder, path, flags))
PATH_CALL(pid_t, fork, "fork", (void), "", -1, ())
PATH_CALL(void *, mmap, "mmap", (void *at, size_t size, int access, int flags, int fd, off_t offset), "",
          MAP_FAILED, (at, size, access, flags, fd, offset))
PATH_CALL(void *, mmap64, "mmap", (void *at, size_t size, int access, int flags, int fd, off_t offset), "",
          MAP_FAILED, (at, size, access, flags, fd, offset))
PATH_CALL(int, pthread_create, "pthread_create",
          (pthread_t * thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument), "",
          error, (thread, attributes, run, argument))

#define OPEN_CALL(name, before, real_before, path)                                                           \
  int name(before const char *path, int flags, ...)                                                          \
  {                                                                                                          \
    bool is_short;                                                                                           \
    va_list more;                                                                                            \
    va_start(more, flags);                                                                                   \
    const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;                            \
    va_end(more);                                                                                            \
    const int error = error_for("open", path, &is_short);                                                    \
    if (!error)                                                                                              \
      return REAL(name)(real_before path, flags, mode);                                                      \
    errno = error;                                                                                           \
    return -1;                                                                                               \
  }

#define COMMA ,
OPEN_CALL(open, , , path)
OPEN_CALL(open64, , , path)
OPEN_CALL(openat, int folder COMMA, folder COMMA, path)
OPEN_CALL(openat64, int folder COMMA, folder COMMA, path)

#define LOCK_CALL(name)                                                                                      \
  int name(int fd, int command, ...)                                                                         \
  {                                                                                                          \
    bool is_short;                                                                                           \
    va_list more;                                                                                            \
    va_start(more, command);                                                                                 \
    void *argument = va_arg(more, void *);                                                                   \
    va_end(more);                                                                                            \
    const bool locks = command == F_OFD_SETLK || command == F_OFD_SETLKW || command == F_SETLK;              \
    const int error = locks ? error_for_fd("fcntl", fd, &is_short) : 0;                                      \
    if (!error)                                                                                              \
      return REAL(name)(fd, command, argument);                                                              \
    errno = error;                                                                                           \
    return -1;                                                                                               \
  }

LOCK_CALL(fcntl)
LOCK_CALL(fcntl64)

/* ---- MPI ---- */

#define MPI_CALL(name, spelled, parameters, arguments)                                                       \
  int name parameters                                                                                        \
  {                                                                                                          \
    bool is_short;                                                                                           \
    const int error = error_for(spelled, "", &is_short);                                                     \
    return error ? error : P##name arguments;                                                                \
  }

MPI_CALL(MPI_Allgather, "mpi_allgather",
         (const void *in, int count, MPI_Datatype type, void *out, int counts, MPI_Datatype types,
          MPI_Comm comm),
         (in, count, type, out, counts, types, comm))
MPI_CALL(MPI_Allreduce, "mpi_allreduce",
         (const void *in, void *out, int count, MPI_Datatype type, MPI_Op operation, MPI_Comm comm),
         (in, out, count, type, operation, comm))
MPI_CALL(MPI_Barrier, "mpi_barrier", (MPI_Comm comm), (comm))
MPI_CALL(MPI_Bcast, "mpi_bcast", (void *data, int count, MPI_Datatype type, int root, MPI_Comm comm),
         (data, count, type, root, comm))
MPI_CALL(MPI_Comm_dup, "mpi_comm_dup", (MPI_Comm comm, MPI_Comm *out), (comm, out))
MPI_CALL(MPI_Comm_split, "mpi_comm_split", (MPI_Comm comm, int color, int key, MPI_Comm *out),
         (comm, color, key, out))
MPI_CALL(MPI_Comm_split_type, "mpi_comm_split_type",
         (MPI_Comm comm, int type, int key, MPI_Info info, MPI_Comm *out), (comm, type, key, info, out))
MPI_CALL(MPI_Gather, "mpi_gather",
         (const void *in, int count, MPI_Datatype type, void *out, int counts, MPI_Datatype types, int root,
          MPI_Comm comm),
         (in, count, type, out, counts, types, root, comm))
MPI_CALL(MPI_Iallreduce, "mpi_iallreduce",
         (const void *in, void *out, int count, MPI_Datatype type, MPI_Op operation, MPI_Comm comm,
          MPI_Request *request),
         (in, out, count, type, operation, comm, request))
MPI_CALL(MPI_Ibcast, "mpi_ibcast",
         (void *data, int count, MPI_Datatype type, int root, MPI_Comm comm, MPI_Request *request),
         (data, count, type, root, comm, request))
MPI_CALL(MPI_Iprobe, "mpi_iprobe", (int source, int tag, MPI_Comm comm, int *flag, MPI_Status *envelope),
         (source, tag, comm, flag, envelope))
MPI_CALL(MPI_Isend, "mpi_isend",
         (const void *data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm,
          MPI_Request *request),
         (data, count, type, to, tag, comm, request))
MPI_CALL(MPI_Recv, "mpi_recv",
         (void *data, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Status *envelope),
         (data, count, type, from, tag, comm, envelope))
MPI_CALL(MPI_Reduce, "mpi_reduce",
         (const void *in, void *out, int count, MPI_Datatype type, MPI_Op operation, int root, MPI_Comm comm),
         (in, out, count, type, operation, root, comm))
MPI_CALL(MPI_Win_allocate_shared, "mpi_win_allocate_shared",
         (MPI_Aint size, int unit, MPI_Info info, MPI_Comm comm, void *base, MPI_Win *window),
         (size, unit, info, comm, base, window))

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
