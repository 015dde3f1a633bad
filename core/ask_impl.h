/** @file
 *  Asking another program, for no longer than a given time. */
#ifndef PARCEL_ASK_IMPL_H
#define PARCEL_ASK_IMPL_H

#include <stddef.h>

#include <parcel/base.h>

/** Runs a program, found on PATH, and keeps the beginning of its standard output. It reads nothing, its
 *  errors are not shown, and it is killed, with all that it started, when the time is over.
 *
 *  argv    ends with NULL
 *  answer  [size] ends with '\0'
 *  Errors: SYSTEM (it could not be started, or failed); TIMEOUT. */
PARCEL_MUST_CHECK parcel_status parcel__ask(const char *const argv[], double timeout_seconds, char *answer,
                                            size_t size);

#endif
