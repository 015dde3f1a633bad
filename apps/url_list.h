/** @file
 *  The list of URLs that is fetched: a text with one in each line. */
#ifndef PARFETCH_URL_LIST_H
#define PARFETCH_URL_LIST_H

#include <parcel/world.h>

/** Room for url_list_describe. */
#define URL_LIST_TEXT_SIZE 96

/** The same on every rank. */
typedef struct url_list {
  parcel_index count;
  const char **urls; /* [count] into text */
  parcel_index text_bytes;
  char *text; /* the URLs, each with its closing zero */
} url_list;

/** Reads a list on rank 0, for all. Blanks around a URL do not count; empty lines and those that begin with
 *  '#' are passed over. Collective.
 *
 *  path  "-": the standard input
 *  Owns: *out is the caller's, for url_list_free.
 *  Errors: IO (no such file); INVALID (no URL in it; 1 GiB or more); MEMORY. The same on every rank. */
PARCEL_MUST_CHECK parcel_status url_list_read(const parcel_world *world, const char *path, url_list *out);

/** What tells this list from any other: "200 URLs, XXH3-64 of the list 0123456789abcdef". Returns text. */
const char *url_list_describe(const url_list *list, char text[URL_LIST_TEXT_SIZE]);

void url_list_free(url_list *list);

#endif
