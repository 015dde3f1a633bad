/** @file
 *  Progress of a sweep: the numbers, and a meter that shows them as a bar on a terminal or as lines
 *  in a log. */
#ifndef PARCEL_PROGRESS_H
#define PARCEL_PROGRESS_H

#include <stdbool.h>

#include <parcel/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How far all ranks together are. */
typedef struct parcel_progress {
  parcel_index done;      /* positions */
  parcel_index total;     /* positions */
  double elapsed_seconds; /* since the first block */
  bool is_over;           /* the last report of this sweep */
  parcel_index failures;  /* positions among those done that failed and are on record */
} parcel_progress;

enum { PARCEL_PROGRESS_TEXT_SIZE = 192 };

/** " 42.0 %, 42 of 100, 12 M/s, ETA 0:12, 3 failed"; what failed only if anything did.  Returns text. */
PARCEL_API char *parcel_progress_format(const parcel_progress *progress,
                                        char text[PARCEL_PROGRESS_TEXT_SIZE]);

/** "[=====     ]  42.0 %  12 M/s  ETA 0:12  3 failed".  Returns text. */
PARCEL_API char *parcel_progress_format_bar(const parcel_progress *progress,
                                            char text[PARCEL_PROGRESS_TEXT_SIZE]);

/** Shows progress; must return soon. */
typedef void (*parcel_progress_show)(void *ctx, const parcel_progress *progress);

typedef enum parcel_progress_kind {
  PARCEL_PROGRESS_AUTO, /* bar where stderr ends on a terminal (behind mpirun too), otherwise log */
  PARCEL_PROGRESS_BAR,
  PARCEL_PROGRESS_LOG,
  PARCEL_PROGRESS_NONE
} parcel_progress_kind;

/** Reads "auto", "bar", "log" or "none".  Errors: INVALID (the text lists what there is). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_progress_parse(const char *text, parcel_progress_kind *out);

/** A meter that writes to stderr: a bar redrawn in place, or a line every five seconds. A plain value. */
typedef struct parcel_meter {
  parcel_progress_kind kind; /* never AUTO once made */
  double next_seconds;       /* when to write again */
  bool has_bar;              /* a bar stands on the terminal's last line */
} parcel_meter;

PARCEL_API parcel_meter parcel_meter_make(parcel_progress_kind kind);

/** A parcel_progress_show; ctx is a parcel_meter. */
PARCEL_API void parcel_meter_show(void *meter, const parcel_progress *progress);

#ifdef __cplusplus
}
#endif

#endif
