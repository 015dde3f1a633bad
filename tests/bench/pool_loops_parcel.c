#include "pool_loops.h"

#include <stdio.h>
#include <stdlib.h>

#include <parcel/pool.h>

static parcel_pool *pool;

static void must(parcel_status status)
{
  if (!status)
    return;
  fprintf(stderr, "%s\n", parcel_last_error());
  exit(1);
}

static parcel_status call(void *ctx, parcel_span positions, int worker)
{
  const peer_body body = *(peer_body *)ctx;
  (void)worker;
  for (parcel_index p = positions.begin; p < positions.end; ++p)
    body((long)p);
  return PARCEL_OK;
}

void peer_open(int threads)
{
  const parcel_pool_options options = {.threads = threads};
  must(parcel_pool_create(&options, &pool));
}

void peer_loop(long count, peer_body body)
{
  must(parcel_pool_for(pool, count, 1, call, &body));
}

void peer_loop_auto(long count, peer_body body)
{
  must(parcel_pool_for(pool, count, 0, call, &body));
}
