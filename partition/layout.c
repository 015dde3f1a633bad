/* Six rules, three ways to compute them.
 *
 * In units: block, aligned and ceiling are one rule. U = ceil(n / unit) units, of which only the last may be
 * short, are dealt out in equal parts as in block.c. Block has units of 1; ceiling has units of ceil(n /
 * parts), of which there are at most as many as parts; so has cyclic when its blocks do not go round more
 * than once. With q = U / parts and r = U % parts, part k begins at unit k * q + min(k, r), and at n if that
 * is unit U. Every unit before the U-th begins before n, so the product of unit and number is formed only
 * where it is < n. Positions in a unit never span parts, hence the owner is found as in block.c.
 *
 * Cyclic that wraps (parts > 1, parts * block < n): block and cycle arithmetic, every product < n.
 *
 * By cuts: offsets, searched. */
#include "layout_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- making one ---- */

static parcel_index smaller_of(parcel_index a, parcel_index b)
{
  return a < b ? a : b;
}

static parcel_index ceiling_of_quotient(parcel_index a, parcel_index b)
{
  return a / b + (a % b != 0);
}

/* min(n, a * b), for b >= 1. */
static parcel_index product_within(parcel_index n, parcel_index a, parcel_index b)
{
  return a > n / b ? n : a * b;
}

/* NULL, and *status says why, if there can be none. */
static parcel_layout *allocate(parcel_index n, int parts, bool has_offsets, parcel_status *status)
{
  if (n < 0 || parts < 1) {
    *status = parcel_fail(PARCEL_INVALID,
                          "no layout of %" PRId64 " positions over %d parts; there must be at least 0 and at "
                          "least 1",
                          n, parts);
    return NULL;
  }
  const size_t offsets = has_offsets ? (size_t)parts + 1 : 0;
  parcel_layout *made = calloc(1, sizeof *made + offsets * sizeof made->offsets[0]);
  if (!made) {
    *status = parcel_fail(PARCEL_MEMORY, "no memory for a layout over %d parts", parts);
    return NULL;
  }
  made->n = n;
  made->parts = parts;
  *status = PARCEL_OK;
  return made;
}

static void settle_units(parcel_layout *layout, parcel_index unit)
{
  const parcel_index units = ceiling_of_quotient(layout->n, unit);
  const parcel_index quotient = units / layout->parts;
  const int remainder = (int)(units % layout->parts);

  layout->form = FORM_UNITS;
  layout->by.units.larger = product_within(layout->n, quotient + (remainder > 0), unit);
  layout->by.units.smaller = product_within(layout->n, quotient, unit);
  layout->by.units.larger_parts = remainder;
  layout->by.units.larger_end = quotient == 0 ? layout->n : remainder * layout->by.units.larger;
  layout->by.units.busy = quotient == 0 ? remainder : layout->parts;
  layout->largest = parcel_layout_count(layout, 0);
  layout->smallest = parcel_layout_count(layout, layout->parts - 1);
}

static void settle_wraps(parcel_layout *layout, parcel_index block)
{
  layout->form = FORM_WRAPS;
  layout->by.wraps.block = block;
  layout->by.wraps.cycle = block * layout->parts;
  layout->largest = parcel_layout_count(layout, 0);
  layout->smallest = parcel_layout_count(layout, layout->parts - 1);
}

static void settle_cuts(parcel_layout *layout)
{
  layout->form = FORM_CUTS;
  layout->rule = LAYOUT_EXPLICIT;
  layout->smallest = layout->n;
  for (int part = 0; part < layout->parts; ++part) {
    const parcel_index count = parcel_layout_count(layout, part);
    layout->smallest = smaller_of(layout->smallest, count);
    layout->largest = count > layout->largest ? count : layout->largest;
  }
}

static parcel_status make_of_units(layout_rule rule, parcel_index n, int parts, parcel_index argument,
                                   parcel_index unit, parcel_layout **out)
{
  parcel_status status = PARCEL_OK;
  parcel_layout *made = allocate(n, parts, false, &status);
  if (!made)
    return status;
  made->rule = rule;
  made->argument = argument;
  settle_units(made, unit);
  *out = made;
  return PARCEL_OK;
}

parcel_status parcel_layout_block(parcel_index n, int parts, parcel_layout **out)
{
  return make_of_units(LAYOUT_BLOCK, n, parts, 0, 1, out);
}

parcel_status parcel_layout_aligned(parcel_index n, int parts, parcel_index align, parcel_layout **out)
{
  if (align < 1)
    return parcel_fail(PARCEL_INVALID, "no layout aligned to %" PRId64 "; it must be at least 1", align);
  return make_of_units(LAYOUT_ALIGNED, n, parts, align, align, out);
}

