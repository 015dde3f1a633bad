/* Judgements on made-up ranks: each fault is found, named, and put right by a line. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "launch_impl.h"

enum { RANKS = 4 };

/* Two hosts of 4 CPUs, with two ranks of 2 threads each: nothing to complain of. */
static parcel_launch_facts ranks[RANKS];
static parcel_findings found;

static int make_ranks(void **state)
{
  (void)state;
  for (int r = 0; r < RANKS; ++r) {
    ranks[r] = (parcel_launch_facts){.allowed = 2,
                                     .host_cpus = 4,
                                     .threads = 2,
                                     .has_thread_support = true,
                                     .yields = true,
                                     .fabric = PARCEL_FABRIC_SKIPPED,
                                     .loop_seconds = 0.001,
                                     .open_files = 1024,
                                     .locked_bytes = 65536,
                                     .processes = INT64_MAX,
                                     .window_bytes = INT64_MAX};
    snprintf(ranks[r].host, sizeof ranks[r].host, "node%d", r / 2);
    snprintf(ranks[r].build, sizeof ranks[r].build, "Parcel 0.1.0 with Open MPI v4.1.6");
    snprintf(ranks[r].mask, sizeof ranks[r].mask, r % 2 ? "2-3" : "0-1");
  }
  return 0;
}

static int judge(void)
{
  found = (parcel_findings){0};
  parcel__launch_judge(ranks, RANKS, &found);
  return found.count - parcel_findings_count(&found, PARCEL_FINDING_OK);
}

/* One finding only is not fine, and it is this. */
static void assert_found(parcel_severity severity, const char *check, const char *fact, const char *line)
{
  const int troubles = judge();
  for (int f = 0; f < found.count; ++f) {
    const parcel_finding *finding = &found.list[f];
    if (finding->severity != PARCEL_FINDING_OK &&
        (troubles > 1 || finding->severity != severity || strcmp(finding->check, check) != 0 ||
         !strstr(finding->fact, fact) || !strstr(finding->line, line)))
      fail_msg("%s %s: %s; use: %s", parcel_severity_name(finding->severity), finding->check, finding->fact,
               finding->line);
  }
  if (troubles == 0)
    fail_msg("nothing was found, but should have been: %s", fact);
}

static void a_good_launch_has_no_findings_but_fine_ones(void **state)
{
  (void)state;
  assert_int_equal(judge(), 0);
  assert_true(found.count > 5);
}

static void a_pool_larger_than_its_mask_is_found(void **state)
{
  (void)state;
  ranks[2].allowed = 1;
  snprintf(ranks[2].mask, sizeof ranks[2].mask, "0");
  snprintf(ranks[3].mask, sizeof ranks[3].mask, "1-3");
  ranks[3].allowed = 3;
  assert_found(PARCEL_FINDING_WARNING, "binding", "rank 2 on node1 has 2 threads, but only 1 of CPUs 0",
               "mpirun --bind-to none -n 4");
}

static void ranks_that_share_cpus_are_found(void **state)
{
  (void)state;
  snprintf(ranks[3].mask, sizeof ranks[3].mask, "0-1");
  assert_found(PARCEL_FINDING_WARNING, "sharing", "4 threads of 2 ranks share CPUs 0-1 of node1",
               "--bind-to none");
}

static void more_threads_than_the_host_has_cpus_are_found(void **state)
{
  (void)state;
  ranks[0].host_cpus = ranks[1].host_cpus = 2;
  snprintf(ranks[1].mask, sizeof ranks[1].mask, "0-1");
  assert_found(PARCEL_FINDING_WARNING, "sharing", "which has 2 CPUs", "parsquares -t 1");
}

/* Not the line that was used. */
static void threads_that_would_be_too_many_unbound_are_not_told_to_be_unbound(void **state)
{
  (void)state;
  ranks[0].threads = 3;
  ranks[0].allowed = ranks[1].allowed = 1;
  ranks[1].threads = 2;
  snprintf(ranks[0].mask, sizeof ranks[0].mask, "0");
  snprintf(ranks[1].mask, sizeof ranks[1].mask, "1");
  judge();
  for (int f = 0; f < found.count; ++f)
    if (strcmp(found.list[f].check, "binding") == 0 || strcmp(found.list[f].check, "sharing") == 0)
      assert_string_equal(found.list[f].line, "parsquares -t 1 ...");
}

static void lines_are_in_the_words_of_the_mpi_in_use(void **state)
{
  static const struct {
    const char *build, *line;
  } cases[] = {{"Parcel 0.1.0 with Open MPI v4.1.6", "mpirun --bind-to none -n 4 parsquares ..."},
               {"Parcel 0.1.0 with Open MPI v5.0.7", "mpirun --bind-to none -n 4 parsquares ..."},
               {"Parcel 0.1.0 with MPICH Version:\t4.0.2", "mpiexec -bind-to none -n 4 parsquares ..."},
               {"Parcel 0.1.0 with SomeMPI 1", "mpiexec -n 4 parsquares ..."}};
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    for (int r = 0; r < RANKS; ++r) {
      ranks[r].host_cpus = 64;
      ranks[r].fabric = PARCEL_FABRIC_SEARCHED;
      snprintf(ranks[r].build, sizeof ranks[r].build, "%s", cases[c].build);
    }
    judge();
    bool is_idle = false;
    for (int f = 0; f < found.count; ++f) {
      if (strcmp(found.list[f].check, "idle CPUs") == 0) {
        is_idle = true;
        assert_string_equal(found.list[f].line, cases[c].line);
      }
      if (!strstr(cases[c].build, "Open MPI") &&
          (strstr(found.list[f].line, "OMPI") || strstr(found.list[f].fact, "Open MPI")))
        fail_msg("advice for Open MPI: %s; use: %s", found.list[f].fact, found.list[f].line);
    }
    assert_true(is_idle);
  }
}

static void idle_cpus_are_found(void **state)
{
  (void)state;
  for (int r = 0; r < RANKS; ++r)
    ranks[r].host_cpus = 64;
  assert_found(PARCEL_FINDING_WARNING, "idle CPUs", "60 of its 64 CPUs stay idle", "--bind-to none");
}

static void a_quota_is_found(void **state)
{
  (void)state;
  ranks[1].allowed = 1;
  ranks[1].threads = 1;
  assert_found(PARCEL_FINDING_NOTE, "quota", "1 CPUs of their 2", "");
}

static void ranks_that_wait_without_yielding_are_found(void **state)
{
  (void)state;
  for (int r = 0; r < RANKS; ++r) {
    ranks[r].yields = false;
    ranks[r].threads = ranks[r].allowed = 1;
    ranks[r].host_cpus = 2;
    snprintf(ranks[r].mask, sizeof ranks[r].mask, r % 2 ? "1" : "0");
  }
  assert_int_equal(judge(), 0);
  for (int r = 0; r < RANKS; ++r) {
    snprintf(ranks[r].host, sizeof ranks[r].host, "node");
    ranks[r].threads = 0; /* but for this, they would be too many too */
  }
  assert_found(PARCEL_FINDING_WARNING, "waiting", "4 ranks on 2 CPUs of node",
               "OMPI_MCA_mpi_yield_when_idle=1");
}

static void threads_that_mpi_forbids_are_found(void **state)
{
  (void)state;
  ranks[3].has_thread_support = false;
  assert_found(PARCEL_FINDING_ERROR, "threads", "rank 3", "-t 1");
}

static void a_search_for_absent_adapters_is_found(void **state)
{
  (void)state;
  ranks[2].fabric = PARCEL_FABRIC_SEARCHED;
  assert_found(PARCEL_FINDING_NOTE, "start-up", "node1", "export OMPI_MCA_pml=ob1");
}

static void tight_limits_are_found(void **state)
{
  (void)state;
  ranks[1].open_files = 20;
  assert_found(PARCEL_FINDING_WARNING, "limits", "no more than 20 files", "ulimit -n");
  make_ranks(state);
  ranks[1].processes = 30;
  assert_found(PARCEL_FINDING_WARNING, "limits", "30 processes", "ulimit -u");
  make_ranks(state);
  ranks[1].fabric = PARCEL_FABRIC_PRESENT;
  assert_found(PARCEL_FINDING_WARNING, "limits", "lock 65536 bytes", "ulimit -l");
}

static void a_clock_that_is_off_is_found(void **state)
{
  (void)state;
  ranks[1].clock_seconds = 0.4;
  ranks[2].clock_seconds = -90;
  assert_found(PARCEL_FINDING_WARNING, "clocks", "node1 is 90 s behind that of node0", "chronyc");
}

static void other_builds_and_known_bugs_are_found(void **state)
{
  (void)state;
  for (int r = 0; r < RANKS; ++r)
    snprintf(ranks[r].build, sizeof ranks[r].build, "Parcel 0.1.0 with Open MPI v4.1.4");
  assert_found(PARCEL_FINDING_NOTE, "versions", "one-sided", "OMPI_MCA_osc");
  snprintf(ranks[3].build, sizeof ranks[3].build, "Parcel 0.2.0 with Open MPI v4.1.4");
  assert_found(PARCEL_FINDING_ERROR, "versions", "rank 3 on node1 runs Parcel 0.2.0", "ldd");
}

static void a_slow_rank_is_found(void **state)
{
  (void)state;
  ranks[3].loop_seconds = 0.003;
  assert_found(PARCEL_FINDING_NOTE, "speed", "rank 3 on node1 computes 3.0 times as long", "--schedule");
}

static void the_line_is_the_launchers(void **state)
{
  char line[128];
  (void)state;
  setenv("SLURM_STEP_ID", "0", 1);
  unsetenv("OMPI_COMM_WORLD_SIZE");
  assert_string_equal(parcel__launch_line("Open MPI", "prog", 4, 2, line, sizeof line),
                      "srun --ntasks=4 --cpus-per-task=2 --cpu-bind=cores prog ...");
  setenv("OMPI_COMM_WORLD_SIZE", "4", 1); /* mpirun inside of a step */
  assert_string_equal(parcel__launch_line("Open MPI", "prog", 4, 2, line, sizeof line),
                      "mpirun --bind-to none -n 4 prog ...");
}

#define judge_test(name) cmocka_unit_test_setup(name, make_ranks)

static void shared_memory_without_room_is_found(void **state)
{
  (void)state;
  ranks[2].window_bytes = ranks[3].window_bytes = 4096;
  assert_found(PARCEL_FINDING_ERROR, "shared memory", "/dev/shm of node1 has 4096 bytes free", "df /dev/shm");
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      judge_test(a_good_launch_has_no_findings_but_fine_ones),
      judge_test(shared_memory_without_room_is_found),
      judge_test(a_pool_larger_than_its_mask_is_found),
      judge_test(ranks_that_share_cpus_are_found),
      judge_test(more_threads_than_the_host_has_cpus_are_found),
      judge_test(idle_cpus_are_found),
      judge_test(lines_are_in_the_words_of_the_mpi_in_use),
      judge_test(threads_that_would_be_too_many_unbound_are_not_told_to_be_unbound),
      judge_test(a_quota_is_found),
      judge_test(ranks_that_wait_without_yielding_are_found),
      judge_test(threads_that_mpi_forbids_are_found),
      judge_test(a_search_for_absent_adapters_is_found),
      judge_test(tight_limits_are_found),
      judge_test(a_clock_that_is_off_is_found),
      judge_test(other_builds_and_known_bugs_are_found),
      judge_test(a_slow_rank_is_found),
      judge_test(the_line_is_the_launchers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
