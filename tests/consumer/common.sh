# Sourced by the scripts beside it. Gives them $work (a folder that is removed at the end), $project and these functions.
# shellcheck shell=bash
set -euo pipefail
unset LD_PRELOAD # ldd would name it
: "${PARCEL_SOURCE:?the checkout}" "${MPIRUN:=mpirun}"
export project=$PARCEL_SOURCE/tests/consumer/project
work=$(mktemp -d "${TMPDIR:-/tmp}/parcel-consumer.XXXXXX")
trap 'rm -rf "$work"' EXIT

fail()
{
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# Runs a command and shows what it said only if it fails.
quietly()
{
  "$@" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    fail "failed: $*"
  }
}

# expect_failure TEXT COMMAND...: the command must fail, and say TEXT (line breaks aside).
expect_failure()
{
  local text=$1
  shift
  if "$@" >"$work/log" 2>&1; then
    fail "succeeded, but should have said '$text': $*"
  fi
  tr -s ' \n' ' ' <"$work/log" | grep -qF -- "$text" || {
    cat "$work/log" >&2
    fail "did not say '$text': $*"
  }
}

# expect_output FILE COMMAND...: the command must print exactly the lines of the file.
expect_output()
{
  local expected=$1
  shift
  "$@" >"$work/output" || fail "failed: $*"
  diff "$expected" "$work/output" >&2 || fail "printed something else than expected: $*"
}

# install_moved BUILD: installs into one folder and moves the tree to $work/moved, so that nothing may point back.
install_moved()
{
  local libdir
  libdir=$(sed -n 's/^CMAKE_INSTALL_LIBDIR:[A-Z]*=//p' "$1/CMakeCache.txt")
  quietly cmake --install "$1" --prefix "$work/installed"
  mv "$work/installed" "$work/moved"
  lib=$work/moved/$libdir
  if grep -rlE "$work/installed|$PARCEL_SOURCE|$1" "$lib/cmake" "$lib/pkgconfig"; then
    fail "these files point out of the installed tree"
  fi
  if grep -rnE 'INTERFACE_.*(/usr/|lib(crypto|curl|sz|z|dl))' "$lib/cmake" ||
    grep -nE -- '-l(crypto|curl|sz|z|dl)\b' "$lib"/pkgconfig/*; then
    fail "what MPI and HDF5 stand on leaked into the interface"
  fi
}

# run_programs FOLDER: runs the four programs built there, each in an empty folder, and checks what they computed.
run_programs()
{
  local programs=$1
  rm -rf "$work/run"
  mkdir "$work/run"
  cd "$work/run"
  printf '%s\n' '[0, 4)' '[4, 7)' '[7, 10)' >spans
  expect_output spans "$programs/partition_only"

  echo 'consumer: values are right, nothing is left behind' >verdict
  expect_output verdict "$MPIRUN" -n 4 "$programs/consumer"
  rm group_0.h5 group_1.h5
  expect_output verdict "$MPIRUN" -n 4 "$programs/consumer" single

  echo 'C++: 1001 values are right' >verdict
  expect_output verdict "$MPIRUN" -n 4 "$programs/consumer_cpp"
  expect_output /dev/null "$MPIRUN" -n 4 "$programs/wave"
  /usr/bin/python3 "$PARCEL_SOURCE/tests/consumer/check_wave.py" wave.h5 || fail "wave.h5 is not right"
  cd "$work"
}
