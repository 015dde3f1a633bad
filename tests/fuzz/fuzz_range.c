/* parcel_range_parse: what is refused is left alone, what is accepted comes back from its own text. */
#include "fuzz.h"

#include <parcel/range.h>

static int is_same(parcel_range a, parcel_range b)
{
  return a.first == b.first && a.step == b.step && a.count == b.count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const parcel_range untouched = {.first = 0x5a5a5a5a, .step = 0x5b5b5b5b, .count = 0x5c5c5c5c};
  parcel_range range = untouched;
  parcel_range again = untouched;
  char written[PARCEL_RANGE_TEXT_SIZE];
  char *text = fuzz_text(data, size);
  fuzz_forget_reason();
  const parcel_status status = parcel_range_parse(text, &range);
  if (status) {
    FUZZ_ASSERT(is_same(range, untouched));
    fuzz_assert_refusal(status);
  } else {
    FUZZ_ASSERT(range.count >= 1 && range.step != 0);
    const parcel_index last = parcel_range_at(range, range.count - 1);
    FUZZ_ASSERT(range.count == 1 || (range.first < last) == (range.step > 0));
    FUZZ_ASSERT(parcel_range_parse(parcel_range_format(range, written, sizeof written), &again) == PARCEL_OK);
    FUZZ_ASSERT(is_same(range, again));
    FUZZ_ASSERT(parcel_range_make(range.first, last, range.step, &again) == PARCEL_OK);
    FUZZ_ASSERT(is_same(range, again));
  }
  free(text);
  return 0;
}
