/* A worker's life: wait for a call, run its body, answer. It may die at any point; what the parent reads
 * then is in order, since `begun` is written before the body and `answered` after status and text. */
#include "forkserver_impl.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* exit() in a body must not run what the parent registered with atexit: its files to remove, its libraries
 * to close. This is registered last, so it runs first. */
static void leave_at_once(int status, void *unused)
{
  (void)unused;
  _exit(status);
}

/* A core limit of one byte, and not zero: it also holds for cores that are piped into a program (core(5)). */
static void limit_resources(const parcel_slot *slot)
{
  const struct rlimit no_core = {.rlim_cur = 1, .rlim_max = 1};
  const rlim_t most = (rlim_t)slot->memory_bytes;
  const struct rlimit memory = {.rlim_cur = most, .rlim_max = most};
  if (!slot->has_core_dumps)
    (void)setrlimit(RLIMIT_CORE, &no_core);
  if (most > 0)
    (void)setrlimit(RLIMIT_DATA, &memory);
}

static void begin(const parcel_slot *slot, pid_t server)
{
  char name[16]; /* all that Linux keeps */
  parcel__follow_parent(server);
  parcel__reset_signals();
  limit_resources(slot);
  snprintf(name, sizeof name, "parcel-work-%u", (unsigned)slot->worker % 1000);
  prctl(PR_SET_NAME, name);
  if (on_exit(leave_at_once, NULL))
    _exit(EXIT_FAILURE);
}

static uint32_t await_call(parcel_slot *slot, uint32_t last)
{
  uint32_t call = parcel__bell_rings(&slot->calls);
  while (call == last) {
    parcel__bell_wait(&slot->calls, last, slot->spins, INFINITY);
    call = parcel__bell_rings(&slot->calls);
  }
  return call;
}

_Noreturn void parcel__worker_main(parcel_slot *slot, uint32_t last, pid_t server)
{
  begin(slot, server);
  for (;;) {
    last = await_call(slot, last);
    if (!slot->body)
      break;
    atomic_store(&slot->begun, last);
    parcel_fail(PARCEL_OK, "%s", "");
    slot->status = slot->body(slot->argument, slot->worker);
    memcpy(slot->error, parcel_last_error(), strlen(parcel_last_error()) + 1);
    atomic_store(&slot->answered, last);
    parcel__bell_ring(&slot->news);
  }
  fflush(stdout);
  _exit(EXIT_SUCCESS);
}
