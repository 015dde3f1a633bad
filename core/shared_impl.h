/** @file
 *  What the workers' other rooms may know of shared memory. */
#ifndef PARCEL_SHARED_IMPL_H
#define PARCEL_SHARED_IMPL_H

#include <parcel/shared.h>

/** Sets the address space aside, unless that is done already. Processes forked after it have it in common. */
parcel_status parcel__shared_map(void);

/** From now on this process is a worker: it uses shared memory, and hands out none. */
void parcel__shared_become_worker(void);

#endif
