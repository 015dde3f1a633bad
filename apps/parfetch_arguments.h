/** @file
 *  The command line of parfetch. */
#ifndef PARFETCH_ARGUMENTS_H
#define PARFETCH_ARGUMENTS_H

#include <parcel/parcel.h>

#include "fetcher.h"

typedef enum parfetch_action { PARFETCH_RUN, PARFETCH_HELP, PARFETCH_VERSION } parfetch_action;

/** What a person asked for, checked. The texts are argv's. */
typedef struct parfetch_arguments {
  parfetch_action action;
  const char *list; /* "-": the standard input */
  const char *output;
  int threads;
  fetcher_options fetcher;
  bool replaces;
  bool resumes;
  bool retries;
  parcel_on_error on_error;
  parcel_index max_failures; /* 0: what the file has room for */
  parcel_progress_kind progress;
  bool is_quiet, is_verbose;
} parfetch_arguments;

/** Reads the command line. What is wrong is printed as one line where `speaks`.  Errors: INVALID. */
PARCEL_MUST_CHECK parcel_status parfetch_parse(int argc, char **argv, bool speaks, parfetch_arguments *out);

/** Prints the help. */
void parfetch_help(void);

#endif
