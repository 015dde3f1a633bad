/** @file
 *  XXH3-64 with a seed. On x86 the library picks the widest vector unit that the CPU has; elsewhere what
 *  it was compiled for is what there is. */
#ifndef PARCEL_CHECKSUM_IMPL_H
#define PARCEL_CHECKSUM_IMPL_H

#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <xxh_x86dispatch.h>
#define parcel__checksum(data, bytes, seed)      XXH3_64bits_withSeed_dispatch((data), (bytes), (seed))
#define parcel__checksum_add(state, data, bytes) XXH3_64bits_update_dispatch((state), (data), (bytes))
#else
#include <xxhash.h>
#define parcel__checksum(data, bytes, seed)      XXH3_64bits_withSeed((data), (bytes), (seed))
#define parcel__checksum_add(state, data, bytes) XXH3_64bits_update((state), (data), (bytes))
#endif

#endif
