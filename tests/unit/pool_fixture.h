/* Pools for tests. */
#ifndef PARCEL_TESTS_POOL_FIXTURE_H
#define PARCEL_TESTS_POOL_FIXTURE_H

#include "unit.h"

#include <parcel/pool.h>

enum { MOST_WORKERS = 8 };

static const int pool_sizes[] = {1, 2, MOST_WORKERS};

static inline parcel_pool *make_pool(int threads)
{
  parcel_pool_options options = PARCEL_POOL_OPTIONS_INIT;
  parcel_pool *pool = NULL;
  options.threads = threads;
  assert_ok(parcel_pool_create(&options, &pool));
  assert_int_equal(parcel_pool_threads(pool), threads);
  return pool;
}

/* Runs a check on no pool at all and on pools of every size. */
static inline void on_every_pool(void (*check)(parcel_pool *pool))
{
  check(NULL);
  for (int p = 0; p < LENGTH(pool_sizes); ++p) {
    parcel_pool *pool = make_pool(pool_sizes[p]);
    check(pool);
    parcel_pool_destroy(&pool);
    assert_null(pool);
  }
}

#endif
