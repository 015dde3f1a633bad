/* A sweep with a column of every type and several widths, whose values anyone can compute again. */
#ifndef PARCEL_EVERY_TYPE_H
#define PARCEL_EVERY_TYPE_H

#include <stdbool.h>

#include <parcel/sweep.h>

enum { every_type_count = 12 };
extern const parcel_column every_type_columns[every_type_count];

/** A parcel_kernel for every_type_columns; ctx is not used. */
parcel_status every_type_kernel(void *ctx, const parcel_slice *slice, void *const columns[]);

/** The sweep over a range, with threads and block left to the library. */
parcel_sweep every_type_sweep(parcel_range range);

/** True if data are column c's values over the whole range. */
bool every_type_is_right(int c, parcel_range range, const void *data);

/** One int64 column, "value", and a kernel that writes each index itself into it. */
extern const parcel_column one_column[1];
parcel_status copy_index(void *ctx, const parcel_slice *slice, void *const columns[]);

#endif
