/** @file
 *  Entries on their way into the ledger, those of one rank together.
 *
 *  Threads that write to one file wait for each other in the system: an entry written by itself waits for
 *  another thread's block, although it has but 32 bytes, and where blocks take less than a millisecond that
 *  was a fifth of the time of a run. So the entries of quick blocks wait here, and a kill may cost
 *  PARCEL_LEDGER_BATCH blocks and PARCEL_LEDGER_SECONDS of computing of each rank more than the blocks that
 *  are being computed. A block that took that long by itself is entered at once. */
#ifndef PARCEL_LEDGER_BATCH_IMPL_H
#define PARCEL_LEDGER_BATCH_IMPL_H

#include <pthread.h>
#include <stdbool.h>

#include "ledger_impl.h"

enum { PARCEL_LEDGER_BATCH = 64 };
#define PARCEL_LEDGER_SECONDS 0.01

/** A block and its entry. */
typedef struct parcel_ledger_line {
  parcel_index number;
  parcel_ledger_entry entry;
} parcel_ledger_line;

typedef struct parcel_ledger_batch {
  const parcel_file *file;
  int fd;
  parcel_index ledger; /* where its first entry is, in bytes */
  bool is_relayed;     /* somebody takes the lines (ledger_relay_impl.h): nothing is written from here */
  pthread_mutex_t lock;
  parcel_ledger_line *lines; /* [room] under the lock, as all that follows */
  int room;
  int count;      /* of lines that wait */
  double seconds; /* that their blocks took to compute */
} parcel_ledger_batch;

/** An empty batch for the ledger at this place. Every thread may use it from then on. */
void parcel__ledger_batch_open(const parcel_file *file, int fd, parcel_index ledger,
                               parcel_ledger_batch *out);
void parcel__ledger_batch_close(parcel_ledger_batch *batch);

/** Takes the entry of a block whose values have been handed to the system, and writes what waits when that is
 *  enough.  Errors: MEMORY; IO, SPACE, of any entry that waited. Any thread. */
PARCEL_MUST_CHECK parcel_status parcel__ledger_batch_add(parcel_ledger_batch *batch,
                                                         const parcel_block *block,
                                                         const parcel_ledger_entry *entry);

/** Takes all lines that wait; how many those are. The caller frees *lines, which is NULL where there is none.
 *  Any thread. */
int parcel__ledger_batch_take(parcel_ledger_batch *batch, parcel_ledger_line **lines);

/** Writes lines into the ledger, and puts them in order for that.  Errors: IO, SPACE. Any thread. */
PARCEL_MUST_CHECK parcel_status parcel__ledger_batch_write(const parcel_ledger_batch *batch,
                                                           parcel_ledger_line lines[], int count);

/** Takes and writes all that waits.  Errors: IO, SPACE. Any thread. */
PARCEL_MUST_CHECK parcel_status parcel__ledger_batch_flush(parcel_ledger_batch *batch);

#endif
