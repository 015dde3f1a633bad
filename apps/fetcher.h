/** @file
 *  Fetches URLs by libcurl: http and https, redirects followed; of the body, size and checksum are kept. */
#ifndef PARFETCH_FETCHER_H
#define PARFETCH_FETCHER_H

#include <parcel/sweep.h>

#include "url_list.h"

typedef struct fetcher_options {
  double timeout_seconds;         /* of an attempt, from its begin to the last byte */
  double connect_timeout_seconds; /* of an attempt, until there is a connection */
  int retries;                    /* after failures that may pass: no connection, a timeout, HTTP 503 ... */
  double backoff_seconds;         /* before the first retry; twice as long before each further one */
} fetcher_options;

enum { FETCHER_COLUMNS = 5 };

/** What is noted of each URL: status, bytes, seconds, checksum, attempts. */
extern const parcel_column fetcher_columns[FETCHER_COLUMNS];

/** Opaque: connections for some threads. */
typedef struct fetcher fetcher;

/** Makes a fetcher for the URLs of a list, which outlives it. By the main thread, before there are others.
 *
 *  threads  that may fetch at once
 *  Owns:    *out is the caller's, for fetcher_close.
 *  Errors:  MEMORY; SYSTEM (libcurl). */
PARCEL_MUST_CHECK parcel_status fetcher_open(const url_list *list, int threads,
                                             const fetcher_options *options, fetcher **out);

/** A parcel_kernel, whose ctx is a fetcher: position p stands for the list's URL p.
 *
 *  Errors: KERNEL, TIMEOUT; the text is the cause and the URL: "HTTP 404, after 1 attempt: http://...". */
parcel_status fetcher_kernel(void *ctx, const parcel_slice *slice, void *const columns[]);

/** *closing becomes NULL; NULL is fine. */
void fetcher_close(fetcher **closing);

#endif
