/** @file
 *  What the rooms of the workers' parent share: how it sees its workers. */
#ifndef PARCEL_WORKERS_IMPL_H
#define PARCEL_WORKERS_IMPL_H

#include "forkserver_impl.h"

/** The parent's view of a worker. Only the thread whose call it serves touches more than `is_busy`. */
typedef struct parcel_seat {
  parcel_slot *slot;
  atomic_bool is_busy;
  bool is_ready;      /* the present process lived when looked at last, and has run its initializer */
  parcel_index calls; /* that the present process has done */

  /* What the supervising thread does now and then while it waits; NULL: nothing. */
  void (*look)(void *ctx);
  void *look_ctx;
} parcel_seat;

struct parcel_workers {
  parcel_workers_options options;
  int processes;
  parcel_slot *slots; /* [processes] */
  parcel_seat *seats; /* [processes] */

  /* Made by the first loop. */
  parcel_pool *pool;              /* a thread to supervise each process */
  struct parcel_span_call *spans; /* [processes], shared */

  struct parcel_batch **batches; /* [processes], shared; of an executor, made with the first */
};

/** Frees what the workers' executors used. */
void parcel__workers_end_batches(parcel_workers *workers);

#endif
