/* All arithmetic on values is modulo 2^64 (unsigned), where the distance between any two int64 is exact;
 * results are turned back into int64 only after they are known to fit. */
#include <parcel/range.h>

#include <inttypes.h>
#include <stdio.h>

#include "cursor_impl.h"

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

parcel_status parcel_range_parse(const char *text, parcel_range *out)
{
  parcel__cursor in = {.noun = "range", .text = text, .at = text};
  parcel_index first = 0;
  parcel_index last = 0;
  parcel_index step = 1;
  parcel_status status = PARCEL_OK;

  if (*text == '\0')
    return parcel_fail(PARCEL_INVALID, "range '': empty at character 1; expected FIRST..LAST[..STEP]");
  if ((status = parcel__cursor_number(&in, &first)) || (status = parcel__cursor_expect(&in, "..")))
    return status;
  const char *culprit = in.at;
  if ((status = parcel__cursor_number(&in, &last)))
    return status;
  if (*in.at != '\0') {
    culprit = in.at + 2;
    if ((status = parcel__cursor_expect(&in, "..")) || (status = parcel__cursor_number(&in, &step)))
      return status;
  }
  if ((status = parcel__cursor_end(&in)))
    return status;
  status = parcel_range_make(first, last, step, out);
  if (status)
    return parcel_fail(status, "range '%.99s': at character %ld: %s", text,
                       parcel__cursor_character(&in, culprit), parcel_last_error());
  return PARCEL_OK;
}

parcel_status parcel_index_parse(const char *text, parcel_index *out)
{
  parcel__cursor in = {.noun = "number", .text = text, .at = text};
  parcel_index value = 0;
  parcel_status status = PARCEL_OK;
  if ((status = parcel__cursor_number(&in, &value)) || (status = parcel__cursor_end(&in)))
    return status;
  *out = value;
  return PARCEL_OK;
}
