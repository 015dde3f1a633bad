/* Batch systems are scripts on the PATH, that answer rightly, wrongly, late or never. */
#include "unit.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ask_impl.h"
#include "batch_impl.h"

static char folder[PATH_MAX];
static char old_path[4 * PATH_MAX];

static int make_folder(void **state)
{
  static const char *const variables[] = {"SLURM_JOB_ID",        "SLURM_JOB_END_TIME", "SLURM_ARRAY_JOB_ID",
                                          "SLURM_ARRAY_TASK_ID", "PBS_JOBID",          "PBS_WALLTIME"};
  char path[sizeof folder + sizeof old_path];
  (void)state;
  for (int v = 0; v < LENGTH(variables); ++v)
    unsetenv(variables[v]);
  setenv("TZ", "UTC", 1);
  snprintf(folder, sizeof folder, "%s/parcel-batch-XXXXXX", P_tmpdir);
  if (!mkdtemp(folder))
    return -1;
  snprintf(path, sizeof path, "%s:%s", folder, old_path);
  setenv("PATH", path, 1);
  return 0;
}

static int remove_folder(void **state)
{
  char command[2 * PATH_MAX];
  (void)state;
  setenv("PATH", old_path, 1);
  snprintf(command, sizeof command, "rm -r %s", folder);
  return system(command); /* NOLINT(cert-env33-c): of a test's own making */
}

