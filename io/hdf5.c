#include "hdf5_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parcel/base.h>

#include "text_impl.h"

parcel_hdf5_printing parcel__hdf5_silence(void)
{
  parcel_hdf5_printing before = {NULL, NULL};
  H5Eget_auto2(H5E_DEFAULT, &before.function, &before.data);
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  return before;
}

void parcel__hdf5_restore(parcel_hdf5_printing before)
{
  H5Eset_auto2(H5E_DEFAULT, before.function, before.data);
}

/* The innermost reason on HDF5's stack is where the walk upwards begins. */
static herr_t take_first(unsigned n, const H5E_error2_t *error, void *text)
{
  if (n == 0)
    snprintf(text, PARCEL_ERROR_SIZE, "%s", error->desc ? error->desc : "unknown reason");
  return 0;
}

bool parcel__hdf5_good(int64_t result, const char *doing, const char *what)
{
  char reason[PARCEL_ERROR_SIZE] = "unknown reason";
  if (result >= 0)
    return true;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, reason);
  parcel_fail(PARCEL_HDF5, "HDF5 cannot %s '%s': %s", doing, what, reason);
  return false;
}

hid_t parcel__hdf5_text_type(size_t size)
{
  const hid_t type = H5Tcopy(H5T_C_S1);
  if (type >= 0) {
    H5Tset_size(type, size > 0 ? size : 1);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
  }
  return type;
}

bool parcel__hdf5_add_attribute(hid_t object, const char *name, hid_t type, const void *value)
{
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  const bool is_made = parcel__hdf5_good(attribute, "create the attribute", name);
  const bool is_written =
      is_made && parcel__hdf5_good(H5Awrite(attribute, type, value), "write the attribute", name);
  if (is_made)
    H5Aclose(attribute);
  H5Sclose(space);
  return is_written;
}

bool parcel__hdf5_add_text_attribute(hid_t object, const char *name, const char *text, size_t size)
{
  char cut[PARCEL_HDF5_LONGEST_ATTRIBUTE] = "";
  parcel__text_copy(cut, sizeof cut, text);
  const hid_t type = parcel__hdf5_text_type(size > 0 ? size : strlen(cut));
  const bool is_added = parcel__hdf5_add_attribute(object, name, type, cut);
  H5Tclose(type);
  return is_added;
}

bool parcel__hdf5_add_integer_attribute(hid_t object, const char *name, parcel_index value)
{
  return parcel__hdf5_add_attribute(object, name, H5T_STD_I64LE, &value);
}

/* In a buffer as large as the type says, since HDF5 reads all of that. The caller frees it. */
static char *padded(hid_t type, const char *text)
{
  const size_t size = H5Tget_size(type);
  char *copy = calloc(1, size + 1);
  if (copy)
    memcpy(copy, text, strnlen(text, size));
  else
    parcel_fail(PARCEL_MEMORY, "no memory for a text of %zu bytes", size);
  return copy;
}

static bool write_text(hid_t dataset, hid_t type, const char *name, const char *text)
{
  char *copy = padded(type, text);
  const bool is_written =
      copy && parcel__hdf5_good(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, copy),
                                "write the dataset", name);
  free(copy);
  return is_written;
}

hid_t parcel__hdf5_ordered(hid_t class)
{
  const hid_t creation = H5Pcreate(class);
  H5Pset_attr_creation_order(creation, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  H5Pset_obj_track_times(creation, false);
  return creation;
}

/* The text as UTF-8. The caller frees it; NULL for want of memory. */
static char *make_valid(const char *text)
{
  const size_t size = 3 * strlen(text) + 1;
  char *valid = malloc(size);
  if (valid)
    parcel__text_copy(valid, size, text);
  else
    parcel_fail(PARCEL_MEMORY, "no memory for a text of %zu bytes", size);
  return valid;
}

static bool add_valid_text(hid_t where, const char *name, const char *text, size_t size)
{
  const hid_t type = parcel__hdf5_text_type(size);
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t layout = parcel__hdf5_ordered(H5P_DATASET_CREATE);
  const hid_t dataset = H5Dcreate2(where, name, type, space, H5P_DEFAULT, layout, H5P_DEFAULT);
  H5Pclose(layout);
  const bool is_made = parcel__hdf5_good(dataset, "create the dataset", name);
  const bool is_written = is_made && write_text(dataset, type, name, text);
  if (is_made)
    H5Dclose(dataset);
  H5Sclose(space);
  H5Tclose(type);
  return is_written;
}

/* Its closing zero is kept, since netCDF takes a text of one byte for a char. */
bool parcel__hdf5_add_text(hid_t where, const char *name, const char *text, size_t size)
{
  char *valid = make_valid(text);
  const bool is_added = valid && add_valid_text(where, name, valid, size > 0 ? size : strlen(valid) + 1);
  free(valid);
  return is_added;
}

bool parcel__hdf5_set_text_attribute(hid_t file, const char *name, const char *text)
{
  const hid_t attribute = H5Aopen(file, name, H5P_DEFAULT);
  if (!parcel__hdf5_good(attribute, "open the attribute", name))
    return false;
  const hid_t type = H5Aget_type(attribute);
  char *copy = padded(type, text);
  const bool is_written =
      copy && parcel__hdf5_good(H5Awrite(attribute, type, copy), "write the attribute", name);
  free(copy);
  H5Tclose(type);
  H5Aclose(attribute);
  return is_written;
}

bool parcel__hdf5_set_text(hid_t file, const char *name, const char *text)
{
  const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
  if (!parcel__hdf5_good(dataset, "open the dataset", name))
    return false;
  const hid_t type = H5Dget_type(dataset);
  const bool is_written = write_text(dataset, type, name, text);
  H5Tclose(type);
  H5Dclose(dataset);
  return is_written;
}
