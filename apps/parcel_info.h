/** @file
 *  What `parcel info` tells of a file, once found out; printed for people, or as JSON. */
#ifndef PARCEL_APPS_PARCEL_INFO_H
#define PARCEL_APPS_PARCEL_INFO_H

#include <parcel/reader.h>

enum { INFO_FAILURES = 5 };

typedef struct info {
  const parcel_reader *reader;
  parcel_index blocks, blocks_done;
  bool is_complete;
  parcel_failure failures[INFO_FAILURES]; /* the first ones */
  int failure_count;                      /* of these */
} info;

/** "uint64" for PARCEL_UINT64. */
const char *info_type_name(parcel_type type);

/** Whether this text of the provenance still means something: a finished file has no owner any more. */
bool info_has_note(const info *info, const parcel_reader_note *note);

/** One JSON object, to the standard output.  Errors: MEMORY; INVALID (built without jansson). */
PARCEL_MUST_CHECK parcel_status info_print_json(const info *info);

#endif
