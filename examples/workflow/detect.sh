#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Where something bright is: areas of at least a hundred points, as "WIDTHxHEIGHT+X+Y".
convert "$INPUT_FILE_PATH" -colorspace Gray -threshold 60% -define connected-components:verbose=true -define connected-components:area-threshold=100 \
    -connected-components 8 null: | awk '$5 == "gray(255)" || $5 == "srgb(255,255,255)" { print $2 }' > "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH" .png).txt"