parcel_status parcel_layout_ceiling(parcel_index n, int parts, parcel_layout **out)
{
  return make_of_units(LAYOUT_CEILING, n, parts, 0, n > 0 && parts > 0 ? ceiling_of_quotient(n, parts) : 1,
                       out);
}

parcel_status parcel_layout_cyclic(parcel_index n, int parts, parcel_index block, parcel_layout **out)
{
  if (block < 1)
    return parcel_fail(PARCEL_INVALID, "no cyclic layout with blocks of %" PRId64 "; at least 1", block);
  if (parts == 1)
    return make_of_units(LAYOUT_CYCLIC, n, parts, block, 1, out);
  if (n < 0 || parts < 1 || block >= ceiling_of_quotient(n, parts))
    return make_of_units(LAYOUT_CYCLIC, n, parts, block, block, out);
  parcel_status status = PARCEL_OK;
  parcel_layout *made = allocate(n, parts, false, &status);
  if (!made)
    return status;
  made->rule = LAYOUT_CYCLIC;
  made->argument = block;
  settle_wraps(made, block);
  *out = made;
  return PARCEL_OK;
}

parcel_status parcel_layout_weighted(parcel_index n, int parts, const double weights[], parcel_layout **out)
{
  parcel_status status = PARCEL_OK;
  parcel_layout *made = allocate(n, parts, true, &status);
  if (!made)
    return status;
  status = parcel__apportion(n, parts, weights, made->offsets);
  if (status) {
    parcel_layout_free(&made);
    return status;
  }
  settle_cuts(made);
  *out = made;
  return PARCEL_OK;
}

parcel_status parcel_layout_explicit(int parts, const parcel_index offsets[], parcel_layout **out)
{
  if (parts >= 1 && offsets[0] != 0)
    return parcel_fail(PARCEL_INVALID, "the first cut point is %" PRId64 "; it must be 0", offsets[0]);
  for (int part = 0; part < parts; ++part)
    if (offsets[part + 1] < offsets[part])
      return parcel_fail(PARCEL_INVALID,
                         "part %d would end at %" PRId64 ", before its begin at %" PRId64
                         "; cut points must not decrease",
                         part, offsets[part + 1], offsets[part]);
  parcel_status status = PARCEL_OK;
  parcel_layout *made = allocate(parts >= 1 ? offsets[parts] : 0, parts, true, &status);
  if (!made)
    return status;
  memcpy(made->offsets, offsets, ((size_t)parts + 1) * sizeof offsets[0]);
  settle_cuts(made);
  *out = made;
  return PARCEL_OK;
}

void parcel_layout_free(parcel_layout **layout)
{
  if (!layout)
    return;
  free(*layout);
  *layout = NULL;
}

/* ---- asking it ---- */

int parcel_layout_parts(const parcel_layout *layout)
{
  return layout->parts;
}

parcel_index parcel_layout_size(const parcel_layout *layout)
{
  return layout->n;
}

parcel_index parcel__layout_begin(const parcel_layout *layout, int part)
{
  if (layout->form == FORM_CUTS)
    return layout->offsets[part];
  if (part >= layout->by.units.busy)
    return layout->n;
  const int larger_parts = layout->by.units.larger_parts;
  return part <= larger_parts
             ? part * layout->by.units.larger
             : layout->by.units.larger_end + (part - larger_parts) * layout->by.units.smaller;
}

static bool has_part(const parcel_layout *layout, int part)
{
  return part >= 0 && part < layout->parts;
}

/* Of the n % cycle positions after the last whole cycle, those that are the part's. */
static parcel_index count_in_last_cycle(const parcel_layout *layout, int part)
{
  const parcel_index block = layout->by.wraps.block;
  const parcel_index left = layout->n % layout->by.wraps.cycle - part * block;
  return left < 0 ? 0 : smaller_of(left, block);
}

parcel_index parcel_layout_count(const parcel_layout *layout, int part)
{
  if (!has_part(layout, part))
    return 0;
  if (layout->form == FORM_WRAPS)
    return layout->n / layout->by.wraps.cycle * layout->by.wraps.block + count_in_last_cycle(layout, part);
  return parcel__layout_begin(layout, part + 1) - parcel__layout_begin(layout, part);
}

/* The last part that begins at or before the position: of several that begin there, all but it are empty. */
static int owner_by_cuts(const parcel_layout *layout, parcel_index position)
{
  int low = 0;              /* begins at or before position */
  int high = layout->parts; /* begins behind it */
  while (high - low > 1) {
    const int middle = low + (high - low) / 2;
    if (layout->offsets[middle] <= position)
      low = middle;
    else
      high = middle;
  }
  return low;
}

