#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# report.sh PROGRAM...: the sizes of the stripped programs, and a failure if one is not static.
set -eu
for program in "$@"; do
    if readelf -lW "$program" | grep -q INTERP; then
        echo "scar: $program is not static" >&2
        exit 1
    fi
    size=$(stat -c %s "$program")
    printf '%-20s %8d bytes (%d.%02d MiB), static\n' "$program" "$size" $((size / 1048576)) $((size % 1048576 * 100 / 1048576))
done
