#!/bin/bash
# What is missing is named: the Debian package where Parcel is configured, the component's need where it is used.
set -euo pipefail
: "${PARCEL_BUILD:?the build folder}"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

# use_parcel SETTING...: the consumer's project in a fresh build folder, against the installed Parcel.
use_parcel()
{
  rm -rf "$work/use"
  cmake -S "$project" -B "$work/use" -DCMAKE_PREFIX_PATH="$work/moved" "$@"
}

# asks_for PACKAGE SETTING...: Parcel itself, without what the settings hide, names the package.
asks_for()
{
  local package=$1
  shift
  rm -rf "$work/build"
  expect_failure "apt-get install $package" cmake -S "$PARCEL_SOURCE" -B "$work/build" "$@"
}

asks_for libc6-dev -DCMAKE_DISABLE_FIND_PACKAGE_Threads=ON
asks_for pkg-config -DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON
asks_for libopenmpi-dev -DCMAKE_DISABLE_FIND_PACKAGE_MPI=ON
asks_for libhdf5-openmpi-dev -DCMAKE_DISABLE_FIND_PACKAGE_HDF5=ON
modules=$(pkg-config --variable=pcfiledir hwloc)
(
  export PKG_CONFIG_LIBDIR=$work/modules
  mkdir "$work/modules"
  asks_for libhwloc-dev
  cp "$modules/hwloc.pc" "$work/modules"
  asks_for libxxhash-dev
  cp "$modules/libxxhash.pc" "$work/modules"
  asks_for libcmocka-dev -DPARCEL_TESTS=ON
)

install_moved "$PARCEL_BUILD"
quietly use_parcel -DCOMPONENTS=
[ -d "$work/use/CMakeFiles/wave.dir" ] || fail "find_package(Parcel) without components did not bring all of them"
quietly use_parcel -DCOMPONENTS=partition -DCMAKE_DISABLE_FIND_PACKAGE_MPI=ON -DCMAKE_DISABLE_FIND_PACKAGE_HDF5=ON \
  -DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON
[ ! -d "$work/use/CMakeFiles/wave.dir" ] || fail "component partition brought io"
quietly use_parcel -DCOMPONENTS=core -DCMAKE_DISABLE_FIND_PACKAGE_HDF5=ON
expect_failure "component 'core' needs an MPI library for C" use_parcel -DCMAKE_DISABLE_FIND_PACKAGE_MPI=ON
expect_failure "Parcel has no component 'network'" use_parcel '-DCOMPONENTS=core;network'
echo "consumer: every missing package and component is named"
