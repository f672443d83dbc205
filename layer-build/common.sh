# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts of this folder.
SCAR_CACHE=${SCAR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/scar}
ARCH=${ARCH:-x86_64}

die() {
    echo "scar: $*" >&2
    exit 1
}
