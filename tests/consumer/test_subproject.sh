#!/bin/bash
# Parcel inside another project (add_subdirectory, FetchContent): builds, runs, and leaves the project's settings alone.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

quietly cmake -S "$project" -B "$work/build" -DPARCEL_SOURCE="$PARCEL_SOURCE"
if grep -E '^(BUILD_SHARED_LIBS|BUILD_TESTING|CMAKE_BUILD_TYPE:STRING=.)' "$work/build/CMakeCache.txt"; then
  fail "the project's own settings were touched"
fi
grep -q '^PARCEL_TESTS:BOOL=OFF' "$work/build/CMakeCache.txt" || fail "the tests are not off by default"
[ ! -e "$work/build/CTestTestfile.cmake" ] || fail "tests were registered in the project"
quietly cmake --build "$work/build" -j2
run_programs "$work/build"
echo "consumer: as a subproject"
