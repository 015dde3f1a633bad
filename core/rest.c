/* The kernel tells of each thread whether it sleeps and how often it was switched to another (proc(5), task
 * and status). One that sleeps in two looks and was not switched in between has slept all the time. */
#include "rest_impl.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "thread_impl.h"

static const struct timespec nap = {.tv_nsec = 20000000};

typedef struct look {
  int others;        /* threads */
  uint64_t switches; /* of which thread how many: the same sum, the same threads, none switched */
  int busy;          /* one that does not sleep; 0: none */
  char name[32];     /* its name */
} look;

static void look_at_thread(const char *id, look *look)
{
  char path[64];
  char line[128];
  char name[32] = "?";
  char state = 'R';
  uint64_t switches = 0;
  snprintf(path, sizeof path, "/proc/self/task/%.16s/status", id);
  FILE *file = fopen(path, "re");
  if (!file)
    return; /* it has just ended */
  while (fgets(line, sizeof line, file)) {
    uint64_t number = 0;
    (void)sscanf(line, "Name: %31[^\n]", name);
    (void)sscanf(line, "State: %c", &state);
    if (sscanf(line, "voluntary_ctxt_switches: %" SCNu64, &number) == 1 ||
        sscanf(line, "nonvoluntary_ctxt_switches: %" SCNu64, &number) == 1)
      switches += number;
  }
  fclose(file);
  const int thread = (int)strtol(id, NULL, 10);
  ++look->others;
  look->switches += switches + (uint64_t)thread * 0x9e3779b97f4a7c15U;
  if (state == 'S')
    return;
  look->busy = thread;
  snprintf(look->name, sizeof look->name, "%s", name);
}

static look look_around(void)
{
  look look = {0};
  DIR *tasks = opendir("/proc/self/task");
  const long own = gettid();
  for (const struct dirent *entry = tasks ? readdir(tasks) : NULL; entry; entry = readdir(tasks))
    if (entry->d_name[0] != '.' && strtol(entry->d_name, NULL, 10) != own)
      look_at_thread(entry->d_name, &look);
  if (tasks)
    closedir(tasks);
  return look;
}

parcel_status parcel__await_rest(double timeout_seconds)
{
  const double end = parcel__now() + timeout_seconds;
  look before = look_around();
  while (before.others > 0) {
    nanosleep(&nap, NULL);
    const look after = look_around();
    if (after.others == before.others && after.switches == before.switches && !before.busy && !after.busy)
      break;
    if (parcel__now() > end && after.busy)
      return parcel_fail(PARCEL_INVALID, "thread %d ('%s') of this process is at work", after.busy,
                         after.name);
    if (parcel__now() > end)
      return parcel_fail(PARCEL_INVALID, "the threads of this process, %d beside this one, do not rest",
                         after.others);
    before = after;
  }
  return PARCEL_OK;
}
