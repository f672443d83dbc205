#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [COMMAND...]: what a stranger with a new Debian 12 does: the commands of README.md (`make run` and `make test` unless others are named), in a
# Debian of nothing but its base system and the last commit's files. Needs root, mmdebstrap and the network for packages.
#
# The machine is a chroot in namespaces of its own (mounts, processes), on tmpfs where there is one, and gone afterwards; KEEP=1 leaves it, FRESH=DIR goes on in
# one that was left. It gets this machine's resolver and certificate authorities, and the cache of no one.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=/dev/null
. layer-build/common.sh
[ "$(id -u)" = 0 ] || die "a new machine is made by root"
command -v mmdebstrap > /dev/null || die "mmdebstrap is missing (make setup installs it)"
[ $# -gt 0 ] || set -- 'make run' 'make test'
place=/dev/shm
[ -w "$place" ] || place=${TMPDIR:-/tmp}
root=${FRESH:-$(mktemp -d "$place/scar-fresh-XXXXXX")}
[ -n "${KEEP:-}${FRESH:-}" ] || trap 'rm -rf --one-file-system "$root"' EXIT

if [ ! -e "$root/etc/debian_version" ]; then
    echo "fresh: a Debian 12 with its base system only, in $root"
    mmdebstrap --quiet --variant=minbase bookworm "$root"
    chmod 755 "$root"
    # A machine has a name server and trusts whom its owner trusts.
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    mkdir -p "$root/usr/local/share/ca-certificates"
    cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2> /dev/null || true
    # The one thing that README.md asks for beforehand.
    chroot "$root" sh -c 'apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends make git > /dev/null'
fi
rm -rf "$root/root/scar"
git clone -q . "$root/root/scar"

# Namespaces of its own: what it leaves behind ends with it.
inside() {
    env -i HOME=/root TERM="${TERM:-dumb}" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin SCAR_MUST_WORK="${SCAR_MUST_WORK:-}" \
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} ${no_proxy:+no_proxy="$no_proxy"} \
        unshare --mount --pid --ipc --fork --kill-child sh -c '
            set -e
            # Its own root, not a chroot: user namespaces and private mounts work as on a machine.
            mount --rbind "$1" "$1"
            cd "$1"
            mount -t proc proc proc
            mount -t sysfs sysfs sys
            mount --bind /dev dev
            mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
            mount -t tmpfs -o mode=1777 tmpfs dev/shm
            mount -t tmpfs -o mode=1777 tmpfs tmp
            mount --rbind /sys/fs/cgroup sys/fs/cgroup
            mkdir -p mnt/outside
            pivot_root . mnt/outside
            umount --lazy /mnt/outside
            cd /root/scar
            exec sh -c "$2"' sh "$root" "$1"
}
for command in "$@"; do
    echo "fresh: $command"
    start=$SECONDS
    inside "$command" || die "fresh: \"$command\" failed with status $? after $((SECONDS - start)) s"
    echo "fresh: \"$command\" succeeded in $((SECONDS - start)) s"
done
