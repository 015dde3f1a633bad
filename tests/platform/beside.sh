#!/usr/bin/env bash
# Builds with other libraries, every warning an error, and runs the tests for which these matter:
#   beside.sh mpich | serial_hdf5
set -euo pipefail
: "${PARCEL_SOURCE:?the checkout}" "${PARCEL_BUILD:?the build folder}"
library=$1

# needs PROGRAM...: skips where one is missing.
needs() {
  local program
  for program; do
    command -v "$program" >/dev/null || { echo "skipped: there is no $program"; exit 77; }
  done
}

case $library in
  mpich)
    needs mpicc.mpich mpirun.mpich h5pcc.mpich
    settings=(-DMPI_C_COMPILER=mpicc.mpich -DMPIEXEC_EXECUTABLE="$(command -v mpirun.mpich)"
      -DHDF5_C_COMPILER_EXECUTABLE="$(command -v h5pcc.mpich)")
    tests=(--label-regex '^(mpi|app|fault)$' --exclude-regex '[.]8$|^fault[.](injected|signals|retry|processes)$')
    expected=60
    ;;
  serial_hdf5)
    needs h5cc
    settings=(-DHDF5_PREFER_PARALLEL=OFF -DHDF5_C_COMPILER_EXECUTABLE="$(command -v h5cc)")
    tests=(--tests-regex '^(results|results_failures|compress|reader|resume|record|sample)[.][13]$|^app[.]|^fault[.]kills$')
    expected=30
    ;;
  *)
    echo "unknown: $library"
    exit 2
    ;;
esac

# Variables of another MPI do no harm, but a library that is preloaded for it might.
unset LD_PRELOAD
build=$PARCEL_BUILD/platform/$library
log=$PARCEL_BUILD/platform/$library.log
mkdir -p "$build"
{
  cmake -S "$PARCEL_SOURCE" -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPARCEL_TESTS=ON -DPARCEL_WERROR=ON \
    -DPARCEL_FAULTS=ON "${settings[@]}"
  cmake --build "$build" --parallel 2
} >"$log" 2>&1 || { cat "$log"; exit 1; }

ctest --test-dir "$build" --parallel 2 --output-on-failure --no-tests=error "${tests[@]}" | tee "$log"
count=$(sed -n 's/.* tests failed out of //p' "$log")
[ "$count" -ge "$expected" ] || { echo "only $count tests were run"; exit 1; }
