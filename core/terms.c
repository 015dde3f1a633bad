/* All hashes are equal if the least one is the largest one; the largest is found as the least complement, so
 * that one reduction by minimum answers both, and in its third number whether some rank has failed by
 * itself. */
#include "terms_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TERMS_SIZE = 192 };

/* splitmix64's finalizer (Steele, Lea, Flood 2014) after each number. */
uint64_t parcel__hash_number(uint64_t hash, uint64_t number)
{
  uint64_t z = hash + number + 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

/* The verdict of one rank that knows only itself and rank 0; the first one that differs will be heard by
 * all. */
static parcel_status compare_with_root(const parcel_world *world, const parcel_terms *terms)
{
  struct {
    uint64_t hash;
    char text[TERMS_SIZE];
  } root = {.hash = terms->hash};
  char own[TERMS_SIZE] = "";
  terms->describe(terms->ctx, own, sizeof own);
  memcpy(root.text, own, sizeof own);
  const parcel_status status =
      parcel_world_check_mpi(world, MPI_Bcast(&root, (int)sizeof root, MPI_BYTE, 0, parcel_world_comm(world)),
                             "MPI_Bcast of the arguments on rank 0");
  if (status || root.hash == terms->hash)
    return status;
  return parcel_fail(PARCEL_INVALID,
                     "ranks disagree on what to do: here it is %s (%08" PRIx32 "), on rank 0 %s (%08" PRIx32
                     ")",
                     own, (uint32_t)(terms->hash >> 32), root.text, (uint32_t)(root.hash >> 32));
}

parcel_status parcel__agree_on_terms(const parcel_world *world, parcel_status status,
                                     const parcel_terms *terms)
{
  const uint64_t own[3] = {status ? UINT64_MAX : terms->hash, status ? UINT64_MAX : ~terms->hash,
                           status == PARCEL_OK};
  uint64_t least[3] = {0};
  const parcel_status broken = parcel_world_check_mpi(
      world, MPI_Allreduce(own, least, 3, MPI_UINT64_T, MPI_MIN, parcel_world_comm(world)),
      "comparing the arguments of all ranks");
  if (broken)
    return broken;
  if (least[2] == 0)
    return parcel_world_agree(world, status);
  if (least[0] == ~least[1])
    return PARCEL_OK;
  return parcel_world_agree(world, compare_with_root(world, terms));
}
