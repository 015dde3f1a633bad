/** @file What the schema asks of HDF5 again and again: failures in words, texts and attributes. One thread
 *  at a time.
 *
 *  Functions that return bool are true on success; otherwise the reason is in parcel_last_error(). */
#ifndef PARCEL_HDF5_IMPL_H
#define PARCEL_HDF5_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hdf5.h>

/** Texts in attributes are cut here, in bytes: HDF5 allows 64 KiB for all attributes of an object's
 *  header. */
enum { PARCEL_HDF5_LONGEST_ATTRIBUTE = 4096 };

/** The number of the filter zstd in The HDF Group's registry. */
enum { PARCEL_HDF5_ZSTD = 32015 };

/** How the process prints HDF5's errors: another library's choice, to be restored. */
typedef struct parcel_hdf5_printing {
  H5E_auto2_t function;
  void *data;
} parcel_hdf5_printing;

/** No printing from here on. Returns how it was, for parcel__hdf5_restore. */
parcel_hdf5_printing parcel__hdf5_silence(void);
void parcel__hdf5_restore(parcel_hdf5_printing before);

/** True if an HDF5 call succeeded, that is if it returned 0 or more. Otherwise its reason is recorded,
 *  with what was being done to what: at once, since the next call would clear it. */
bool parcel__hdf5_good(int64_t result, const char *doing, const char *what);

/** A type for texts of `size` bytes, UTF-8, padded with zeros. The caller closes it. */
hid_t parcel__hdf5_text_type(size_t size);

/** Adds a scalar attribute. */
bool parcel__hdf5_add_attribute(hid_t object, const char *name, hid_t type, const void *value);
bool parcel__hdf5_add_integer_attribute(hid_t object, const char *name, int64_t value);

/** size: bytes to reserve; 0 for as many as the text has */
bool parcel__hdf5_add_text_attribute(hid_t object, const char *name, const char *text, size_t size);

/** Properties for creating an object (of H5P_DATASET_CREATE, ...) whose attributes keep their order. As a
 *  consequence its header is of version 2, which has a checksum: on a damaged one of version 1, HDF5 1.10.8
 *  crashes. No times, with which a write would change the header. The caller closes them. */
hid_t parcel__hdf5_ordered(hid_t class);

/** Adds a scalar dataset: attributes are limited in size, texts here are not. What is not UTF-8 becomes
 *  U+FFFD. size: bytes to reserve; 0 for as many as the text has, and its closing zero */
bool parcel__hdf5_add_text(hid_t where, const char *name, const char *text, size_t size);

/** Overwrite a text in place, cut to as many bytes as were reserved. */
bool parcel__hdf5_set_text_attribute(hid_t object, const char *name, const char *text);
bool parcel__hdf5_set_text(hid_t where, const char *name, const char *text);

#endif
