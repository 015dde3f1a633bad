#!/usr/bin/env bash
# The main job on this machine: installs what is missing, builds a release, runs `mpirun -n 8 parsquares` and shows the
# result. Arguments go to parsquares in place of "--force".
#
#   jobs/local.sh                          squares of 1..1000000 into ./squares.h5
#   jobs/local.sh -p 3 -o cubes.h5 1..1000
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=jobs/packages.sh
. "$top/jobs/packages.sh"

install_packages "${build_packages[@]}"
cd "$top"
quietly cmake --preset release
quietly cmake --build --preset release --parallel
cd "$OLDPWD"

# All ranks are here: no network is looked for, and one that waits leaves its core to others.
export OMPI_MCA_pml=${OMPI_MCA_pml:-ob1} OMPI_MCA_btl=${OMPI_MCA_btl:-^tcp} OMPI_MCA_mpi_yield_when_idle=1
mpirun -n 8 "$top/build/release/apps/parsquares" "${@:---force}"
[ $# -gt 0 ] || h5dump -A 0 -d /squares -c 10 squares.h5
