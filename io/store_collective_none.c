/* Takes the place of store_collective.c where HDF5 is serial. */
#include "store_impl.h"

parcel_status parcel__store_collective_open(const parcel_store_site *site, parcel_index round_bytes,
                                            parcel_store *out)
{
  (void)round_bytes;
  (void)out;
  return parcel_fail(
      PARCEL_INVALID,
      "cannot write '%s' collectively: this Parcel was built with a serial HDF5; build it with a "
      "parallel one, or compress the results, which needs none",
      site->file.path);
}
