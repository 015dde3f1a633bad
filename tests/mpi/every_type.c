#include "every_type.h"

#include <stdlib.h>
#include <string.h>

const parcel_column every_type_columns[every_type_count] = {
    {.name = "i8", .type = PARCEL_INT8, .width = 1},
    {.name = "u8", .type = PARCEL_UINT8, .width = 3, .units = "m", .long_name = "three small numbers"},
    {.name = "i16", .type = PARCEL_INT16},
    {.name = "u16", .type = PARCEL_UINT16, .width = 2},
    {.name = "i32", .type = PARCEL_INT32, .width = 5},
    {.name = "u32", .type = PARCEL_UINT32},
    {.name = "i64", .type = PARCEL_INT64, .long_name = "a long number"},
    {.name = "u64", .type = PARCEL_UINT64, .width = 2},
    {.name = "f32", .type = PARCEL_FLOAT32, .width = 3, .units = "K"},
    {.name = "f64", .type = PARCEL_FLOAT64},
    {.name = "wide", .type = PARCEL_FLOAT64, .width = 17},
    {.name = "odd_bytes", .type = PARCEL_INT8, .width = 7},
};

const parcel_column one_column[1] = {{.name = "value", .type = PARCEL_INT64}};

static int64_t value_of(parcel_index index, parcel_index component)
{
  return (int64_t)((uint64_t)index * 31 + (uint64_t)component * 7 + 1);
}

/* Values of `count` indices of one column, each first + i * step. */
static void fill(const parcel_column *column, const parcel_slice *slice, void *out)
{
  const parcel_index width = parcel_column_width(column);
  for (parcel_index i = 0; i < slice->count; ++i) {
    const parcel_index index = slice->first + i * slice->step;
    for (parcel_index k = 0; k < width; ++k)
      switch (column->type) {
#define FILL_CASE(name, c_type)                                                                              \
  case PARCEL_##name: ((c_type *)out)[i * width + k] = (c_type)value_of(index, k); break;
        PARCEL_TYPE_MAP(FILL_CASE)
#undef FILL_CASE
      }
  }
}

parcel_status every_type_kernel(void *ctx, const parcel_slice *slice, void *const columns[])
{
  (void)ctx;
  for (int c = 0; c < every_type_count; ++c)
    fill(&every_type_columns[c], slice, columns[c]);
  return PARCEL_OK;
}

parcel_sweep every_type_sweep(parcel_range range)
{
  return (parcel_sweep){.name = "every_type",
                        .range = range,
                        .columns = every_type_columns,
                        .column_count = every_type_count,
                        .kernel = every_type_kernel};
}

bool every_type_is_right(int c, parcel_range range, const void *data)
{
  const size_t bytes = (size_t)(range.count * parcel_column_bytes(&every_type_columns[c]));
  const parcel_slice whole = {.first = range.first, .step = range.step, .count = range.count};
  void *expected = malloc(bytes + 1);
  if (!expected)
    return false;
  fill(&every_type_columns[c], &whole, expected);
  const bool is_right = memcmp(data, expected, bytes) == 0;
  free(expected);
  return is_right;
}

parcel_status copy_index(void *ctx, const parcel_slice *slice, void *const columns[])
{
  (void)ctx;
  for (parcel_index i = 0; i < slice->count; ++i)
    ((int64_t *)columns[0])[i] = slice->first + i * slice->step;
  return PARCEL_OK;
}
