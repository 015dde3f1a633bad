/* A made-up /sys, /dev, /etc and home: what is there decides whether Open MPI may skip its search. */
#include "unit.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fabric_impl.h"

static char root[PATH_MAX];

static void run(const char *format, const char *name)
{
  char command[2 * PATH_MAX];
  snprintf(command, sizeof command, format, root, name);
  assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): of a test's own making */
}

static void add_file(const char *name, const char *text)
{
  char path[2 * PATH_MAX];
  run("f=%s%s && mkdir -p ${f%%/*}", name);
  snprintf(path, sizeof path, "%s%s", root, name);
  FILE *stream = fopen(path, "w");
  assert_non_null(stream);
  fputs(text, stream);
  fclose(stream);
}

static int make_host(void **state)
{
  static const char *const variables[] = {"OMPI_MCA_mtl", "OMPI_MCA_btl", "OMPI_MCA_pml", "OPAL_PREFIX"};
  (void)state;
  for (int v = 0; v < LENGTH(variables); ++v)
    unsetenv(variables[v]);
  setenv("HOME", "/home/me", 1);
  snprintf(root, sizeof root, "%s/parcel-fabric-XXXXXX", P_tmpdir);
  if (!mkdtemp(root))
    return -1;
  add_file("/sys/class/net/eth0", "");
  add_file("/dev/null", "");
  return 0;
}

static int remove_host(void **state)
{
  (void)state;
  run("rm -r %s%s", "");
  return 0;
}

static void assert_settings(const char *mtl, const char *btl)
{
  parcel_fabric_setting settings[PARCEL_FABRIC_SETTINGS];
  parcel__fabric_settings(root, settings);
  assert_string_equal(settings[0].variable, "OMPI_MCA_mtl");
  assert_string_equal(settings[0].value, mtl);
  assert_string_equal(settings[1].variable, "OMPI_MCA_btl");
  assert_string_equal(settings[1].value, btl);
}

static void ethernet_alone_is_no_fabric(void **state)
{
  (void)state;
  assert_true(parcel__fabric_is_absent(root));
  assert_settings("^psm2,psm,ofi", "^ofi,openib,usnic,uct");
}

static void any_adapter_is_a_fabric(void **state)
{
  static const char *const adapters[] = {"/sys/class/infiniband/mlx5_0",
                                         "/dev/infiniband/uverbs0",
                                         "/sys/class/infiniband/efa_0",
                                         "/dev/hfi1_0",
                                         "/dev/ipath",
                                         "/sys/class/cxi/cxi0",
                                         "/dev/cxi0",
                                         "/dev/kgni0"};
  (void)state;
  for (int a = 0; a < LENGTH(adapters); ++a) {
    add_file(adapters[a], "");
    assert_false(parcel__fabric_is_absent(root));
    assert_settings("", "");
    run("rm %s%s", adapters[a]);
    assert_true(parcel__fabric_is_absent(root));
  }
}

static void nothing_is_absent_where_nothing_can_be_seen(void **state)
{
  (void)state;
  run("rm %s%s", "/sys/class/net/eth0");
  assert_false(parcel__fabric_is_absent(root));
  add_file("/sys/class/net/lo", "");
  assert_true(parcel__fabric_is_absent(root));
  run("rm %s%s", "/dev/null");
  assert_false(parcel__fabric_is_absent(root));
}

static void a_plan_in_the_environment_counts(void **state)
{
  static const char *const plans[] = {"OMPI_MCA_pml", "OMPI_MCA_mtl_ofi_provider_include", "FI_PROVIDER"};
  (void)state;
  for (int p = 0; p < LENGTH(plans); ++p) {
    setenv(plans[p], "x", 1);
    assert_settings("", "");
    unsetenv(plans[p]);
  }
}

static void a_variable_that_is_set_already_stays(void **state)
{
  (void)state;
  setenv("OMPI_MCA_btl", "self,tcp", 1);
  setenv("OMPI_MCA_btl_tcp_if_include", "eth0", 1);
  assert_settings("^psm2,psm,ofi", "");
  unsetenv("OMPI_MCA_btl_tcp_if_include");
  unsetenv("OMPI_MCA_btl");
  setenv("OMPI_MCA_mtl", "ofi", 1);
  assert_settings("", "^ofi,openib,usnic,uct");
}

