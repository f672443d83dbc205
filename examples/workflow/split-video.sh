#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Five pictures of each second.
name=$(basename "$INPUT_FILE_PATH" .mp4)
ffmpeg -loglevel error -nostdin -i "$INPUT_FILE_PATH" -vf fps=5 "$TMP_OUTPUT_DIR/$name-%03d.png"
