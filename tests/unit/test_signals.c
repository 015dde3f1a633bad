/* Signals caught and given back. What ends a process is tried in a child. */
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <parcel/signals.h>

static const int stops[] = {SIGINT, SIGTERM, SIGUSR1};

static void pause_for(long milliseconds)
{
  const struct timespec time = {.tv_nsec = milliseconds * 1000000};
  nanosleep(&time, NULL);
}

static void set_action(int number, void (*handler)(int), int flags)
{
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGWINCH);
  assert_int_equal(sigaction(number, &action, NULL), 0);
}

static void set_blocked(int number, int how)
{
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, number);
  assert_int_equal(pthread_sigmask(how, &signals, NULL), 0);
}

static bool is_blocked(int number)
{
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  return sigismember(&mask, number) == 1;
}

/* How a child ends that runs this: its exit code, or minus its signal. */
static int outcome_of(int (*run)(int number), int number)
{
  int how = 0;
  const pid_t child = fork();
  if (child == 0)
    _exit(run(number));
  assert_int_equal(waitpid(child, &how, 0), child);
  return WIFSIGNALED(how) ? -WTERMSIG(how) : WEXITSTATUS(how);
}

static void signals_first_request_sets_a_flag(void **state)
{
  (void)state;
  for (int s = 0; s < LENGTH(stops); ++s) {
    const parcel_signals *signals = parcel_signals_catch();
    assert_non_null(signals);
    assert_ok(parcel_signals_check("nothing is done"));
    raise(stops[s]);
    assert_int_equal(signals->stop, stops[s]);
    assert_refused(parcel_signals_check("nothing is done"), PARCEL_STOPPED, "while nothing is done");
    parcel_signals_release();
    assert_int_equal(signals->stop, 0);
    assert_ok(parcel_signals_check("nothing is done"));
  }
}

static void signals_inspection_is_counted(void **state)
{
  (void)state;
  const parcel_signals *signals = parcel_signals_catch();
  raise(SIGUSR2);
  raise(SIGUSR2);
  assert_int_equal(signals->inspect, 2);
  assert_int_equal(signals->stop, 0);
  parcel_signals_release();
}

static void signals_blocked_or_ignored_ones_are_heard(void **state)
{
  static const int heard[] = {SIGTERM, SIGUSR1};
  (void)state;
  for (int s = 0; s < LENGTH(heard); ++s) {
    set_blocked(heard[s], SIG_BLOCK);
    set_action(heard[s], SIG_IGN, 0);
    const parcel_signals *signals = parcel_signals_catch();
    raise(heard[s]);
    assert_int_equal(signals->stop, heard[s]);
    parcel_signals_release();
    assert_true(is_blocked(heard[s]));
    set_action(heard[s], SIG_DFL, 0);
    set_blocked(heard[s], SIG_UNBLOCK);
  }
}

static void signals_interrupt_that_is_ignored_stays_so(void **state)
{
  (void)state;
  set_action(SIGINT, SIG_IGN, 0);
  const parcel_signals *signals = parcel_signals_catch();
  raise(SIGINT);
  assert_int_equal(signals->stop, 0);
  parcel_signals_release();
  set_action(SIGINT, SIG_DFL, 0);
}

static void do_nothing(int number)
{
  (void)number;
}

static void signals_actions_come_back_as_they_were(void **state)
{
  struct sigaction now;
  (void)state;
  for (int s = 0; s < LENGTH(stops); ++s) {
    set_action(stops[s], do_nothing, (int)(SA_RESETHAND | SA_NODEFER));
    assert_non_null(parcel_signals_catch());
    assert_non_null(parcel_signals_catch()); /* again: nothing new */
    parcel_signals_release();
    assert_int_equal(sigaction(stops[s], NULL, &now), 0);
    assert_true(now.sa_handler == do_nothing);
    assert_true((now.sa_flags & (int)SA_RESETHAND) && (now.sa_flags & SA_NODEFER));
    assert_true(sigismember(&now.sa_mask, SIGWINCH));
    set_action(stops[s], SIG_DFL, 0);
  }
}

static void signals_actions_set_since_are_left_alone(void **state)
{
  struct sigaction now;
  (void)state;
  assert_non_null(parcel_signals_catch());
  set_action(SIGTERM, do_nothing, 0);
  parcel_signals_release();
  assert_int_equal(sigaction(SIGTERM, NULL, &now), 0);
  assert_true(now.sa_handler == do_nothing);
  set_action(SIGTERM, SIG_DFL, 0);
}

/* ---- a second request ---- */

static int ask_twice(int number)
{
  if (!parcel_signals_catch())
    return 1;
  raise(number);
  pause_for(200);
  raise(number);
  return 0;
}

static int ask_twice_where_it_is_ignored(int number)
{
  set_action(number, SIG_IGN, 0);
  return ask_twice(number);
}

static void leave_with_seven(int number)
{
  (void)number;
  _exit(7);
}

static int ask_twice_where_it_is_handled(int number)
{
  set_action(number, leave_with_seven, 0);
  return ask_twice(number);
}

static int ask_twice_at_once(int number)
{
  const parcel_signals *signals = parcel_signals_catch();
  raise(number);
  raise(number);
  return signals->stop == number ? 3 : 1;
}

static void signals_second_request_acts_as_before(void **state)
{
  (void)state;
  assert_int_equal(outcome_of(ask_twice, SIGTERM), -SIGTERM);
  assert_int_equal(outcome_of(ask_twice, SIGINT), -SIGINT);
  assert_int_equal(outcome_of(ask_twice, SIGUSR1), 0);
  assert_int_equal(outcome_of(ask_twice_where_it_is_ignored, SIGTERM), -SIGTERM);
  assert_int_equal(outcome_of(ask_twice_where_it_is_handled, SIGTERM), 7);
  assert_int_equal(outcome_of(ask_twice_where_it_is_handled, SIGINT), 7);
}

static void signals_one_request_that_comes_twice_is_one(void **state)
{
  (void)state;
  for (int attempt = 0; attempt < 20;
       ++attempt) /* a busy machine may lose 0.1 s in between, but not always */
    if (outcome_of(ask_twice_at_once, SIGTERM) == 3)
      return;
  fail_msg("the second of two signals in a row ended the process each time");
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(signals_first_request_sets_a_flag),
      cmocka_unit_test(signals_inspection_is_counted),
      cmocka_unit_test(signals_blocked_or_ignored_ones_are_heard),
      cmocka_unit_test(signals_interrupt_that_is_ignored_stays_so),
      cmocka_unit_test(signals_actions_come_back_as_they_were),
      cmocka_unit_test(signals_actions_set_since_are_left_alone),
      cmocka_unit_test(signals_second_request_acts_as_before),
      cmocka_unit_test(signals_one_request_that_comes_twice_is_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
