/** @file
 *  A sweep while it runs, as its rooms share it: sweep.c makes and ends it, sweep_workers.c is what workers
 *  compute with, sweep_block.c what they do, sweep_watch.c the main thread meanwhile. */
#ifndef PARCEL_SWEEP_IMPL_H
#define PARCEL_SWEEP_IMPL_H

#include <stdalign.h>
#include <stdatomic.h>

#include <parcel/sweep.h>
#include <parcel/workers.h>

#include "control_impl.h"
#include "scheduler_impl.h"
#include "todo_impl.h"
#include "trace_impl.h"
#include "world_impl.h"

enum { PARCEL_CACHE_LINE = 64 };

/** What a worker is at. */
typedef enum parcel_phase { PARCEL_PHASE_IDLE, PARCEL_PHASE_KERNEL, PARCEL_PHASE_WRITE } parcel_phase;

/** One per thread, on cache lines of its own. Written by its worker; what is atomic is read by the main
 *  thread meanwhile. */
typedef struct parcel_worker {
  alignas(PARCEL_CACHE_LINE) _Atomic parcel_index positions; /* done */
  _Atomic parcel_index blocks;                               /* done */
  _Atomic parcel_index recorded;                             /* failures of the blocks done */
  _Atomic parcel_index block;                                /* that it is at, or was last */
  _Atomic int phase;                                         /* parcel_phase */
  _Atomic double since; /* parcel__seconds() when it came into the phase */
  double compute_seconds;
  double write_seconds;
  double longest_seconds;   /* that any of its blocks took */
  char *buffer;             /* one block of every column */
  void **columns;           /* [column_count] into buffer */
  void **part;              /* [column_count] into columns, for a part of a block */
  parcel_failure *failures; /* [failure_room], of the present block */
  parcel_index failure_count, failure_room;
  struct parcel_slice_call *call; /* of its process; NULL: it computes itself */
  bool is_helpless;               /* its process cannot be had any more */
  bool is_apart; /* its kernel runs in a thread of its own for each call, since it ends threads */
} parcel_worker;

typedef struct parcel_run {
  const parcel_world *world;
  const parcel_sweep *sweep;
  const parcel_sweep_options *options;
  parcel_sink sink;
  parcel_block_grid grid;
  parcel_todo *todo;      /* the blocks that are not done yet, by turns */
  parcel_index positions; /* in those blocks */
  parcel_scheduler *scheduler;
  atomic_bool is_stopping; /* no block is begun any more */
  atomic_bool has_failed;  /* a worker has, and may still be finding out where */
  atomic_bool is_late;     /* a worker has not begun a block for want of time */
  parcel_worker *workers;  /* [threads] */
  int threads;
  bool records; /* failures, instead of ending with the first */
  parcel_pool *pool;
  parcel_workers *processes; /* [threads] that kernels run in; NULL: in the threads */
  parcel_control *control;
  double started;    /* parcel__seconds() */
  double last_start; /* after which no block is begun that has taken no time yet; infinity: none */
} parcel_run;

/** Threads of this rank for a sweep that brings no pool. */
int parcel__sweep_threads(const parcel_world *world, const parcel_sweep *sweep);

/** Bytes of a worker's buffer: the largest block, each column on cache lines of its own.
 *  Errors: MEMORY (more than 64 bits can count). */
PARCEL_MUST_CHECK parcel_status parcel__sweep_buffer_bytes(const parcel_sweep *sweep, parcel_block_grid grid,
                                                           parcel_index *out);

/** Refuses a sweep whose workers need more memory than their host has to give. Collective.
 *
 *  threads  of this rank
 *  Errors: MEMORY, MPI; the same on every rank. */
PARCEL_MUST_CHECK parcel_status parcel__sweep_check_memory(const parcel_world *world,
                                                           const parcel_sweep *sweep, parcel_block_grid grid,
                                                           int threads);

/** What the workers need: memory for a block each, and a process where kernels run in processes.
 *  Errors: MEMORY; as parcel_workers_create. */
PARCEL_MUST_CHECK parcel_status parcel__sweep_make_workers(parcel_run *run);
void parcel__sweep_free_workers(parcel_run *run);

/** Runs the kernel for a slice, in the worker's thread or process. */
PARCEL_MUST_CHECK parcel_status parcel__sweep_call(parcel_run *run, parcel_worker *own,
                                                   const parcel_slice *slice, void *const columns[]);

/** The index at a position of the grid. */
parcel_index parcel__sweep_index(const parcel_run *run, parcel_index position);

/** Computes and writes the next block of this rank, for which it may wait; false once there is none, or a
 *  stop or *status forbids. */
bool parcel__sweep_step(parcel_run *run, parcel_worker *own, parcel_status *status);

/** For a worker whose thread is ending inside the kernel: goes on as parcel__sweep_step does until no block
 *  is left, with the block at hand first, and ends no more, whatever the kernel does. */
PARCEL_MUST_CHECK parcel_status parcel__sweep_outlive(parcel_run *run, parcel_worker *own);

/** The main thread from the first block to the moment when every rank is done or has stopped. Returns how
 *  this rank fared. */
PARCEL_MUST_CHECK parcel_status parcel__sweep_watch(parcel_run *run);

#endif
