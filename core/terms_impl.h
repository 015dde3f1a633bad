/** @file
 *  Do all ranks call the same thing with the same arguments? Asked before any of them sends to another. */
#ifndef PARCEL_TERMS_IMPL_H
#define PARCEL_TERMS_IMPL_H

#include <stddef.h>
#include <stdint.h>

#include <parcel/world.h>

/** What a rank brings: a hash of the arguments that must agree, and words for them if they do not. */
typedef struct parcel_terms {
  uint64_t hash;
  void (*describe)(const void *ctx, char *text, size_t size);
  const void *ctx;
} parcel_terms;

/** The hash of what was hashed before and one number more; begin with 0. */
uint64_t parcel__hash_number(uint64_t hash, uint64_t number);

/** OK on all ranks if each brings OK and the same hash. Else all return the same: the status and text of the
 *  first rank that brings a failure of its own, or INVALID that names the first rank that differs from rank
 *  0. Collective; one MPI_Allreduce where all is well. */
PARCEL_MUST_CHECK parcel_status parcel__agree_on_terms(const parcel_world *world, parcel_status status,
                                                       const parcel_terms *terms);

#endif
