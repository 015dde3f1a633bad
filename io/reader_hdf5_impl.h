/** @file What the reader asks of HDF5: texts, numbers and members of groups, none of which is believed
 *  before it is checked. One thread at a time.
 *
 *  Functions that return bool are true on success, those that return an identifier give one that is not
 *  negative, those that return a text own it to the caller, for free, or give NULL; otherwise the reason is
 *  in parcel_last_error(). */
#ifndef PARCEL_READER_HDF5_IMPL_H
#define PARCEL_READER_HDF5_IMPL_H

#include <stdbool.h>

#include <hdf5.h>

#include <parcel/base.h>

/** A text attribute of a fixed size. */
/** The text as UTF-8, each byte of it that is not UTF-8 replaced; takes `text`, which may be NULL. NULL on
 *  failure. */
char *parcel__hdf5_clean_text(char *text);
char *parcel__hdf5_get_text_attribute(hid_t object, const char *name);

/** The bytes of a scalar dataset that is a text of a fixed size. */
bool parcel__hdf5_get_text_size(hid_t dataset, const char *name, size_t *out);

/** A scalar attribute of any integer type. */
bool parcel__hdf5_get_integer_attribute(hid_t object, const char *name, parcel_index *out);

/** Opens a member that is in this file. The caller closes it. */
hid_t parcel__hdf5_open_dataset(hid_t where, const char *name);
hid_t parcel__hdf5_open_group(hid_t where, const char *name);

/** The members of a group, in the order of their creation. name: of the group, for messages. */
bool parcel__hdf5_count_links(hid_t group, const char *name, int *count);
char *parcel__hdf5_get_link_name(hid_t group, int number);

#endif
