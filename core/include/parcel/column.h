/** @file
 *  Columns: the named, typed outputs of a sweep. Each becomes one dataset of the results file. */
#ifndef PARCEL_COLUMN_H
#define PARCEL_COLUMN_H

#include <stdbool.h>
#include <stddef.h>

#include <parcel/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** X(NAME, C type): the types a column's values may have. Append only. */
#define PARCEL_TYPE_MAP(X)                                                                                   \
  X(INT8, int8_t)                                                                                            \
  X(UINT8, uint8_t)                                                                                          \
  X(INT16, int16_t)                                                                                          \
  X(UINT16, uint16_t)                                                                                        \
  X(INT32, int32_t)                                                                                          \
  X(UINT32, uint32_t)                                                                                        \
  X(INT64, int64_t)                                                                                          \
  X(UINT64, uint64_t)                                                                                        \
  X(FLOAT32, float)                                                                                          \
  X(FLOAT64, double)

typedef enum parcel_type {
#define PARCEL_TYPE_ENUM(name, c_type) PARCEL_##name,
  PARCEL_TYPE_MAP(PARCEL_TYPE_ENUM)
#undef PARCEL_TYPE_ENUM
} parcel_type;

/** Bytes of one value; 0 for a number that is no type. Any thread. */
PARCEL_API size_t parcel_type_size(parcel_type type);

/** One output of the kernel. Owns nothing: the texts are the caller's and outlive the sweep.
 *
 *  The name is its dataset's: a letter, then letters, digits and '_'; unique in the sweep; and none of the
 *  names that the file needs itself, "parcel" and "width_" with a number.
 *
 *  "index" is the column of the index values, which a file has only on request: the first one, INT64, one
 *  value per position, filled by the kernel like all others; it is then the coordinate of the file's
 *  dimension. */
typedef struct parcel_column {
  const char *name;
  parcel_type type;      /* of each value */
  parcel_index width;    /* values per position; 0 and 1: one, dataset of shape (n); otherwise (n, width) */
  const char *units;     /* as UDUNITS writes them; NULL: "1", a pure number */
  const char *long_name; /* for people and plots; NULL: the name */
} parcel_column;

/** Values per position, at least 1. */
PARCEL_API parcel_index parcel_column_width(const parcel_column *column);

/** Bytes per position. */
PARCEL_API parcel_index parcel_column_bytes(const parcel_column *column);

/** Whether it is the column of the index values. Its name must be there. Any thread. */
PARCEL_API bool parcel_column_is_index(const parcel_column *column);

/** Bytes per position of all `count` columns together. */
PARCEL_API parcel_index parcel_columns_bytes(const parcel_column columns[], int count);

/** Fills `values` with what stands for a result that there is none of, `positions` of them: NaN, and for
 *  integers netCDF's default fill value of the type. */
PARCEL_API void parcel_column_fill(const parcel_column *column, void *values, parcel_index positions);

/** Refuses columns that no file could hold; the text names the column.
 *
 *  Errors: INVALID (no column, a bad or repeated name, an unknown type, a width outside [0, 2^31)). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_columns_check(const parcel_column columns[], int count);

#ifdef __cplusplus
}
#endif

#endif
