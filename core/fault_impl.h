/** @file
 *  Faults by name, for tests. A build with PARCEL_FAULTS (presets dev, asan, tsan) breaks where the
 *  environment says; in any other build a point is nothing at all. A test says
 *
 *      PARCEL_FAULT=POINT[:rank=R][:nth=N][:errno=NAME][:action=ACTION][,POINT...]
 *
 *      rank     only on this rank (of the launcher's numbering); all if left out
 *      nth      the how manieth time this process comes to the point: N, or N+ for that and all later ones;
 *               1 if left out
 *      errno    what the system seems to have said: EIO (default), ENOSPC, EDQUOT, EACCES, EINTR, ENOLCK or
 *               EROFS
 *      action   fail (default): the step is not taken and fails with errno
 *               kill: the process dies by SIGKILL before the step
 *               stop: it stops by SIGSTOP
 *
 *  A spelling or a point that is not known ends the process as it starts, since a fault that never comes
 *  would make a test pass. For the same reason each fault that comes is noted, as a line with its point, at
 *  the end of the file that PARCEL_FAULT_LOG names, for the test to look whether there is one. */
#ifndef PARCEL_FAULT_IMPL_H
#define PARCEL_FAULT_IMPL_H

#include <stdbool.h>

/* The points, in the order of a run. */
#define PARCEL_FAULT_POINTS(X)                                                                               \
  X("results.create")   /* a new file is made, under a name FILE.part.new.DIGITS */                          \
  X("results.reserve")  /* room for it is reserved (twice: before and after its structure is laid out) */    \
  X("results.lock")     /* its lock is taken */                                                              \
  X("results.part")     /* that becomes FILE.part */                                                         \
  X("results.open")     /* a rank opens the .part */                                                         \
  X("results.read")     /* a block is read, to be verified, or anything else of the file */                  \
  X("results.clear")    /* the entry of a block that will be computed anew is removed from the ledger */     \
  X("results.write")    /* a column of a block is written */                                                 \
  X("results.journal")  /* failures of a block are written to the journal, before its entry */               \
  X("results.ledger")   /* entries of finished blocks are written, up to 64 in one call */                   \
  X("results.chunk")    /* compressed: a block is put into a copy of FILE.part, at the end */                \
  X("results.swap")     /* compressed: the copy takes the name of FILE.part */                               \
  X("results.sync")     /* a file is brought to the disk */                                                  \
  X("results.failures") /* the failures table is written, at the end */                                      \
  X("results.seal")     /* the seal over all that is not data is written */                                  \
  X("results.outcome")  /* the status is changed */                                                          \
  X("results.rename")   /* FILE.part becomes FILE */                                                         \
  X("results.folder")   /* the folder is brought to the disk, after that */                                  \
  X("results.copy")     /* a file is copied through memory, where the system cannot copy it */               \
  X("hdf5.write")       /* HDF5 writes a piece of a file's structure */                                      \
  X("sample.write")     /* a block of a sample is written */

#ifdef PARCEL_FAULTS
/** True if the step at this point must fail now; errno says why. Any thread. */
bool parcel__fault(const char *point);
#else
#define parcel__fault(point) ((void)(point), false)
#endif

#endif
