#!/usr/bin/env bash
# The shell scripts and batch scripts: shellcheck has nothing to say about them.
set -euo pipefail
cd "$PARCEL_SOURCE"
mapfile -t files < <(git ls-files '*.sh' '*.sbatch' '*.pbs' .ci/run)
shellcheck -x "${files[@]}"
