#include "reader_hdf5_impl.h"

#include <inttypes.h>
#include <stdlib.h>

#include <parcel/base.h>

#include "hdf5_impl.h"
#include "text_impl.h"

/* More than any text that a run leaves behind, and little enough to ask for without fear. */
enum { LONGEST_TEXT = 1 << 24 };

static bool refuse(const char *what, const char *name, const char *why)
{
  parcel_fail(PARCEL_CORRUPT, "%s '%s' %s", what, name, why);
  return false;
}

/* ---- texts and numbers ---- */

/* A text of a fixed size, one of them: what may be read into size + 1 bytes. */
static bool check_text_type(hid_t type, hid_t space, const char *name, size_t *size)
{
  if (type < 0 || space < 0 || H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0)
    return refuse("the text", name, "is none");
  *size = H5Tget_size(type);
  if (*size < 1 || *size > LONGEST_TEXT || H5Sget_simple_extent_npoints(space) != 1)
    return refuse("the text", name, "is too long, or more than one");
  return true;
}

char *parcel__hdf5_clean_text(char *text)
{
  const size_t size = text ? 3 * strlen(text) + 1 : 0;
  char *valid = text ? malloc(size) : NULL;
  if (valid)
    parcel__text_copy(valid, size, text);
  else if (text)
    parcel_fail(PARCEL_MEMORY, "no memory for a text of %zu bytes", size);
  free(text);
  return valid;
}

char *parcel__hdf5_get_text_attribute(hid_t object, const char *name)
{
  size_t size = 0;
  const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
  if (!parcel__hdf5_good(attribute, "open the attribute", name))
    return NULL;
  const hid_t type = H5Aget_type(attribute);
  const hid_t space = H5Aget_space(attribute);
  char *text = check_text_type(type, space, name, &size) ? calloc(size + 1, 1) : NULL;
  if (text && !parcel__hdf5_good(H5Aread(attribute, type, text), "read the text", name)) {
    free(text);
    text = NULL;
  }
  if (type >= 0)
    H5Tclose(type);
  if (space >= 0)
    H5Sclose(space);
  H5Aclose(attribute);
  return parcel__hdf5_clean_text(text);
}

bool parcel__hdf5_get_text_size(hid_t dataset, const char *name, size_t *out)
{
  const hid_t type = H5Dget_type(dataset);
  const hid_t space = H5Dget_space(dataset);
  const bool is_text = check_text_type(type, space, name, out);
  if (type >= 0)
    H5Tclose(type);
  if (space >= 0)
    H5Sclose(space);
  return is_text;
}

bool parcel__hdf5_get_integer_attribute(hid_t object, const char *name, parcel_index *out)
{
  const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
  if (!parcel__hdf5_good(attribute, "open the attribute", name))
    return false;
  const hid_t type = H5Aget_type(attribute);
  const hid_t space = H5Aget_space(attribute);
  const bool is_one = type >= 0 && space >= 0 && H5Tget_class(type) == H5T_INTEGER &&
                      H5Tget_size(type) <= sizeof *out && H5Sget_simple_extent_npoints(space) == 1;
  const bool is_read =
      is_one ? parcel__hdf5_good(H5Aread(attribute, H5T_NATIVE_INT64, out), "read the attribute", name)
             : refuse("the attribute", name, "is no whole number");
  if (space >= 0)
    H5Sclose(space);
  if (type >= 0)
    H5Tclose(type);
  H5Aclose(attribute);
  return is_read;
}

/* ---- groups ---- */

/* A link that leads out of the file, or in circles, is none of ours. */
static bool is_own_link(hid_t where, const char *name)
{
  H5L_info_t info;
  if (!parcel__hdf5_good(H5Lget_info(where, name, &info, H5P_DEFAULT), "find", name))
    return false;
  return info.type == H5L_TYPE_HARD ? true : refuse("the link", name, "leads elsewhere");
}

hid_t parcel__hdf5_open_dataset(hid_t where, const char *name)
{
  const hid_t dataset = is_own_link(where, name) ? H5Dopen2(where, name, H5P_DEFAULT) : H5I_INVALID_HID;
  parcel__hdf5_good(dataset, "open the dataset", name);
  return dataset;
}

hid_t parcel__hdf5_open_group(hid_t where, const char *name)
{
  const hid_t group = is_own_link(where, name) ? H5Gopen2(where, name, H5P_DEFAULT) : H5I_INVALID_HID;
  parcel__hdf5_good(group, "open the group", name);
  return group;
}

bool parcel__hdf5_count_links(hid_t group, const char *name, int *count)
{
  H5G_info_t info;
  if (!parcel__hdf5_good(H5Gget_info(group, &info), "look into the group", name))
    return false;
  if (info.nlinks > INT32_MAX)
    return refuse("the group", name, "has more members than anybody made");
  *count = (int)info.nlinks;
  return true;
}

char *parcel__hdf5_get_link_name(hid_t group, int number)
{
  const ssize_t length =
      H5Lget_name_by_idx(group, ".", H5_INDEX_CRT_ORDER, H5_ITER_INC, (hsize_t)number, NULL, 0, H5P_DEFAULT);
  if (!parcel__hdf5_good(length, "name the members of", "a group"))
    return NULL;
  char *name = length < LONGEST_TEXT ? calloc((size_t)length + 1, 1) : NULL;
  if (name && !parcel__hdf5_good(H5Lget_name_by_idx(group, ".", H5_INDEX_CRT_ORDER, H5_ITER_INC,
                                                    (hsize_t)number, name, (size_t)length + 1, H5P_DEFAULT),
                                 "name the members of", "a group")) {
    free(name);
    name = NULL;
  }
  return name;
}
