#!/bin/bash
# test_calls.sh C_PROGRAM COMMAND...: the command, in another language, prints what the C program prints.
set -euo pipefail
export PARCEL_LIBRARY=$PARCEL_BUILD/partition/libparcel_partition.so
export PYTHONPATH=$PARCEL_SOURCE/partition/bindings PYTHONDONTWRITEBYTECODE=1

if [ "$2" = none ]; then
  echo "skipped: no Fortran compiler (Debian: gfortran)"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" >"$work/c"
lines=$(wc -l <"$work/c")
if [ "$lines" -lt 2000 ]; then
  echo "the C program printed only $lines lines"
  exit 1
fi
"${@:2}" >"$work/other"
diff "$work/c" "$work/other"
echo "$lines lines are the same"
