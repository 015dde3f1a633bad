/* A number and a table that processes share. In Python: multiprocessing.Value, Array, Lock.
 *
 * Prints
 *     1000 numbers were looked at
 *     of each last digit there were 100 */
#include "example.h"

#include <stdatomic.h>

#include <parcel/lock.h>
#include <parcel/shared.h>
#include <parcel/workers.h>

/* Lies in shared memory, at the same address in all processes, so that pointers in it hold everywhere. */
typedef struct findings {
  _Atomic int numbers; /* needs no lock */
  parcel_lock *lock;   /* for the digits */
  int digits[10];
} findings;

static parcel_status look(void *ctx, parcel_span positions, int worker)
{
  findings *shared = ctx;
  (void)worker;
  for (parcel_index p = positions.begin; p < positions.end; ++p) {
    atomic_fetch_add(&shared->numbers, 1);
    must(parcel_lock_acquire(shared->lock, NULL));
    ++shared->digits[p % 10];
    parcel_lock_release(shared->lock);
  }
  return PARCEL_OK;
}

int main(void)
{
  const parcel_workers_options options = {.processes = 4};
  parcel_workers *workers = NULL;
  findings *shared = NULL;

  must(parcel_workers_prepare());
  must(parcel_workers_create(&options, &workers));
  must(parcel_shared_alloc(sizeof *shared, (void **)&shared));
  must(parcel_lock_create(&shared->lock));
  must(parcel_workers_for(workers, 1000, 10, look, shared, 0));
  printf("%d numbers were looked at\n", shared->numbers);
  printf("of each last digit there were %d\n", shared->digits[7]);
  parcel_lock_destroy(&shared->lock);
  parcel_shared_free(shared);
  parcel_workers_destroy(&workers);
  parcel_workers_release();
  return 0;
}