static void add_program(const char *name, const char *script)
{
  char path[2 * PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *stream = fopen(path, "w");
  assert_non_null(stream);
  fprintf(stream, "#!/bin/sh\n%s\n", script);
  fclose(stream);
  assert_int_equal(chmod(path, 0700), 0);
}

static double seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* 2 s are enough for a script. */
static void assert_end(long expected)
{
  double end = -1;
  assert_ok(parcel__batch_end(2, &end));
  assert_int_equal((long)end, expected);
}

static void assert_no_end(parcel_status status, const char *words)
{
  double end = -1;
  assert_refused(parcel__batch_end(2, &end), status, words);
  assert_int_equal((long)end, 0);
}

static void no_job_has_no_end(void **state)
{
  (void)state;
  add_program("squeue", "echo 99");
  assert_end(0);
}

static void the_environment_is_asked_first(void **state)
{
  (void)state;
  add_program("squeue", "echo 99");
  setenv("SLURM_JOB_ID", "7", 1);
  setenv("SLURM_JOB_END_TIME", "4102444800", 1);
  assert_end(4102444800);
  setenv("SLURM_JOB_END_TIME", "1000", 1); /* passed: the limit was prolonged */
  assert_end(99);
  setenv("SLURM_JOB_END_TIME", "soon", 1);
  assert_end(99);
}

static void squeue_is_asked_for_this_job_in_seconds(void **state)
{
  (void)state;
  setenv("SLURM_JOB_ID", "7", 1);
  add_program("squeue", "[ \"$*\" = '-h -j 7 -o %e' ] && [ $SLURM_TIME_FORMAT = %s ] && echo 1795234377");
  assert_end(1795234377);
}

/* As Slurm 22.05 answers: the array's own number, which the last member has too, stands for all members. */
static void a_member_of_an_array_has_its_own_end(void **state)
{
  (void)state;
  setenv("SLURM_JOB_ID", "7", 1);
  setenv("SLURM_ARRAY_JOB_ID", "7", 1);
  setenv("SLURM_ARRAY_TASK_ID", "2", 1);
  add_program("squeue", "case \"$*\" in *'-j 7 '*) printf '8 1795237977\\n7 1795234377\\n9 1795234378\\n';; "
                        "'-h -j 7_2 -o %A %e') echo 7 1795234377;; esac");
  assert_end(1795234377);
  add_program("squeue", "printf '8 1795237977\\n7 1795234377\\n77 1795234376\\n'");
  assert_end(1795234377);
  add_program("squeue", "printf '8 1795237977\\n7 N/A\\n'");
  assert_end(0);
  add_program("squeue", "printf '8 1795237977\\n77 1795234376\\n'");
  assert_no_end(PARCEL_SYSTEM, "no time of this job");
}

static void a_heterogeneous_job_ends_with_its_first_part(void **state)
{
  (void)state;
  setenv("SLURM_JOB_ID", "7", 1);
  add_program("squeue", "printf '1795237977\\nN/A\\n1795234377\\n1795234378\\n'");
  assert_end(1795234377);
  add_program("squeue", "printf '1795237977\\nwhat\\n'");
  assert_no_end(PARCEL_SYSTEM, "'what'");
}

/* The kernel then keeps no record of how a child ended. */
static void answers_count_where_children_are_not_waited_for(void **state)
{
  double end = 0;
  (void)state;
  setenv("SLURM_JOB_ID", "7", 1);
  assert_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
  add_program("squeue", "echo 1795234377");
  const parcel_status status = parcel__batch_end(2, &end);
  add_program("squeue", "exit 1");
  const parcel_status failing = parcel__batch_end(2, &end);
  add_program("squeue", "echo 1795234377; sleep 60");
  const parcel_status late = parcel__batch_end(0.3, &end);
  (void)signal(SIGCHLD, SIG_DFL);
  assert_int_equal(status, PARCEL_OK);
  assert_int_equal(failing, PARCEL_SYSTEM);
  assert_int_equal(late, PARCEL_TIMEOUT);
}

static void local_times_are_understood_in_any_zone(void **state)
{
  (void)state;
  setenv("SLURM_JOB_ID", "7", 1);
  add_program("squeue", "echo 2026-11-21T05:12:57");
  assert_end(1795237977);
  setenv("TZ", "America/New_York", 1);
  assert_end(1795237977 + 5 * 3600);
  add_program("squeue", "echo 2026-07-21T05:12:57"); /* summer time */
  assert_end(1784610777 + 4 * 3600);
  setenv("TZ", "Asia/Kolkata", 1);
  assert_end(1784610777 - 19800);
}

static void a_job_without_a_limit_has_no_end(void **state)
{
  (void)state;
  setenv("SLURM_JOB_ID", "7", 1);
  add_program("squeue", "echo N/A");
  assert_end(0);
  add_program("squeue", "echo Unknown");
  assert_end(0);
}

static void wrong_answers_are_told(void **state)
{
  static const char *const scripts[] = {"echo",
                                        ":",
                                        "echo what",
                                        "echo 12:30",
                                        "echo 2026-11-21",
                                        "echo 0",
                                        "echo -5",
                                        "echo 1795234377 and more",
                                        "head -c 100000 /dev/zero"};
  (void)state;
  setenv("SLURM_JOB_ID", "7", 1);
  for (int s = 0; s < LENGTH(scripts); ++s) {
    add_program("squeue", scripts[s]);
    assert_no_end(PARCEL_SYSTEM, "squeue");
  }
}

static void failing_and_missing_programs_are_told(void **state)
{
  (void)state;
  setenv("SLURM_JOB_ID", "7", 1);
  add_program("squeue", "echo 1795234377; exit 1");
  assert_no_end(PARCEL_SYSTEM, "squeue");
  add_program("squeue", "echo 1795234377; kill -9 $$");
  assert_no_end(PARCEL_SYSTEM, "squeue");
  setenv("PATH", "/nowhere", 1);
  assert_no_end(PARCEL_SYSTEM, "squeue");
}

/* Neither it nor what it started is left. */
static void a_program_that_hangs_is_given_up(void **state)
{
  static const char *const scripts[] = {"sleep 60", "echo 1795234377; sleep 60", "exec >/dev/null; sleep 60",
                                        "trap '' TERM; sleep 60 & wait"};
  double end = 0;
  (void)state;
  setenv("SLURM_JOB_ID", "7", 1);
  for (int s = 0; s < LENGTH(scripts); ++s) {
    const double begin = seconds();
    add_program("squeue", scripts[s]);
    assert_refused(parcel__batch_end(0.3, &end), PARCEL_TIMEOUT, "squeue");
    assert_true(seconds() - begin < 10);
  }
}

static void qstat_gives_start_and_limit(void **state)
{
  (void)state;
  setenv("PBS_JOBID", "12.head", 1);
  add_program("qstat", "[ \"$*\" = '-f 12.head' ] || exit 1; cat <<END\n"
                       "Job Id: 12.head\n"
                       "    Job_Name = squares\n"
                       "    resources_used.walltime = 00:00:07\n"
                       "    Resource_List.walltime = 01:02:03\n"
                       "    stime = Sat Nov 21 05:12:57 2026\nEND");
  assert_end(1795237977 + 3723);
  setenv("TZ", "America/New_York", 1);
  assert_end(1795237977 + 3723 + 5 * 3600);
}

static void qstat_without_a_limit_or_a_start(void **state)
{
  (void)state;
  setenv("PBS_JOBID", "12", 1);
  add_program("qstat", "echo '    stime = Sat Nov 21 05:12:57 2026'");
  assert_end(0);
  setenv("PBS_WALLTIME", "600", 1);
  assert_end(1795237977 + 600);
  setenv("PBS_WALLTIME", "2:00:00:00", 1);
  assert_end(1795237977 + 2 * 86400);
  add_program("qstat", "echo '    Resource_List.walltime = 01:02:03'");
  assert_no_end(PARCEL_SYSTEM, "qstat");
}

static void long_answers_are_cut(void **state)
{
  static const char *const command[] = {"sh", "-c", "seq 100000", NULL};
  char answer[8];
  (void)state;
  assert_ok(parcel__ask(command, 10, answer, sizeof answer));
  assert_string_equal(answer, "1\n2\n3\n4");
}

#define batch_test(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
  static const struct CMUnitTest tests[] = {
      batch_test(no_job_has_no_end),
      batch_test(the_environment_is_asked_first),
      batch_test(squeue_is_asked_for_this_job_in_seconds),
      batch_test(a_member_of_an_array_has_its_own_end),
      batch_test(a_heterogeneous_job_ends_with_its_first_part),
      batch_test(answers_count_where_children_are_not_waited_for),
      batch_test(local_times_are_understood_in_any_zone),
      batch_test(a_job_without_a_limit_has_no_end),
      batch_test(wrong_answers_are_told),
      batch_test(failing_and_missing_programs_are_told),
      batch_test(a_program_that_hangs_is_given_up),
      batch_test(qstat_gives_start_and_limit),
      batch_test(qstat_without_a_limit_or_a_start),
      batch_test(long_answers_are_cut),
  };
  snprintf(old_path, sizeof old_path, "%s", getenv("PATH"));
  return cmocka_run_group_tests(tests, NULL, NULL);
}
