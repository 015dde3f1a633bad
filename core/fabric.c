/* Some of Open MPI's transports are costly to load even where they find nothing: the libraries of psm and
 * psm2 measure the processor's clock for 0.1 s each, libfabric looks for a third of a second. All that is
 * excluded here works with an adapter of its own only; without one Open MPI arrives at ob1 with shared memory
 * and TCP in any case, so a mistake could cost speed but never the network.
 *
 * Values in the environment come before those in files, which Open MPI reads later: so the files must be read
 * here, or their settings would be lost. */
#include "fabric_impl.h"

#include <dirent.h>
#include <dlfcn.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mpi.h>

/* The adapters' device nodes, and their classes in sysfs, which containers show as well. */
static const char *const devices[] = {
    "/sys/class/infiniband/*",              /* InfiniBand, RoCE, iWARP, Omni-Path, EFA, usNIC */
    "/sys/class/cxi/*",        "/dev/cxi*", /* Slingshot */
    "/dev/infiniband/*",       "/dev/hfi1*", "/dev/ipath*", "/dev/kgni*", "/dev/bxi*"};

enum { FRAMEWORKS = PARCEL_FABRIC_SETTINGS - 2 };

/* What is left out, by the parameter that chooses. */
static const struct {
  const char *variable;
  const char *components[4];
} frameworks[FRAMEWORKS] = {{"OMPI_MCA_mtl", {"psm2", "psm", "ofi"}},
                            {"OMPI_MCA_btl", {"ofi", "openib", "usnic", "uct"}}};

/* Variables that begin so show that somebody has a plan. */
static const char *const plans[] = {"OMPI_MCA_pml=",
                                    "OMPI_MCA_mtl_",
                                    "OMPI_MCA_btl_ofi_",
                                    "OMPI_MCA_btl_openib_",
                                    "OMPI_MCA_btl_uct_",
                                    "OMPI_MCA_mca_base_param_files=",
                                    "FI_",
                                    "PSM"};

enum { MCA_PREFIX = sizeof "OMPI_MCA_" - 1, PATTERNS = 4 };

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static bool has_match(const char *root, const char *pattern)
{
  char path[PATH_MAX];
  glob_t found = {0};
  if (snprintf(path, sizeof path, "%s%s", root, pattern) >= (int)sizeof path)
    return true;
  const int code = glob(path, GLOB_NOSORT, NULL, &found);
  globfree(&found);
  return code != GLOB_NOMATCH;
}

bool parcel__fabric_is_absent(const char *root)
{
  if (!has_match(root, "/sys/class/net/*") || !has_match(root, "/dev/null"))
    return false;
  for (size_t d = 0; d < LENGTH(devices); ++d)
    if (has_match(root, devices[d]))
      return false;
  return true;
}

static bool has_plan(void)
{
  for (char **entry = environ; *entry; ++entry)
    for (size_t p = 0; p < LENGTH(plans); ++p)
      if (strncmp(*entry, plans[p], strlen(plans[p])) == 0)
        return true;
  return false;
}

/* ---- Open MPI's parameter files: lines "name = value", the last one counts ---- */

static void read_file(const char *path, const char *name, char *value)
{
  char line[PARCEL_FABRIC_VALUE_SIZE];
  FILE *stream = fopen(path, "re");
  while (stream && fgets(line, sizeof line, stream)) {
    char found[PARCEL_FABRIC_VALUE_SIZE];
    char of[PARCEL_FABRIC_VALUE_SIZE];
    if (sscanf(line, " %[^= \t] = %s", of, found) == 2 && strcmp(of, name) == 0)
      snprintf(value, PARCEL_FABRIC_VALUE_SIZE, "%s", found);
  }
  if (stream)
    fclose(stream);
}

/* The folder above the one of Open MPI's library: where it is installed, if it stands by itself. */
static void find_prefix(char *prefix, size_t size)
{
  Dl_info info = {0};
  void *symbol = dlsym(RTLD_DEFAULT, "MPI_Init");
  *prefix = '\0';
  if (symbol && dladdr(symbol, &info) && info.dli_fname)
    snprintf(prefix, size, "%s", info.dli_fname);
  for (int up = 0; up < 2; ++up) {
    char *slash = strrchr(prefix, '/');
    if (slash)
      *slash = '\0';
  }
}

/* The user's file comes first, as for Open MPI itself, then those of the installation. */
static void find_value(const char *root, const char *name, char *value)
{
  const char *home = getenv("HOME");
  const char *installation = getenv("OPAL_PREFIX");
  char prefix[PATH_MAX];
  char patterns[PATTERNS][PATH_MAX + 64];
  find_prefix(prefix, sizeof prefix);
  snprintf(patterns[0], sizeof *patterns, "%s%s/.openmpi/mca-params.conf", root, home ? home : "");
  snprintf(patterns[1], sizeof *patterns, "%s%s/etc/openmpi-mca-params.conf", root,
           installation ? installation : "");
  snprintf(patterns[2], sizeof *patterns, "%s%s/etc/openmpi-mca-params.conf", root, prefix);
  snprintf(patterns[3], sizeof *patterns, "%s/etc/openmpi*/openmpi-mca-params.conf", root);
  *value = '\0';
  for (int p = 0; p < PATTERNS && *value == '\0'; ++p) {
    glob_t found = {0};
    if (glob(patterns[p], 0, NULL, &found) == 0)
      for (size_t f = 0; f < found.gl_pathc && *value == '\0'; ++f)
        read_file(found.gl_pathv[f], name, value);
    globfree(&found);
  }
}

