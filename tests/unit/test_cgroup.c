/* Control groups as several systems show them, in a folder that stands for the root. */
#include "unit.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cgroup_impl.h"

static char root[PATH_MAX];

static int make_root(void **state)
{
  (void)state;
  snprintf(root, sizeof root, "%s/parcel-cgroup-XXXXXX", P_tmpdir);
  return mkdtemp(root) ? 0 : -1;
}

static void run(const char *format, const char *path)
{
  char command[4 * PATH_MAX];
  snprintf(command, sizeof command, format, root, path);
  assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): of a test's own making */
}

static int remove_root(void **state)
{
  (void)state;
  run("rm -r '%s'%s", "");
  return 0;
}

static void write_file(const char *path, const char *text)
{
  char whole[2 * PATH_MAX];
  snprintf(whole, sizeof whole, "%s", path);
  *strrchr(whole, '/') = '\0';
  run("mkdir -p '%s%s'", whole);
  snprintf(whole, sizeof whole, "%s%s", root, path);
  FILE *stream = fopen(whole, "w");
  assert_non_null(stream);
  fputs(text, stream);
  fclose(stream);
}

static void assert_memory(double available, const char *folder)
{
  char whole[2 * PATH_MAX];
  parcel_cgroup_memory memory;
  parcel__cgroup_memory(root, &memory);
  if (memory.available != available)
    fail_msg("%g bytes available, not %g", memory.available, available);
  snprintf(whole, sizeof whole, "%s%s", root, folder);
  assert_string_equal(memory.folder, whole);
}

static void assert_no_memory_limit(void)
{
  parcel_cgroup_memory memory;
  parcel__cgroup_memory(root, &memory);
  assert_true(isinf(memory.available));
}

static void quota_is_rounded_up_to_whole_cpus(void **state)
{
  static const struct {
    const char *quota, *period;
    int cpus;
  } cases[] = {
      {"max", "100000\n", INT_MAX},
      {"max 100000\n", "100000\n", INT_MAX},
      {"-1\n", "100000\n", INT_MAX},
      {"0", "100000", INT_MAX},
      {"100000", "0", INT_MAX},
      {"100000", "", INT_MAX},
      {"", "", INT_MAX},
      {"junk", "100000", INT_MAX},
      {"150000 100000\n", "100000\n", 2},
      {"200000\n", "100000\n", 2},
      {"200001", "100000", 3},
      {"1", "100000", 1},
      {"50000", "50000", 1},
      {"9223372036854775807", "9223372036854775807", 1},
      {"9223372036854775807", "1", INT_MAX},
      {"9223372036854775807", "100000", INT_MAX},
  };
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c) {
    const int cpus = parcel__cpus_of_quota(cases[c].quota, cases[c].period);
    if (cpus != cases[c].cpus)
      fail_msg("quota '%s', period '%s': %d CPUs, not %d", cases[c].quota, cases[c].period, cpus,
               cases[c].cpus);
  }
}

static void nothing_to_read_limits_nothing(void **state)
{
  (void)state;
  assert_no_memory_limit();
  assert_int_equal(parcel__cgroup_cpus(root), INT_MAX);
  write_file("/proc/self/cgroup", "0::/a\n3:cpu,cpuacct:/a\n2:memory:/a\njunk\n\n:");
  assert_no_memory_limit();
  write_file("/proc/self/mountinfo", "junk\n - \n31 23 0:28 / /sys/fs/cgroup rw - cgroup2\n");
  assert_no_memory_limit();
  assert_int_equal(parcel__cgroup_cpus(root), INT_MAX);
}

/* The process's own group has no limit; one above has, and the tightest counts, not the nearest. */
static void version_2_is_looked_at_up_to_the_root(void **state)
{
  (void)state;
  write_file("/proc/self/cgroup", "0::/slurm/job_7/step 0\n");
  write_file("/proc/self/mountinfo",
             "25 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
             "31 25 0:28 / /mnt/c\\040g rw,nosuid shared:9 master:2 - cgroup2 cgroup2 rw\n");
  write_file("/mnt/c g/slurm/job_7/step 0/memory.max", "max\n");
  write_file("/mnt/c g/slurm/job_7/memory.max", "4000000000\n");
  write_file("/mnt/c g/slurm/memory.max", "5000000000\n");
  assert_memory(4e9, "/mnt/c g/slurm/job_7");
  write_file("/mnt/c g/slurm/memory.current", "2500000000\n");
  assert_memory(2.5e9, "/mnt/c g/slurm");
  write_file("/mnt/c g/slurm/memory.stat",
             "anon 1\nfile 900000000\ninactive_file 800000000\nactive_file 100000000\n");
  assert_memory(3.3e9, "/mnt/c g/slurm");
  write_file("/mnt/c g/memory.max", "1000\n");
  write_file("/mnt/c g/memory.current", "1001\n");
  assert_memory(0, "/mnt/c g");
  write_file("/mnt/c g/slurm/job_7/step 0/cpu.max", "max 100000\n");
  write_file("/mnt/c g/slurm/job_7/cpu.max", "350000 100000\n");
  write_file("/mnt/c g/cpu.max", "800000 100000\n");
  assert_int_equal(parcel__cgroup_cpus(root), 4);
}

