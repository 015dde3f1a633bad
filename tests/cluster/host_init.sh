#!/usr/bin/env bash
# The first process of a host, inside its new namespaces: gives it its name, its own /tmp and /dev/shm, and the one
# shared folder, then says so by creating READY and reaps what is left behind by others. What is tested is seen by all,
# too, wherever it was built.
#
#   host_init.sh NAME SHARED READY      SHARED/hosts becomes /etc/hosts
set -euo pipefail
name=$1 shared=$2 ready=$3

hostname "$name"
mount --make-rprivate /
kept=("$shared")
for folder in "${PARCEL_SOURCE:-}" "${PARCEL_BUILD:-}"; do
  [[ $folder != /tmp/* ]] || kept+=("$folder")
done
handles=()
for folder in "${kept[@]}"; do # they may be below /tmp, which is about to disappear
  exec {handle}<"$folder"
  handles+=("$handle")
done
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
for number in "${!kept[@]}"; do
  handle=${handles[number]}
  mkdir -p "${kept[number]}"
  mount -c --bind "/proc/self/fd/$handle" "${kept[number]}"
  exec {handle}<&-
done
mount --bind "$shared/hosts" /etc/hosts
ip link set lo up
: >"$ready"

[ $$ -eq 1 ] || exec sleep infinity
while :; do # the first of a process tree reaps the orphans
  sleep infinity &
  wait $! || :
done
