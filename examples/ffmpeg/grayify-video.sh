#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
ffmpeg -loglevel error -nostdin -i "$INPUT_FILE_PATH" -vf format=gray -c:v mpeg4 -an "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH" .mp4).avi"
