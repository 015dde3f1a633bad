/* All arithmetic on values is modulo 2^64 (unsigned), where the distance between any two int64 is exact;
 * results are turned back into int64 only after they are known to fit. */
#include <parcel/range.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static uint64_t distance(parcel_index from, parcel_index to)
{
  return (uint64_t)to - (uint64_t)from;
}

parcel_status parcel_range_make(parcel_index first, parcel_index last, parcel_index step, parcel_range *out)
{
  if (step == 0)
    return parcel_fail(PARCEL_INVALID, "the step of a range must not be 0");
  if (first != last && (first < last) != (step > 0))
    return parcel_fail(PARCEL_INVALID,
                       "a step of %" PRId64 " never leads from %" PRId64 " to %" PRId64
                       "; give one of the other sign",
                       step, first, last);
  const uint64_t stride = step > 0 ? (uint64_t)step : -(uint64_t)step;
  const uint64_t steps = (step > 0 ? distance(first, last) : distance(last, first)) / stride;
  if (steps >= INT64_MAX)
    return parcel_fail(PARCEL_RANGE,
                       "more than %" PRId64 " values from %" PRId64 " to %" PRId64 " by %" PRId64, INT64_MAX,
                       first, last, step);
  *out = (parcel_range){.first = first, .step = step, .count = (parcel_index)steps + 1};
  return PARCEL_OK;
}

parcel_index parcel_range_at(parcel_range range, parcel_index position)
{
  return (parcel_index)((uint64_t)range.first + (uint64_t)position * (uint64_t)range.step);
}

char *parcel_range_format(parcel_range range, char *text, size_t size)
{
  if (range.count <= 0) {
    snprintf(text, size, "empty");
    return text;
  }
  const parcel_index last = parcel_range_at(range, range.count - 1);
  if (range.step == 1)
    snprintf(text, size, "%" PRId64 "..%" PRId64, range.first, last);
  else
    snprintf(text, size, "%" PRId64 "..%" PRId64 "..%" PRId64, range.first, last, range.step);
  return text;
}

/* What is being read, from where on, and what to call it in a message. */
typedef struct cursor {
  const char
      *noun; /* messages quote the first 99 characters of text, to have room for what is wrong with it */
  const char *text;
  const char *at;
} cursor;

static parcel_status fail_at(const cursor *in, const char *expected)
{
  const long character = (long)(in->at - in->text) + 1;
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

static bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

static parcel_status read_number(cursor *in, parcel_index *out)
{
  const char *start = in->at;
  const bool is_negative = *in->at == '-';
  const uint64_t limit = (uint64_t)INT64_MAX + (is_negative ? 1 : 0);
  uint64_t magnitude = 0;

  in->at += is_negative;
  if (!is_digit(*in->at))
    return fail_at(in, "a digit");
  for (; is_digit(*in->at); ++in->at) {
    const uint64_t digit = (uint64_t)(*in->at - '0');
    if (magnitude > (limit - digit) / 10)
      return parcel_fail(PARCEL_RANGE, "%s '%.99s': the number at character %ld does not fit 64 bits",
                         in->noun, in->text, (long)(start - in->text) + 1);
    magnitude = magnitude * 10 + digit;
    if (in->at[1] == '_') {
      ++in->at;
      if (!is_digit(in->at[1])) {
        ++in->at;
        return fail_at(in, "a digit after '_'");
      }
    }
  }
  *out = (parcel_index)(is_negative ? -magnitude : magnitude);
  return PARCEL_OK;
}

static parcel_status read_dots(cursor *in)
{
  if (strncmp(in->at, "..", 2) != 0)
    return fail_at(in, "'..'");
  in->at += 2;
  return PARCEL_OK;
}

parcel_status parcel_range_parse(const char *text, parcel_range *out)
{
  cursor in = {.noun = "range", .text = text, .at = text};
  parcel_index first = 0;
  parcel_index last = 0;
  parcel_index step = 1;
  parcel_status status = PARCEL_OK;

  if (*text == '\0')
    return parcel_fail(PARCEL_INVALID, "range '': empty at character 1; expected FIRST..LAST[..STEP]");
  if ((status = read_number(&in, &first)) || (status = read_dots(&in)))
    return status;
  const char *culprit = in.at;
  if ((status = read_number(&in, &last)))
    return status;
  if (*in.at != '\0') {
    culprit = in.at + 2;
    if ((status = read_dots(&in)) || (status = read_number(&in, &step)))
      return status;
  }
  if (*in.at != '\0')
    return fail_at(&in, "the end");
  status = parcel_range_make(first, last, step, out);
  if (status)
    return parcel_fail(status, "range '%.99s': at character %ld: %s", text, (long)(culprit - text) + 1,
                       parcel_last_error());
  return PARCEL_OK;
}

parcel_status parcel_index_parse(const char *text, parcel_index *out)
{
  cursor in = {.noun = "number", .text = text, .at = text};
  parcel_index value = 0;
  const parcel_status status = read_number(&in, &value);
  if (status)
    return status;
  if (*in.at != '\0')
    return fail_at(&in, "the end");
  *out = value;
  return PARCEL_OK;
}
