#!/bin/bash
# The current build, installed and moved: programs outside the tree build against it by find_package and by pkg-config,
# and run.
set -euo pipefail
: "${PARCEL_BUILD:?the build folder}"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

# needs_only PROGRAM LIBRARY: the program loads this library and the C library, and nothing else.
needs_only()
{
  local others
  others=$(ldd "$1" | awk '{print $1}' | grep -vE "^(linux-vdso|libc\.so|/lib.*/ld-linux|$2)") || true
  [ -z "$others" ] || fail "$1 also needs" "$others"
}

install_moved "$PARCEL_BUILD"
for program in "$lib"/libparcel_*.so "$work/moved/bin/parsquares"; do
  if ldd "$program" | grep libparcel_ | grep -v "$work/moved"; then
    fail "$program does not find its libraries beside itself"
  fi
done
expect_output /dev/null "$MPIRUN" -n 2 "$work/moved/bin/parsquares" -q -o "$work/squares.h5" 1..1000

quietly cmake -S "$project" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$work/moved"
quietly cmake --build "$work/cmake" -j2
needs_only "$work/cmake/partition_only" libparcel_partition
run_programs "$work/cmake"

export PKG_CONFIG_PATH=$lib/pkgconfig
for compiler in gcc mpicc; do
  mkdir "$work/$compiler"
  quietly make -j2 -C "$work/$compiler" -f "$project/Makefile" CC=$compiler
done
needs_only "$work/gcc/partition_only" libparcel_partition
run_programs "$work/gcc"
cd "$work/mpicc"
expect_output /dev/null "$MPIRUN" -n 2 ./wave
echo "consumer: installed, moved, found by CMake and by pkg-config (gcc, mpicc); nothing left behind"
