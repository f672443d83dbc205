#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# third-party.sh [--into DIR] [--stamp FILE] NAME...: static musl builds of the outside libraries, one recipe each (recipes/NAME.sh).
#
# A build is kept in $SCAR_CACHE/third-party/NAME-VERSION-KEY, where KEY covers the recipe, the flags, the compiler and the keys of what
# the library needs. It is made in a scratch folder and renamed into place under a lock, so a broken or a second build never shows.
# DIR/NAME becomes a link to it; FILE changes only when a link does. When nothing is to be built this takes some 50 ms.
#
# A recipe sets: versions (Debian source versions, best first), sha256 (lines "SUM FILE"), needs (other recipes), package (the source
# package, if named otherwise), and build(), which runs in the source folder and installs into $OUT/{include,lib}.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. "$here/common.sh"
into='' stamp='' names=()
while [ $# -gt 0 ]; do
    case $1 in
    --into) into=$2; shift 2 ;;
    --stamp) stamp=$2; shift 2 ;;
    *) names+=("$1"); shift ;;
    esac
done
[ ${#names[@]} -gt 0 ] || die "usage: third-party.sh [--into DIR] [--stamp FILE] NAME..."

store=$SCAR_CACHE/third-party
if [ "$ARCH" = "$(uname -m)" ]; then
    cross='' compiler=musl-gcc
else
    cross=$ARCH-linux-gnu- compiler="${cross}gcc -specs /usr/lib/$ARCH-linux-musl/musl-gcc.specs"
fi
command -v "${cross}gcc" > /dev/null && command -v "${compiler%% *}" > /dev/null || die "no compiler for $ARCH (${compiler%% *}): run 'make setup'"

export CFLAGS='-O2 -g0 -ffunction-sections -fdata-sections -fstack-protector-strong -fstack-clash-protection -fPIE'
# gcc's out-of-line atomics ask __getauxval(), which musl does not export.
[ "$ARCH" != aarch64 ] || CFLAGS+=' -mno-outline-atomics'
# Raise the number when this script changes what a recipe's build sees.
flavour="3 $ARCH $CFLAGS $compiler $("${cross}gcc" -dumpfullversion) $(stat -c %Y:%s "/usr/lib/$ARCH-linux-musl/libc.a")"

declare -A key needs_of
load() { # NAME: fills key[NAME] and, before it, those of its needs
    [ -z "${key[$1]:-}" ] || return 0
    local recipe=$here/recipes/$1.sh versions='' sha256='' needs='' package='' pristine='' need chain=''
    [ -f "$recipe" ] || die "no recipe $recipe"
    # shellcheck source=/dev/null
    . "$recipe"
    needs_of[$1]=$needs
    for need in ${needs_of[$1]}; do
        load "$need"
        chain+=" ${key[$need]}"
    done
    key[$1]=$( (echo "$flavour$chain"; cat "$recipe") | sha256sum | cut -c1-12)
}

# The finished build of NAME, if there is one.
entry() {
    local found
    for found in "$store/$1"-*-"${key[$1]}"; do
        [ ! -d "$found" ] || { echo "$found"; return 0; }
    done
    return 1
}

# The compiler under a fixed name, with paths mapped, so that neither the cache's place nor a scratch name enters an object.
install_wrapper() { # FOLDER
    mkdir -p "$1/bin"
    cat > "$1/bin/scar-cc" <<WRAPPER
#!/bin/sh
exec $compiler -ffile-prefix-map=$1=. -isystem $1/kernel-headers "\$@"
WRAPPER
    chmod +x "$1/bin/scar-cc"
    link_kernel_headers "$1/kernel-headers"
}

# musl-gcc sees only musl's headers; the kernel's are separate and safe to add.
link_kernel_headers() { # FOLDER
    local asm=/usr/include/$ARCH-linux-gnu/asm
    mkdir -p "$1"
    [ -d "$asm" ] || asm=/usr/$ARCH-linux-gnu/include/asm
    ln -sfn /usr/include/linux "$1/linux"
    ln -sfn /usr/include/asm-generic "$1/asm-generic"
    ln -sfn "$asm" "$1/asm"
}

# Whoever passes the library on must pass these on too.
keep_licenses() { # SOURCE-FOLDER TARGET
    local file
    mkdir -p "$2"
    for file in "$1"/{COPYING,LICENSE,LICENCE,COPYRIGHT,NOTICE}*; do
        if [ -f "$file" ]; then cp "$file" "$2/"; fi
    done
    if [ -f "$1/debian/copyright" ]; then cp "$1/debian/copyright" "$2/debian-copyright"; fi
}

build_one() { # NAME
    local name=$1 work log version start=$SECONDS versions='' sha256='' needs='' package='' pristine=''
    mkdir -p "$store" "$SCAR_CACHE/log" "$SCAR_CACHE/build"
    exec 8> "$store/.$name-${key[$name]}.lock"
    flock 8
    if entry "$name" > /dev/null; then return 0; fi
    # What an interrupted build of another day left.
    find "$SCAR_CACHE/build" -mindepth 1 -maxdepth 1 -mmin +1440 -exec rm -rf {} +
    log=$SCAR_CACHE/log/$name.log
    work=$(mktemp -d "$SCAR_CACHE/build/$name.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    # shellcheck source=/dev/null
    . "$here/recipes/$name.sh"
    if [ -n "$versions" ]; then
        "$here/fetch-source.sh" "$here/recipes/$name.sh" "$work" || exit 1
        version=$(cat "$work/version")
    else
        mkdir "$work/src"
        version=system
    fi
    install_wrapper "$work"
    # In the background, because `set -e` is off in whatever a condition runs.
    (
        export OUT=$work/out CC=scar-cc AR=${cross}ar RANLIB=${cross}ranlib STRIP=${cross}strip CROSS=$cross ARCH
        export HOST=$ARCH-linux-musl PATH=$work/bin:$PATH SOURCE_DATE_EPOCH=1 LC_ALL=C TZ=UTC
        JOBS=$(nproc)
        unset MAKEFLAGS MFLAGS MAKELEVEL
        export JOBS
        mkdir -p "$OUT/include" "$OUT/lib"
        cd "$work/src"
        set -ex
        build
    ) > "$log" 2>&1 < /dev/null 8>&- &
    if ! wait $!; then
        tail -n 25 "$log" >&2
        die "$name: the build failed; its log is $log"
    fi
    keep_licenses "$work/src" "$work/out/licenses"
    rm -rf "$work"/out/{share,bin,lib/pkgconfig,lib/cmake,lib/*.la}
    mv -T "$work/out" "$store/$name-${version//[^A-Za-z0-9.+~-]/_}-${key[$name]}"
    printf 'third-party: %s %s built in %d s\n' "$name" "$version" $((SECONDS - start)) >&2
}

# For recipes: the finished build of something they need.
dep() { entry "$1" || die "$1 is not built"; }

for name in "${names[@]}"; do load "$name"; done
if [ -n "${SCAR_BUILD_ONE:-}" ]; then
    build_one "${names[0]}"
    exit 0
fi

missing=()
for name in "${!key[@]}"; do
    entry "$name" > /dev/null || missing+=("$name")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "third-party: building ${missing[*]} (once; some minutes for all; kept in $store)" >&2
    # make schedules the graph; each library is built by this script again.
    {
        printf 'all: %s\n' "${missing[*]}"
        for name in "${missing[@]}"; do
            printf '%s:' "$name"
            for need in ${needs_of[$name]}; do
                if ! entry "$need" > /dev/null; then printf ' %s' "$need"; fi
            done
            printf '\n\t@SCAR_BUILD_ONE=1 %s %s\n' "$here/third-party.sh" "$name"
        done
    } | MAKEFLAGS='' SCAR_CACHE=$SCAR_CACHE ARCH=$ARCH make --no-print-directory -f - "-j$(nproc)" all
fi

[ -n "$into" ] || exit 0
mkdir -p "$into"
list=''
for name in "${names[@]}"; do
    built=$(dep "$name")
    list+="$built"$'\n'
    [ "$(readlink "$into/$name" || true)" = "$built" ] || ln -sfn "$built" "$into/$name"
done
if [ -n "$stamp" ] && [ "$(cat "$stamp" 2> /dev/null || true)" != "${list%$'\n'}" ]; then printf %s "$list" > "$stamp"; fi