static bool is_listed(const char *list, const char *component)
{
  const size_t length = strlen(component);
  for (const char *entry = list; *entry; entry += strcspn(entry, ",")) {
    entry += strspn(entry, "^,");
    if (strncmp(entry, component, length) == 0 && (entry[length] == ',' || entry[length] == '\0'))
      return true;
  }
  return false;
}

/* A list without "^" names what is to be used: that is somebody's choice. */
static bool is_choice(const char *list)
{
  return *list != '^' && *list != '\0';
}

static void exclude(const char *const components[], int count, char *value)
{
  if (is_choice(value)) {
    *value = '\0';
    return;
  }
  for (int c = 0; c < count && components[c]; ++c) {
    const size_t length = strlen(value);
    if (!is_listed(value, components[c]))
      snprintf(value + length, PARCEL_FABRIC_VALUE_SIZE - length, "%c%s", length ? ',' : '^', components[c]);
  }
}

/* Variables that launchers set: mpirun of Open MPI and MPICH, and srun, of which the first two come from
 * process management. A batch script has some of Slurm's others. */
static bool is_launched(void)
{
  static const char *const variables[] = {"PMIX_RANK",   "PMIX_NAMESPACE",       "PMI_RANK",
                                          "PMI_FD",      "OMPI_COMM_WORLD_RANK", "SLURM_STEP_ID",
                                          "SLURM_STEPID"};
  for (size_t v = 0; v < LENGTH(variables); ++v)
    if (getenv(variables[v]))
      return true;
  return false;
}

/* A folder of this process's own for Open MPI's files, named as Open MPI names the daemon's. All processes
 * without one would share a folder, and remove it from under each other. */
static bool name_folder(parcel_fabric_setting *setting)
{
  static const char *const bases[] = {"OMPI_MCA_orte_tmpdir_base", "TMPDIR", "TMP", "TEMP"};
  const char *base = NULL;
  char host[HOST_NAME_MAX + 1] = "";
  for (size_t b = 0; b < LENGTH(bases) && !base; ++b)
    base = getenv(bases[b]);
  gethostname(host, sizeof host - 1);
  return snprintf(setting->value, sizeof setting->value, "%s/ompi.%s.%u/pid.%d", base ? base : "/tmp", host,
                  (unsigned)geteuid(), (int)getpid()) < (int)sizeof setting->value;
}

/* A process that nobody launched is a job of its own. Open MPI 4 starts its daemon for it, in case that it
 * should want to launch others: that takes time, needs orted on the PATH, and was seen to hang in
 * MPI_Finalize. Later versions start none, and do not know the parameters. */
static void settle_daemon(const char *root, parcel_fabric_setting settings[2])
{
  settings[0] = (parcel_fabric_setting){.variable = "OMPI_MCA_ess_singleton_isolated"};
  settings[1] = (parcel_fabric_setting){.variable = "OMPI_MCA_orte_jobfam_session_dir"};
  if (is_launched() || getenv(settings[0].variable) || getenv(settings[1].variable))
    return;
  find_value(root, settings[0].variable + MCA_PREFIX, settings[0].value);
  const bool is_settled = *settings[0].value != '\0' || !name_folder(&settings[1]);
  snprintf(settings[0].value, sizeof settings[0].value, "%s", is_settled ? "" : "1");
  if (is_settled)
    *settings[1].value = '\0';
}

void parcel__fabric_settings(const char *root, parcel_fabric_setting settings[])
{
  char pml[PARCEL_FABRIC_VALUE_SIZE];
  find_value(root, "pml", pml);
  const bool applies = !is_choice(pml) && !has_plan() && parcel__fabric_is_absent(root);
  settle_daemon(root, &settings[FRAMEWORKS]);
  for (int f = 0; f < FRAMEWORKS; ++f) {
    settings[f] = (parcel_fabric_setting){.variable = frameworks[f].variable};
    if (!applies || getenv(settings[f].variable))
      continue;
    find_value(root, settings[f].variable + MCA_PREFIX, settings[f].value);
    exclude(frameworks[f].components, (int)LENGTH(frameworks[f].components), settings[f].value);
  }
}

/* ob1 has nothing to do with mtl components. */
parcel_fabric_state parcel__fabric_state_of(const char *root)
{
  parcel_fabric_setting settings[PARCEL_FABRIC_SETTINGS];
  const char *pml = getenv("OMPI_MCA_pml");
  const char *mtl = getenv(frameworks[0].variable);
  if (!parcel__fabric_is_absent(root))
    return PARCEL_FABRIC_PRESENT;
  parcel__fabric_settings(root, settings);
  const bool is_skipped = *settings[0].value || (pml && strcmp(pml, "ob1") == 0) ||
                          (mtl && *mtl == '^' && is_listed(mtl, frameworks[0].components[0]));
  return is_skipped ? PARCEL_FABRIC_SKIPPED : PARCEL_FABRIC_SEARCHED;
}

void parcel__fabric_set(const parcel_fabric_setting settings[])
{
  for (int f = 0; f < PARCEL_FABRIC_SETTINGS; ++f)
    if (*settings[f].value)
      setenv(settings[f].variable, settings[f].value, 1);
}

void parcel__fabric_unset(const parcel_fabric_setting settings[])
{
  for (int f = 0; f < PARCEL_FABRIC_SETTINGS; ++f)
    if (*settings[f].value)
      unsetenv(settings[f].variable);
}
