#!/usr/bin/env bash
# Changes bytes of real results files at random, and reads them: reader.sh [TRIES [SEED]]. With the presets asan and
# tsan under the sanitizers. A file that ends the process is kept, as the message says.
set -euo pipefail
tries=${1:-1500}
seed=${2:-1}
folder=$(mktemp -d)
export ASAN_OPTIONS=detect_leaks=0:${ASAN_OPTIONS:-} # Open MPI's
"$WAVES" "$folder/waves.h5" -3..50
"$WAVES" "$folder/packed.h5" 1..9999 compress 1
status=0
for file in waves packed; do
  "$MUTATE" "$folder/$file.h5" "$folder/changed.part" "$((tries / 2))" "$seed" || status=$?
  if [ "$status" -ne 0 ]; then
    cp "$folder/changed.part" "$PARCEL_BUILD/tests/fuzz/reader-crash.part"
    echo "kept: $PARCEL_BUILD/tests/fuzz/reader-crash.part"
    break
  fi
done
rm -rf "$folder"
exit "$status"
