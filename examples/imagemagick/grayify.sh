#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
convert "$INPUT_FILE_PATH" -type Grayscale "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"
