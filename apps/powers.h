/** @file
 *  The arithmetic of parsquares: exact powers of the indices of a range, one column per power, and
 *  their sums. */
#ifndef PARSQUARES_POWERS_H
#define PARSQUARES_POWERS_H

#include <stdatomic.h>

#include <parcel/sweep.h>

enum { POWERS_MOST = 9, POWERS_COLUMNS = POWERS_MOST + 1, POWERS_SUM_TEXT_SIZE = 48 };

/** 128 bits hold the sum of any column: less than 2^63 values of 64 bits each. */
__extension__ typedef __int128 powers_sum;

/** Which powers to compute: the context of the kernel. */
typedef struct powers {
  int count;
  int exponents[POWERS_COLUMNS];
  parcel_column columns[POWERS_COLUMNS]; /* even powers uint64, odd powers int64 */
  struct {
    _Atomic uint64_t low, high;
  } sums[POWERS_COLUMNS]; /* of all values in the file so far, modulo 2^128 */
} powers;

/** Reads "2" or "2,3,4": different powers, 1 to 9.  Errors: INVALID. */
PARCEL_MUST_CHECK parcel_status powers_parse(const char *text, powers *out);

/** The index values, too, as the first column. Once. */
void powers_add_index(powers *powers);

/** Refuses a range in which any power does not fit its type; the text names the first such index.  Errors:
 *  RANGE. */
PARCEL_MUST_CHECK parcel_status powers_check(const powers *powers, parcel_range range);

/** A parcel_kernel; ctx is a struct powers. Any number of threads. */
parcel_status powers_kernel(void *ctx, const parcel_slice *slice, void *const columns[]);

/** The `observe` of parcel_results_options: adds a block that is in the file to the sums. */
parcel_status powers_observe(void *ctx, const parcel_block *block);

/** The sum of a column's values observed so far, by this process. */
powers_sum powers_sum_of(const powers *powers, int column);

/** The sum of i^exponent over the range, without computing the values: Newton's forward differences
 *  (Graham, Knuth, Patashnik: Concrete Mathematics, 5.3). Exact for every range that powers_check accepts.
 *  O(exponent^2). */
powers_sum powers_closed_form(parcel_range range, int exponent);

/** Writes a sum in decimal.  Returns text. */
char *powers_sum_format(powers_sum sum, char text[POWERS_SUM_TEXT_SIZE]);

#endif
