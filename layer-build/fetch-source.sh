#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# fetch-source.sh RECIPE DIR: put a Debian source package into DIR/src, unpacked and with Debian's patches; its version into DIR/version.
#
# The system's apt configuration says where packages come from and is not touched: a private list of the same places, with deb-src, lives
# in the cache. What apt fetched is verified by the archive's signatures; the original tarball also by the recipe's own SHA-256.
# Mirrors have holes. So the versions of the recipe are tried in turn, each in every suite; then, where the recipe allows it, the
# original tarball alone; at last whatever version the archive has. Anything but the first version is said aloud.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/common.sh"
recipe=$1 dir=$2
package='' versions='' sha256='' pristine=''
# shellcheck source=/dev/null
. "$recipe"
package=${package:-$(basename "$recipe" .sh)}
apt=$SCAR_CACHE/apt
store=$SCAR_CACHE/sources/$package
mkdir -p "$apt" "$store" "$dir"

say() { echo "third-party: $package: $*" >&2; }

apt_private() { APT_CONFIG=$apt/apt.conf "$@"; }

prepare_apt() {
    [ -r /etc/debian_version ] || die "this needs Debian's source packages; run it on Debian 12"
    mkdir -p "$apt"/lists/partial "$apt"/cache/archives/partial
    # shellcheck disable=SC1091
    local codename; codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v c="$codename" '$2 ~ "^" c && $3 == "main" { print "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]", $0 }' |
        sort -u > "$apt/all.list"
    [ -s "$apt/all.list" ] || die "apt knows no Debian archive for $codename: check /etc/apt/sources.list.d"
    cat > "$apt/apt.conf" <<CONF
Dir::Etc::SourceList "$apt/all.list";
Dir::Etc::SourceParts "-";
Dir::State::Lists "$apt/lists";
Dir::Cache "$apt/cache";
APT::Sandbox::User "root";
APT::Get::List-Cleanup "0";
Acquire::Languages "none";
Acquire::Retries "3";
CONF
    # An index of today is new enough; an old one names files that are gone.
    if [ -z "$(find "$apt/updated" -mmin -1440 2>/dev/null)" ]; then
        apt_private apt-get update -qq >&2 || die "apt-get update failed for the source lists"
        touch "$apt/updated"
    fi
}

dsc_of() { echo "$store/${package}_${1#*:}.dsc"; }

# A .dsc alone is worth nothing: every file it names must be there, and right.
complete() {
    [ -f "$1" ] && (cd "$store" && sed -n '/^Checksums-Sha256:/,/^[^ ]/{ s/^ \([0-9a-f]\{64\}\) [0-9]* \(.*\)$/\1  \2/p }' "$1" |
        sha256sum --check --status)
}

download() { # VERSION
    local list=$apt/$package.list line
    complete "$(dsc_of "$1")" && return 0
    while read -r line; do
        if [ "$line" = all ]; then cp "$apt/all.list" "$list"; else echo "$line" > "$list"; fi
        (cd "$store" && apt_private apt-get -o "Dir::Etc::SourceList=$list" -o APT::Get::List-Cleanup=0 source --download-only -qq "$package=$1" \
            >> "$dir/fetch.log" 2>&1) || true
        complete "$(dsc_of "$1")" && return 0
    done < <(echo all; cat "$apt/all.list")
    return 1
}

say_if_older() { # VERSION
    [ "$1" = "${versions%% *}" ] || say "WARNING: version ${versions%% *} cannot be had; using $1"
}

check_recorded_sum() { # the original tarball of the version in use, when the recipe knows it
    local sum file
    while read -r sum file; do
        if [ -n "$file" ] && [ -f "$store/$file" ] && ! echo "$sum  $store/$file" | sha256sum --check --status; then
            die "$package: $file differs from its recorded SHA-256"
        fi
    done <<< "$sha256"
}

recorded() { # VERSION: is its original tarball among the recipe's checksums?
    local upstream=${1#*:}
    grep -q "_${upstream%-*}.orig.tar" <<< "$sha256"
}

unpack() { # VERSION
    check_recorded_sum
    rm -rf "$dir/src"
    (cd "$dir" && dpkg-source --no-check -x "$(dsc_of "$1")" src >> "$dir/fetch.log" 2>&1) || die "$package: cannot unpack; see $dir/fetch.log"
    echo "${1#*:}" > "$dir/version"
}

# The original tarball without Debian's patches: only where the recipe says that this is sound.
unpack_pristine() {
    local sum file uri
    read -r sum file <<< "$pristine"
    [ -n "$file" ] || return 1
    if ! echo "$sum  $store/$file" | sha256sum --check --status 2>/dev/null; then
        uri=$(apt_private apt-get source --print-uris --download-only -qq "$package" | awk -F"'" -v f="$file" '$3 ~ " " f " " { print $2 }')
        [ -n "$uri" ] || return 1
        apt_private /usr/lib/apt/apt-helper download-file "$uri" "$store/$file" "SHA256:$sum" >> "$dir/fetch.log" 2>&1 || return 1
    fi
    rm -rf "$dir/src" && mkdir "$dir/src" && tar -xf "$store/$file" -C "$dir/src" --strip-components=1
    file=${file#*_}
    echo "${file%.orig.tar*}+pristine" > "$dir/version"
    say "using the original tarball $file (Debian's patches for it cannot be had)"
}

exec 9> "$apt/lock"
flock 9
: > "$dir/fetch.log"
for version in $versions; do
    if complete "$(dsc_of "$version")"; then
        say_if_older "$version"
        unpack "$version"
        exit 0
    fi
    [ -z "$pristine" ] || break
done
prepare_apt
for version in $versions; do
    if download "$version"; then
        say_if_older "$version"
        unpack "$version"
        exit 0
    fi
    # Ahead of an older patched version comes the newest release as it left upstream.
    if [ "$version" = "${versions%% *}" ] && unpack_pristine; then exit 0; fi
done
newest=$(apt_private apt-cache showsrc "$package" | sed -n 's/^Version: //p' | sort -V | tail -1)
[ -n "$newest" ] && download "$newest" || die "$package: no version can be fetched; see $dir/fetch.log"
say "WARNING: none of the pinned versions ($versions) is in the archive; using $newest, which only apt has verified"
recorded "$newest" || say "WARNING: no SHA-256 is recorded for $newest"
unpack "$newest"
