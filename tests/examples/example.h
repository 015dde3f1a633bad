/* What the examples have in common: where Python raises an exception, they end with the reason. */
#ifndef PARCEL_TESTS_EXAMPLE_H
#define PARCEL_TESTS_EXAMPLE_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <parcel/base.h>

static inline void must(parcel_status status)
{
  if (status) {
    fprintf(stderr, "%s\n", parcel_last_error());
    exit(parcel_status_exit_code(status));
  }
}

static inline void sleep_seconds(double seconds)
{
  const struct timespec time = {.tv_sec = (time_t)seconds,
                                .tv_nsec = (long)(1e9 * (seconds - (double)(time_t)seconds))};
  nanosleep(&time, NULL);
}

#endif
