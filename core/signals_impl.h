/** @file
 *  What the caught signals mean to the rest of the library. */
#ifndef PARCEL_SIGNALS_IMPL_H
#define PARCEL_SIGNALS_IMPL_H

#include <signal.h>

#include <parcel/signals.h>

/** The signal that has asked for a stop; 0: none. Any thread. */
int parcel__signals_stop(void);

/** Blocks in a mask what parcel_signals_catch has unblocked: the mask becomes the one that the user's code,
 *  and what it starts, should find. Any thread. */
void parcel__signals_restore_mask(sigset_t *mask);

#endif
