/** @file
 *  The objects of a results file as HDF5 makes them: groups, dimensions and datasets that keep the order of
 *  what is added to them, with headers that have a checksum. Functions that return an identifier give a
 *  negative one on failure, with the reason in parcel_last_error(). One thread at a time. */
#ifndef PARCEL_SCHEMA_OBJECT_IMPL_H
#define PARCEL_SCHEMA_OBJECT_IMPL_H

#include <stdbool.h>

#include <hdf5.h>

#include <parcel/base.h>

enum { PARCEL_OBJECT_DIMENSIONS = 2 };

/** A dataset to be made: its name, type, and the dimensions it runs along. */
typedef struct parcel_object {
  hid_t where;
  const char *name;
  hid_t type;
  int rank;
  hsize_t extent[PARCEL_OBJECT_DIMENSIONS];
  hid_t scales[PARCEL_OBJECT_DIMENSIONS]; /* dimension scales, open; negative: without a name */
} parcel_object;

/** Properties of a contiguous dataset that is allocated now and never filled: a place for bytes that are
 *  written later. The caller closes them. */
hid_t parcel__object_placed(void);

/** The dataset, which the caller closes. Takes layout. */
hid_t parcel__object_make(const parcel_object *object, hid_t layout);

/** A netCDF dimension without values: a scale of this length. The caller closes it. */
hid_t parcel__object_dimension(hid_t where, const char *name, parcel_index length);

/** Sets in the properties of a group or file that members and attributes keep their order. */
void parcel__object_keep_order(hid_t creation);

/** A group, which the caller closes.  name  NULL: without a link to it, for H5Olink */
hid_t parcel__object_group(hid_t where, const char *name);

#endif
