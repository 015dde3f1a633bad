#!/usr/bin/env bash
# clang-tidy has nothing to say about the library and the programs. One file at a time: its checker of va_list carries
# state from one file into the next. The analyzer ends its search of a function after 50,000 states instead of its own
# 225,000, and so takes a third of the time.
set -euo pipefail
cd "$PARCEL_SOURCE"
[[ $(clang-tidy --version 2>/dev/null) == *"version 14."* ]] ||
  { echo "skipped: there is no clang-tidy 14; others see it differently"; exit 77; }
states=(-Xclang -analyzer-config -Xclang max-nodes=50000)
for file in partition/*.c core/*.c io/*.c apps/*.c; do
  if grep -qF "/$file\"" "$PARCEL_BUILD/compile_commands.json"; then # not what this build leaves out
    printf '%s\0' "$file"
  fi
done |
  xargs -0 -n 1 -P 2 clang-tidy -p "$PARCEL_BUILD" --quiet --extra-arg=-Wno-unknown-warning-option \
    "${states[@]/#/--extra-arg=}" 2>/dev/null
