#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run-image.sh: what `make run [IMAGE=...] [ARGS='...']` calls when the programs are built. See tests/support/run_image.py.
set -eu
cd "$(dirname "$0")/.."
exec /usr/bin/python3 -m tests.support.run_image
