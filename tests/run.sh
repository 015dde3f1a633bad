#!/usr/bin/env bash
# All tests: installs what is missing, builds, runs ctest. Arguments go to ctest: `tests/run.sh -L unit`.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
# shellcheck source=jobs/packages.sh
. jobs/packages.sh

install_packages "${test_packages[@]}"
quietly cmake --preset dev
quietly cmake --build --preset dev --parallel

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
ctest --preset dev --parallel 2 "$@" | tee "$log" || status=$?

# A skipped test says why on a line of its own: "skipped: the reason".
echo
grep -h '^skipped: ' build/dev/Testing/Temporary/LastTest.log | sort -u || echo "no test was skipped"
grep 'tests passed' "$log" || true
exit "$status"
