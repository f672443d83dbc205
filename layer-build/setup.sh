#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# setup.sh [--check] GROUP...: install what is missing of the groups in packages.txt. Quick and without a word when nothing is.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/common.sh"
check=''
[ "${1:-}" != --check ] || { check=1; shift; }
[ $# -gt 0 ] || die "usage: setup.sh [--check] GROUP..."
[ -r /etc/debian_version ] && command -v dpkg-query > /dev/null ||
    die "this is not Debian: install what $here/packages.txt names by your system's own means"

wanted=$(awk -v groups=" $* " '/^\[/ { on = index(groups, " " substr($0, 2, length($0) - 2) " ") } /^[a-z0-9]/ && on { print $1, $2 }' "$here/packages.txt" |
    while read -r package program; do
        if [ -z "$program" ] || ! command -v "$program" > /dev/null; then echo "$package"; fi
    done | sort -u)
present=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n${db:Status-Abbrev} ${Package}:${Architecture}\n' | sed -n 's/^ii *//p' | sort -u)
missing=$(comm -23 <(echo "$wanted") <(echo "$present"))
[ -n "$missing" ] || exit 0
[ -z "$check" ] || die "missing packages (make setup installs them):" $missing

root=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null || die "these packages are missing, and neither root nor sudo is at hand:" $missing
    root=(sudo)
fi
echo "setup: installing" $missing >&2
log=$(mktemp)
apt() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 "$@" >> "$log" 2>&1; }
foreign=$(echo "$missing" | sed -n 's/.*://p' | sort -u)
for architecture in $foreign; do
    dpkg --print-foreign-architectures | grep -qx "$architecture" || "${root[@]}" dpkg --add-architecture "$architecture"
done
# shellcheck disable=SC2086
if ! { apt update && apt install --no-install-recommends $missing; }; then
    tail -n 20 "$log" >&2
    die "apt-get failed; its output is in $log"
fi
rm -f "$log"
