/** @file
 *  The executor's state, shared by its files: executor.c (what a caller does), executor_seat.c (what its
 *  threads do), executor_future.c (a task's life), executor_completed.c (waiting for many). */
#ifndef PARCEL_EXECUTOR_STATE_IMPL_H
#define PARCEL_EXECUTOR_STATE_IMPL_H

#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>

#include "executor_impl.h"

enum { PARCEL__BATCH = 32, PARCEL__SLAB = 512, PARCEL__CACHE_LINE = 64 };

/** The other bits of a task's state word, beside PARCEL__CANCELLED. Whoever sets STARTED has the task: it
 *  runs it, or ends it unrun. The memory is used again when DONE and RELEASED are set and QUEUED is not; each
 *  of the three changes is one atomic step, so exactly one thread makes the last of them. */
enum {
  PARCEL__QUEUED = 2,    /* the queue or a seat's batch refers to it */
  PARCEL__STARTED = 4,   /* somebody has taken it */
  PARCEL__DONE = 8,      /* status and text are there */
  PARCEL__RELEASED = 16, /* no future refers to it */
  PARCEL__WAITED = 32,   /* somebody sleeps on the word */
  PARCEL__WATCHED = 64,  /* the list of watches is not empty */
  PARCEL__SEEN = 128     /* the outcome was looked at, or is on record */
};

/** Who wants to be told when a task is over: a then-callback, or a parcel_completed. */
typedef struct parcel__watch {
  struct parcel__watch *next;
  void (*callback)(void *ctx, parcel_status status); /* NULL: of a parcel_completed */
  void *ctx;
  parcel_completed *completed; /* NULL once told */
  parcel_index index;          /* in its array */
} parcel__watch;

/** A parcel_executor_map under way: its tasks, as far as they are submitted. */
typedef struct parcel__map {
  struct parcel__map *next;
  parcel_future **futures; /* [count]; NULL: not yet submitted */
  parcel_index count;
  atomic_bool has_failed;
} parcel__map;

/** What a thread of the executor does for its user. */
typedef enum parcel__stage { PARCEL__INITIALIZES, PARCEL__RUNS_TASKS, PARCEL__FINALIZES } parcel__stage;

/** A thread's place. */
typedef struct parcel__seat {
  alignas(PARCEL__CACHE_LINE) parcel_executor *executor;
  pthread_t thread;
  int worker;
  bool has_thread;       /* to be joined */
  pthread_t predecessor; /* that ended inside the user's code; joined by its successor */
  bool has_predecessor;
  bool must_close; /* what the predecessor has opened */
  parcel__stage stage;
  bool is_taken;        /* by a thread that has not left */
  bool has_spun;        /* since it last had work */
  int naps;             /* the same */
  int callbacks;        /* then-callbacks on its stack */
  parcel_index ended;   /* tasks that it has ended and the executor has not yet counted */
  parcel__task *unused; /* tasks to give back */
  parcel__task *last_unused;
  parcel__task *stolen; /* to be run next; NULL: the batch */

  /* What its runner was given: NULL once it is over. */
  parcel__task *given[PARCEL__BATCH];
  int given_count;

  /* What it has taken off the queue: changed by itself under the mutex, read by others under the mutex. */
  parcel__task *batch[PARCEL__BATCH];
  int batch_size;
  atomic_int next; /* in the batch; what is before is no longer up for stealing */
} parcel__seat;

typedef struct parcel__slab {
  struct parcel__slab *next;
  parcel__task tasks[PARCEL__SLAB];
} parcel__slab;

struct parcel_executor {
  parcel_executor_options options;
  parcel__runner runner;
  bool may_spin; /* there is more than one CPU */

  alignas(PARCEL__CACHE_LINE) pthread_mutex_t mutex; /* guards all below but atomics */
  parcel__task **ring;                               /* the queue: [ring_size], a power of two */
  parcel_index ring_size, head, tail;                /* taken and put so far */
  parcel__task *unused;
  parcel__slab *slabs;
  int slab_used; /* tasks of the newest slab that were ever used */
  parcel_index submitted, ended;
  parcel__map *maps;
  _Atomic parcel_index queued; /* tail - head, for who spins */

