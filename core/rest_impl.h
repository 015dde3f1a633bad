/** @file
 *  Whether the other threads of this process are at rest. */
#ifndef PARCEL_REST_IMPL_H
#define PARCEL_REST_IMPL_H

#include <parcel/base.h>

/** Waits until every other thread of this process has slept for a while without once waking up. At once where
 *  there is no other.
 *
 *  Errors: INVALID (one does not rest within timeout_seconds; the text names it). */
PARCEL_MUST_CHECK parcel_status parcel__await_rest(double timeout_seconds);

#endif
