/** @file
 *  Stopping and inspecting by signal: a program that wants Ctrl-C to end a sweep cleanly says so here; the
 *  library never does. */
#ifndef PARCEL_SIGNALS_H
#define PARCEL_SIGNALS_H

#include <signal.h>

#include <parcel/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a sweep is asked for meanwhile. A program may set them itself, too, from any thread. */
typedef struct parcel_signals {
  volatile sig_atomic_t stop;    /* not 0: begin no block any more, on any rank; the signal's number */
  volatile sig_atomic_t inspect; /* whenever it changes, every rank prints what its workers do */
} parcel_signals;

/** From now on the first SIGINT or SIGTERM, and every SIGUSR1, only sets `stop`, and SIGUSR2 counts `inspect`
 *  up. A second SIGINT or SIGTERM of the same kind, 0.1 s or more after the first, does what it did before
 *  (the caller's own handler, with its flags, or the end of the process), whatever the main thread is in.
 *
 *  Signals that are blocked or ignored at the time are heard, too: they are unblocked in the calling thread;
 *  threads, worker processes and what kernels start keep the mask as it was. SIGINT alone stays ignored if it
 *  is, since shells start programs in the background so. SIGHUP is left alone.
 *
 *  As soon as `stop` is set, what takes long outside of a sweep ends as STOPPED, too: reserving room,
 *  comparing the blocks of an earlier run, copying a file, completing a compressed one. Call it before
 *  parcel_world_open, so that no request is lost. Process-wide; from the main thread; again without effect.
 *
 *  Returns what parcel_sweep_options.signals wants, in static storage; NULL if the system refused
 *  (SYSTEM). */
PARCEL_API const parcel_signals *parcel_signals_catch(void);

/** Gives the signals back: their actions and the calling thread's mask become what they were, but for actions
 *  that somebody else has set since; `stop` and `inspect` become 0. From the main thread. */
PARCEL_API void parcel_signals_release(void);

/** For work that takes long, every so often: whether it may go on. STOPPED once a caught signal has asked for
 *  a stop; otherwise it counts as progress (parcel_world_set_stall_seconds). Any thread.
 *
 *  doing  for the text: "stopped early by SIGTERM while DOING" */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_signals_check(const char *doing);

#ifdef __cplusplus
}
#endif

#endif
