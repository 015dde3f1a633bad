#!/usr/bin/env bash
# The shell scripts: shellcheck has nothing to say about them.
set -euo pipefail
cd "$PARCEL_SOURCE"
mapfile -t files < <(git ls-files '*.sh' .ci/run)
shellcheck -x "${files[@]}"
