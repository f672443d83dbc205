#!/usr/bin/env ruby
# SPDX-License-Identifier: Apache-2.0
require "json"

name = File.basename(ENV["INPUT_FILE_PATH"], ".txt")
words = File.read(ENV["INPUT_FILE_PATH"]).downcase.scan(/[a-z]+/).tally.sort_by { |word, count| [-count, word] }
File.write(File.join(ENV["TMP_OUTPUT_DIR"], "#{name}.json"), JSON.generate(words.to_h))
