/** @file
 *  The values to compute on: an arithmetic progression over int64, as people write it and as code
 *  walks it. */
#ifndef PARCEL_RANGE_H
#define PARCEL_RANGE_H

#include <stddef.h>

#include <parcel/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** `count` values: first, first + step, ...; the value at position p is first + p * step. May be empty. */
typedef struct parcel_range {
  parcel_index first;
  parcel_index step;
  parcel_index count;
} parcel_range;

/** The range from first to last, both included where the steps reach them: (10, 1, -4) is 10, 6, 2.
 *
 *  Errors: INVALID (step 0, or a step that leads away from last); RANGE (more than INT64_MAX values). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_range_make(parcel_index first, parcel_index last,
                                                             parcel_index step, parcel_range *out);

/** Reads FIRST..LAST[..STEP]: "1..1_000_000", "-5..5", "10..1..-4". The step is 1 if left out.
 *
 *  Numbers are decimal, with an optional '-' and single '_' between digits; nothing else, no spaces.
 *  Errors: INVALID (the text names the character at fault, counted from 1) or RANGE, as in
 *  parcel_range_make. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_range_parse(const char *text, parcel_range *out);

/** Reads one whole number in the same notation, as options do: "1_000_000".  Errors: INVALID, RANGE. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_index_parse(const char *text, parcel_index *out);

/** The value at a position in [0, count). Outside, the result is unspecified. */
PARCEL_API parcel_index parcel_range_at(parcel_range range, parcel_index position);

/** Room for the text of any range and its closing zero, in bytes. */
#define PARCEL_RANGE_TEXT_SIZE 72

/** Writes the range as FIRST..LAST or FIRST..LAST..STEP, which parcel_range_parse reads back, or "empty".
 *
 *  Returns text.  size: bytes at text; PARCEL_RANGE_TEXT_SIZE is always enough. */
PARCEL_API char *parcel_range_format(parcel_range range, char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif
