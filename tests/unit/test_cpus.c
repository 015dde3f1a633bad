#include "unit.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "cpus_impl.h"

static void cpus_follow_the_affinity_mask(void **state)
{
  cpu_set_t all;
  (void)state;
  assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
  for (size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    cpu_set_t one;
    char expected[16];
    if (!CPU_ISSET(cpu, &all))
      continue;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    snprintf(expected, sizeof expected, "%zu", cpu);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    const parcel_cpus cpus = parcel__cpus_of_process();
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    assert_int_equal(cpus.allowed, 1);
    assert_string_equal(cpus.list, expected);
  }
}

/* A quota of the machine the test runs on may make it fewer. */
static void cpus_are_at_least_one_and_at_most_the_mask(void **state)
{
  cpu_set_t all;
  (void)state;
  assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
  const parcel_cpus cpus = parcel__cpus_of_process();
  assert_in_range(cpus.allowed, 1, CPU_COUNT(&all));
  assert_true(*cpus.list != '\0');
}

static void cpus_per_task_is_what_slurm_says(void **state)
{
  static const struct {
    const char *text;
    int cpus;
  } cases[] = {{NULL, INT_MAX}, {"4", 4},          {"1", 1},        {"0", INT_MAX},
               {"", INT_MAX},   {"junk", INT_MAX}, {"-3", INT_MAX}, {"99999999999", INT_MAX}};
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    if (cases[c].text)
      setenv("SLURM_CPUS_PER_TASK", cases[c].text, 1);
    else
      unsetenv("SLURM_CPUS_PER_TASK");
    assert_int_equal(parcel__cpus_of_process().per_task, cases[c].cpus);
  }
  unsetenv("SLURM_CPUS_PER_TASK");
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(cpus_follow_the_affinity_mask),
      cmocka_unit_test(cpus_are_at_least_one_and_at_most_the_mask),
      cmocka_unit_test(cpus_per_task_is_what_slurm_says),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
