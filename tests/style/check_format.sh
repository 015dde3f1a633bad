#!/usr/bin/env bash
# Every C file is as clang-format writes it, and no line, comments included, is longer than the limit.
set -euo pipefail
cd "$PARCEL_SOURCE"
[[ $(clang-format --version 2>/dev/null) == *"version 14."* ]] ||
  { echo "skipped: there is no clang-format 14; others see it differently"; exit 77; }
mapfile -t files < <(git ls-files '*.[ch]' '*.cpp')
clang-format --dry-run -Werror "${files[@]}"
if grep -nE '^.{111,}' "${files[@]}"; then
  echo "lines above are longer than 110 characters"
  exit 1
fi
echo "${#files[@]} files are as they should be"