static void exclusions_in_a_file_are_extended(void **state)
{
  (void)state;
  add_file("/etc/openmpi/openmpi-mca-params.conf",
           "# mtl = nothing\n\n  mtl=^ofi,portals4\nbtl = ^uct\nbtl = ^uct,openib,ofi  # twice\n"
           "btl_base_warn_component_unused=0\n");
  assert_settings("^ofi,portals4,psm2,psm", "^uct,openib,ofi,usnic");
}

static void a_choice_by_name_in_a_file_is_left_alone(void **state)
{
  (void)state;
  add_file("/etc/openmpi/openmpi-mca-params.conf", "mtl = ofi\n");
  assert_settings("", "^ofi,openib,usnic,uct");
  add_file("/etc/openmpi/openmpi-mca-params.conf", "pml = cm\n");
  assert_settings("", "");
}

static void the_users_file_comes_first(void **state)
{
  (void)state;
  add_file("/etc/openmpi/openmpi-mca-params.conf", "mtl = ^ofi\n");
  add_file("/home/me/.openmpi/mca-params.conf", "mtl = ^portals4\n");
  assert_settings("^portals4,psm2,psm,ofi", "^ofi,openib,usnic,uct");
}

static void an_installation_of_its_own_has_its_file(void **state)
{
  (void)state;
  setenv("OPAL_PREFIX", "/opt/openmpi", 1);
  add_file("/opt/openmpi/etc/openmpi-mca-params.conf", "mtl = ^portals4\n");
  assert_settings("^portals4,psm2,psm,ofi", "^ofi,openib,usnic,uct");
}

static void assert_daemon(const char *isolated)
{
  parcel_fabric_setting settings[PARCEL_FABRIC_SETTINGS];
  parcel__fabric_settings(root, settings);
  assert_string_equal(settings[2].variable, "OMPI_MCA_ess_singleton_isolated");
  assert_string_equal(settings[2].value, isolated);
  assert_string_equal(settings[3].variable, "OMPI_MCA_orte_jobfam_session_dir");
  assert_int_equal(*settings[3].value != '\0', *isolated != '\0');
}

static void a_process_that_nobody_launched_needs_no_daemon(void **state)
{
  static const char *const launched[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_STEP_ID"};
  (void)state;
  assert_daemon("1");
  setenv("SLURM_PROCID", "0", 1); /* a batch script has it, too */
  assert_daemon("1");
  unsetenv("SLURM_PROCID");
  for (int v = 0; v < LENGTH(launched); ++v) {
    setenv(launched[v], "0", 1);
    assert_daemon("");
    unsetenv(launched[v]);
  }
}

static void the_users_word_on_the_daemon_counts(void **state)
{
  (void)state;
  setenv("OMPI_MCA_ess_singleton_isolated", "0", 1);
  assert_daemon("");
  unsetenv("OMPI_MCA_ess_singleton_isolated");
  add_file("/home/me/.openmpi/mca-params.conf", "ess_singleton_isolated = 0\n");
  assert_daemon("");
}

static void settings_leave_the_environment_as_it_was(void **state)
{
  parcel_fabric_setting settings[PARCEL_FABRIC_SETTINGS];
  (void)state;
  parcel__fabric_settings(root, settings);
  parcel__fabric_set(settings);
  assert_string_equal(getenv("OMPI_MCA_mtl"), "^psm2,psm,ofi");
  parcel__fabric_unset(settings);
  assert_null(getenv("OMPI_MCA_mtl"));
  setenv("OMPI_MCA_btl", "self,tcp", 1);
  parcel__fabric_settings(root, settings);
  parcel__fabric_set(settings);
  parcel__fabric_unset(settings);
  assert_string_equal(getenv("OMPI_MCA_btl"), "self,tcp");
}

#define host_test(name) cmocka_unit_test_setup_teardown(name, make_host, remove_host)

int main(void)
{
  static const struct CMUnitTest tests[] = {
      host_test(ethernet_alone_is_no_fabric),
      host_test(any_adapter_is_a_fabric),
      host_test(nothing_is_absent_where_nothing_can_be_seen),
      host_test(a_plan_in_the_environment_counts),
      host_test(a_variable_that_is_set_already_stays),
      host_test(exclusions_in_a_file_are_extended),
      host_test(a_choice_by_name_in_a_file_is_left_alone),
      host_test(the_users_file_comes_first),
      host_test(an_installation_of_its_own_has_its_file),
      host_test(a_process_that_nobody_launched_needs_no_daemon),
      host_test(the_users_word_on_the_daemon_counts),
      host_test(settings_leave_the_environment_as_it_was),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
