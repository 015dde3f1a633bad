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
 *  up. A second SIGINT or SIGTERM acts as before. Process-wide; call once, from the main thread.
 *
 *  Returns what parcel_sweep_options.signals wants, in static storage; NULL if the system refused
 *  (SYSTEM). */
PARCEL_API const parcel_signals *parcel_signals_catch(void);

#ifdef __cplusplus
}
#endif

#endif
