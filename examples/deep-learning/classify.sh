#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
python3 /var/task/classify.py "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH" .txt).json"
