#!/usr/bin/env bash
# Tests: installs what is missing, builds, runs ctest.
#
#   tests/run.sh                 what every change must pass: about ten minutes on two cores
#   tests/run.sh --all           also sanitizers, campaigns of kills, batch systems, other people's readers
#   tests/run.sh --all -L elsewhere   builds with MPICH and with serial HDF5, and a bare Debian 12 and 13
#   tests/run.sh [--all] -L mpi  other arguments go to ctest
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
# shellcheck source=jobs/packages.sh
. jobs/packages.sh

packages=("${test_packages[@]}")
selection=()
if [ "${1:-}" = --all ]; then
  packages=("${all_test_packages[@]}")
  shift
  [ $# -gt 0 ] || selection=(--label-exclude '^elsewhere$')
elif [ $# -eq 0 ]; then
  selection=(--label-exclude '^(campaign|cluster|elsewhere|platform|sanitizer)$')
fi
[ ! -t 1 ] || selection+=(--progress)

install_packages "${packages[@]}"
quietly cmake --preset dev
quietly cmake --build --preset dev --parallel

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
ctest --preset dev --parallel 2 --output-log "$log" "${selection[@]}" "$@" || status=$?

# A skipped script says why on a line "skipped: the reason", a skipped test of a script "... skipped 'the reason'".
echo
awk '/^[0-9]+\/[0-9]+ Testing: / { name = $3 }
     /^skipped: / { print "skipped " name ": " substr($0, 10) }
     / \.\.\. skipped / { print "skipped in " name ": " $0 }' build/dev/Testing/Temporary/LastTest.log |
  sort -u | grep . || echo "no test was skipped"
grep 'tests passed' "$log" || true
exit "$status"
