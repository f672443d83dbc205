#!/usr/bin/env Rscript
# SPDX-License-Identifier: Apache-2.0
points <- read.csv(Sys.getenv("INPUT_FILE_PATH"))
line <- coef(lm(y ~ x, points))
writeLines(sprintf("y = %.3f + %.3f x", line[[1]], line[[2]]), file.path(Sys.getenv("TMP_OUTPUT_DIR"), "line.txt"))
