/** @file
 *  What moves where when data goes from one layout to another, one part's share at a time.
 *
 *  Every part has its positions in an array of its own, in the order of their local indices. A plan lists
 *  what leaves a part, what reaches it, or what goes between two parts, as moves: `count` elements that are
 *  adjacent in the sender's array and in the receiver's.
 *
 *      parcel_plan plan;
 *      parcel_move move;
 *      if ((status = parcel_plan_of_sender(from, to, part, &plan)))
 *        return status;
 *      while (parcel_plan_next(&plan, &move))
 *        -- source[move.from.begin .. move.from.end) of this part goes to
 *        -- target[move.to.begin .. move.to.end) of part move.receiver
 *
 *  Nothing is stored but the plan itself, a plain value: no list of moves, no memory for each part. The moves
 *  of one part take O(overlaps) time, and O(log parts) each where a layout has cut points; those between two
 *  parts O(overlaps) after O(log n). Never O(n), never O(parts). Exact for all sizes up to INT64_MAX.
 *
 *  The three kinds of plan show the same moves: those of a sender are the moves between it and each receiver
 *  in turn, mingled in the order of the positions. So two ranks that walk the moves between them see the same
 *  list.
 *
 *  Threads: any. A plan belongs to one thread at a time; copies of it go on independently. The layouts must
 *  live as long as the plan. The fields of a plan are its own. */
#ifndef PARCEL_PLAN_H
#define PARCEL_PLAN_H

#include <parcel/grid.h>
#include <parcel/layout.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- one part's positions as a slab ---- */

/** A regular pattern of positions, in HDF5's words: `count` blocks of `block` positions, the k-th at
 *  start + k * stride, and then a last block of `tail` < block positions, unless tail is 0.
 *
 *  Every part of every layout is one: a contiguous part is one block, an empty one has count 0. With one
 *  block the stride is its length. */
typedef struct parcel_slab {
  parcel_index start, stride, block, count;
  parcel_index tail;
} parcel_slab;

/** A part's positions as a slab. O(1), and O(log parts) where the layout has cut points.
 *
 *  Errors: INVALID (no such part). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_plan_slab(const parcel_layout *layout, int part,
                                                            parcel_slab *out);

/** The positions of a slab: count * block + tail. */
PARCEL_API parcel_index parcel_slab_size(parcel_slab slab);

/* ---- moves between two layouts ---- */

/** Elements that go from one part to another in one piece. */
typedef struct parcel_move {
  int sender, receiver;
  parcel_index count; /* elements, at least 1 */
  parcel_span from;   /* local indices in the sender's array */
  parcel_span to;     /* local indices in the receiver's array */
  parcel_span
      positions; /* from the first position to behind the last; longer than count where both parts skip
                            the same positions in between */
} parcel_move;

/** A walk over moves, in the order of their positions. Its fields are its own. */
typedef struct parcel_plan {
  struct parcel_plan_side {
    const parcel_layout *layout; /* NULL: `axis` of a grid, or a slab alone */
    parcel_grid_axis axis;
    int part; /* the part that `slab` is of */
    parcel_slab slab;
  } from, to;
  enum parcel_plan_kind { PARCEL_PLAN_SENDER, PARCEL_PLAN_RECEIVER, PARCEL_PLAN_PAIR } kind;
  parcel_index cursor; /* no position before it is left */
  bool has_held;
  parcel_move held; /* found, but perhaps to be continued */
  struct parcel_plan_hits {
    bool is_known;
    parcel_index block;
    uint64_t modulus, length, residue, up, up_steps, down, down_steps;
  } hits; /* which of the sender's blocks meet the receiver's; see partition/slab.c */
} parcel_plan;

/** Begins the walk over what leaves a part of `from`, itself as receiver included.
 *
 *  Errors: INVALID (a layout is NULL, no such part, or the layouts differ in size; their parts may
 *  differ). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_plan_of_sender(const parcel_layout *from,
                                                                 const parcel_layout *to, int part,
                                                                 parcel_plan *out);

/** Begins the walk over what reaches a part of `to`, from itself included.  Errors: as
 *  parcel_plan_of_sender. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_plan_of_receiver(const parcel_layout *from,
                                                                   const parcel_layout *to, int part,
                                                                   parcel_plan *out);

/** Begins the walk over what goes from one part of `from` to one part of `to`.
 *  Errors: as parcel_plan_of_sender. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_plan_between(const parcel_layout *from, int sender,
                                                               const parcel_layout *to, int receiver,
                                                               parcel_plan *out);

/** Begins the walk over what two slabs share. sender and receiver are numbers for the moves to bear. */
PARCEL_API void parcel_plan_of_slabs(parcel_slab from, int sender, parcel_slab to, int receiver,
                                     parcel_plan *out);

