/* parcel_index_parse, against strtoll on the same digits. */
#include "fuzz.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>

#include <parcel/range.h>

/* Whether a text is -?D(_?D)*, D being a digit; it is cut down to what strtoll reads. */
static int is_number(char *text)
{
  char *to = text;
  const char *from = text;
  char before = '_';
  if (*from == '-')
    *to++ = *from++;
  for (; *from; before = *from++) {
    if (*from == '_' && before == '_')
      return 0;
    if (*from != '_' && !isdigit((unsigned char)*from))
      return 0;
    if (*from != '_')
      *to++ = *from;
  }
  *to = '\0';
  return before != '_';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const parcel_index untouched = 0x5a5a5a5a5a5a5a5a;
  parcel_index number = untouched;
  parcel_index again = untouched;
  char written[32];
  char *text = fuzz_text(data, size);
  fuzz_forget_reason();
  const parcel_status status = parcel_index_parse(text, &number);
  if (status) {
    FUZZ_ASSERT(number == untouched);
    fuzz_assert_refusal(status);
  } else {
    snprintf(written, sizeof written, "%" PRId64, number);
    FUZZ_ASSERT(parcel_index_parse(written, &again) == PARCEL_OK && again == number);
  }
  const int is_well_formed = is_number(text);
  errno = 0;
  const long long expected = strtoll(text, NULL, 10);
  const parcel_status verdict = !is_well_formed ? PARCEL_INVALID : errno == ERANGE ? PARCEL_RANGE : PARCEL_OK;
  /* of a number that is too large and has a fault behind it, either may be told */
  FUZZ_ASSERT(status == verdict || (verdict == PARCEL_INVALID && status == PARCEL_RANGE));
  FUZZ_ASSERT(status || number == expected);
  free(text);
  return 0;
}
