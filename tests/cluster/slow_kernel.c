/* Makes a parsquares whose run lasts, so that things can happen to it: linked in place of its kernel, this
 * waits before each block, and notes the block in a log, which tells what was computed more than once.
 *
 *   SLOW_MILLISECONDS  that every block takes; none if not set
 *   SLOW_LOG           a file that gets a line "FIRST COUNT" for every block computed
 *   SLOW_FAILS         a file with an index at which the kernel fails, as long as that file exists */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <parcel/sweep.h>

parcel_status __real_powers_kernel(void *ctx, const parcel_slice *slice, void *const columns[]);
parcel_status __wrap_powers_kernel(void *ctx, const parcel_slice *slice, void *const columns[]);

static void wait_as_told(void)
{
  const char *text = getenv("SLOW_MILLISECONDS");
  const long milliseconds = text ? strtol(text, NULL, 10) : 0;
  const struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&pause, NULL);
}

/* One write for each line: those of other ranks come before or after, never between. */
static parcel_status note_block(const parcel_slice *slice)
{
  const char *name = getenv("SLOW_LOG");
  if (!name)
    return PARCEL_OK;
  const int log = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  const int length = log < 0 ? -1 : dprintf(log, "%" PRId64 " %" PRId64 "\n", slice->first, slice->count);
  if (log >= 0)
    close(log);
  return length > 0 ? PARCEL_OK : parcel_fail(PARCEL_IO, "cannot write to SLOW_LOG=%s: %m", name);
}

static parcel_status fail_as_told(const parcel_slice *slice)
{
  const char *name = getenv("SLOW_FAILS");
  FILE *file = name ? fopen(name, "re") : NULL;
  parcel_index index = 0;
  const bool is_told = file && fscanf(file, "%" SCNd64, &index) == 1;
  if (file)
    fclose(file);
  const parcel_index last = slice->first + (slice->count - 1) * slice->step;
  if (is_told && index >= slice->first && index <= last)
    return parcel_fail(PARCEL_KERNEL, "%s is in the way", name);
  return PARCEL_OK;
}

parcel_status __wrap_powers_kernel(void *ctx, const parcel_slice *slice, void *const columns[])
{
  parcel_status status = fail_as_told(slice);
  if (status)
    return status;
  wait_as_told();
  status = __real_powers_kernel(ctx, slice, columns);
  return status ? status : note_block(slice);
}
