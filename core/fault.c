/* Compiled only where PARCEL_FAULTS is on, into each library that has points. The environment is read
 * once, when the library is loaded; the counters are per fault, so that "the third time" means the same
 * whatever else is asked for. */
#include "fault_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_FAULTS = 8, ANY_RANK = -1 };

typedef struct fault {
  const char *point;
  long rank;
  long nth;
  bool repeats;
  int code;   /* errno */
  int signal; /* 0: the step fails */
  atomic_long visits;
} fault;

static fault faults[MOST_FAULTS];
static int fault_count;

static _Noreturn void refuse(const char *text)
{
  fprintf(stderr, "PARCEL_FAULT: '%s' is not understood; see core/fault_impl.h\n", text);
  _exit(2);
}

static void check_point(const char *name)
{
#define NAME(point) point,
  static const char *const points[] = {PARCEL_FAULT_POINTS(NAME)};
#undef NAME
  for (size_t p = 0; p < sizeof points / sizeof *points; ++p)
    if (strcmp(name, points[p]) == 0)
      return;
  refuse(name);
}

static int code_of(const char *name)
{
  static const struct {
    const char *name;
    int code;
  } codes[] = {{"EIO", EIO},     {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EACCES", EACCES},
               {"EINTR", EINTR}, {"ENOLCK", ENOLCK}, {"EROFS", EROFS}};
  for (size_t c = 0; c < sizeof codes / sizeof *codes; ++c)
    if (strcmp(name, codes[c].name) == 0)
      return codes[c].code;
  refuse(name);
}

static int signal_of(const char *action)
{
  if (strcmp(action, "fail") == 0)
    return 0;
  if (strcmp(action, "kill") == 0)
    return SIGKILL;
  if (strcmp(action, "stop") == 0)
    return SIGSTOP;
  refuse(action);
}

static long number_of(const char *text, bool *repeats)
{
  char *end = NULL;
  const long number = strtol(text, &end, 10);
  *repeats = *end == '+';
  if (end == text || number < 0 || end[*repeats] != '\0')
    refuse(text);
  return number;
}

static void read_setting(fault *fault, char *setting)
{
  bool repeats = false;
  char *value = strchr(setting, '=');
  if (!value)
    refuse(setting);
  *value++ = '\0';
  if (strcmp(setting, "rank") == 0)
    fault->rank = number_of(value, &repeats);
  else if (strcmp(setting, "nth") == 0)
    fault->nth = number_of(value, &fault->repeats);
  else if (strcmp(setting, "errno") == 0)
    fault->code = code_of(value);
  else if (strcmp(setting, "action") == 0)
    fault->signal = signal_of(value);
  else
    refuse(setting);
}

static void read_fault(char *text)
{
  char *next = NULL;
  if (fault_count == MOST_FAULTS)
    refuse(text);
  fault *fault = &faults[fault_count++];
  fault->rank = ANY_RANK;
  fault->nth = 1;
  fault->code = EIO;
  fault->point = strtok_r(text, ":", &next);
  check_point(fault->point ? fault->point : "");
  for (char *setting = strtok_r(NULL, ":", &next); setting; setting = strtok_r(NULL, ":", &next))
    read_setting(fault, setting);
}

__attribute__((constructor)) static void read_environment(void)
{
  static char copy[1024]; /* the points point into it */
  char *next = NULL;
  const char *text = getenv("PARCEL_FAULT");
  if (!text)
    return;
  if (strlen(text) >= sizeof copy)
    refuse(text);
  memcpy(copy, text, strlen(text) + 1);
  for (char *one = strtok_r(copy, ",", &next); one; one = strtok_r(NULL, ",", &next))
    read_fault(one);
}

/* As the launcher numbers this process; 0 without one. */
static long own_rank(void)
{
  static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"};
  for (size_t n = 0; n < sizeof names / sizeof *names; ++n)
    if (getenv(names[n]))
      return strtol(getenv(names[n]), NULL, 10);
  return 0;
}

static bool is_due(fault *fault, const char *point)
{
  if (strcmp(fault->point, point) != 0 || (fault->rank != ANY_RANK && fault->rank != own_rank()))
    return false;
  const long visit = atomic_fetch_add(&fault->visits, 1) + 1;
  return visit == fault->nth || (fault->repeats && visit > fault->nth);
}

/* In one write, so that lines of several processes stay whole. */
static void note(const char *point)
{
  const char *path = getenv("PARCEL_FAULT_LOG");
  char line[64];
  const int length = snprintf(line, sizeof line, "%s\n", point);
  const int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
  if (fd < 0)
    return;
  if (write(fd, line, (size_t)length) != length)
    refuse(path);
  close(fd);
}

bool parcel__fault(const char *point)
{
  if (fault_count == 0)
    return false;
  check_point(point); /* one that the list lacks could not be asked for */
  int due = 0;
  while (due < fault_count && !is_due(&faults[due], point))
    ++due;
  if (due == fault_count)
    return false;
  note(point);
  if (faults[due].signal)
    raise(faults[due].signal);
  errno = faults[due].code;
  return faults[due].signal == 0;
}
