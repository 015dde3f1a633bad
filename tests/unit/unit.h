/* What every unit test begins with: cmocka after the headers it wants, looks at the last error, random
 * numbers. */
#ifndef PARCEL_TESTS_UNIT_H
#define PARCEL_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <parcel/base.h>

#define LENGTH(array) ((int)(sizeof(array) / sizeof *(array)))

static inline void assert_says(const char *words)
{
  if (!strstr(parcel_last_error(), words))
    fail_msg("the error '%s' does not say '%s'", parcel_last_error(), words);
}

static inline void assert_ok(parcel_status status)
{
  if (status)
    fail_msg("%s: %s", parcel_status_name(status), parcel_last_error());
}

static inline void assert_refused(parcel_status status, parcel_status expected, const char *words)
{
  assert_string_equal(parcel_status_name(status), parcel_status_name(expected));
  assert_says(words);
}

/* splitmix64 (Steele, Lea, Flood 2014): 64 random bits, the same in every run. */
static inline uint64_t random_bits(uint64_t *state)
{
  uint64_t z = *state += 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

/* Any int64, of every magnitude alike. */
static inline parcel_index random_index(uint64_t *state)
{
  const uint64_t bits = random_bits(state);
  return (parcel_index)bits >> (random_bits(state) % 64);
}

/* At least `least`, of every magnitude alike. */
static inline parcel_index random_from(uint64_t *state, parcel_index least)
{
  const parcel_index index = random_index(state) & INT64_MAX;
  return index > least ? index : least;
}

/* In [0, count). */
static inline parcel_index random_below(uint64_t *state, parcel_index count)
{
  return (parcel_index)(random_bits(state) % (uint64_t)count);
}

#endif
