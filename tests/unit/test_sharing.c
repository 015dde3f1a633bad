/* Locks, barriers, queues and pipes between threads and between worker processes, and what a user who is
 * killed in the middle of one leaves to the others. */
#include "workers_test.h"

#include <pthread.h>
#include <stdatomic.h>

#include <parcel/barrier.h>
#include <parcel/lock.h>
#include <parcel/pipe.h>
#include <parcel/queue.h>

enum { PARTIES = 4, ROUNDS = 2000 };

/* Runs body(argument, p) for every party at once: as a thread of its own, or in a worker process that a
 * thread calls. */
typedef struct party {
  pthread_t thread;
  parcel_workers *workers; /* NULL: in the thread itself */
  parcel_worker_body body;
  void *argument;
  int number;
  parcel_status status;
} party;

static void *run_party(void *argument)
{
  party *own = argument;
  if (own->workers)
    own->status = parcel_workers_call(own->workers, own->number, own->body, own->argument, 30);
  else
    own->status = own->body(own->argument, own->number);
  return NULL;
}

static void begin_parties(party parties[], parcel_workers *workers, parcel_worker_body body, void *argument)
{
  for (int p = 0; p < PARTIES; ++p) {
    parties[p] = (party){.workers = workers, .body = body, .argument = argument, .number = p};
    assert_int_equal(pthread_create(&parties[p].thread, NULL, run_party, &parties[p]), 0);
  }
}

static void run_parties(parcel_workers *workers, parcel_worker_body body, void *argument)
{
  party parties[PARTIES];
  begin_parties(parties, workers, body, argument);
  for (int p = 0; p < PARTIES; ++p)
    assert_int_equal(pthread_join(parties[p].thread, NULL), 0);
  for (int p = 0; p < PARTIES; ++p)
    assert_string_equal(parcel_status_name(parties[p].status), "OK");
}

static void with_threads_and_with_processes(void (*check)(parcel_workers *workers))
{
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = PARTIES});
  check(NULL);
  check(workers);
  parcel_workers_destroy(&workers);
}

/* ---- lock ---- */

typedef struct account {
  parcel_lock *lock;
  long balance; /* under the lock, and not atomic */
  atomic_int abandoned;
} account;

static parcel_status pay_in(void *argument, int worker)
{
  account *own = argument;
  (void)worker;
  for (int round = 0; round < ROUNDS; ++round) {
    bool was_abandoned = false;
    const parcel_status status = parcel_lock_acquire(own->lock, &was_abandoned);
    if (status)
      return status;
    own->abandoned += was_abandoned;
    ++own->balance;
    parcel_lock_release(own->lock);
  }
  return PARCEL_OK;
}

static void check_lock(parcel_workers *workers)
{
  account *own = make_shared(sizeof *own);
  assert_ok(parcel_lock_create(&own->lock));
  run_parties(workers, pay_in, own);
  assert_int_equal(own->balance, PARTIES * ROUNDS);
  assert_int_equal(own->abandoned, 0);
  parcel_lock_destroy(&own->lock);
  assert_null(own->lock);
  parcel_lock_destroy(&own->lock);
  parcel_shared_free(own);
}

static void lock_lets_one_in_at_a_time(void **state)
{
  (void)state;
  with_threads_and_with_processes(check_lock);
}

static parcel_status die_with_lock(void *argument, int worker)
{
  account *own = argument;
  (void)worker;
  if (!parcel_lock_acquire(own->lock, NULL))
    raise(SIGKILL);
  return PARCEL_OK;
}

static void lock_of_a_killed_owner_passes_on_with_word_of_it(void **state)
{
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = PARTIES});
  account *own = make_shared(sizeof *own);
  bool was_abandoned = true;
  (void)state;
  assert_ok(parcel_lock_create(&own->lock));
  for (int round = 1; round <= 3; ++round) {
    assert_refused(parcel_workers_call(workers, 1, die_with_lock, own, 0), PARCEL_CRASHED, "SIGKILL");
    run_parties(workers, pay_in, own);
    assert_int_equal(own->abandoned, round);
    assert_int_equal(own->balance, round * PARTIES * ROUNDS);
  }
  assert_ok(parcel_lock_acquire(own->lock, &was_abandoned));
  assert_false(was_abandoned);
  assert_refused(parcel_lock_acquire(own->lock, NULL), PARCEL_INVALID, "already");
  parcel_lock_release(own->lock);
  parcel_lock_destroy(&own->lock);
  parcel_workers_destroy(&workers);
  parcel_shared_free(own);
}

/* ---- barrier ---- */

