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
 *  A spelling that is not understood ends the process, since a fault that never comes would make a test
 *  pass.
 *
 *  The points, in the order of a run:
 *
 *      results.create    a new file is made, under the name FILE.part.new
 *      results.reserve   room for it is reserved (twice: before and after its structure is laid out)
 *      results.lock      its lock is taken
 *      results.part      FILE.part.new becomes FILE.part
 *      results.open      a rank opens the .part
 *      results.read      a block is read, to be verified, or anything else of the file
 *      results.clear     the entry of a block that will be computed anew is removed from the ledger
 *      results.write     a column of a block is written
 *      results.journal   failures of a block are written to the journal, before its entry
 *      results.ledger    entries of finished blocks are written, up to 64 in one call
 *      results.chunk     compressed: a block is put into FILE.part.new, at the end
 *      results.swap      compressed: FILE.part.new takes the name of FILE.part
 *      results.sync      a file is brought to the disk
 *      results.failures  the failures table is written, at the end
 *      results.outcome   the status is changed
 *      results.rename    FILE.part becomes FILE
 *      results.folder    the folder is brought to the disk, after that */
#ifndef PARCEL_FAULT_IMPL_H
#define PARCEL_FAULT_IMPL_H

#include <stdbool.h>

#ifdef PARCEL_FAULTS
/** True if the step at this point must fail now; errno says why. Any thread. */
bool parcel__fault(const char *point);
#else
#define parcel__fault(point) ((void)(point), false)
#endif

#endif
