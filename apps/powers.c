#include "powers.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

static bool is_even(int exponent)
{
  return exponent % 2 == 0;
}

/* ---- which powers ---- */

static parcel_status add_power(powers *powers, char digit, const char *text)
{
  static const char *const names[POWERS_MOST + 1] = {NULL,      "power_1", "squares", "cubes",   "quads",
                                                     "power_5", "power_6", "power_7", "power_8", "power_9"};
  const int exponent = digit - '0';
  if (exponent < 1 || exponent > POWERS_MOST)
    return parcel_fail(PARCEL_INVALID, "powers '%s': expected numbers from 1 to %d with commas between", text,
                       POWERS_MOST);
  for (int c = 0; c < powers->count; ++c)
    if (powers->exponents[c] == exponent)
      return parcel_fail(PARCEL_INVALID, "powers '%s': %d appears twice", text, exponent);
  const int c = powers->count++;
  powers->exponents[c] = exponent;
  powers->columns[c] = (parcel_column){
      .name = names[exponent], .type = is_even(exponent) ? PARCEL_UINT64 : PARCEL_INT64, .units = "1"};
  return PARCEL_OK;
}

parcel_status powers_parse(const char *text, powers *out)
{
  powers parsed = {.count = 0};
  const char *at = text;
  parcel_status status = add_power(&parsed, *at, text);
  for (++at; !status && *at != '\0'; at += 2)
    status = add_power(&parsed, *at == ',' ? at[1] : '\0', text);
  if (!status)
    *out = parsed;
  return status;
}

void powers_add_index(powers *powers)
{
  for (int c = powers->count++; c > 0; --c) {
    powers->exponents[c] = powers->exponents[c - 1];
    powers->columns[c] = powers->columns[c - 1];
  }
  powers->exponents[0] = 1;
  powers->columns[0] = (parcel_column){.name = "index", .type = PARCEL_INT64, .units = "1"};
}

/* ---- what fits ---- */

static bool fits(uint64_t base, int exponent, uint64_t limit)
{
  uint64_t power = 1;
  for (int k = 0; k < exponent; ++k)
    if (__builtin_mul_overflow(power, base, &power) || power > limit)
      return false;
  return true;
}

