#!/usr/bin/env bash
# Builds the preset and runs the unit and MPI tests in it, those with 2 and 8 ranks left out, which are like those with
# 3: check_sanitizer.sh asan|tsan
set -euo pipefail
cd "$PARCEL_SOURCE"
cmake --preset "$1" >/dev/null
cmake --build --preset "$1" --parallel 2 >/dev/null
ctest --preset "$1" -L '^(unit|mpi)$' -E '[.][28]$'
