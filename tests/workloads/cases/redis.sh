# image: servers
# quick: yes

wait_for() { for i in $(seq 100); do redis-cli -s redis.sock ping 2> /dev/null && return; sleep 0.05; done; tail log; exit 1; }
redis-server --port 7391 --bind 127.0.0.1 --unixsocket "$PWD/redis.sock" --dir "$PWD" --appendonly yes > log 2>&1 &
server=$!
wait_for
redis-cli -s redis.sock set a b
redis-cli -p 7391 get a
redis-benchmark -p 7391 -n 20000 -t set,get -q -c 20 | tr '\r' '\n' | grep -c 'per second'
redis-cli -p 7391 eval 'for i=1,20000 do redis.call("set","k"..i,string.rep("x",100)) end return redis.call("dbsize")' 0
# Forks of a server with threads, which write.
redis-cli -p 7391 bgsave
while redis-cli -p 7391 info persistence | grep -q 'in_progress:1'; do sleep 0.05; done
redis-cli -p 7391 bgrewriteaof
sleep 0.2
while redis-cli -p 7391 info persistence | grep -q 'in_progress:1'; do sleep 0.05; done
redis-cli -p 7391 info persistence | tr -d '\r' | grep 'status:'
redis-cli -p 7391 shutdown
wait $server
echo "ended with $?"
redis-check-rdb dump.rdb | tail -1
redis-check-aof appendonlydir/*.manifest | tail -1
find . | sort
