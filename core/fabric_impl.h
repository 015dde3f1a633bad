/** @file
 *  Starting MPI without a search for network hardware that is not there, and without a daemon where there is
 *  nothing to launch. */
#ifndef PARCEL_FABRIC_IMPL_H
#define PARCEL_FABRIC_IMPL_H

#include <stdbool.h>

enum { PARCEL_FABRIC_SETTINGS = 4, PARCEL_FABRIC_VALUE_SIZE = 512 };

typedef enum parcel_fabric_state {
  PARCEL_FABRIC_PRESENT,  /* or not provably absent */
  PARCEL_FABRIC_SKIPPED,  /* absent, and not looked for */
  PARCEL_FABRIC_SEARCHED, /* absent, and Open MPI looks for it all the same */
} parcel_fabric_state;

/** A parameter of Open MPI as an environment variable. */
typedef struct parcel_fabric_setting {
  const char *variable;                 /* "OMPI_MCA_mtl" */
  char value[PARCEL_FABRIC_VALUE_SIZE]; /* "^ofi,psm2,psm"; empty where it must be left alone */
} parcel_fabric_setting;

/** True where this host provably has no network but TCP: the kernel lists its devices, and no InfiniBand,
 *  RoCE, Omni-Path, Slingshot, EFA or Aries adapter is among them.
 *
 *  root  what is put before "/sys" and "/dev"; "" outside of tests */
bool parcel__fabric_is_absent(const char *root);

/** What would keep Open MPI from loading components for absent hardware and, where no launcher has started
 *  this process, from starting a daemon beside it. What the user has chosen, in the environment or by name in
 *  a parameter file, is left alone; a file's list of exclusions is extended.
 *
 *  settings  [PARCEL_FABRIC_SETTINGS] filled; values are empty where hardware may be there, or a launcher is;
 *            the last two are about the daemon */
void parcel__fabric_settings(const char *root, parcel_fabric_setting settings[]);

/** What a start of MPI by Parcel does about it. */
parcel_fabric_state parcel__fabric_state_of(const char *root);

/** Puts the settings into the environment, for MPI_Init to find, and takes them out again. No other thread
 *  may use the environment meanwhile. */
void parcel__fabric_set(const parcel_fabric_setting settings[]);
void parcel__fabric_unset(const parcel_fabric_setting settings[]);

#endif
