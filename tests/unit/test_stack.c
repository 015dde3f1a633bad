/* Threads' stacks where the program is started without a limit: the program starts itself so. */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parcel/pool.h>

enum { MEBIBYTE = 1 << 20, LARGE = 40 };

static parcel_status use_stack(void *ctx, parcel_span span, int worker)
{
  volatile char local[LARGE * MEBIBYTE];
  (void)ctx;
  (void)worker;
  for (size_t byte = 0; byte < sizeof local; byte += 4096)
    local[byte] = (char)span.begin;
  return local[sizeof local - 4096] == (char)span.begin ? PARCEL_OK : PARCEL_KERNEL;
}

static int use_stacks(void)
{
  const parcel_pool_options options = {.threads = 3};
  parcel_pool *pool = NULL;
  parcel_status status = parcel_pool_create(&options, &pool);
  if (!status)
    status = parcel_pool_start(pool, 30, 1, use_stack, NULL);
  if (!status)
    status = parcel_pool_finish(pool);
  parcel_pool_destroy(&pool);
  return status ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void threads_have_large_stacks_where_there_is_no_limit(void **state)
{
  struct rlimit limit;
  int how = 0;
  (void)state;
  assert_int_equal(getrlimit(RLIMIT_STACK, &limit), 0);
#ifdef __SANITIZE_THREAD__ /* it starts a program with a limit of its own */
  skip();
#endif
  if (limit.rlim_max != RLIM_INFINITY)
    skip();
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    limit.rlim_cur = RLIM_INFINITY;
    if (setrlimit(RLIMIT_STACK, &limit) == 0)
      execl("/proc/self/exe", "test_stack", "unlimited", (char *)NULL);
    _exit(EXIT_FAILURE);
  }
  assert_int_equal(waitpid(child, &how, 0), child);
  assert_int_equal(how, 0);
}

int main(int argc, char **argv)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(threads_have_large_stacks_where_there_is_no_limit),
  };
  (void)argv;
  return argc > 1 ? use_stacks() : cmocka_run_group_tests(tests, NULL, NULL);
}
