/* The lowest floor alone: the spans of 10 positions over 3 parts. Needs Parcel::partition and the C
 * library. */
#include <inttypes.h>
#include <stdio.h>

#include <parcel/block.h>

int main(void)
{
  for (parcel_index part = 0; part < 3; ++part) {
    const parcel_span span = parcel_block_span(10, 3, part);
    printf("[%" PRId64 ", %" PRId64 ")\n", span.begin, span.end);
  }
  return 0;
}
