#!/usr/bin/env elixir
# SPDX-License-Identifier: Apache-2.0
longest =
  System.get_env("INPUT_FILE_PATH")
  |> File.stream!()
  |> Enum.map(&String.trim_trailing/1)
  |> Enum.max_by(&String.length/1)

File.write!(Path.join(System.get_env("TMP_OUTPUT_DIR"), "longest.txt"), longest <> "\n")
