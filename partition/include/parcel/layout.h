/** @file
 *  Who owns what: the positions [0, n) dealt out to `parts` parts, by one of six rules.
 *
 *  rule     | part k owns                                             | known from
 *  ---------|---------------------------------------------------------|--------------------------------
 *  block    | n / parts positions, the first n % parts one more       | numpy.array_split, PETSc
 *  aligned  | the same in units of align; the last unit may be short  | stripes of files, pages, vectors
 *  ceiling  | [k * c, (k + 1) * c) within [0, n), c = ceil(n / parts) | MPI_DISTRIBUTE_BLOCK, HPF BLOCK
 *  cyclic   | every parts-th block of positions, from the k-th on     | ScaLAPACK, MPI_DISTRIBUTE_CYCLIC
 *  weighted | its share by weight, in whole positions                 | Hamilton's method of apportionment
 *  explicit | [offsets[k], offsets[k + 1])                            | anything else
 *
 *  Any caller may ask about any part or position. A layout is opaque and never changes once it is made, so
 *  any number of threads may ask at once. Block, aligned, ceiling and cyclic are closed forms: O(1) memory,
 *  O(1) per question. Weighted and explicit keep their cut points: O(parts) memory, O(log parts) per owner,
 *  O(1) for the rest. All of it is integer arithmetic, exact and free of overflow for n up to INT64_MAX,
 *  parts up to INT_MAX and any align or block.
 *
 *  A position has a place in two worlds: globally p in [0, n), and locally l in [0, count of its owner),
 *  where an owner's positions are numbered in their order:
 *
 *      p == parcel_layout_global(layout, parcel_layout_owner(layout, p), parcel_layout_local(layout, p))
 *
 *  Errors of every function that makes a layout, beyond what it lists: INVALID (n < 0, parts < 1), MEMORY.
 *  Owns:   the caller, who ends it with parcel_layout_free. */
#ifndef PARCEL_LAYOUT_H
#define PARCEL_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include <parcel/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct parcel_layout parcel_layout;

/* ---- making one ---- */

/** Equal parts in order, as in parcel/block.h: sizes differ by at most one, the larger ones first. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_layout_block(parcel_index n, int parts,
                                                               parcel_layout **out);

/** Parts in order that begin at multiples of align (or at n, if empty): the ceil(n / align) units of `align`
 *  positions, of which the last may be short, are dealt out as parcel_layout_block deals positions.
 *
 *  Errors: INVALID (align < 1). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_layout_aligned(parcel_index n, int parts,
                                                                 parcel_index align, parcel_layout **out);

/** Parts in order of ceil(n / parts) positions, as long as there are any: later parts may be short or empty.
 *  MPI-4.1, 5.1.4: MPI_DISTRIBUTE_BLOCK with MPI_DISTRIBUTE_DFLT_DARG. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_layout_ceiling(parcel_index n, int parts,
                                                                 parcel_layout **out);

/** Blocks of `block` positions, dealt round the parts beginning at part 0; the last block may be short. Block
 *  1 is the cyclic distribution.
 *
 *  The same as ScaLAPACK's, with source process 0.  Errors: INVALID (block < 1). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_layout_cyclic(parcel_index n, int parts, parcel_index block,
                                                                parcel_layout **out);

/** Parts in order, as large as their weights' share of n: the whole part of n * weight / total each, and one
 *  position more for those with the largest remainders, of equal ones the lower part first (the method of
 *  largest remainders, A. Hamilton 1792; Balinski and Young, Fair Representation, 1982).
 *
 *  weights   [parts]; only their ratios count. Equal weights give exactly parcel_layout_block's parts; a
 *            weight of 0 owns nothing.
 *  Exact in integers and the same on every machine once the weights are scaled: by the power of two that
 *  brings the largest into [2^62, 2^63), and then cut to whole numbers. That is exact for all weights of
 *  which none has bits below the largest's 63rd, such as small whole numbers. O(parts log parts) time.
 *  Errors: INVALID (a weight that is negative, infinite or not a number; all of them 0). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_layout_weighted(parcel_index n, int parts,
                                                                  const double weights[],
                                                                  parcel_layout **out);

/** Part k owns [offsets[k], offsets[k + 1]); n is the last offset.
 *
 *  offsets   [parts + 1] cut points, the first 0, none less than the one before; copied.
 *  Errors: INVALID (other offsets). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_layout_explicit(int parts, const parcel_index offsets[],
                                                                  parcel_layout **out);

/** Ends the layout and sets *layout to NULL; NULL is fine. No thread may be asking any more. */
PARCEL_API void parcel_layout_free(parcel_layout **layout);

/* ---- asking it: any thread, any part ---- */

/** How many parts there are, empty ones included. */
PARCEL_API int parcel_layout_parts(const parcel_layout *layout);