/** The next move; false, and *move untouched, after the last one. Moves of the same two parts that continue
 *  each other in both arrays are one move. */
PARCEL_API bool parcel_plan_next(parcel_plan *plan, parcel_move *move);

/** How many moves a plan has still to show, and how many positions they carry; either may be NULL. The plan
 *  stays where it is. O(overlaps) time, no memory. */
PARCEL_API void parcel_plan_count(const parcel_plan *plan, parcel_index *moves, parcel_index *positions);

/* ---- moves between two grids ---- */

/** Points that go from one part to another: a box in the sender's array, of the same shape in the
 *  receiver's. */
typedef struct parcel_grid_move {
  int sender, receiver;
  parcel_box from;   /* indices in the sender's array, which holds its points in row-major order */
  parcel_box to;     /* indices in the receiver's array */
  parcel_box points; /* in the whole array; wider than the box where both parts skip the same points */
} parcel_grid_move;

/** A walk over boxes. Its fields are its own. */
typedef struct parcel_grid_plan {
  int dimensions;
  const parcel_grid *from, *to;
  bool is_at_end, is_begun;
  parcel_plan first[PARCEL_GRID_DIMENSIONS]; /* each dimension's moves from the beginning */
  parcel_plan rest[PARCEL_GRID_DIMENSIONS];  /* and behind the current one */
  parcel_move current[PARCEL_GRID_DIMENSIONS];
} parcel_grid_plan;

/** Begins the walk over the boxes that leave a part of `from`, itself as receiver included. Every kind of
 *  dimension will do: a grid's moves are the moves along each dimension, combined. O(boxes) time in all.
 *
 *  Errors: INVALID (no such part, or the grids differ in dimensions or extents; their parts may differ). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_grid_plan_of_sender(const parcel_grid *from,
                                                                      const parcel_grid *to, int part,
                                                                      parcel_grid_plan *out);

/** Begins the walk over the boxes that reach a part of `to`.  Errors: as parcel_grid_plan_of_sender. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_grid_plan_of_receiver(const parcel_grid *from,
                                                                        const parcel_grid *to, int part,
                                                                        parcel_grid_plan *out);

/** The next box; false, and *move untouched, after the last one. */
PARCEL_API bool parcel_grid_plan_next(parcel_grid_plan *plan, parcel_grid_move *move);

/* ---- for other libraries ---- */

/** Counts and displacements as MPI_Scatterv and MPI_Gatherv want them.
 *
 *  width          MPI elements per position, >= 1: 1 if the datatype is a position's
 *  counts         [parts]
 *  displacements  [parts]
 *  Errors: INVALID (width < 1, or the layout is not contiguous: use parcel_exchange_gather or _scatter);
 *  RANGE (a number beyond int; the text names its part and says what to do). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_plan_mpi_counts(const parcel_layout *layout,
                                                                  parcel_index width, int counts[],
                                                                  int displacements[]);

/** How many HDF5 hyperslabs make up a part: 0 if it is empty, 2 if its last block is short, else 1.
 *
 *  H5Sselect_hyperslab takes the first with H5S_SELECT_SET, the next with H5S_SELECT_OR; a part without any
 *  takes H5Sselect_none. The selection's order is that of the local indices. 0 where there is no such
 *  part. */
PARCEL_API int parcel_plan_hyperslabs(const parcel_layout *layout, int part);

/** The k-th of them, as hsize_t (unsigned, 64 bit) wants it; false, and the rest untouched, if there is none.
 *
 *  start, stride, count, block   one number each: the first or only dimension */
PARCEL_API bool parcel_plan_hyperslab(const parcel_layout *layout, int part, int k, uint64_t *start,
                                      uint64_t *stride, uint64_t *count, uint64_t *block);

/** The same for a part of a grid: the hyperslabs of the dimensions, combined, so 1 for a box, and at most
 *  2^(number of cyclic dimensions). */
PARCEL_API int parcel_grid_plan_hyperslabs(const parcel_grid *grid, int part);

/** The k-th of them.  start, stride, count, block: [dimensions] */
PARCEL_API bool parcel_grid_plan_hyperslab(const parcel_grid *grid, int part, int k, uint64_t start[],
                                           uint64_t stride[], uint64_t count[], uint64_t block[]);

#ifdef __cplusplus
}
#endif

#endif
