/** @file
 *  The words every floor speaks: index, span, status, and the reason of the last failure.
 *
 *  Errors: a function that can fail returns a parcel_status and leaves the reason in words, for the calling
 *  thread, where parcel_last_error() finds it. Outputs are untouched on failure. */
#ifndef PARCEL_BASE_H
#define PARCEL_BASE_H

#include <stdint.h>

/** The version of the headers, by semantic versioning; CMake reads it here. */
#define PARCEL_VERSION "0.1.0"

#if defined(__GNUC__)
#define PARCEL_API                 __attribute__((visibility("default")))
#define PARCEL_MUST_CHECK          __attribute__((warn_unused_result))
#define PARCEL_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define PARCEL_API
#define PARCEL_MUST_CHECK
#define PARCEL_PRINTF(text, first)
#endif

/** The value of every ..._OPTIONS_INIT: options carry their defaults as zeros, in C and in C++. */
#ifdef __cplusplus
#define PARCEL_DEFAULTS                                                                                      \
  {                                                                                                          \
  }
#else
#define PARCEL_DEFAULTS                                                                                      \
  {                                                                                                          \
    0                                                                                                        \
  }
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Every count, position and size of data: signed, 64 bit, everywhere. */
typedef int64_t parcel_index;

/** A half-open run of positions, [begin, end). Empty when begin == end. */
typedef struct parcel_span {
  parcel_index begin;
  parcel_index end;
} parcel_span;

/** X(name, value, text, exit code): the list behind the enum, names, texts and exit codes. Append only. */
#define PARCEL_STATUS_MAP(X)                                                                                 \
  X(OK, 0, "success", 0)                                                                                     \
  X(INVALID, -1, "invalid argument", 2)                                                                      \
  X(RANGE, -2, "value out of range", 2)                                                                      \
  X(MEMORY, -3, "out of memory", 1)                                                                          \
  X(IO, -4, "input/output error", 1)                                                                         \
  X(MPI, -5, "MPI error", 1)                                                                                 \
  X(HDF5, -6, "HDF5 error", 1)                                                                               \
  X(SYSTEM, -7, "the operating system refused", 1)                                                           \
  X(KERNEL, -8, "the kernel failed", 1)                                                                      \
  X(EXISTS, -9, "the output exists already", 2)                                                              \
  X(SPACE, -10, "not enough space on the disk", 1)                                                           \
  X(STOPPED, -11, "stopped early on request", 75)                                                            \
  X(TIMEOUT, -12, "not done in the time given", 1)                                                           \
  X(CRASHED, -13, "a worker process died", 1)                                                                \
  X(CANCELLED, -14, "cancelled before it began", 1)                                                          \
  X(FULL, -15, "no room in the queue", 1)                                                                    \
  X(FAILURES, -16, "complete, but some indices failed", 3)                                                   \
  X(STALLED, -17, "no progress", 1)                                                                          \
  X(DIFFERS, -18, "made by another sweep", 2)                                                                \
  X(CORRUPT, -19, "the file's bytes are not what was written", 1)                                            \
  X(UNEQUAL, -20, "the two are not equal", 1)

typedef enum parcel_status {
#define PARCEL_STATUS_ENUM(name, value, text, exit_code) PARCEL_##name = (value),
  PARCEL_STATUS_MAP(PARCEL_STATUS_ENUM)
#undef PARCEL_STATUS_ENUM
} parcel_status;

/** "INVALID" for PARCEL_INVALID; "UNKNOWN" for a number that is none of ours. Static storage; any thread. */
PARCEL_API const char *parcel_status_name(parcel_status status);

/** "invalid argument" for PARCEL_INVALID. Static storage; any thread. */
PARCEL_API const char *parcel_status_text(parcel_status status);

/** The exit code a program that ends with this status owes its caller: 0, 1, 2, 3 or 75. */
PARCEL_API int parcel_status_exit_code(parcel_status status);

/** The calling thread's last failure in words: what was tried, on what, why it failed, what to do. "" if
 *  none.
 *
 *  Owns: the library; valid until the same thread's next failure. */
PARCEL_API const char *parcel_last_error(void);

/** Records the calling thread's failure in words and returns `status`, so that a kernel or a sink can write
 *  `return parcel_fail(PARCEL_KERNEL, "no root above %g", x);`. The text becomes one line of UTF-8: control
 *  characters turn into spaces, bytes that are not UTF-8 into U+FFFD, and what is beyond PARCEL_ERROR_SIZE
 *  - 1 bytes is cut, between two characters. */
PARCEL_API parcel_status parcel_fail(parcel_status status, const char *format, ...) PARCEL_PRINTF(2, 3);

/** Room for the longest recorded failure and its closing zero, in bytes. */
#define PARCEL_ERROR_SIZE 512

/** No time limit, where a function asks for seconds to wait. */
#define PARCEL_FOREVER (-1.0)

#ifdef __cplusplus
}
#endif

#endif
