/* parcel_layout_parse: what is refused is left alone; what is accepted owns every position that is looked at
 * once, and comes back from its own text, equal and with the same hash. */
#include "fuzz.h"

#include <parcel/layout.h>

static char *format(const parcel_layout *layout)
{
  const parcel_index length = parcel_layout_format(layout, NULL, 0);
  char *text = malloc((size_t)length + 1);
  FUZZ_ASSERT(text != NULL);
  FUZZ_ASSERT(parcel_layout_format(layout, text, (size_t)length + 1) == length);
  FUZZ_ASSERT(strlen(text) == (size_t)length);
  return text;
}

static void check_position(const parcel_layout *layout, parcel_index position)
{
  const int owner = parcel_layout_owner(layout, position);
  const parcel_index local = parcel_layout_local(layout, position);
  FUZZ_ASSERT(owner >= 0 && owner < parcel_layout_parts(layout));
  FUZZ_ASSERT(local >= 0 && local < parcel_layout_count(layout, owner));
  FUZZ_ASSERT(parcel_layout_global(layout, owner, local) == position);
}

static void check_part(const parcel_layout *layout, int part)
{
  const parcel_index count = parcel_layout_count(layout, part);
  const parcel_index spans = parcel_layout_spans(layout, part);
  FUZZ_ASSERT(count >= parcel_layout_min(layout) && count <= parcel_layout_max(layout));
  FUZZ_ASSERT(spans >= (count > 0) && spans <= count);
  if (count == 0)
    return;
  FUZZ_ASSERT(parcel_layout_span(layout, part, 0).begin == parcel_layout_global(layout, part, 0));
  FUZZ_ASSERT(parcel_layout_span(layout, part, spans - 1).end ==
              parcel_layout_global(layout, part, count - 1) + 1);
}

static void check_answers(const parcel_layout *layout)
{
  const parcel_index n = parcel_layout_size(layout);
  const int parts = parcel_layout_parts(layout);
  const parcel_index positions[] = {0, 1, n / 3, n / 2, n - 2, n - 1};
  const int some_parts[] = {0, 1, parts / 3, parts / 2, parts - 2, parts - 1};
  for (size_t i = 0; i < sizeof positions / sizeof *positions; ++i)
    if (positions[i] >= 0 && positions[i] < n)
      check_position(layout, positions[i]);
  for (size_t i = 0; i < sizeof some_parts / sizeof *some_parts; ++i)
    if (some_parts[i] >= 0 && some_parts[i] < parts)
      check_part(layout, some_parts[i]);
  FUZZ_ASSERT(parcel_layout_owner(layout, n) == -1 && parcel_layout_owner(layout, -1) == -1);
  const double imbalance = parcel_layout_imbalance(layout);
  FUZZ_ASSERT(imbalance >= 1 && imbalance <= parts * (1 + 1e-15)); /* a ratio of two rounded numbers */
}

static void check_round_trip(const parcel_layout *layout)
{
  parcel_layout *again = NULL;
  char *written = format(layout);
  FUZZ_ASSERT(parcel_layout_parse(written, &again) == PARCEL_OK);
  char *rewritten = format(again);
  FUZZ_ASSERT(strcmp(written, rewritten) == 0);
  FUZZ_ASSERT(parcel_layout_equal(layout, again) && parcel_layout_equal(again, layout));
  FUZZ_ASSERT(parcel_layout_hash(layout) == parcel_layout_hash(again));
  parcel_layout_free(&again);
  free(rewritten);
  free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  char *text = fuzz_text(data, size);
  parcel_layout *const untouched = (parcel_layout *)text; /* any address will do */
  parcel_layout *layout = untouched;
  fuzz_forget_reason();
  const parcel_status status = parcel_layout_parse(text, &layout);
  if (status) {
    FUZZ_ASSERT(layout == untouched);
    fuzz_assert_refusal(status);
  } else {
    check_answers(layout);
    check_round_trip(layout);
    parcel_layout_free(&layout);
  }
  free(text);
  return 0;
}
