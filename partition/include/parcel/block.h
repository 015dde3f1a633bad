/** @file
 *  Equal parts in closed form, one level (parts) and two (blocks within parts).
 *
 *  n positions over `parts` parts: part k holds q = n / parts positions, the first r = n % parts one more.
 *  This is the rule of numpy.array_split and of PETSc's PetscSplitOwnership. Any caller may ask about any
 *  part; nothing is allocated, nothing overflows for any n in [0, INT64_MAX]; every function is pure and
 *  thread-safe. */
#ifndef PARCEL_BLOCK_H
#define PARCEL_BLOCK_H

#include <parcel/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The positions of one part. Sizes differ by at most one, parts are in order and cover [0, n).
 *
 *  An empty span at 0 for a part outside [0, parts), for n < 0 and for parts < 1. O(1). */
PARCEL_API parcel_span parcel_block_span(parcel_index n, parcel_index parts, parcel_index part);

/** The part that holds a position, the exact inverse of parcel_block_span; -1 outside [0, n). O(1). */
PARCEL_API parcel_index parcel_block_owner(parcel_index n, parcel_index parts, parcel_index position);

/** The block grid: [0, positions) cut into equal parts, each part into equally many blocks, by the same
 *  rule twice.
 *
 *  Block b lies in part b / blocks_per_part. A plain value: its numbers name every block.
 *
 *  Where storage asks for it (chunks of a compressed file) a grid has blocks of an exact size instead: all
 *  hold `exact` positions, but for the last, which holds what is left. Such a grid is made by
 *  parcel_block_grid_make with one part and `exact` for the block, and then told so in this field. */
typedef struct parcel_block_grid {
  parcel_index positions;
  parcel_index parts;
  parcel_index blocks_per_part;
  parcel_index exact; /* 0: blocks differ by at most one position */
} parcel_block_grid;

/** The coarsest grid over [0, positions) whose blocks hold at most `block` positions.
 *
 *  Errors: INVALID (positions < 0, parts < 1, block < 1); RANGE (more than INT64_MAX blocks). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_block_grid_make(parcel_index positions, parcel_index parts,
                                                                  parcel_index block, parcel_block_grid *out);

/** How many blocks the grid has, empty ones (in a part of fewer positions than blocks) included. */
PARCEL_API parcel_index parcel_block_grid_count(parcel_block_grid grid);

/** The positions of one block; blocks are in order and cover [0, positions). Empty at 0 outside. O(1). */
PARCEL_API parcel_span parcel_block_grid_span(parcel_block_grid grid, parcel_index block);

/** The block that holds a position; -1 outside [0, positions). O(1). */
PARCEL_API parcel_index parcel_block_grid_owner(parcel_block_grid grid, parcel_index position);

/** The positions of the grid's largest block. */
PARCEL_API parcel_index parcel_block_grid_largest(parcel_block_grid grid);

#ifdef __cplusplus
}
#endif

#endif
