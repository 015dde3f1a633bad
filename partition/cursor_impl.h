/** @file
 *  Reading short texts of numbers and words, with errors that name the character at fault: what the parsers
 *  of ranges and layouts share. */
#ifndef PARCEL_CURSOR_IMPL_H
#define PARCEL_CURSOR_IMPL_H

#include <stdbool.h>

#include <parcel/base.h>

/* What is being read, from where on, and what to call it in a message. Never moves beyond the closing zero.
 * Messages quote the first 99 characters of the text, to have room for what is wrong with it. */
typedef struct parcel__cursor {
  const char *noun;
  const char *text;
  const char *at;
} parcel__cursor;

bool parcel__is_digit(char c);

/* The place of a character of the text, counted from 1. */
long parcel__cursor_character(const parcel__cursor *in, const char *at);

/* INVALID: "NOUN 'TEXT': expected WHAT at character K, found 'x'". */
parcel_status parcel__cursor_fail(const parcel__cursor *in, const char *expected);

/* Goes on behind the word if it comes next. */
bool parcel__cursor_skip(parcel__cursor *in, const char *word);

/* The same for a word that must come next. Errors: INVALID. */
parcel_status parcel__cursor_expect(parcel__cursor *in, const char *word);

/* A decimal with an optional '-' and single '_' between digits.  Errors: INVALID, RANGE (beyond 64 bits). */
parcel_status parcel__cursor_number(parcel__cursor *in, parcel_index *out);

/* INVALID unless the text ends here. */
parcel_status parcel__cursor_end(const parcel__cursor *in);

#endif
