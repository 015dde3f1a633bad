#include <parcel/sink.h>

#include <stddef.h>

static parcel_status forget(void *ctx, const parcel_block *block)
{
  (void)ctx;
  (void)block;
  return PARCEL_OK;
}

parcel_sink parcel_sink_null(void)
{
  return (parcel_sink){.write = forget};
}
