/** @file
 *  Inside the pool. pool.c has what callers see, pool_loop.c who does which positions of a loop, pool_idle.c
 *  when a thread without work spins, sleeps and is woken, pool_pin.c where threads run, pool_shapes.c loops
 *  made of parcel_pool_for. */
#ifndef PARCEL_POOL_IMPL_H
#define PARCEL_POOL_IMPL_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <parcel/pool.h>

enum { PARCEL__CACHE_LINE = 64 };

/** A worker's place, on cache lines of its own. */
typedef struct parcel__seat {
  alignas(PARCEL__CACHE_LINE) _Atomic uint64_t
      units; /* of the loop, given to it and not begun: see pool_loop.c */
  parcel_pool *pool;
  pthread_t thread;
  pthread_t predecessor; /* that ended inside the body; joined by its successor */
  parcel_span span;      /* of the body that was called last */
  int worker;
  bool has_thread;
  bool has_predecessor;
  bool is_outlived; /* the thread ends, but its span has an outcome */
} parcel__seat;

/** A loop cut into units: what can be moved from one worker to another. */
typedef struct parcel__loop {
  parcel_body body;
  void *ctx;
  parcel_index count; /* positions */
  parcel_index grain; /* positions per call of body; 0: the pool's choice */
  parcel_index unit;  /* positions */
  parcel_index units; /* below 2^32 */
  parcel_index most;  /* units that a worker begins at once */
} parcel__loop;

struct parcel_pool {
  /* Constant. */
  parcel__seat *seats; /* [threads]; seat 0 is the leader's: the caller's, or a thread's in a started loop */
  int threads;
  int spinners; /* idle threads that may spin at the same time: what CPUs there are beside the caller's */

  atomic_bool is_taken; /* by a caller, until it has its result */

  /* The loop: written by the caller while the gate is closed, constant while it is open. */
  parcel__loop loop;

  /* Whether there is a loop to join, which one, and how many have: pool_loop.c. */
  alignas(PARCEL__CACHE_LINE) _Atomic uint64_t gate;

  /* How many threads look for work and how many sleep: pool_idle.c. */
  alignas(PARCEL__CACHE_LINE) _Atomic uint64_t idle;
  atomic_uint permits; /* futex: sleepers that were told to wake up and have not yet done so */
  atomic_bool is_ending;

  /* Set at most once per loop. */
  alignas(PARCEL__CACHE_LINE) atomic_bool is_cancelled; /* failure or parcel_pool_cancel: no further span */
  atomic_bool is_cut;                                   /* a unit was left unfinished */
  atomic_bool has_failed;                               /* the first to set it may write status and error */
  parcel_status status;
  char error[PARCEL_ERROR_SIZE];

  /* Futexes on which few wait, once a loop. */
  alignas(PARCEL__CACHE_LINE) atomic_uint is_leader_asleep; /* until nobody else is in the loop */
  atomic_uint starts;  /* of started loops: seat 0's thread waits for the next */
  unsigned led;        /* of them, by seat 0's threads */
  atomic_uint is_over; /* the started loop: its caller waits for it */
};

/* ---- pool_loop.c ---- */

/* The gate: the loop's number, whether it is open, and how many workers beside the leader are in it. */
#define PARCEL__GATE_OPEN   ((uint64_t)1 << 24)
#define PARCEL__GATE_NUMBER ((uint64_t)1 << 25)

static inline bool parcel__pool_is_open(uint64_t gate)
{
  return (gate & PARCEL__GATE_OPEN) != 0;
}

static inline bool parcel__pool_is_same_loop(uint64_t gate, uint64_t other)
{
  return gate / PARCEL__GATE_NUMBER == other / PARCEL__GATE_NUMBER;
}

/** Cuts a loop into units and opens it to the workers; all units are seat 0's at first.
 *
 *  Threads: whoever has taken the pool. */
void parcel__pool_open(parcel_pool *pool, parcel_index count, parcel_index grain, parcel_body body,
                       void *ctx);

/** Works in seat 0 until the loop is over for everyone, and closes it. */
void parcel__pool_lead(parcel_pool *pool);

/** Takes out of the seats what a cancelled loop has left in them; true if any position was left. After
 *  parcel__pool_lead. */
bool parcel__pool_clear(parcel_pool *pool);

/** Joins the loop, if it still has units that nobody has begun, and works in own seat until none is left. */
void parcel__pool_follow(parcel__seat *own);

/** For a seat whose thread has ended inside the body: the span fails, if it has no outcome. */
void parcel__pool_fail_span(parcel__seat *own);

/** Gives the span that a worker is in an outcome, as if the body had returned it. For a cleanup handler
 *  (pthread_cleanup_push) of a body whose thread is ending, and that has done the body's work all the same.
 *  */
void parcel__pool_outlive(parcel_pool *pool, int worker, parcel_status status);

/** Works on in a loop that own seat has joined, and leaves it. */
void parcel__pool_follow_on(parcel__seat *own);

/** True while a loop is open that has units nobody has begun. */
bool parcel__pool_has_work(parcel_pool *pool);

/** True in a body of this pool. */
bool parcel__pool_is_running(const parcel_pool *pool);

/* ---- pool_idle.c ---- */

/** Counts the calling thread among those that look for work. */
void parcel__pool_enter_idle(parcel_pool *pool);

/** The opposite: it has found some. */
void parcel__pool_leave_idle(parcel_pool *pool);

/** Returns true once there is work, false once the pool ends. For a thread that has entered idle. */
bool parcel__pool_await_work(parcel_pool *pool);

/** Makes sure that somebody looks for work, now that there is some. */
void parcel__pool_call_one(parcel_pool *pool);

/** Wakes up to `most` sleepers. */
void parcel__pool_wake(parcel_pool *pool, int most);

/* ---- pool_pin.c ---- */

/** Binds the pool's threads to cores, apart from each other as far as the process has cores. */
parcel_status parcel__pool_pin(const parcel_pool *pool);

#endif
