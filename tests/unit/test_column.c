#include "unit.h"

#include <parcel/column.h>

static void type_size_is_that_of_its_c_type(void **state)
{
  static const struct {
    parcel_type type;
    int value;
    size_t size;
  } cases[] = {{PARCEL_INT8, 0, 1},    {PARCEL_UINT8, 1, 1},  {PARCEL_INT16, 2, 2}, {PARCEL_UINT16, 3, 2},
               {PARCEL_INT32, 4, 4},   {PARCEL_UINT32, 5, 4}, {PARCEL_INT64, 6, 8}, {PARCEL_UINT64, 7, 8},
               {PARCEL_FLOAT32, 8, 4}, {PARCEL_FLOAT64, 9, 8}};
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    assert_int_equal(cases[c].type, cases[c].value);
    assert_int_equal(parcel_type_size(cases[c].type), cases[c].size);
  }
  assert_int_equal(parcel_type_size((parcel_type)-1), 0);
  assert_int_equal(parcel_type_size((parcel_type)1000), 0);
}

static void column_width_and_bytes_count_values_per_position(void **state)
{
  static const struct {
    parcel_column column;
    parcel_index width, bytes;
  } cases[] = {
      {{.name = "a", .type = PARCEL_UINT8}, 1, 1},
      {{.name = "a", .type = PARCEL_FLOAT64, .width = 1}, 1, 8},
      {{.name = "a", .type = PARCEL_FLOAT32, .width = 3}, 3, 12},
      {{.name = "a", .type = PARCEL_INT64, .width = INT32_MAX}, INT32_MAX, 8 * (parcel_index)INT32_MAX},
  };
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    assert_int_equal(parcel_column_width(&cases[c].column), cases[c].width);
    assert_int_equal(parcel_column_bytes(&cases[c].column), cases[c].bytes);
  }
}

static void columns_bytes_is_the_sum_of_all(void **state)
{
  static const parcel_column columns[] = {{.name = "a", .type = PARCEL_UINT8},
                                          {.name = "b", .type = PARCEL_FLOAT64, .width = 3},
                                          {.name = "c", .type = PARCEL_INT64, .width = INT32_MAX}};
  (void)state;
  assert_int_equal(parcel_columns_bytes(columns, 0), 0);
  assert_int_equal(parcel_columns_bytes(columns, 2), 25);
  assert_int_equal(parcel_columns_bytes(columns, 3), 25 + 8 * (parcel_index)INT32_MAX);
}

static void columns_that_a_file_can_hold_are_accepted(void **state)
{
  static const parcel_column columns[] = {{.name = "a", .type = PARCEL_INT8},
                                          {.name = "A", .type = PARCEL_INT8},
                                          {.name = "power_9", .type = PARCEL_INT64, .width = 1},
                                          {.name = "z0__", .type = PARCEL_FLOAT32, .width = 3},
                                          {.name = "Index", .type = PARCEL_UINT16},
                                          {.name = "index_", .type = PARCEL_UINT32},
                                          {.name = "parcels", .type = PARCEL_FLOAT64, .width = INT32_MAX}};
  (void)state;
  assert_ok(parcel_columns_check(columns, LENGTH(columns)));
}

