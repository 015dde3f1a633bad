/** @file
 *  The command line of parfetch. */
#ifndef PARFETCH_ARGUMENTS_H
#define PARFETCH_ARGUMENTS_H

#include <parcel/parcel.h>

#include "fetcher.h"

/** What a person asked for, checked. The texts are argv's. */
typedef struct parfetch_arguments {
  bool is_answered; /* help or version were asked for, and nothing else is to be done */
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

/** Reads the command line. Help, version, or what is wrong are printed where `speaks`.  Errors: INVALID. */
PARCEL_MUST_CHECK parcel_status parfetch_parse(int argc, char **argv, bool speaks, parfetch_arguments *out);

#endif
