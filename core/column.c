#include <parcel/column.h>

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

size_t parcel_type_size(parcel_type type)
{
  switch (type) {
#define SIZE_CASE(name, c_type)                                                                              \
  case PARCEL_##name: return sizeof(c_type);
    PARCEL_TYPE_MAP(SIZE_CASE)
#undef SIZE_CASE
  }
  return 0;
}

parcel_index parcel_column_width(const parcel_column *column)
{
  return column->width > 1 ? column->width : 1;
}

parcel_index parcel_column_bytes(const parcel_column *column)
{
  return parcel_column_width(column) * (parcel_index)parcel_type_size(column->type);
}

parcel_index parcel_columns_bytes(const parcel_column columns[], int count)
{
  parcel_index bytes = 0;
  for (int c = 0; c < count; ++c)
    bytes += parcel_column_bytes(&columns[c]);
  return bytes;
}

bool parcel_column_is_index(const parcel_column *column)
{
  return strcmp(column->name, "index") == 0;
}

/* NaN, and netCDF's NC_FILL_BYTE, NC_FILL_UBYTE, ... for integers. */
static void fill_value(parcel_type type, void *value)
{
  switch (type) {
  case PARCEL_INT8: *(int8_t *)value = -127; break;
  case PARCEL_UINT8: *(uint8_t *)value = UINT8_MAX; break;
  case PARCEL_INT16: *(int16_t *)value = -32767; break;
  case PARCEL_UINT16: *(uint16_t *)value = UINT16_MAX; break;
  case PARCEL_INT32: *(int32_t *)value = -2147483647; break;
  case PARCEL_UINT32: *(uint32_t *)value = UINT32_MAX; break;
  case PARCEL_INT64: *(int64_t *)value = -9223372036854775806; break;
  case PARCEL_UINT64: *(uint64_t *)value = UINT64_MAX - 1; break;
  case PARCEL_FLOAT32: *(float *)value = __builtin_nanf(""); break;
  case PARCEL_FLOAT64: *(double *)value = __builtin_nan(""); break;
  }
}

void parcel_column_fill(const parcel_column *column, void *values, parcel_index positions)
{
  const parcel_index size = (parcel_index)parcel_type_size(column->type);
  max_align_t value;
  fill_value(column->type, &value);
  for (parcel_index v = 0; v < positions * parcel_column_width(column); ++v)
    memcpy((char *)values + v * size, &value, (size_t)size);
}

/* A name that HDF5, netCDF, Python and a shell all take as it is. */
static bool is_plain_name(const char *name)
{
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  static const char all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
  return name && *name && strchr(letters, *name) && name[strspn(name, all)] == '\0';
}

/* width_K: the dimension of columns of width K. */
static bool is_width_name(const char *name)
{
  return strncmp(name, "width_", 6) == 0 && name[6] != '\0' &&
         name[6 + strspn(name + 6, "0123456789")] == '\0';
}

static parcel_status check_column(const parcel_column columns[], int c)
{
  const char *name = columns[c].name;
  if (!is_plain_name(name))
    return parcel_fail(PARCEL_INVALID,
                       "column %d: '%s' is no name; use a letter, then letters, digits and '_'", c,
                       name ? name : "");
  if (parcel_column_is_index(&columns[c]) &&
      (c > 0 || columns[c].type != PARCEL_INT64 || parcel_column_width(&columns[c]) > 1))
    return parcel_fail(
        PARCEL_INVALID,
        "column 'index': it has the index values, so it must be the first column, INT64 and one "
        "value wide");
  if (strcmp(name, "parcel") == 0 || is_width_name(name))
    return parcel_fail(PARCEL_INVALID, "column '%s': the file needs this name itself; choose another", name);
  for (int other = 0; other < c; ++other)
    if (strcmp(name, columns[other].name) == 0)
      return parcel_fail(PARCEL_INVALID, "column '%s' appears twice", name);
  if (parcel_type_size(columns[c].type) == 0)
    return parcel_fail(PARCEL_INVALID, "column '%s': unknown type %d", name, (int)columns[c].type);
  if (columns[c].width < 0 || columns[c].width > INT32_MAX)
    return parcel_fail(PARCEL_INVALID, "column '%s': a width of %" PRId64 " is outside [0, 2^31)", name,
                       columns[c].width);
  return PARCEL_OK;
}

parcel_status parcel_columns_check(const parcel_column columns[], int count)
{
  if (count < 1)
    return parcel_fail(PARCEL_INVALID, "a sweep needs at least one column");
  for (int c = 0; c < count; ++c) {
    const parcel_status status = check_column(columns, c);
    if (status)
      return status;
  }
  return PARCEL_OK;
}
