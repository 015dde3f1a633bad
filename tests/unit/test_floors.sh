#!/bin/bash
# Arrows run down only: no floor includes a header of a floor above, nor of the libraries that belong there.
set -uo pipefail
cd "$PARCEL_SOURCE" || exit 1
floors=(partition core io apps)
failures=0

# must_not FLOOR PATTERN WHY: no source of the floor has a line that matches.
must_not() {
  if grep -rnE --include='*.[ch]' "$2" "$1"; then
    echo "the above must not be in $1/: $3"
    failures=1
  fi
}

for ((own = 0; own < ${#floors[@]}; own++)); do
  for ((above = own + 1; above < ${#floors[@]}; above++)); do
    for header in "${floors[above]}"/*.h "${floors[above]}"/include/parcel/*.h; do
      [[ -e $header ]] || continue
      must_not "${floors[own]}" "^ *# *include *[<\"](.*/)?$(basename "$header" .h)\.h[>\"]" \
        "${floors[above]} is a floor above"
    done
  done
done

for floor in partition core io; do
  must_not "$floor" '\bMPI_COMM_WORLD\b' 'a library uses the communicator it is given'
  must_not apps "include *[<\"](.*/)?[a-z]*_impl\.h" 'programs use public headers only'
done
must_not partition 'include *<(mpi|omp|hdf5|pthread|threads|stdatomic|hwloc)\.h>' 'it is pure arithmetic'
must_not core 'include *<(hdf5|hdf5_hl|H5.*)\.h>' 'HDF5 belongs to io'
exit $failures
