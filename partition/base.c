#include <parcel/base.h>

#include <stdarg.h>
#include <stdio.h>

#include "text_impl.h"

static _Thread_local char last_error[PARCEL_ERROR_SIZE];

const char *parcel_status_name(parcel_status status)
{
  switch (status) {
#define NAME_CASE(name, value, text, exit_code)                                                              \
  case PARCEL_##name: return #name;
    PARCEL_STATUS_MAP(NAME_CASE)
#undef NAME_CASE
  }
  return "UNKNOWN";
}

const char *parcel_status_text(parcel_status status)
{
  switch (status) {
#define TEXT_CASE(name, value, text, exit_code)                                                              \
  case PARCEL_##name: return text;
    PARCEL_STATUS_MAP(TEXT_CASE)
#undef TEXT_CASE
  }
  return "unknown status";
}

int parcel_status_exit_code(parcel_status status)
{
  switch (status) {
#define EXIT_CASE(name, value, text, exit_code)                                                              \
  case PARCEL_##name: return exit_code;
    PARCEL_STATUS_MAP(EXIT_CASE)
#undef EXIT_CASE
  }
  return 1;
}

const char *parcel_last_error(void)
{
  return last_error;
}

/* Formats aside first: an argument may be the previous error itself (a caller that adds its context to it). A
 * failure is one line of UTF-8, whatever comes with a file's name or another library's text. The 3 bytes
 * more are the rest of a last character, so that only the copy cuts. */
parcel_status parcel_fail(parcel_status status, const char *format, ...)
{
  char text[PARCEL_ERROR_SIZE + 3];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  parcel__text_copy(last_error, sizeof last_error, text);
  parcel__text_line(last_error);
  return status;
}
