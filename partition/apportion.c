/* The method of largest remainders on integers. With scaled weights w[k] < 2^63 and at most 2^31 parts, n *
 * w[k] < 2^126 and total < 2^94, so 128 bits hold every step. The remainders of n * w[k] / total add up to a
 * multiple of total, each below it; so there are fewer positions left over than parts with a remainder, and
 * no part of weight 0 gets one. Equal weights: every quotient is n / parts and all remainders are equal, so
 * the first n % parts get one more, which is the block layout. */
#include "layout_impl.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

__extension__ typedef unsigned __int128 wide;

typedef struct remainder_of {
  wide remainder;
  int part;
} remainder_of;

/* The larger remainder first, then the lower part: a total order, so that any sort gives the same. */
static int compare_remainders(const void *left, const void *right)
{
  const remainder_of *a = left;
  const remainder_of *b = right;
  if (a->remainder != b->remainder)
    return a->remainder > b->remainder ? -1 : 1;
  return a->part < b->part ? -1 : a->part > b->part;
}

/* The power of two that brings the largest weight into [2^62, 2^63). */
static parcel_status find_scale(int parts, const double weights[], int *scale)
{
  double largest = 0;
  for (int part = 0; part < parts; ++part) {
    if (!isfinite(weights[part]) || weights[part] < 0)
      return parcel_fail(PARCEL_INVALID, "the weight of part %d is %g; weights must be finite and at least 0",
                         part, weights[part]);
    largest = weights[part] > largest ? weights[part] : largest;
  }
  if (!(largest > 0))
    return parcel_fail(PARCEL_INVALID, "all %d weights are 0; at least one part must own something", parts);
  (void)frexp(largest, scale);
  *scale = 63 - *scale;
  return PARCEL_OK;
}

/* ldexp of a weight far below the largest gives a fraction, which is cut. */
static uint64_t scaled(double weight, int scale)
{
  return (uint64_t)ldexp(weight, scale);
}

parcel_status parcel__apportion(parcel_index n, int parts, const double weights[], parcel_index offsets[])
{
  int scale = 0;
  const parcel_status status = find_scale(parts, weights, &scale);
  if (status)
    return status;
  remainder_of *remainders = malloc((size_t)parts * sizeof *remainders);
  if (!remainders)
    return parcel_fail(PARCEL_MEMORY, "no memory to divide by %d weights", parts);

  wide total = 0;
  for (int part = 0; part < parts; ++part)
    total += scaled(weights[part], scale);
  parcel_index left = n;
  for (int part = 0; part < parts; ++part) {
    const wide product = (wide)n * scaled(weights[part], scale);
    offsets[part + 1] = (parcel_index)(product / total);
    remainders[part] = (remainder_of){.remainder = product % total, .part = part};
    left -= offsets[part + 1];
  }
  if (left > 0)
    qsort(remainders, (size_t)parts, sizeof *remainders, compare_remainders);
  for (parcel_index next = 0; next < left; ++next)
    ++offsets[remainders[next].part + 1];
  offsets[0] = 0;
  for (int part = 0; part < parts; ++part)
    offsets[part + 1] += offsets[part];
  free(remainders);
  return PARCEL_OK;
}
