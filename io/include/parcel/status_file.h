/** @file
 *  The status file of a run: FILE.part.status.json beside FILE.part, which tells others how far it is. Rank 0
 *  replaces it about once a second, so a reader always finds one that is whole, and removes it when the run
 *  ends, however it ends; one that grows old belongs to a run that was killed.
 *
 *      parcel_status_file *shown = NULL;
 *      status = parcel_status_file_open(world, &sweep, "wave.h5", parcel_meter_show, &meter, &shown);
 *      options.show = parcel_status_file_show;
 *      options.show_ctx = shown;
 *      ...
 *      parcel_status_file_close(&shown);
 *
 *  Needs a library built with jansson: without it nothing is written, and nothing can be read. */
#ifndef PARCEL_STATUS_FILE_H
#define PARCEL_STATUS_FILE_H

#include <parcel/sweep.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque; used by a rank's main thread. */
typedef struct parcel_status_file parcel_status_file;

/** Only for a run that has made or taken over FILE.part. Ranks other than 0 never write anything; a status
 *  that cannot be written is a warning. World and sweep must outlive *out.
 *
 *  path   of the results; NULL: nothing is written, as for a file that is complete already
 *  next   shown the same progress, in the same moment; NULL: nobody
 *  Owns: *out is the caller's, for parcel_status_file_close.  Errors: MEMORY. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_status_file_open(const parcel_world *world,
                                                                   const parcel_sweep *sweep,
                                                                   const char *path,
                                                                   parcel_progress_show next, void *next_ctx,
                                                                   parcel_status_file **out);

/** A parcel_progress_show; ctx is a parcel_status_file. */
PARCEL_API void parcel_status_file_show(void *status_file, const parcel_progress *progress);

/** Removes the file. *status_file becomes NULL; NULL is fine. */
PARCEL_API void parcel_status_file_close(parcel_status_file **status_file);

enum { PARCEL_STATUS_FILE_TEXT_SIZE = 256 };

/** What a status file says. */
typedef struct parcel_status_view {
  char kernel[PARCEL_STATUS_FILE_TEXT_SIZE];
  char host[PARCEL_STATUS_FILE_TEXT_SIZE];  /* of rank 0 */
  char phase[PARCEL_STATUS_FILE_TEXT_SIZE]; /* "computing", "closing" */
  int64_t process;                          /* of rank 0 */
  int ranks, threads;                       /* threads: of each rank */
  double updated;                           /* seconds since 1970 (UTC), by rank 0's clock */
  parcel_progress progress;
} parcel_status_view;

/** Reads the status of the run that makes `path`.
 *
 *  Errors: IO (there is none, or it cannot be read); INVALID (it is none, or there is no jansson). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_status_file_read(const char *path, parcel_status_view *out);

#ifdef __cplusplus
}
#endif

#endif
