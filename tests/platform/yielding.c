/* Preloaded into the ranks of tests: MPICH waits by asking UCX for progress again and again, and so leaves
 * its core to others where there was none. Three ranks on two cores then take a fiftieth of the time. */
#include <dlfcn.h>
#include <sched.h>

unsigned ucp_worker_progress(void *worker);

unsigned ucp_worker_progress(void *worker)
{
  static unsigned (*progress)(void *);
  if (!progress)
    *(void **)&progress = dlsym(RTLD_NEXT, "ucp_worker_progress");
  const unsigned events = progress(worker);
  if (events == 0)
    sched_yield();
  return events;
}
