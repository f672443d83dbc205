#!/bin/sh
# Counts the words of the event, which every program finds on its standard input. Any image with a shell will do:
#   scar local run --script examples/wordcount.sh --stdin README.md docker.io/library/busybox
tr -cs '[:alpha:]' '\n' | tr '[:upper:]' '[:lower:]' | sort | uniq -c | sort -rn | head -n 10