/* The largest base whose power is at most limit. */
static uint64_t root(int exponent, uint64_t limit)
{
  uint64_t low = 0;
  uint64_t high = limit;
  while (low < high) {
    const uint64_t middle = high - (high - low) / 2;
    if (fits(middle, exponent, limit))
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

/* The position of the first value whose power does not fit; range.count if all do. */
static parcel_index first_too_large(parcel_range range, int exponent)
{
  const uint64_t positive = is_even(exponent) ? UINT64_MAX : INT64_MAX;
  const uint64_t negative = is_even(exponent) ? UINT64_MAX : (uint64_t)INT64_MAX + 1;
  const parcel_index highest = (parcel_index)root(exponent, positive);
  const parcel_index lowest = (parcel_index)-root(exponent, negative);
  const parcel_index last = parcel_range_at(range, range.count - 1);
  if (range.count == 0)
    return 0;
  if (range.first < lowest || range.first > highest)
    return 0;
  if (last > highest)
    return (parcel_index)(((uint64_t)highest - (uint64_t)range.first) / (uint64_t)range.step) + 1;
  if (last < lowest)
    return (parcel_index)(((uint64_t)range.first - (uint64_t)lowest) / -(uint64_t)range.step) + 1;
  return range.count;
}

parcel_status powers_check(const powers *powers, parcel_range range)
{
  parcel_index first = range.count;
  int culprit = 0;
  for (int c = 0; c < powers->count; ++c) {
    const parcel_index position = first_too_large(range, powers->exponents[c]);
    if (position < first) {
      first = position;
      culprit = c;
    }
  }
  if (first == range.count)
    return PARCEL_OK;
  return parcel_fail(PARCEL_RANGE, "%s: index %" PRId64 " to the power %d does not fit 64 bits (%s)",
                     powers->columns[culprit].name, parcel_range_at(range, first), powers->exponents[culprit],
                     is_even(powers->exponents[culprit]) ? "uint64" : "int64");
}

/* ---- the kernel ---- */

/* AVX-512 multiplies 64-bit lanes, which older vector units cannot; the loader picks the version for the
 * CPU it finds. Sanitizers are not ready yet when it does. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) &&     \
    !defined(__SANITIZE_THREAD__)
#define FOR_EACH_CPU __attribute__((target_clones("arch=x86-64-v4", "default")))
#else
#define FOR_EACH_CPU
#endif

static inline uint64_t power_of(uint64_t base, int exponent)
{
  uint64_t power = base;
  for (int k = 1; k < exponent; ++k)
    power *= base;
  return power;
}

/* Arithmetic modulo 2^64, which is exact for what fits. A constant exponent in each loop lets it be
 * vectorised. */
FOR_EACH_CPU
static void fill(uint64_t *out, uint64_t first, uint64_t step, int64_t count, int exponent)
{
  switch (exponent) {
#define FILL_CASE(k)                                                                                         \
  case k:                                                                                                    \
    for (int64_t i = 0; i < count; ++i)                                                                      \
      out[i] = power_of(first + (uint64_t)i * step, k);                                                      \
    break;
    FILL_CASE(1)
    FILL_CASE(2)
    FILL_CASE(3)
    FILL_CASE(4)
    FILL_CASE(5)
    FILL_CASE(6)
    FILL_CASE(7)
    FILL_CASE(8)
    FILL_CASE(9)
#undef FILL_CASE
  default: break;
  }
}

/* Low and high halves are summed apart, so that 64-bit lanes suffice for 2^32 values. A negative value
 * stands as its residue modulo 2^64 and is brought down by 2^64 afterwards. */
FOR_EACH_CPU
static wide add_up(const uint64_t *values, int64_t count, bool is_signed)
{
  uint64_t low = 0;
  uint64_t high = 0;
  uint64_t negatives = 0;
  for (int64_t i = 0; i < count; ++i) {
    low += values[i] & UINT32_MAX;
    high += values[i] >> 32;
  }
  for (int64_t i = 0; is_signed && i < count; ++i)
    negatives += values[i] >> 63;
  return (wide)low + ((wide)high << 32) - ((wide)negatives << 64);
}

/* Two additions with the carry between them: whatever the order, all of them together add up. */
static void add_to_sum(powers *powers, int column, wide sum)
{
  const uint64_t low = (uint64_t)sum;
  const uint64_t before = atomic_fetch_add_explicit(&powers->sums[column].low, low, memory_order_relaxed);
  const uint64_t carry = before + low < before;
  atomic_fetch_add_explicit(&powers->sums[column].high, (uint64_t)(sum >> 64) + carry, memory_order_relaxed);
}

parcel_status powers_kernel(void *ctx, const parcel_slice *slice, void *const columns[])
{
  const powers *powers = ctx;
  for (int c = 0; c < powers->count; ++c)
    fill(columns[c], (uint64_t)slice->first, (uint64_t)slice->step, slice->count, powers->exponents[c]);
  return PARCEL_OK;
}

/* ---- sums ---- */

parcel_status powers_observe(void *ctx, const parcel_block *block)
{
  powers *powers = ctx;
  const parcel_index count = block->positions.end - block->positions.begin;
  for (int c = 0; c < powers->count; ++c)
    add_to_sum(powers, c, add_up(block->columns[c], count, !is_even(powers->exponents[c])));
  return PARCEL_OK;
}

powers_sum powers_sum_of(const powers *powers, int column)
{
  const wide high = atomic_load(&powers->sums[column].high);
  return (powers_sum)(high << 64 | atomic_load(&powers->sums[column].low));
}

/* With f(p) the power of the value at position p and D the forward difference, the sum of f over [0, n) is
 * the sum over k of (D^k f)(0) * C(n, k + 1). The differences end at k = exponent. Every binomial here is
 * below 2^128 even before its division, because n is at most twice the largest base whose power fits. */
powers_sum powers_closed_form(parcel_range range, int exponent)
{
  wide differences[POWERS_MOST + 1] = {0};
  const parcel_index count = range.count;
  const int terms = count > exponent ? exponent + 1 : (int)count;
  for (int p = 0; p < terms; ++p) {
    const uint64_t value = power_of((uint64_t)parcel_range_at(range, p), exponent);
    differences[p] = is_even(exponent) ? (wide)value : (wide)(powers_sum)(int64_t)value;
  }
  for (int order = 1; order < terms; ++order)
    for (int p = terms - 1; p >= order; --p)
      differences[p] -= differences[p - 1];
  wide sum = 0;
  wide binomial = 1;
  for (int k = 0; k < terms; ++k) {
    binomial *= (uint64_t)(count - k);
    binomial /= (unsigned)(k + 1);
    sum += differences[k] * binomial;
  }
  return (powers_sum)sum;
}

char *powers_sum_format(powers_sum sum, char text[POWERS_SUM_TEXT_SIZE])
{
  wide magnitude = sum < 0 ? -(wide)sum : (wide)sum;
  char *at = text + POWERS_SUM_TEXT_SIZE;
  *--at = '\0';
  do {
    *--at = (char)('0' + (int)(magnitude % 10));
    magnitude /= 10;
  } while (magnitude > 0);
  if (sum < 0)
    *--at = '-';
  return memmove(text, at, strlen(at) + 1);
}