static void columns_that_no_file_could_hold_are_refused_by_name(void **state)
{
  static const struct {
    parcel_column column;
    const char *words;
  } cases[] = {
      {{.name = NULL, .type = PARCEL_INT8}, "column 1"},
      {{.name = "", .type = PARCEL_INT8}, "column 1"},
      {{.name = "1st", .type = PARCEL_INT8}, "'1st'"},
      {{.name = "_a", .type = PARCEL_INT8}, "'_a'"},
      {{.name = "a b", .type = PARCEL_INT8}, "'a b'"},
      {{.name = "a/b", .type = PARCEL_INT8}, "'a/b'"},
      {{.name = "a.b", .type = PARCEL_INT8}, "'a.b'"},
      {{.name = "a-b", .type = PARCEL_INT8}, "'a-b'"},
      {{.name = "gr\xc3\xb6\xc3\x9f"
                "e",
        .type = PARCEL_INT8},
       "is no name"},
      {{.name = "index", .type = PARCEL_INT8}, "'index'"},
      {{.name = "parcel", .type = PARCEL_INT8}, "'parcel'"},
      {{.name = "first", .type = PARCEL_INT8}, "'first' appears twice"},
      {{.name = "b", .type = (parcel_type)-1}, "'b': unknown type -1"},
      {{.name = "b", .type = (parcel_type)10}, "'b': unknown type 10"},
      {{.name = "b", .type = PARCEL_INT8, .width = -1}, "'b': a width of -1"},
      {{.name = "b", .type = PARCEL_INT8, .width = (parcel_index)INT32_MAX + 1},
       "'b': a width of 2147483648"},
      {{.name = "b", .type = PARCEL_INT8, .width = INT64_MIN}, "'b': a width of -9223372036854775808"},
  };
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    const parcel_column columns[] = {{.name = "first", .type = PARCEL_INT8}, cases[c].column};
    assert_refused(parcel_columns_check(columns, 2), PARCEL_INVALID, cases[c].words);
    assert_ok(parcel_columns_check(columns, 1));
  }
}

static void columns_index_is_the_first_of_int64_and_one_wide(void **state)
{
  static const parcel_column good[] = {{.name = "index", .type = PARCEL_INT64},
                                       {.name = "other", .type = PARCEL_INT8}};
  static const parcel_column bad[] = {{.name = "index", .type = PARCEL_UINT64},
                                      {.name = "index", .type = PARCEL_INT64, .width = 2}};
  const parcel_column late[] = {good[1], good[0]};
  (void)state;
  assert_ok(parcel_columns_check(good, 2));
  assert_true(parcel_column_is_index(&good[0]) && !parcel_column_is_index(&good[1]));
  assert_refused(parcel_columns_check(&bad[0], 1), PARCEL_INVALID, "must be the first column, INT64");
  assert_refused(parcel_columns_check(&bad[1], 1), PARCEL_INVALID, "must be the first column, INT64");
  assert_refused(parcel_columns_check(late, 2), PARCEL_INVALID, "must be the first column, INT64");
}

static void columns_none_are_refused(void **state)
{
  (void)state;
  assert_refused(parcel_columns_check(NULL, 0), PARCEL_INVALID, "at least one column");
  assert_refused(parcel_columns_check(NULL, -1), PARCEL_INVALID, "at least one column");
}

/* The oracle is netcdf.h: NC_FILL_INT64 and its kin, written out. */
static void column_fill_is_netcdfs_for_integers_and_nan_for_floats(void **state)
{
  const parcel_column wide = {.name = "a", .type = PARCEL_INT64, .width = 2};
  const parcel_column bytes = {.name = "b", .type = PARCEL_INT8};
  const parcel_column counts = {.name = "c", .type = PARCEL_UINT64};
  const parcel_column reals = {.name = "d", .type = PARCEL_FLOAT32};
  int64_t values[5] = {[4] = 7};
  int8_t small[2] = {0, 7};
  uint64_t large[1] = {0};
  float real[1] = {0};
  (void)state;
  parcel_column_fill(&wide, values, 2);
  for (int v = 0; v < 4; ++v)
    assert_int_equal(values[v], -9223372036854775806);
  assert_int_equal(values[4], 7);
  parcel_column_fill(&bytes, small, 1);
  assert_int_equal(small[0], -127);
  assert_int_equal(small[1], 7);
  parcel_column_fill(&counts, large, 1);
  assert_true(large[0] == 18446744073709551614U);
  parcel_column_fill(&reals, real, 1);
  assert_true(real[0] != real[0]);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(type_size_is_that_of_its_c_type),
      cmocka_unit_test(column_width_and_bytes_count_values_per_position),
      cmocka_unit_test(columns_bytes_is_the_sum_of_all),
      cmocka_unit_test(columns_that_a_file_can_hold_are_accepted),
      cmocka_unit_test(columns_that_no_file_could_hold_are_refused_by_name),
      cmocka_unit_test(columns_index_is_the_first_of_int64_and_one_wide),
      cmocka_unit_test(columns_none_are_refused),
      cmocka_unit_test(column_fill_is_netcdfs_for_integers_and_nan_for_floats),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
