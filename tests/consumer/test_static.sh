#!/bin/bash
# Parcel as static libraries, installed and moved: what they need in private is found by whoever links them.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

quietly cmake -S "$PARCEL_SOURCE" -B "$work/build" -DBUILD_SHARED_LIBS=OFF -DPARCEL_TESTS=OFF
quietly cmake --build "$work/build" -j2
install_moved "$work/build"

quietly cmake -S "$project" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$work/moved"
quietly cmake --build "$work/cmake" -j2
run_programs "$work/cmake"

export PKG_CONFIG_PATH=$lib/pkgconfig
mkdir "$work/make"
quietly make -j2 -C "$work/make" -f "$project/Makefile" PKG_CONFIG="pkg-config --static"
for program in "$work"/*/consumer "$work"/*/partition_only; do
  if ldd "$program" | grep libparcel; then
    fail "$program is linked to a shared Parcel"
  fi
done
quietly "$MPIRUN" -n 2 "$work/make/consumer_cpp"
echo "consumer: static libraries, found by CMake and by pkg-config"
