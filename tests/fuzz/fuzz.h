/* What every harness here begins with. A harness is one function, LLVMFuzzerTestOneInput, that libFuzzer or
 * replay.c feeds with bytes: it asserts what must hold for any text whatsoever, and ends the process where it
 * does not. */
#ifndef PARCEL_TESTS_FUZZ_H
#define PARCEL_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parcel/base.h>

/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_ASSERT(claim) fuzz_assert((claim), #claim, __FILE__, __LINE__)

static inline void fuzz_assert(int holds, const char *claim, const char *file, int line)
{
  if (holds)
    return;
  fprintf(stderr, "%s:%d: does not hold: %s (last error: %s)\n", file, line, claim, parcel_last_error());
  abort();
}

/* The bytes as a text of its own, so that the address sanitizer sees a read beyond its end. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
  char *text = malloc(size + 1);
  FUZZ_ASSERT(text != NULL);
  if (size > 0)
    memcpy(text, data, size);
  text[size] = '\0';
  return text;
}

/* A refusal of a text: one of two statuses, and a reason in one line, that of this call. */
static inline void fuzz_assert_refusal(parcel_status status)
{
  const char *reason = parcel_last_error();
  FUZZ_ASSERT(status == PARCEL_INVALID || status == PARCEL_RANGE);
  FUZZ_ASSERT(*reason != '\0' && strcmp(reason, "before") != 0);
  for (; *reason; ++reason)
    FUZZ_ASSERT((unsigned char)*reason >= ' ' && *reason != '\x7f');
}

/* Before a call whose reason is looked at. */
static inline void fuzz_forget_reason(void)
{
  parcel_fail(PARCEL_OK, "before");
}

#endif
