/** @file
 *  Which way bytes go into a results file, where the program leaves it open. */
#ifndef PARCEL_IO_MODE_IMPL_H
#define PARCEL_IO_MODE_IMPL_H

#include <parcel/results.h>

#include "file_impl.h"

/** Turns AUTO into what suits the file system that the .part is on; other modes stay. Collective.
 *
 *  is_incoherent  there are several hosts, and they may not see at once what others write there
 *  Errors:        MPI. */
PARCEL_MUST_CHECK parcel_status parcel__io_mode_choose(const parcel_world *world, const parcel_file *file,
                                                       parcel_io_mode *mode, bool *is_incoherent);

#endif
