/* parcel_schedule_parse: what is refused is left alone, what is accepted comes back from its own text, and
 * makes, for any n and parts, a schedule whose steps follow each other, or a refusal in words. */
#include "fuzz.h"

#include <inttypes.h>

#include <parcel/schedule.h>

static void check_steps(const parcel_schedule *schedule)
{
  const parcel_index steps = parcel_schedule_steps(schedule);
  const parcel_index some[] = {0, 1, 2, steps / 3, steps / 2, steps - 3, steps - 2};
  FUZZ_ASSERT(steps >= 1 && parcel_schedule_span(schedule, 0).begin == 0);
  FUZZ_ASSERT(parcel_schedule_span(schedule, steps - 1).end == schedule->n);
  for (size_t i = 0; i < sizeof some / sizeof *some; ++i) {
    if (some[i] < 0 || some[i] + 1 >= steps)
      continue;
    const parcel_span span = parcel_schedule_span(schedule, some[i]);
    FUZZ_ASSERT(span.begin < span.end && span.end == parcel_schedule_span(schedule, some[i] + 1).begin);
  }
}

static void check_schedule(parcel_schedule_kind kind, parcel_index chunk)
{
  static const parcel_index sizes[] = {1, 2, 1000, 1000000007, INT64_MAX};
  static const int parts[] = {1, 3, 8, INT32_MAX};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; ++s) {
    for (size_t p = 0; p < sizeof parts / sizeof *parts; ++p) {
      parcel_schedule schedule;
      const parcel_status status = parcel_schedule_make(kind, sizes[s], parts[p], chunk, &schedule);
      if (!status)
        check_steps(&schedule);
      else
        fuzz_assert_refusal(status);
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  parcel_schedule_kind kind = PARCEL_SCHEDULE_SELF;
  parcel_schedule_kind kind_again = PARCEL_SCHEDULE_SELF;
  parcel_index chunk = -77;
  parcel_index chunk_again = -77;
  char written[64];
  char *text = fuzz_text(data, size);
  fuzz_forget_reason();
  const parcel_status status = parcel_schedule_parse(text, &kind, &chunk);
  if (status) {
    FUZZ_ASSERT(kind == PARCEL_SCHEDULE_SELF && chunk == -77);
    fuzz_assert_refusal(status);
  } else {
    FUZZ_ASSERT(chunk >= 0);
    snprintf(written, sizeof written, chunk > 0 ? "%s,%" PRId64 : "%s", parcel_schedule_name(kind), chunk);
    FUZZ_ASSERT(parcel_schedule_parse(written, &kind_again, &chunk_again) == PARCEL_OK);
    FUZZ_ASSERT(kind == kind_again && chunk == chunk_again);
    check_schedule(kind, chunk);
  }
  free(text);
  return 0;
}
