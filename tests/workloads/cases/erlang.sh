# image: languages

cat > main.erl <<'END'
-module(main).
-export([main/0]).

main() ->
    Self = self(), N = 2000,
    [spawn(fun() -> Self ! {X, X * X} end) || X <- lists:seq(1, N)],
    io:format("~p~n", [lists:sum([receive {_, V} -> V end || _ <- lists:seq(1, N)])]),
    io:format("~s", [os:cmd("echo from sh; pwd")]),
    Port = open_port({spawn_executable, "/bin/cat"}, [binary]),
    port_command(Port, <<"hey">>),
    receive {Port, {data, D}} -> io:format("~p~n", [D]) after 3000 -> io:format("no answer~n") end,
    port_close(Port),
    ok = file:write_file("file", "x"),
    {ok, Text} = file:read_file("file"),
    io:format("~p ~p~n", [Text, filelib:file_size("file")]),
    {ok, L} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}, binary, {active, false}]),
    {ok, Number} = inet:port(L),
    spawn(fun() -> {ok, A} = gen_tcp:accept(L), gen_tcp:send(A, "net"), gen_tcp:close(A) end),
    {ok, C} = gen_tcp:connect({127, 0, 0, 1}, Number, [binary, {active, false}]),
    {ok, Got} = gen_tcp:recv(C, 0),
    io:format("~p ~p ~p~n", [Got, erlang:system_info(emu_flavor), file:get_cwd()]),
    Deep = fun F(0) -> 0; F(K) -> 1 + F(K - 1) end,
    io:format("~p~n", [Deep(1000000)]),
    halt(0).
END
erlc main.erl && erl -noshell -s main main
cat > main.exs <<'END'
IO.puts Enum.sum(Enum.map(1..1000, &(&1 * 2)))
IO.puts Enum.sum(Enum.map((for i <- 1..50, do: Task.async(fn -> i * i end)), &Task.await/1))
IO.inspect System.cmd("sh", ["-c", "echo hi; exit 3"])
{:ok, a} = Agent.start_link(fn -> 0 end)
Agent.update(a, &(&1 + 1))
IO.inspect Agent.get(a, & &1)
File.write!("file", "abc")
IO.inspect {File.stat!("file").size, File.cwd!()}
defmodule M, do: (def f(n), do: n + 1)
IO.inspect M.f(1)
spawn_monitor(fn -> exit(:boom) end)
receive do {:DOWN, _, _, _, r} -> IO.inspect r end
END
elixir main.exs
