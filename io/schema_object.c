#include "schema_object_impl.h"

#include <hdf5_hl.h>
#include <inttypes.h>
#include <stdio.h>

#include "hdf5_impl.h"

enum { MOST_IN_HEADER = 65535 }; /* HDF5's limit for the members of a group */

hid_t parcel__object_placed(void)
{
  const hid_t layout = parcel__hdf5_ordered(H5P_DATASET_CREATE);
  H5Pset_layout(layout, H5D_CONTIGUOUS);
  H5Pset_alloc_time(layout, H5D_ALLOC_TIME_EARLY);
  H5Pset_fill_time(layout, H5D_FILL_TIME_NEVER);
  return layout;
}

static bool attach_scales(hid_t dataset, const parcel_object *object)
{
  for (int d = 0; d < object->rank; ++d)
    if (object->scales[d] >= 0 &&
        !parcel__hdf5_good(H5DSattach_scale(dataset, object->scales[d], (unsigned)d), "name a dimension of",
                           object->name))
      return false;
  return true;
}

hid_t parcel__object_make(const parcel_object *object, hid_t layout)
{
  const hid_t space = H5Screate_simple(object->rank, object->extent, NULL);
  hid_t dataset =
      parcel__hdf5_good(space, "describe the extent of", object->name)
          ? H5Dcreate2(object->where, object->name, object->type, space, H5P_DEFAULT, layout, H5P_DEFAULT)
          : H5I_INVALID_HID;
  if (space >= 0 && parcel__hdf5_good(dataset, "create the dataset", object->name) &&
      !attach_scales(dataset, object)) {
    H5Dclose(dataset);
    dataset = H5I_INVALID_HID;
  }
  if (space >= 0)
    H5Sclose(space);
  H5Pclose(layout);
  return dataset;
}

hid_t parcel__object_dimension(hid_t where, const char *name, parcel_index length)
{
  char mark[96];
  const parcel_object object = {.where = where,
                                .name = name,
                                .type = H5T_IEEE_F32BE,
                                .rank = 1,
                                .extent = {(hsize_t)length},
                                .scales = {H5I_INVALID_HID}};
  const hid_t scale = parcel__object_make(&object, parcel__hdf5_ordered(H5P_DATASET_CREATE));
  snprintf(mark, sizeof mark, "This is a netCDF dimension but not a netCDF variable.%10" PRId64, length);
  if (scale >= 0 && !parcel__hdf5_good(H5DSset_scale(scale, mark), "make a dimension of", name)) {
    H5Dclose(scale);
    return H5I_INVALID_HID;
  }
  return scale;
}

/* Members stay in the header of their group, which HDF5 protects by a checksum, and not, when they are many,
 * in a heap, on whose damage it crashes (1.10.8). */
void parcel__object_keep_order(hid_t creation)
{
  H5Pset_link_creation_order(creation, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  H5Pset_attr_creation_order(creation, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  H5Pset_link_phase_change(creation, MOST_IN_HEADER, 0);
}

hid_t parcel__object_group(hid_t where, const char *name)
{
  const hid_t ordered = H5Pcreate(H5P_GROUP_CREATE);
  parcel__object_keep_order(ordered);
  const hid_t group = name ? H5Gcreate2(where, name, H5P_DEFAULT, ordered, H5P_DEFAULT)
                           : H5Gcreate_anon(where, ordered, H5P_DEFAULT);
  parcel__hdf5_good(group, "create the group", name ? name : "failures");
  H5Pclose(ordered);
  return group;
}
