#!/usr/bin/env bash
# Builds the preset and runs the unit and MPI tests in it, those with 3 ranks for all numbers of ranks; and for threads
# without those of what has none: check_sanitizer.sh asan|tsan
set -euo pipefail
cd "$PARCEL_SOURCE"
cmake --preset "$1" >/dev/null
cmake --build --preset "$1" --parallel 2 >/dev/null
without='[.][128]$'
serial='base|range|block|layout|layout_text|schedule|dims|grid|grid_int64|plan|fuzz.reader'
serial+='|(layout_darray|grid_cart|exchange|halo)[.][0-9]'
[ "$1" = asan ] || without="$without|^($serial)\$"
ctest --preset "$1" -L '^(unit|mpi)$' -E "$without"