  /* Idle threads. Pollers look at the queue by themselves within some 100 us: one that spins, one that naps,
   * those that were woken and those that start. Invariant: while a task is queued or up for stealing, there
   * is an idle thread only if one of them polls. */
  int live;              /* threads, those that start included */
  int starting, pollers; /* starting ones are pollers, too */
  int sleepers;
  int wakes; /* sleepers that were woken and do not know it yet; pollers now */
  bool has_spinner, has_napper;
  bool cannot_grow;      /* the system has refused a thread */
  atomic_bool is_ending; /* threads return */
  pthread_cond_t work;   /* a sleeper is woken, or the executor ends */
  pthread_cond_t room;   /* the queue is no longer full */
  pthread_cond_t quiet;  /* every task is over */
  int blocked_submitters;

  parcel_status broken; /* by a failed initialize, and its text */
  char broken_text[PARCEL_ERROR_SIZE];
  bool is_break_told;

  parcel_index failures; /* that nobody looked at; and the first of them */
  parcel_status first_failure;
  char first_text[PARCEL_ERROR_SIZE];

  alignas(PARCEL__CACHE_LINE) _Atomic(parcel__task *) returned; /* by releases; goes over to unused */
  parcel__seat *seats;                                          /* [options.threads] */
};

/** The calling thread's seat; NULL in threads of no executor. */
extern _Thread_local parcel__seat *parcel__current_seat;

static inline parcel__seat *parcel__seat_in(const parcel_executor *executor)
{
  parcel__seat *seat = parcel__current_seat;
  return seat && seat->executor == executor ? seat : NULL;
}

/* ---- executor_seat.c ---- */

/** Starts a thread in a free seat. Under the mutex. Returns an error number. */
int parcel__seat_start(parcel_executor *executor);

/** Calls for another thread to take one of `waiting` tasks, if none is on its way; true if the caller must
 *  signal executor->work. Under the mutex. */
bool parcel__seat_call(parcel_executor *executor, parcel_index waiting);

/** Runs it in another thread, in the calling thread's seat, and waits for it; where none starts, here. For
 *  cleanup handlers, which must not call what may end its thread. */
void parcel__run_apart(void (*run)(void *), void *argument);

/** What a task is told whose thread ends inside it. */
extern const char parcel__thread_ended_text[];

/** A task that the seat's runner was given is over. */
void parcel__seat_forget(parcel__seat *seat, const parcel__task *task);

/** Runs a task that the seat's thread has taken (STARTED), in its place. */
void parcel__seat_run(parcel__seat *seat, parcel__task *task);

/** Joins every thread, all of which must be on their way out. */
void parcel__seat_join_all(parcel_executor *executor);

/* ---- executor_future.c ---- */

/** Takes a task that is queued and not started. The queue's reference to it stays. */
bool parcel__task_claim(parcel__task *task, unsigned more_bits);

/** Takes a task that was taken off the queue; false: someone else has it. */
bool parcel__task_claim_popped(parcel__task *task);

/** Ends every task in these slabs that nobody has taken, with more bits in its state; true if there were
 *  any. */
bool parcel__slabs_end_unstarted(parcel__slab *slabs, unsigned bits, parcel_status status, const char *text);

extern const char parcel__cancelled_text[];

/** Whether it failed, and nobody knows. */
bool parcel__task_has_unseen_failure(const parcel__task *task, unsigned state);

/** Whether the calling thread must not wait for the executor's tasks: it is in a then-callback. */
bool parcel__may_not_block(const parcel_executor *executor);

/** Returns once the task is over or the deadline has passed, with whether it is over; may run it. */
bool parcel__task_block(parcel__task *task, const struct timespec *deadline);

/** Hangs the watch on the task; false if the task is over already. */
bool parcel__task_watch(parcel__task *task, parcel__watch *watch);

/** Takes the watch off again, if it still hangs there. It is no longer used when this returns. */
void parcel__task_unwatch(parcel__task *task, const parcel__watch *watch);

/** Notes a failure that nobody has looked at. text may be NULL. */
void parcel__executor_note(parcel_executor *executor, parcel_status status, const char *text);

/* ---- executor_completed.c ---- */

/** Before a task fails: cancels the others of the parcel_executor_map that it belongs to, if it does. */
void parcel__map_fail(parcel__task *task);

/** Tells a parcel_completed that its watch's task is over. */
void parcel__completed_tell(parcel__watch *watch);

#endif
