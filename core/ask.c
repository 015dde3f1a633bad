/* posix_spawn and not fork: it shares the parent's memory until the program runs, so that none of what MPI
 * has registered with an adapter is marked for copying, and it calls no handler of fork. */
#include "ask_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "world_impl.h"

/* In a process group of its own, with the signals as they are for a new program. */
static int spawn(const char *const argv[], int out, pid_t *child)
{
  posix_spawn_file_actions_t files;
  posix_spawnattr_t how;
  sigset_t all;
  sigset_t none;
  sigfillset(&all);
  sigemptyset(&none);
  int error = posix_spawn_file_actions_init(&files);
  if (error)
    return error;
  if ((error = posix_spawnattr_init(&how))) {
    posix_spawn_file_actions_destroy(&files);
    return error;
  }
  if (!(error = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0)) &&
      !(error = posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO)) &&
      !(error = posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0)) &&
      !(error = posix_spawnattr_setsigdefault(&how, &all)) &&
      !(error = posix_spawnattr_setsigmask(&how, &none)) && !(error = posix_spawnattr_setpgroup(&how, 0)) &&
      !(error = posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
                                                   POSIX_SPAWN_SETSIGMASK)))
    error = posix_spawnp(child, argv[0], &files, &how, (char *const *)argv, environ);
  posix_spawnattr_destroy(&how);
  posix_spawn_file_actions_destroy(&files);
  return error;
}

/* Reads until the program closes its output. What does not fit is read and dropped. */
static parcel_status hear(const char *name, int in, double end, char *answer, size_t size)
{
  char dropped[512];
  size_t length = 0;
  for (;;) {
    struct pollfd source = {.fd = in, .events = POLLIN};
    const double left = end - parcel__seconds();
    if (left <= 0)
      return parcel_fail(PARCEL_TIMEOUT, "'%s' did not answer in time", name);
    const int ready = poll(&source, 1, (int)(left * 1e3) + 1);
    if (ready == 0 || (ready < 0 && errno == EINTR))
      continue;
    const bool has_room = length + 1 < size;
    const ssize_t got = ready < 0 ? -1
                                  : read(in, has_room ? answer + length : dropped,
                                         has_room ? size - 1 - length : sizeof dropped);
    if (got < 0)
      return parcel_fail(PARCEL_SYSTEM, "cannot read the answer of '%s': %m", name);
    if (has_room)
      length += (size_t)got;
    answer[length] = '\0';
    if (got == 0)
      return PARCEL_OK;
  }
}

/* A program that closed its output may still take its time to end. Where nobody can be told how it ended,
 * since SIGCHLD is ignored or somebody else waits for every child, its answer counts all the same. */
static parcel_status await_end(const char *name, pid_t child, double end)
{
  const struct timespec pause = {.tv_nsec = 1000000};
  int how = 0;
  pid_t ended = 0;
  while ((ended = waitpid(child, &how, WNOHANG)) == 0 || (ended < 0 && errno == EINTR)) {
    if (parcel__seconds() > end)
      return parcel_fail(PARCEL_TIMEOUT, "'%s' did not end in time", name);
    nanosleep(&pause, NULL);
  }
  if (ended < 0)
    return errno == ECHILD ? PARCEL_OK : parcel_fail(PARCEL_SYSTEM, "cannot wait for '%s': %m", name);
  if (!WIFEXITED(how) || WEXITSTATUS(how) != 0)
    return parcel_fail(PARCEL_SYSTEM, "'%s' failed", name);
  return PARCEL_OK;
}

parcel_status parcel__ask(const char *const argv[], double timeout_seconds, char *answer, size_t size)
{
  const double end = parcel__seconds() + timeout_seconds;
  int ends[2];
  pid_t child = 0;
  if (pipe2(ends, O_CLOEXEC) != 0)
    return parcel_fail(PARCEL_SYSTEM, "no pipe to '%s': %m", argv[0]);
  const int error = spawn(argv, ends[1], &child);
  close(ends[1]);
  if (error) {
    close(ends[0]);
    errno = error;
    return parcel_fail(PARCEL_SYSTEM, "cannot run '%s': %m", argv[0]);
  }
  parcel_status status = hear(argv[0], ends[0], end, answer, size);
  close(ends[0]);
  if (!status)
    status = await_end(argv[0], child, end);
  if (status == PARCEL_TIMEOUT) {
    kill(-child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
      ;
  }
  return status;
}