/* The controllers of a hierarchy come in any order, and it is mounted under any name. */
static void version_1_is_found_by_its_controllers(void **state)
{
  static const char *const lists[] = {"cpu", "cpu,cpuacct", "cpuacct,cpu", "net_cls,cpu,cpuacct"};
  char cgroup[256];
  char mounts[512];
  (void)state;
  write_file("/sys/fs/cgroup/one/a/cpu.cfs_quota_us", "150000\n");
  write_file("/sys/fs/cgroup/one/a/cpu.cfs_period_us", "50000\n");
  write_file("/sys/fs/cgroup/one/a/b/cpu.cfs_quota_us", "-1\n");
  write_file("/sys/fs/cgroup/one/a/b/cpu.cfs_period_us", "50000\n");
  write_file("/sys/fs/cgroup/set/a/b/cpu.cfs_quota_us", "1\n"); /* of another controller: not looked at */
  write_file("/sys/fs/cgroup/two/x/memory.limit_in_bytes", "9223372036854771712\n");
  write_file("/sys/fs/cgroup/two/memory.limit_in_bytes", "600000000\n");
  write_file("/sys/fs/cgroup/two/memory.usage_in_bytes", "500000000\n");
  write_file("/sys/fs/cgroup/two/memory.stat", "inactive_file 1\ntotal_inactive_file 200000000\n");
  for (int l = 0; l < LENGTH(lists); ++l) {
    snprintf(cgroup, sizeof cgroup, "9:name=systemd:/\n8:cpuset:/a/b\n4:hugetlb,memory:/x\n3:%s:/a/b\n0::/\n",
             lists[l]);
    snprintf(mounts, sizeof mounts,
             "30 25 0:27 / /sys/fs/cgroup/set rw - cgroup cgroup rw,cpuset\n"
             "31 25 0:28 / /sys/fs/cgroup/one rw - cgroup cgroup rw,%s\n"
             "32 25 0:29 / /sys/fs/cgroup/two rw - cgroup cgroup rw,memory,hugetlb\n",
             lists[l]);
    write_file("/proc/self/cgroup", cgroup);
    write_file("/proc/self/mountinfo", mounts);
    assert_int_equal(parcel__cgroup_cpus(root), 3);
    assert_memory(3e8, "/sys/fs/cgroup/two");
  }
}

/* Both side by side, as systemd mounts them: each controller is in one of the two. */
static void both_versions_are_looked_at(void **state)
{
  (void)state;
  write_file("/proc/self/cgroup", "4:memory:/x\n1:cpu:/\n0::/y\n");
  write_file("/proc/self/mountinfo", "31 25 0:28 / /c/memory rw - cgroup cgroup rw,memory\n"
                                     "32 25 0:29 / /c/unified rw - cgroup2 cgroup2 rw\n");
  write_file("/c/memory/x/memory.limit_in_bytes", "1000\n");
  write_file("/c/unified/y/cpu.max", "100000 100000\n");
  assert_memory(1000, "/c/memory/x");
  assert_int_equal(parcel__cgroup_cpus(root), 1);
}

/* A container sees its own group as the top of what is mounted, under its whole name or as "/". */
static void a_container_s_group_is_where_it_is_mounted(void **state)
{
  static const char *const groups[] = {"0::/docker/abc/job\n", "0::/docker/abc\n", "0::/\n", "0::/../other\n",
                                       "0::/docker/abcd\n"};
  (void)state;
  write_file("/proc/self/mountinfo", "31 25 0:28 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
  write_file("/sys/fs/cgroup/memory.max", "2000\n");
  write_file("/sys/fs/cgroup/job/memory.max", "1000\n");
  for (int g = 0; g < LENGTH(groups); ++g) {
    write_file("/proc/self/cgroup", groups[g]);
    assert_memory(g == 0 ? 1000 : 2000, g == 0 ? "/sys/fs/cgroup/job" : "/sys/fs/cgroup");
  }
}

#define cgroup_test(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(quota_is_rounded_up_to_whole_cpus),
      cgroup_test(nothing_to_read_limits_nothing),
      cgroup_test(version_2_is_looked_at_up_to_the_root),
      cgroup_test(version_1_is_found_by_its_controllers),
      cgroup_test(both_versions_are_looked_at),
      cgroup_test(a_container_s_group_is_where_it_is_mounted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