typedef struct march {
  parcel_barrier *barrier;
  atomic_int steps[PARTIES];
  double timeout_seconds;
} march;

static parcel_status keep_step(void *argument, int worker)
{
  march *own = argument;
  for (int round = 1; round <= ROUNDS / 10; ++round) {
    ++own->steps[worker];
    parcel_status status = parcel_barrier_wait(own->barrier, own->timeout_seconds);
    if (status)
      return status;
    for (int p = 0; p < PARTIES; ++p)
      if (own->steps[p] != round && own->steps[p] != round + 1)
        return parcel_fail(PARCEL_KERNEL, "out of step");
  }
  return PARCEL_OK;
}

static void check_barrier(parcel_workers *workers)
{
  march *own = make_shared(sizeof *own);
  own->timeout_seconds = PARCEL_FOREVER;
  assert_ok(parcel_barrier_create(PARTIES, &own->barrier));
  run_parties(workers, keep_step, own);
  parcel_barrier_destroy(&own->barrier);
  assert_null(own->barrier);
  parcel_shared_free(own);
}

static void barrier_lets_all_pass_together(void **state)
{
  (void)state;
  with_threads_and_with_processes(check_barrier);
}

static parcel_status march_or_die(void *argument, int worker)
{
  march *own = argument;
  if (worker == 2)
    raise(SIGKILL);
  return parcel_barrier_wait(own->barrier, own->timeout_seconds);
}

static void barrier_that_one_does_not_reach_breaks(void **state)
{
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = PARTIES});
  march *own = make_shared(sizeof *own);
  party parties[PARTIES];
  int late = 0;
  (void)state;
  assert_refused(parcel_barrier_create(0, &own->barrier), PARCEL_INVALID, "0 parties");
  assert_ok(parcel_barrier_create(PARTIES, &own->barrier));
  own->timeout_seconds = 0.3;
  begin_parties(parties, workers, march_or_die, own);
  for (int p = 0; p < PARTIES; ++p) {
    assert_int_equal(pthread_join(parties[p].thread, NULL), 0);
    late += parties[p].status == PARCEL_TIMEOUT;
    assert_true(parties[p].status == PARCEL_TIMEOUT || parties[p].status == PARCEL_CRASHED);
  }
  assert_in_range(late, 1, PARTIES - 1);
  assert_refused(parcel_barrier_wait(own->barrier, PARCEL_FOREVER), PARCEL_CRASHED, "broken");
  parcel_barrier_destroy(&own->barrier);
  parcel_workers_destroy(&workers);
  parcel_shared_free(own);
}

/* ---- queue ---- */

enum { ITEMS = 5000 }; /* of each party that puts */

typedef struct item {
  int party, number;
  long filling[5], sum;
} item;

typedef struct traffic {
  parcel_queue *queue;
  atomic_int got[PARTIES][ITEMS];
  atomic_int putting, mistakes, last[PARTIES][PARTIES]; /* item of a party that a party got last */
} traffic;

static item make_item(int party, int number)
{
  item new = {.party = party, .number = number};
  for (int f = 0; f < 5; ++f)
    new.sum += new.filling[f] = (long)number *(f + 1) + party;
  return new;
}

static bool is_whole(const item *taken)
{
  long sum = 0;
  for (int f = 0; f < 5; ++f)
    sum += taken->filling[f];
  return sum == taken->sum && taken->party >= 0 && taken->party < PARTIES && taken->number >= 0 &&
         taken->number < ITEMS;
}

static parcel_status put_all(traffic *own, int party)
{
  parcel_status status = PARCEL_OK;
  for (int number = 0; number < ITEMS && !status; ++number) {
    const item new = make_item(party, number);
    status = parcel_queue_put(own->queue, &new, PARCEL_FOREVER);
  }
  if (atomic_fetch_sub(&own->putting, 1) == 1)
    parcel_queue_close(own->queue);
  return status;
}

static parcel_status get_all(traffic *own, int party)
{
  item taken;
  parcel_status status = parcel_queue_get(own->queue, &taken, PARCEL_FOREVER);
  for (; !status; status = parcel_queue_get(own->queue, &taken, PARCEL_FOREVER)) {
    if (!is_whole(&taken)) {
      ++own->mistakes;
      continue;
    }
    const int before = atomic_exchange(&own->last[party][taken.party], taken.number + 1);
    own->mistakes += before > taken.number;
    ++own->got[taken.party][taken.number];
  }
  return status == PARCEL_STOPPED ? PARCEL_OK : status;
}

static parcel_status put_or_get(void *argument, int worker)
{
  return worker % 2 ? put_all(argument, worker) : get_all(argument, worker);
}

