#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
tr -cs '[:alpha:]' '\n' < "$INPUT_FILE_PATH" | tr '[:upper:]' '[:lower:]' | sort | uniq -c | sort -rn | head -n 10 > "$TMP_OUTPUT_DIR/words.txt"
