#include "cursor_impl.h"

#include <stdio.h>
#include <string.h>

bool parcel__is_digit(char c)
{
  return c >= '0' && c <= '9';
}

long parcel__cursor_character(const parcel__cursor *in, const char *at)
{
  return (long)(at - in->text) + 1;
}

parcel_status parcel__cursor_fail(const parcel__cursor *in, const char *expected)
{
  const long character = parcel__cursor_character(in, in->at);
  if (*in->at == '\0')
    return parcel_fail(PARCEL_INVALID, "%s '%.99s': expected %s at character %ld, where it ends", in->noun,
                       in->text, expected, character);
  const unsigned char found = (unsigned char)*in->at;
  if (found < ' ' || found > '~')
    return parcel_fail(PARCEL_INVALID, "%s '%.99s': expected %s at character %ld, found byte %#04x", in->noun,
                       in->text, expected, character, found);
  return parcel_fail(PARCEL_INVALID, "%s '%.99s': expected %s at character %ld, found '%c'", in->noun,
                     in->text, expected, character, found);
}

bool parcel__cursor_skip(parcel__cursor *in, const char *word)
{
  const size_t length = strlen(word);
  if (strncmp(in->at, word, length) != 0)
    return false;
  in->at += length;
  return true;
}

parcel_status parcel__cursor_expect(parcel__cursor *in, const char *word)
{
  char quoted[32];
  if (parcel__cursor_skip(in, word))
    return PARCEL_OK;
  snprintf(quoted, sizeof quoted, "'%s'", word);
  return parcel__cursor_fail(in, quoted);
}

parcel_status parcel__cursor_number(parcel__cursor *in, parcel_index *out)
{
  const char *start = in->at;
  const bool is_negative = *in->at == '-';
  const uint64_t limit = (uint64_t)INT64_MAX + (is_negative ? 1 : 0);
  uint64_t magnitude = 0;

  in->at += is_negative;
  if (!parcel__is_digit(*in->at))
    return parcel__cursor_fail(in, "a digit");
  for (; parcel__is_digit(*in->at); ++in->at) {
    const uint64_t digit = (uint64_t)(*in->at - '0');
    if (magnitude > (limit - digit) / 10)
      return parcel_fail(PARCEL_RANGE, "%s '%.99s': the number at character %ld does not fit 64 bits",
                         in->noun, in->text, parcel__cursor_character(in, start));
    magnitude = magnitude * 10 + digit;
    if (in->at[1] == '_') {
      ++in->at;
      if (!parcel__is_digit(in->at[1])) {
        ++in->at;
        return parcel__cursor_fail(in, "a digit after '_'");
      }
    }
  }
  *out = (parcel_index)(is_negative ? -magnitude : magnitude);
  return PARCEL_OK;
}

parcel_status parcel__cursor_end(const parcel__cursor *in)
{
  return *in->at == '\0' ? PARCEL_OK : parcel__cursor_fail(in, "the end");
}
