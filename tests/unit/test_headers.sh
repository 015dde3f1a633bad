#!/bin/bash
# Every public header compiles alone, as C11 and as C++17, without a warning.
set -euo pipefail
cd "$PARCEL_SOURCE"

read -ra mpi <<<"$(mpicc --showme:compile 2>/dev/null || mpicc -show 2>/dev/null | grep -o -- '-I[^ ]*')"
flags=(-Wall -Wextra -Werror -pedantic -fsyntax-only)
headers=()
for folder in */include; do
  flags+=("-I$folder")
  headers+=("$folder"/parcel/*.h)
done
if ((${#headers[@]} < 10)); then
  echo "only ${#headers[@]} headers found: ${headers[*]}"
  exit 1
fi

"${CC:-gcc}" -x c -std=c11 "${flags[@]}" "${mpi[@]/#-I/-isystem}" "${headers[@]}"
"${CXX:-g++}" -x c++ -std=c++17 "${flags[@]}" "${mpi[@]/#-I/-isystem}" "${headers[@]}"
