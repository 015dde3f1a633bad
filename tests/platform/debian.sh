#!/usr/bin/env bash
# A bare Debian in a folder, and the newcomer's commands in it: debian.sh bookworm | trixie
# On the system that this test runs on itself jobs/local.sh is enough: its tests are those of this build.
set -euo pipefail
: "${PARCEL_SOURCE:?the checkout}"
release=$1

skip() {
  echo "skipped: $*"
  exit 77
}

[ "$(id -u)" -eq 0 ] || skip "only root can make a Debian in a folder"
PATH=$PATH:/usr/sbin
command -v debootstrap >/dev/null || skip "there is no debootstrap"
unshare --mount mount -t tmpfs tmpfs /mnt 2>/dev/null || skip "no namespace of mounts can be had here"
work=$(mktemp -d "${TMPDIR:-/var/tmp}/parcel-$release.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
root=$work/root

# inside COMMAND...: runs it in the folder's Debian as a fresh login of root would; what it mounts ends with it.
inside() {
  # shellcheck disable=SC2016
  unshare --mount --propagation private bash -euc '
    root=$1
    shift
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/dev/shm"
    exec chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"
  ' bash "$root" "$@"
}

debootstrap --variant=minbase --include=git "$release" "$root" >"$work/log" 2>&1 ||
  skip "debootstrap cannot make a Debian $release: $(tail -n 1 "$work/log")"
cp /etc/resolv.conf "$root/etc/"
git clone --quiet "$PARCEL_SOURCE" "$root/root/parcel"

echo "jobs/local.sh"
inside bash -c 'cd /root && parcel/jobs/local.sh' >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
grep -F 'sum of squares: 333333833333500000, as the closed form says' "$work/log"
if grep -F 'parsquares: ' "$work/log"; then
  echo "the run above had something to say"
  exit 1
fi

[ "$release" != "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" ] || exit 0
echo "tests/run.sh"
inside bash -c 'cd /root/parcel && tests/run.sh --label-regex "^(unit|mpi|app)$" --exclude-regex "[.]8$"'
