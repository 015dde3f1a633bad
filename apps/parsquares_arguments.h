/** @file
 *  The command line of parsquares. */
#ifndef PARSQUARES_ARGUMENTS_H
#define PARSQUARES_ARGUMENTS_H

#include <parcel/parcel.h>

#include "powers.h"

/** What a person asked for, checked. The texts are argv's. */
typedef struct parsquares_arguments {
  bool is_answered;       /* help or version were asked for, and nothing else is to be done */
  const char *range_text; /* NULL: the default */
  const char *output;
  parcel_range range;
  powers powers;
  int threads;        /* 0: the CPUs of the rank */
  parcel_index block; /* 0: chosen */
  bool has_index;     /* as a column */
  parcel_sweep_schedule schedule;
  bool replaces;
  parcel_io_mode io;
  parcel_compression compression;
  bool resumes;
  bool retries;
  parcel_on_error on_error;
  parcel_index max_failures;   /* 0: no limit */
  double max_failures_percent; /* of the range; 0: none was given */
  bool in_processes;           /* kernels, one for each thread */
  double slice_seconds;        /* longest call of a kernel in a process; 0: none */
  double deadline_seconds;     /* 0: none */
  bool asks_for_deadline;      /* the batch system */
  double stall_seconds;        /* 0: never */
  const char *halt_file;       /* NULL: none */
  parcel_progress_kind progress;
  const char *report, *trace; /* files; NULL: none */
  bool is_sample;             /* estimates what the run would take, instead of it */
  double sample_fraction;
  uint64_t sample_seed;
  bool is_quiet, is_verbose;
} parsquares_arguments;

/** Reads the command line. Help, version, or what is wrong are printed where `speaks`.
 *
 *  Errors: INVALID, RANGE. */
PARCEL_MUST_CHECK parcel_status parsquares_parse(int argc, char **argv, bool speaks,
                                                 parsquares_arguments *out);

#endif
