/** @file
 *  The fork server: a process with one thread, begun before MPI, that forks worker processes on request and
 *  tells how they ended. Parent, server and workers speak through slots, one per worker, in shared memory. */
#ifndef PARCEL_FORKSERVER_IMPL_H
#define PARCEL_FORKSERVER_IMPL_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include <parcel/workers.h>

#include "bell_impl.h"

#define PARCEL_SLOT_COUNT 1024

enum { PARCEL_SLOT_ASKS_NOTHING, PARCEL_SLOT_ASKS_START, PARCEL_SLOT_ASKS_KILL };

enum {
  PARCEL_SLOT_IS_EMPTY, /* no process, none asked for */
  PARCEL_SLOT_IS_STARTING,
  PARCEL_SLOT_IS_ALIVE,
  PARCEL_SLOT_IS_DEAD,  /* reaped; `wait_status` says how it ended */
  PARCEL_SLOT_IS_FAILED /* not forked; `wait_status` is the errno */
};

/* Calls are numbered by the rings of their bell. One is over when `answered` is its number, or the worker
 * dead. */
typedef struct parcel_slot {
  /* The parent writes these, then rings `calls` or makes a request. */
  alignas(64) parcel_bell calls; /* the worker hears it */
  _Atomic uint32_t request;      /* to the server, which takes it */
  parcel_worker_body body;       /* NULL: end */
  void *argument;
  int worker;
  int spins; /* of parcel__bell_wait */
  bool has_core_dumps;
  parcel_index memory_bytes; /* 0: as it is */

  /* Server and worker write these, then ring `news`. */
  alignas(64) parcel_bell news; /* the parent hears it */
  _Atomic uint32_t begun;       /* the call whose body was entered last */
  _Atomic uint32_t answered;    /* the call that `status` and `error` are of */
  _Atomic uint32_t state;       /* EMPTY and STARTING are set by the parent */
  pid_t pid;
  int wait_status;
  parcel_status status;
  char error[PARCEL_ERROR_SIZE];
} parcel_slot;

/** Takes `count` slots in a row, all EMPTY; NULL if there are not so many.  Threads: any. */
parcel_slot *parcel__slots_take(int count);

/** Gives them back. None may be STARTING or ALIVE. */
void parcel__slots_give(parcel_slot *slots, int count);

/** Asks the server to start or to kill the slot's worker; it answers by the slot's state. */
void parcel__slot_request(parcel_slot *slot, uint32_t request);

/** PARCEL_OK if this process has a fork server, and it lives. */
parcel_status parcel__forkserver_check(void);

/** The life of a worker: does the slot's calls, from the one after `last` on. Does not return.
 *
 *  server  that it must not outlive */
_Noreturn void parcel__worker_main(parcel_slot *slot, uint32_t last, pid_t server);

/** Every signal to its default, unless the user ignores it; those by which a user or a batch system speaks to
 *  the parent have no effect here, but on what is started from here. The signal mask becomes the user's. */
void parcel__reset_signals(void);

/** This process ends with the one that forked it; at once if that is over already. */
void parcel__follow_parent(pid_t parent);

#endif
