/* The method of largest remainders on integers. With scaled weights w[k] < 2^63 and at most 2^31 parts, n *
 * w[k] < 2^126 and total < 2^94, so 128 bits hold every step. The remainders of n * w[k] / total add up to a
 * multiple of total, each below it; so there are fewer positions left over than parts with a remainder, and
 * no part of weight 0 gets one. Equal weights: every quotient is n / parts and all remainders are equal, so
 * the first n % parts get one more, which is the block layout.
 *
 * The weights are read bit by bit: a program built with -ffast-math takes denormal numbers for 0 in all
 * arithmetic, comparisons included, also in the libraries that it calls. */
#include "layout_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

#define SIGN     ((uint64_t)1 << 63)
#define INFINITE ((uint64_t)0x7ff << FRACTION_BITS)

enum { FRACTION_BITS = 52 };

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

/* ---- weights as IEEE 754 has them: digits x 2^exponent ---- */

static uint64_t bits_of(double weight)
{
  uint64_t bits = 0;
  memcpy(&bits, &weight, sizeof bits);
  return bits == SIGN ? 0 : bits; /* -0 */
}

static int exponent_of(uint64_t bits)
{
  const int field = (int)(bits >> FRACTION_BITS);
  return field > 0 ? field : 1; /* denormal numbers: as the smallest normal ones, without their leading 1 */
}

static uint64_t digits_of(uint64_t bits)
{
  const uint64_t one = (uint64_t)1 << FRACTION_BITS;
  return (bits & (one - 1)) | (bits >= one ? one : 0);
}

/* Bits of numbers of one sign are in the order of the numbers. */
static parcel_status find_largest(int parts, const double weights[], uint64_t *largest)
{
  *largest = 0;
  for (int part = 0; part < parts; ++part) {
    const uint64_t bits = bits_of(weights[part]);
    if (bits >= INFINITE)
      return parcel_fail(PARCEL_INVALID, "the weight of part %d is %g; weights must be finite and at least 0",
                         part, weights[part]);
    *largest = bits > *largest ? bits : *largest;
  }
  if (*largest == 0)
    return parcel_fail(PARCEL_INVALID, "all %d weights are 0; at least one part must own something", parts);
  return PARCEL_OK;
}

/* Times the power of two that brings the largest weight into [2^62, 2^63). Of a weight far below it the
 * fraction is cut. */
static uint64_t scaled(double weight, uint64_t largest)
{
  const uint64_t bits = bits_of(weight);
  const int up = __builtin_clzll(digits_of(largest)) - 1 - (exponent_of(largest) - exponent_of(bits));
  if (up <= -64)
    return 0;
  return up < 0 ? digits_of(bits) >> -up : digits_of(bits) << up;
}

parcel_status parcel__apportion(parcel_index n, int parts, const double weights[], parcel_index offsets[])
{
  uint64_t largest = 0;
  const parcel_status status = find_largest(parts, weights, &largest);
  if (status)
    return status;
  remainder_of *remainders = malloc((size_t)parts * sizeof *remainders);
  if (!remainders)
    return parcel_fail(PARCEL_MEMORY, "no memory to divide by %d weights", parts);

  wide total = 0;
  for (int part = 0; part < parts; ++part)
    total += scaled(weights[part], largest);
  parcel_index left = n;
  for (int part = 0; part < parts; ++part) {
    const wide product = (wide)n * scaled(weights[part], largest);
    /* The largest weight alone makes the total 2^62. NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
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
