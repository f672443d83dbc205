#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# verify.sh ZIP IMAGE: unpack the layer as Lambda does, into /opt of a jailed local Lambda, and run the image's `echo` from it: as the runtime of
# `provided.al2023`, and as exec wrapper on a managed runtime. Says what it saw; its status is 0 only when both answered.
set -euo pipefail
zip=${1:?the zip of a layer} image=${2:?an image that has echo}
zip=$(realpath "$zip")
cd "$(dirname "$0")/.."
# shellcheck source=/dev/null
. layer-build/common.sh
make --no-print-directory build/managed-runtime > /dev/null
opt=$(mktemp -d)
trap 'rm -rf "$opt"' EXIT
chmod 755 "$opt"
unzip -q "$zip" -d "$opt"
# shellcheck disable=SC2012
echo "layer       $(stat -c %s "$zip") bytes, $(find "$opt" -type f | wc -l) files, bootstrap $(stat -c '%A, %s bytes' "$opt/bootstrap")"

run() { # WHAT OPTION...
    local what=$1 said
    shift
    said=$(build/scar local run --opt "$opt" "$@" "$image" -- echo "ran from the layer" 2> "$opt.log") || { cat "$opt.log" >&2; die "$what: failed"; }
    [ "$said" = "ran from the layer" ] || die "$what: answered \"$said\""
    echo "$what  $said"
    rm -f "$opt.log"
}
run 'provided  '
run 'as wrapper' --bootstrap build/managed-runtime -e AWS_LAMBDA_EXEC_WRAPPER=/opt/bootstrap
