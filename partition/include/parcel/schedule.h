/** @file
 *  In which pieces a loop over [0, n) is handed out: the chunk sequences of loop self-scheduling, as closed
 *  forms of the step number.
 *
 *  kind      | chunk of a step; R positions remain, P parts      | source
 *  ----------|---------------------------------------------------|------------------------------------------
 *  static    | n / P, as parcel_block_span: one step a part      |
 *  self      | 1                                                 | Tang and Yew, ICPP 1986
 *  fixed     | chunk                                             | Kruskal and Weiss, IEEE TSE 11, 1985
 *  guided    | R / P                                             | GSS: Polychronopoulos and Kuck, IEEE
 *            |                                                   | Trans. Computers C-36, 1987
 *  trapezoid | from n / 2P down to 1 in equal decrements         | TSS: Tzen and Ni, IEEE TPDS 4, 1993
 *  factoring | R / 2P for P steps (a batch), then the next batch | FAC2: Flynn Hummel, Schonberg and Flynn,
 *            |                                                   | CACM 35(8), 1992
 *  weighted  | factoring's batches, each cut by weight           | WF: Flynn Hummel, Schmidt, Uma and Wein,
 *            |                                                   | SPAA 1996
 *
 *  That a chunk can be a function of the step number, so that a counter is all that parts share, is the idea
 *  of A. Eleliemy and F. M. Ciorba, A Distributed Chunk Calculation Approach for Self-scheduling of Parallel
 *  Applications on Distributed-memory Systems, J. Computational Science 51, 2021. Here the beginning of the
 *  chunk is one as well:
 *
 *      parcel_index step;
 *      while ((step = next value of a shared counter) < schedule.steps)
 *        work on parcel_schedule_span(&schedule, step);
 *
 *  Any part may ask about any step. The spans follow each other and cover [0, n) exactly, for every n up to
 *  INT64_MAX, parts up to INT_MAX and any chunk: integers only, the same on every machine. A query is O(1),
 *  or O(log n) for guided, factoring and weighted; nothing is allocated; every function is thread-safe.
 *
 *  Where they differ from the papers, which compute with real numbers or with what remained after each step:
 *  - guided cuts at n - floor(n * (1 - 1/P)^step), the power being known to 88 bits, instead of rounding
 *    R / P up in every step, which no closed form is known for. What remains after a step differs from the
 *    paper's by less than P positions: 100 over 4 parts is 25 19 14 11 8 6 4 3 3 2 1 1 1 1 1, not
 *    25 19 14 11 8 6 5 3 3 2 1 1 1 1.
 *  - trapezoid and factoring are the papers' with all their roundings; the last chunk is what is left. */
#ifndef PARCEL_SCHEDULE_H
#define PARCEL_SCHEDULE_H

#include <parcel/base.h>
#include <parcel/layout.h>

#ifdef __cplusplus
extern "C" {
#endif

/** X(NAME, value, "name"): append only. */
#define PARCEL_SCHEDULE_MAP(X)                                                                               \
  X(STATIC, 0, "static")                                                                                     \
  X(SELF, 1, "self")                                                                                         \
  X(FIXED, 2, "fixed")                                                                                       \
  X(GUIDED, 3, "guided")                                                                                     \
  X(TRAPEZOID, 4, "trapezoid")                                                                               \
  X(FACTORING, 5, "factoring")                                                                               \
  X(WEIGHTED, 6, "weighted")

typedef enum parcel_schedule_kind {
#define PARCEL_SCHEDULE_ENUM(name, value, text) PARCEL_SCHEDULE_##name = (value),
  PARCEL_SCHEDULE_MAP(PARCEL_SCHEDULE_ENUM)
#undef PARCEL_SCHEDULE_ENUM
} parcel_schedule_kind;

/** A plain value, made by parcel_schedule_make: read it, do not change it. */
typedef struct parcel_schedule {
  parcel_schedule_kind kind;
  int parts;
  parcel_index n;
  parcel_index chunk;          /* the fixed, or the smallest, chunk: at least 1 */
  parcel_index steps;          /* how many there are; 0 if n == 0 */
  parcel_index head;           /* guided: steps before chunks are of the smallest size */
  parcel_index first;          /* trapezoid: the first chunk */
  parcel_index decrement;      /* trapezoid: by how much each is smaller than the one before */
  const parcel_layout *shares; /* weighted: not owned; else NULL */
} parcel_schedule;

/** A schedule of any kind but WEIGHTED.
 *
 *  chunk    FIXED: the positions of a step. GUIDED, TRAPEZOID, FACTORING: the fewest positions of a step, the
 *           last ones excepted; 0 means 1, as in the papers. STATIC and SELF have no choice: 0
 *  Every step has at least one position.
 *  Errors: INVALID (n < 0, parts < 1, chunk < 0, a chunk missing or not wanted, another kind). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_schedule_make(parcel_schedule_kind kind, parcel_index n,
                                                                int parts, parcel_index chunk,
                                                                parcel_schedule *out);

/** A WEIGHTED schedule: step b * parts + p is part p's share of batch b, so that parts of unequal speed
 *  finish a batch together.
 *
 *  shares   a contiguous layout over the parts; part p's weight is the number of positions it owns there. For
 *           weights in floating point: parcel_layout_weighted(1000000, parts, weights, &shares). Not copied:
 *           it must outlive the schedule
 *  chunk    the fewest positions of a batch, per part; 0 means 1
 *  Of a batch of s positions part p gets [floor(s * begin / size), floor(s * end / size)), its borders in
 *  shares scaled down. Steps may be empty, those of a part of weight 0 always are. A part takes its own steps
 *  in order; one that runs out may take another's, which keeps the cover exact.
 *  Errors: INVALID (n < 0, chunk < 0, shares not contiguous or of size 0). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_schedule_make_weighted(parcel_index n,
                                                                         const parcel_layout *shares,
                                                                         parcel_index chunk,
                                                                         parcel_schedule *out);

/** How many steps there are: schedule->steps. */
PARCEL_API parcel_index parcel_schedule_steps(const parcel_schedule *schedule);

/** The positions of one step. Steps are in order, and together they are [0, n). An empty span at 0 for a step
 *  outside [0, steps). */
PARCEL_API parcel_span parcel_schedule_span(const parcel_schedule *schedule, parcel_index step);

/** "guided" for PARCEL_SCHEDULE_GUIDED; "unknown" for a number that is none of ours. Static storage. */
PARCEL_API const char *parcel_schedule_name(parcel_schedule_kind kind);

/** Reads KIND[,CHUNK], as OMP_SCHEDULE is written: "guided", "fixed,64". Without one, *chunk becomes 0.
 *
 *  Errors: INVALID (a kind there is not: the text lists those there are; another character at fault, which is
 *  named), RANGE (a chunk beyond 64 bits). Whether kind and chunk go together parcel_schedule_make says. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_schedule_parse(const char *text, parcel_schedule_kind *kind,
                                                                 parcel_index *chunk);

#ifdef __cplusplus
}
#endif

#endif