int parcel_layout_owner(const parcel_layout *layout, parcel_index position)
{
  if (position < 0 || position >= layout->n)
    return -1;
  switch (layout->form) {
  case FORM_UNITS:
    if (position < layout->by.units.larger_end)
      return (int)(position / layout->by.units.larger);
    return layout->by.units.larger_parts +
           (int)((position - layout->by.units.larger_end) / layout->by.units.smaller);
  case FORM_WRAPS: return (int)(position / layout->by.wraps.block % layout->parts);
  case FORM_CUTS: return owner_by_cuts(layout, position);
  }
  return -1;
}

parcel_index parcel_layout_local(const parcel_layout *layout, parcel_index position)
{
  if (position < 0 || position >= layout->n)
    return -1;
  if (layout->form == FORM_WRAPS)
    return position / layout->by.wraps.cycle * layout->by.wraps.block + position % layout->by.wraps.block;
  return position - parcel__layout_begin(layout, parcel_layout_owner(layout, position));
}

parcel_index parcel_layout_global(const parcel_layout *layout, int part, parcel_index local)
{
  if (local < 0 || local >= parcel_layout_count(layout, part))
    return -1;
  if (layout->form == FORM_WRAPS) {
    const parcel_index block = layout->by.wraps.block;
    return local / block * layout->by.wraps.cycle + part * block + local % block;
  }
  return parcel__layout_begin(layout, part) + local;
}

parcel_index parcel_layout_spans(const parcel_layout *layout, int part)
{
  if (!has_part(layout, part))
    return 0;
  if (layout->form == FORM_WRAPS)
    return layout->n / layout->by.wraps.cycle + (count_in_last_cycle(layout, part) > 0);
  return parcel__layout_begin(layout, part + 1) > parcel__layout_begin(layout, part);
}

parcel_span parcel_layout_span(const parcel_layout *layout, int part, parcel_index k)
{
  if (k < 0 || k >= parcel_layout_spans(layout, part))
    return (parcel_span){0, 0};
  if (layout->form != FORM_WRAPS)
    return (parcel_span){parcel__layout_begin(layout, part), parcel__layout_begin(layout, part + 1)};
  const parcel_index begin = k * layout->by.wraps.cycle + part * layout->by.wraps.block;
  return (parcel_span){begin, begin + smaller_of(layout->by.wraps.block, layout->n - begin)};
}

/* ---- judging it ---- */

bool parcel_layout_is_contiguous(const parcel_layout *layout)
{
  return layout->form != FORM_WRAPS;
}

bool parcel_layout_is_balanced(const parcel_layout *layout)
{
  return layout->largest - layout->smallest <= 1;
}

parcel_index parcel_layout_min(const parcel_layout *layout)
{
  return layout->smallest;
}

parcel_index parcel_layout_max(const parcel_layout *layout)
{
  return layout->largest;
}

double parcel_layout_imbalance(const parcel_layout *layout)
{
  if (layout->n == 0)
    return 1;
  if (layout->largest == layout->smallest)
    return 1;
  const double imbalance = (double)layout->largest / ((double)layout->n / layout->parts);
  return imbalance < 1 ? 1 : imbalance < layout->parts ? imbalance : layout->parts; /* rounding included */
}

static int next_border(const parcel_layout *layout, int part)
{
  const int borders[] = {layout->by.units.larger_parts, layout->by.units.busy - 1, layout->by.units.busy,
                         layout->parts};
  int next = layout->parts;
  for (int b = 0; b < 4; ++b)
    if (borders[b] > part && borders[b] < next)
      next = borders[b];
  return next;
}

/* In FORM_UNITS the size changes at most where the larger parts end, at the last busy part, which may be
 * short, and behind it. */
layout_run parcel__layout_run_from(const parcel_layout *layout, int first)
{
  const parcel_index count = parcel_layout_count(layout, first);
  int end = first;
  do
    end = layout->form == FORM_UNITS ? next_border(layout, end) : end + 1;
  while (end < layout->parts && parcel_layout_count(layout, end) == count);
  return (layout_run){.first = first, .end = end, .count = count};
}

/* Contiguous layouts are equal if their parts have the same sizes. One that wraps is not contiguous, and its
 * block is told by where part 0's first run ends, at most n - 1. */
bool parcel_layout_equal(const parcel_layout *a, const parcel_layout *b)
{
  if (a->parts != b->parts || a->n != b->n)
    return false;
  if (a->form == FORM_WRAPS || b->form == FORM_WRAPS)
    return a->form == b->form && a->by.wraps.block == b->by.wraps.block;
  for (int first = 0; first < a->parts;) {
    const layout_run in_a = parcel__layout_run_from(a, first);
    const layout_run in_b = parcel__layout_run_from(b, first);
    if (in_a.count != in_b.count || in_a.end != in_b.end)
      return false;
    first = in_a.end;
  }
  return true;
}