static traffic *make_traffic(parcel_index capacity)
{
  traffic *own = make_shared(sizeof *own);
  assert_ok(parcel_queue_create(capacity, sizeof(item), &own->queue));
  own->putting = PARTIES / 2;
  return own;
}

static void check_queue(parcel_workers *workers)
{
  static const parcel_index capacities[] = {1, 7, 64};
  for (int c = 0; c < LENGTH(capacities); ++c) {
    traffic *own = make_traffic(capacities[c]);
    run_parties(workers, put_or_get, own);
    assert_int_equal(own->mistakes, 0);
    for (int p = 0; p < PARTIES; ++p)
      for (int i = 0; i < ITEMS; ++i)
        assert_int_equal(own->got[p][i], p % 2);
    assert_int_equal(parcel_queue_size(own->queue), 0);
    parcel_queue_destroy(&own->queue);
    parcel_shared_free(own);
  }
}

static void queue_passes_every_item_once_and_in_order(void **state)
{
  (void)state;
  with_threads_and_with_processes(check_queue);
}

static void queue_full_empty_and_closed_are_told(void **state)
{
  parcel_queue *queue = NULL;
  int value = 0;
  (void)state;
  assert_refused(parcel_queue_create(0, 4, &queue), PARCEL_INVALID, "0 items");
  assert_refused(parcel_queue_create(4, 0, &queue), PARCEL_INVALID, "0 bytes");
  assert_refused(parcel_queue_create(INT64_MAX, 8, &queue), PARCEL_MEMORY, "larger than any memory");
  assert_ok(parcel_queue_create(3, sizeof value, &queue));
  assert_refused(parcel_queue_get(queue, &value, 0), PARCEL_TIMEOUT, "nothing came");
  assert_refused(parcel_queue_get(queue, &value, 0.02), PARCEL_TIMEOUT, "nothing came");
  for (value = 0; value < 3; ++value)
    assert_ok(parcel_queue_put(queue, &value, 0));
  assert_refused(parcel_queue_put(queue, &value, 0), PARCEL_FULL, "no room");
  assert_refused(parcel_queue_put(queue, &value, 0.02), PARCEL_FULL, "no room");
  assert_int_equal(parcel_queue_size(queue), 3);
  parcel_queue_close(queue);
  assert_refused(parcel_queue_put(queue, &value, 0), PARCEL_STOPPED, "closed");
  for (int i = 0; i < 3; ++i) {
    assert_ok(parcel_queue_get(queue, &value, PARCEL_FOREVER));
    assert_int_equal(value, i);
  }
  assert_refused(parcel_queue_get(queue, &value, PARCEL_FOREVER), PARCEL_STOPPED, "closed");
  parcel_queue_destroy(&queue);
  assert_null(queue);
  parcel_queue_destroy(&queue);
}

/* Puts and gets until it is killed, or was not in time for that. */
static parcel_status churn(void *argument, int worker)
{
  traffic *own = argument;
  for (int number = 0; own->putting; number = (number + 1) % ITEMS) {
    item taken = make_item(worker, number);
    if (parcel_queue_put(own->queue, &taken, 0.001) == PARCEL_STOPPED)
      return PARCEL_OK;
    if (parcel_queue_get(own->queue, &taken, 0.001) == PARCEL_OK && !is_whole(&taken))
      ++own->mistakes;
  }
  return PARCEL_OK;
}

/* Killed at random moments, most of them inside put or get, again and again. */
static void queue_outlives_users_that_are_killed_inside(void **state)
{
  parcel_workers *workers = make_workers((parcel_workers_options){.processes = PARTIES});
  traffic *own = make_traffic(3);
  party parties[PARTIES];
  uint64_t seed = 1;
  item taken;
  int killed = 0;
  (void)state;
  for (int round = 0; round < 25; ++round) {
    pid_t processes[PARTIES] = {0};
    own->putting = 1;
    begin_parties(parties, workers, churn, own);
    sleep_for(0.002 + 1e-6 * (double)random_below(&seed, 3000));
    children_of(fork_server(), processes, PARTIES);
    for (int p = 0; p < PARTIES; ++p)
      if (processes[p] > 0)
        kill(processes[p], SIGKILL);
    own->putting = 0;
    for (int p = 0; p < PARTIES; ++p) {
      assert_int_equal(pthread_join(parties[p].thread, NULL), 0);
      assert_true(parties[p].status == PARCEL_CRASHED || parties[p].status == PARCEL_OK);
      killed += parties[p].status == PARCEL_CRASHED;
    }
    assert_in_range(parcel_queue_size(own->queue), 0, 3);
    while (!parcel_queue_get(own->queue, &taken, 0))
      assert_true(is_whole(&taken));
    taken = make_item(0, round);
    assert_ok(parcel_queue_put(own->queue, &taken, 0));
  }
  assert_true(killed > 25);
  assert_int_equal(own->mistakes, 0);
  parcel_queue_destroy(&own->queue);
  parcel_workers_destroy(&workers);
  parcel_shared_free(own);
}