/** n, the number of positions of all parts together. */
PARCEL_API parcel_index parcel_layout_size(const parcel_layout *layout);

/** How many positions a part owns; 0 outside [0, parts). */
PARCEL_API parcel_index parcel_layout_count(const parcel_layout *layout, int part);

/** The part that owns a position; -1 outside [0, n). */
PARCEL_API int parcel_layout_owner(const parcel_layout *layout, parcel_index position);

/** The position's place among those of its owner, counted from 0; -1 outside [0, n). */
PARCEL_API parcel_index parcel_layout_local(const parcel_layout *layout, parcel_index position);

/** The position that is a part's local-th; -1 if the part has none such. Increases with local. */
PARCEL_API parcel_index parcel_layout_global(const parcel_layout *layout, int part, parcel_index local);

/** How many contiguous runs of positions a part owns, no two of them adjacent; 0 if it is empty or outside
 *  [0, parts). */
PARCEL_API parcel_index parcel_layout_spans(const parcel_layout *layout, int part);

/** A part's k-th run, in order, never empty; an empty span at 0 if the part has none such. */
PARCEL_API parcel_span parcel_layout_span(const parcel_layout *layout, int part, parcel_index k);

/* ---- judging it ---- */

/** Every part is one run at most, and the parts are in order. True of every kind but cyclic, and of that too
 *  if the blocks do not go round more than once. O(1). */
PARCEL_API bool parcel_layout_is_contiguous(const parcel_layout *layout);

/** The sizes of any two parts differ by at most one. O(1). */
PARCEL_API bool parcel_layout_is_balanced(const parcel_layout *layout);

/** The positions of the smallest and of the largest part. O(1). */
PARCEL_API parcel_index parcel_layout_min(const parcel_layout *layout);
PARCEL_API parcel_index parcel_layout_max(const parcel_layout *layout);

/** The load imbalance max / mean of the part sizes: 1 is perfect, 1.1 means that the largest part needs 10 %
 *  longer than perfect balance would, `parts` means that one part has everything. 1 if n == 0. O(1).
 *
 *  The quantity is DeRose, Homer and Johnson's, Detecting Application Load Imbalance on High End Massively
 *  Parallel Systems, Euro-Par 2007; Pearce et al., ICS 2012, quote max / mean - 1 in percent. */
PARCEL_API double parcel_layout_imbalance(const parcel_layout *layout);

/** Both have the same parts and size, and every position has the same owner and the same local index,
 *  whatever rules they were made by: block(10,5) equals ceiling(10,5) and explicit(0,2,4,6,8,10). O(1) for
 *  closed forms, O(parts) if one is weighted or explicit. */
PARCEL_API bool parcel_layout_equal(const parcel_layout *a, const parcel_layout *b);

/* ---- as text ---- */

/** Writes the layout as text that parcel_layout_parse reads back to an equal one:
 *
 *      block(1000000,8)  aligned(1000000,8,align=512)  ceiling(1000000,8)  cyclic(1000000,8,block=64)
 *      explicit(0,10,25)
 *
 *  A weighted layout is written by its cut points, as explicit, which loses nothing to rounding.
 *  Returns the length of the whole text, without its closing zero, as snprintf does: at most size - 1 of it
 *  are written, then a zero. text may be NULL if size is 0. */
PARCEL_API parcel_index parcel_layout_format(const parcel_layout *layout, char *text, size_t size);

/** Reads what parcel_layout_format writes, and what people do:
 *
 *      block(N,PARTS)  ceiling(N,PARTS)  aligned(N,PARTS,align=A)  cyclic(N,PARTS[,block=B])
 *      weighted(N,weights=W:W:...)  explicit(0,OFFSET,...)
 *
 *  Whole numbers as in parcel_range_parse, so "1_000_000"; without block= the blocks are of 1. Weights are
 *  decimals without exponent and of at most 15 digits: "1:2:3.5". No spaces. What is allocated is bounded by
 *  the length of the text.
 *  Errors: INVALID (the text names the character at fault, counted from 1), RANGE (a number beyond 64 bits).
 *  */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_layout_parse(const char *text, parcel_layout **out);

/** 64 bits that equal layouts share, and that others share with probability 2^-64: for checking cheaply that
 *  ranks agree.
 *
 *  The FNV-1a hash (Fowler, Noll, Vo; offset basis 0xcbf29ce484222325, prime 0x100000001b3) of a text that is
 *  the same for equal layouts: `PARTS:` and then, for parts in order, COUNTxREPEATS; for each longest run of
 *  parts of one size (block(10,4) is "4:3x2;2x2;"), or `PARTS:N/BLOCK` for a layout that is not contiguous.
 *  Stable: it may be stored. Not meant against forgery. O(1) or O(parts), as parcel_layout_equal. */
PARCEL_API uint64_t parcel_layout_hash(const parcel_layout *layout);

#ifdef __cplusplus
}
#endif

#endif
