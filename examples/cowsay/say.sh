#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fortune and cowsay are games, and PATH of an image need not hold those.
PATH=$PATH:/usr/games
if [ -n "$STORAGE_OBJECT_KEY" ]; then
    cowsay < "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$(basename "$STORAGE_OBJECT_KEY")"
else
    fortune | cowsay
fi