/* ---- pipe ---- */

typedef struct talk {
  parcel_pipe *pipe;
} talk;

/* End 0 sends messages of every size and gets each back; end 1 sends them back. */
static parcel_status talk_or_echo(void *argument, int worker)
{
  const talk *own = argument;
  unsigned char sent[300];
  unsigned char received[300];
  parcel_index bytes = 0;
  parcel_status status = PARCEL_OK;
  for (int round = 0; round < 600 && !status && worker < 2; ++round) {
    const parcel_index size = round % (int)sizeof sent;
    memset(sent, round, sizeof sent);
    if (worker == 0)
      status = parcel_pipe_send(own->pipe, 0, sent, size, PARCEL_FOREVER);
    if (!status)
      status = parcel_pipe_receive(own->pipe, worker, received, sizeof received, &bytes, PARCEL_FOREVER);
    if (!status && (bytes != size || memcmp(sent, received, (size_t)size) != 0))
      status = parcel_fail(PARCEL_KERNEL, "message %d is another", round);
    if (!status && worker == 1)
      status = parcel_pipe_send(own->pipe, 1, received, bytes, PARCEL_FOREVER);
  }
  return status;
}

static void check_pipe(parcel_workers *workers)
{
  talk *own = make_shared(sizeof *own);
  assert_ok(parcel_pipe_create(500, &own->pipe));
  run_parties(workers, talk_or_echo, own);
  parcel_pipe_destroy(&own->pipe);
  assert_null(own->pipe);
  parcel_shared_free(own);
}

static void pipe_carries_messages_both_ways(void **state)
{
  (void)state;
  with_threads_and_with_processes(check_pipe);
}

static void pipe_wrong_sizes_and_ends_are_told(void **state)
{
  parcel_pipe *pipe = NULL;
  char text[64] = "";
  parcel_index bytes = 0;
  (void)state;
  assert_refused(parcel_pipe_create(0, &pipe), PARCEL_INVALID, "0 bytes");
  assert_ok(parcel_pipe_create(64, &pipe));
  assert_refused(parcel_pipe_send(pipe, 2, "a", 1, 0), PARCEL_INVALID, "not 2");
  assert_refused(parcel_pipe_send(pipe, 0, "a", -1, 0), PARCEL_INVALID, "-1 bytes");
  assert_refused(parcel_pipe_send(pipe, 0, text, 65, 0), PARCEL_RANGE, "does not fit");
  assert_refused(parcel_pipe_receive(pipe, 1, text, sizeof text, &bytes, 0), PARCEL_TIMEOUT, "nothing came");
  assert_ok(parcel_pipe_send(pipe, 0, "seven", 6, 0));
  assert_refused(parcel_pipe_receive(pipe, 1, text, 5, &bytes, 0), PARCEL_RANGE, "6 bytes, the buffer 5");
  assert_int_equal(bytes, 6);
  parcel_pipe_close(pipe);
  assert_refused(parcel_pipe_send(pipe, 0, "a", 1, 0), PARCEL_STOPPED, "closed");
  assert_ok(parcel_pipe_receive(pipe, 1, text, sizeof text, &bytes, PARCEL_FOREVER));
  assert_string_equal(text, "seven");
  assert_refused(parcel_pipe_receive(pipe, 1, text, sizeof text, &bytes, 0), PARCEL_STOPPED, "closed");
  parcel_pipe_destroy(&pipe);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(lock_lets_one_in_at_a_time),
      cmocka_unit_test(lock_of_a_killed_owner_passes_on_with_word_of_it),
      cmocka_unit_test(barrier_lets_all_pass_together),
      cmocka_unit_test(barrier_that_one_does_not_reach_breaks),
      cmocka_unit_test(queue_passes_every_item_once_and_in_order),
      cmocka_unit_test(queue_full_empty_and_closed_are_told),
      cmocka_unit_test(queue_outlives_users_that_are_killed_inside),
      cmocka_unit_test(pipe_carries_messages_both_ways),
      cmocka_unit_test(pipe_wrong_sizes_and_ends_are_told),
  };
  return run_with_workers(tests);
}
