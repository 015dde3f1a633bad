/** @file
 *  Samples: what a sweep will take, from some of its blocks.
 *
 *      parcel_sample_options how_much = PARCEL_SAMPLE_OPTIONS_INIT;
 *      parcel_sample_report report;
 *      how_much.fraction = 0.01;
 *      status = parcel_sample_run(world, &sweep, "wave.h5", &how_much, NULL, &report);
 *      if (!status && parcel_world_rank(world) == 0)
 *        parcel_sample_print(&report, stdout);
 *
 *  The blocks are a simple random sample without replacement, of those that the sweep would have with the
 *  same ranks and threads. They are computed, checksummed, packed and written as in a run, but to a file
 *  without a name, in the output's folder; nothing is left of it. */
#ifndef PARCEL_SAMPLE_H
#define PARCEL_SAMPLE_H

#include <stdio.h>

#include <parcel/results.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct parcel_sample_options {
  double fraction; /* of the blocks, above 0, at most 1; 0: 0.01. At least 16 blocks and at most a million are
                      taken, as far as there are so many */
  uint64_t seed;   /* of the choice: the same seed, grid and fraction choose the same blocks */
  parcel_compression compression; /* of the file that the sweep would make */
} parcel_sample_options;

#define PARCEL_SAMPLE_OPTIONS_INIT PARCEL_DEFAULTS

/** A total and its interval of 95 % confidence. Never below what the sample alone has shown. */
typedef struct parcel_estimate {
  double value, low, high;
} parcel_estimate;

typedef struct parcel_sample_report {
  parcel_index blocks, all_blocks;       /* in the sample; in the grid */
  parcel_index positions, all_positions; /* of these blocks */
  parcel_index failures;                 /* in the sample */
  parcel_index workers;                  /* threads of all ranks */
  double elapsed_seconds;                /* that the sample took */
  double longest_block_seconds;          /* in the kernel */
  parcel_estimate worker_seconds;        /* of all blocks: computing, writing, and being handed out */
  parcel_estimate bytes;                 /* of the file */
  double disk_seconds; /* that the disk would take for the file at the pace at which it took the sample: where
                          more is written than the page cache holds, the run takes at least as long */
} parcel_sample_report;

/** Runs a sample and extrapolates from it. Collective over the world, main thread; leaves nothing open.
 *
 *  path  of the file that the sweep would make; its folder must be writable. The file itself does not matter.
 *  how   as for parcel_sweep_run, but for its trace; failures are only counted where they would go on record
 *  Errors: INVALID (a fraction that is none, a path too long), SPACE, IO; as parcel_sweep_run. The same on
 *  every rank, and *out too. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_sample_run(const parcel_world *world,
                                                             const parcel_sweep *sweep, const char *path,
                                                             const parcel_sample_options *options,
                                                             const parcel_sweep_options *how,
                                                             parcel_sample_report *out);

/** Prints it in a few lines. Time is for the sample's own workers, all of them busy until the end.
 *  Any thread. */
PARCEL_API void parcel_sample_print(const parcel_sample_report *report, FILE *to);

#ifdef __cplusplus
}
#endif

#endif
