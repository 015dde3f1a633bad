/** @file
 *  Values of columns as texts, and compared: what `export` prints and `diff` looks for. */
#ifndef PARCEL_APPS_VALUES_H
#define PARCEL_APPS_VALUES_H

#include <stdbool.h>

#include <parcel/column.h>

enum { VALUES_TEXT_SIZE = 32 };

/** Writes the i-th value: whole numbers exactly, others with as few digits as give the same value back
 *  ("0.1", "1e+300", "nan", "-inf").  Returns the text's length. */
int values_format(parcel_type type, const void *values, parcel_index i, char text[VALUES_TEXT_SIZE]);

/** The first of `count` values, from `from` on, in which left and right differ; `count` if there is none.
 *  NaN equals NaN, and floating-point values are equal where they are not further apart than the
 *  tolerance. */
parcel_index values_first_difference(parcel_type type, const void *left, const void *right, parcel_index from,
                                     parcel_index count, double tolerance);

#endif
