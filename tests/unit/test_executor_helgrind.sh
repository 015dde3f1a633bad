#!/usr/bin/env bash
# The executor's queue hands over memory between threads as helgrind sees it.
set -euo pipefail
if ! command -v valgrind >/dev/null; then
  echo "skipped: there is no valgrind"
  exit 77
fi
valgrind --tool=helgrind --quiet --error-exitcode=1 --history-level=none \
  --suppressions="$PARCEL_SOURCE/tests/sanitizers/helgrind.supp" "$PARCEL_BUILD/tests/unit/executor_queue"
