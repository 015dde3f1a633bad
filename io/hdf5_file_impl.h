/** @file
 *  HDF5 files through a descriptor that the caller holds: what is written goes to that very file, whatever
 *  its name stands for by then. One thread at a time. */
#ifndef PARCEL_HDF5_FILE_IMPL_H
#define PARCEL_HDF5_FILE_IMPL_H

#include <stdbool.h>

#include <hdf5.h>

#include <parcel/base.h>

/** What a file is opened for. */
typedef enum parcel_hdf5_use {
  PARCEL_HDF5_READ,
  PARCEL_HDF5_WRITE,
  PARCEL_HDF5_WRITE_PAGES /* new objects begin at pages of their own, so that HDF5 writes each at once */
} parcel_hdf5_use;

/** Sets the last one in properties of H5P_FILE_ACCESS. */
void parcel__hdf5_use_pages(hid_t access);

/** Opens the file that is open as fd; negative on failure, with the reason in parcel_last_error().
 *
 *  fd    stays the caller's, and open until parcel__hdf5_file_close
 *  path  for what may be wrong */
hid_t parcel__hdf5_file_open(const char *path, int fd, parcel_hdf5_use use);

/** The same for a file that becomes a new, empty HDF5 file. What is allocated for it on the disk is used.
 *
 *  creation  properties of H5P_FILE_CREATE
 *  access    of H5P_FILE_ACCESS; its driver is set */
hid_t parcel__hdf5_file_create(const char *path, int fd, hid_t creation, hid_t access);

/** Closes it and all that is open of it. A file is cut to its new end after HDF5's note of that end is on the
 *  disk: never, even after a power cut, is it shorter than HDF5 believes. Returns status if that is a
 *  failure, with its text, else how the writing went.
 *
 *  Errors: SPACE, IO (a write has failed at any time); HDF5. */
PARCEL_MUST_CHECK parcel_status parcel__hdf5_file_close(hid_t file, const char *path, parcel_status status);

/** Closes a file that was only read, and keeps parcel_last_error(). file: negative is none. */
void parcel__hdf5_file_forget(hid_t file);

#endif
