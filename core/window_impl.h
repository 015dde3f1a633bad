/** @file
 *  Room for shared windows of MPI. */
#ifndef PARCEL_WINDOW_IMPL_H
#define PARCEL_WINDOW_IMPL_H

#include <stddef.h>
#include <stdint.h>

#include <parcel/base.h>

/** Where MPI libraries keep the memory that the ranks of a host share. */
#define PARCEL_WINDOW_FOLDER "/dev/shm"

/** Bytes that are free there; INT64_MAX if that cannot be told, or if MPI puts its memory elsewhere. */
int64_t parcel__window_room(void);

/** Whether there is room on this host for a window of so many bytes. To be agreed on before any rank
 *  allocates it: MPI does not tell the others where one runs out of it, and they wait for ever.
 *
 *  Errors: SPACE. */
PARCEL_MUST_CHECK parcel_status parcel__window_check_room(size_t bytes);

#endif
