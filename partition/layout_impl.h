/** @file
 *  What layout.c and layout_text.c share. */
#ifndef PARCEL_LAYOUT_IMPL_H
#define PARCEL_LAYOUT_IMPL_H

#include <parcel/layout.h>

/* How it was made; decides how it is written. */
typedef enum layout_rule {
  LAYOUT_BLOCK,
  LAYOUT_ALIGNED,
  LAYOUT_CEILING,
  LAYOUT_CYCLIC,
  LAYOUT_EXPLICIT, /* weighted ones too */
} layout_rule;

/* How it is computed. */
typedef enum layout_form {
  FORM_UNITS, /* parts in order, in whole units: block, aligned, ceiling, and cyclic that never wraps */
  FORM_WRAPS, /* cyclic that wraps: parts > 1 and parts * block < n */
  FORM_CUTS,  /* offsets */
} layout_form;

struct parcel_layout {
  layout_rule rule;
  layout_form form;
  int parts;             /* >= 1 */
  parcel_index n;        /* >= 0 */
  parcel_index argument; /* align or block, as given; 0 if the rule has none */
  parcel_index smallest; /* positions of the smallest part */
  parcel_index largest;
  union {
    struct {
      parcel_index larger; /* positions of each of the first `larger_parts` parts */
      parcel_index smaller;
      parcel_index larger_end; /* where the smaller ones begin */
      int larger_parts;
      int busy; /* parts from here on begin at n */
    } units;
    struct {
      parcel_index block;
      parcel_index cycle; /* parts * block, < n */
    } wraps;
  } by;
  parcel_index offsets[]; /* [parts + 1] for FORM_CUTS, else none */
};

/* Where a part of a contiguous layout begins, empty ones included; part may be `parts`, which begins at n. */
parcel_index parcel__layout_begin(const parcel_layout *layout, int part);

/* The parts [first, end) that follow each other and own `count` positions each: the longest such run. */
typedef struct layout_run {
  int first;
  int end;
  parcel_index count;
} layout_run;

/* The run that begins at part `first`, which must be 0 or the end of another. Contiguous layouts only; those
 * of FORM_UNITS have four runs at most, found in O(1) each. */
layout_run parcel__layout_run_from(const parcel_layout *layout, int first);

/* Cut points of [0, n) in proportion to the weights, into offsets[parts + 1]. */
parcel_status parcel__apportion(parcel_index n, int parts, const double weights[], parcel_index offsets[]);

#endif
