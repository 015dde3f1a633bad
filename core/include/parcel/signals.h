/** @file
 *  Stopping by signal: a program that wants Ctrl-C to end a sweep cleanly says so here; the library
 *  never does. */
#ifndef PARCEL_SIGNALS_H
#define PARCEL_SIGNALS_H

#include <signal.h>

#include <parcel/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** From now on the first SIGINT or SIGTERM only sets the flag that is returned, to the signal's number;
 *  the second of the same kind acts as before. Process-wide; call once, from the main thread.
 *
 *  Returns the flag for parcel_sweep_options.stop, in static storage; NULL if the system refused (SYSTEM). */
PARCEL_API const volatile sig_atomic_t *parcel_signals_catch(void);

#ifdef __cplusplus
}
#endif

#endif
