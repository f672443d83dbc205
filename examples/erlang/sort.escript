#!/usr/bin/env escript
%% SPDX-License-Identifier: Apache-2.0
main(_) ->
    {ok, Text} = file:read_file(os:getenv("INPUT_FILE_PATH")),
    Parts = string:split(string:trim(Text, trailing), "\n", all),
    Self = self(),
    spawn(fun() -> Self ! {sorted, lists:sort(Parts)} end),
    Sorted = receive {sorted, List} -> List end,
    Out = filename:join(os:getenv("TMP_OUTPUT_DIR"), "sorted.txt"),
    ok = file:write_file(Out, [[Line, $\n] || Line <- Sorted]).
