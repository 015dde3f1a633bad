/** @file
 *  Kinds of file systems, and what their hosts see of each other. */
#ifndef PARCEL_FILE_SYSTEM_IMPL_H
#define PARCEL_FILE_SYSTEM_IMPL_H

#include <stdbool.h>
#include <stdint.h>

typedef struct parcel_file_system {
  int64_t magic;    /* statfs's f_type; 0: nothing is there */
  const char *name; /* NULL: unknown */
  bool is_coherent; /* each host sees at once what others have written; or there is one host only */
} parcel_file_system;

/** The kind with this number. One that is not known is not known to be coherent, either. Any thread. */
parcel_file_system parcel__file_system_find(int64_t magic);

/** The kind that a file or folder is on; a magic of 0 if it cannot be found out. Any thread. */
parcel_file_system parcel__file_system_of(const char *path);

#endif
