# Sourced by jobs/local.sh and tests/run.sh: the Debian packages that each of them needs, installed where missing.
# shellcheck shell=bash disable=SC2034

# To build and run Parcel.
build_packages=(gcc libc6-dev make cmake pkg-config libopenmpi-dev openmpi-bin libhdf5-openmpi-dev hdf5-tools
  libhwloc-dev libxxhash-dev libjansson-dev libcurl4-openssl-dev libdeflate-dev
  libzstd-dev)

# To test it: the unit test library, oracles that read the results, and what checks the code itself.
test_packages=("${build_packages[@]}" g++ gfortran git libcmocka-dev python3 python3-h5py python3-numpy
  python3-netcdf4 python3-xarray python3-xxhash python3-zstandard netcdf-bin clang clang-format clang-tidy
  libclang-rt-dev shellcheck util-linux procps faketime)

# For all tests: a browser, a batch system, other MPI and HDF5 libraries, other systems.
all_test_packages=("${test_packages[@]}" chromium valgrind iproute2 munge slurmctld slurmd slurm-client mpich
  libmpich-dev libhdf5-mpich-dev libhdf5-dev debootstrap libfuse3-dev)

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# install_packages PACKAGE...: quiet when all are there; as root, or by sudo.
install_packages() {
  local missing=() package as_root=()
  command -v dpkg-query >/dev/null ||
    { echo "this is not Debian; install the equivalents of: $*" >&2; return 1; }
  for package; do
    is_installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      { echo "as root: apt-get install ${missing[*]}" >&2; return 1; }
    as_root=(sudo)
  fi
  echo "installing ${missing[*]}"
  "${as_root[@]}" apt-get -qq update
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends \
    "${missing[@]}" >/dev/null
}

# Shows how far make is, in one line.
show_percents() {
  local line
  while read -r line; do
    if [[ $line =~ ^\[\ *([0-9]+)%\] ]]; then
      printf '\rbuilding: %s %% ' "${BASH_REMATCH[1]}"
    fi
  done
  printf '\r\033[K'
}

# Runs a command silently, but for how far it is on a terminal, and shows what it said only if it fails.
quietly() {
  local log status=0
  log=$(mktemp)
  if [ -t 1 ]; then
    "$@" 2>&1 | tee "$log" | show_percents || status=$?
  else
    "$@" >"$log" 2>&1 || status=$?
  fi
  [ "$status" -eq 0 ] || cat "$log" >&2
  rm -f "$log"
  return "$status"
}

# Open MPI refuses to start more ranks than there are cores, and to run as root, unless it is told that both are meant.
# The second variable is for its version 5.
export OMPI_MCA_rmaps_base_oversubscribe=1
export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
if [ "$(id -u)" -eq 0 ]; then
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
