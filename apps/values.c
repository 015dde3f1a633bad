#include "values.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int format_double(double value, char text[VALUES_TEXT_SIZE])
{
  int length = 0;
  for (int digits = 15; digits <= 17; ++digits) {
    length = snprintf(text, VALUES_TEXT_SIZE, "%.*g", digits, value);
    if (isnan(value) || strtod(text, NULL) == value)
      break;
  }
  return length;
}

static int format_float(float value, char text[VALUES_TEXT_SIZE])
{
  int length = 0;
  for (int digits = 6; digits <= 9; ++digits) {
    length = snprintf(text, VALUES_TEXT_SIZE, "%.*g", digits, (double)value);
    if (isnan(value) || strtof(text, NULL) == value)
      break;
  }
  return length;
}

int values_format(parcel_type type, const void *values, parcel_index i, char text[VALUES_TEXT_SIZE])
{
  switch (type) {
  case PARCEL_INT8: return snprintf(text, VALUES_TEXT_SIZE, "%d", ((const int8_t *)values)[i]);
  case PARCEL_UINT8: return snprintf(text, VALUES_TEXT_SIZE, "%d", ((const uint8_t *)values)[i]);
  case PARCEL_INT16: return snprintf(text, VALUES_TEXT_SIZE, "%d", ((const int16_t *)values)[i]);
  case PARCEL_UINT16: return snprintf(text, VALUES_TEXT_SIZE, "%d", ((const uint16_t *)values)[i]);
  case PARCEL_INT32: return snprintf(text, VALUES_TEXT_SIZE, "%" PRId32, ((const int32_t *)values)[i]);
  case PARCEL_UINT32: return snprintf(text, VALUES_TEXT_SIZE, "%" PRIu32, ((const uint32_t *)values)[i]);
  case PARCEL_INT64: return snprintf(text, VALUES_TEXT_SIZE, "%" PRId64, ((const int64_t *)values)[i]);
  case PARCEL_UINT64: return snprintf(text, VALUES_TEXT_SIZE, "%" PRIu64, ((const uint64_t *)values)[i]);
  case PARCEL_FLOAT32: return format_float(((const float *)values)[i], text);
  case PARCEL_FLOAT64: return format_double(((const double *)values)[i], text);
  }
  return 0;
}

static bool are_close(double left, double right, double tolerance)
{
  return (isnan(left) && isnan(right)) || fabs(left - right) <= tolerance;
}

/* One loop for each type; half is more than nothing only where it has fractions. */
#define FIRST_DIFFERENCE(name, c_type)                                                                       \
  static parcel_index first_##name(const void *left, const void *right, parcel_index from,                   \
                                   parcel_index count, double tolerance)                                     \
  {                                                                                                          \
    const c_type *a = left;                                                                                  \
    const c_type *b = right;                                                                                 \
    const bool has_fractions = (c_type)0.5 > 0;                                                              \
    parcel_index i = from;                                                                                   \
    while (i < count &&                                                                                      \
           (a[i] == b[i] || (has_fractions && are_close((double)a[i], (double)b[i], tolerance))))            \
      ++i;                                                                                                   \
    return i;                                                                                                \
  }
PARCEL_TYPE_MAP(FIRST_DIFFERENCE)
#undef FIRST_DIFFERENCE

parcel_index values_first_difference(parcel_type type, const void *left, const void *right, parcel_index from,
                                     parcel_index count, double tolerance)
{
  switch (type) {
#define CASE(name, c_type)                                                                                   \
  case PARCEL_##name: return first_##name(left, right, from, count, tolerance);
    PARCEL_TYPE_MAP(CASE)
#undef CASE
  }
  return count;
}
