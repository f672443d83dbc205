# image: servers
# quick: yes
# instead: www-data worker => root worker
# The last line: ps shows a process with the user that it started with.

mkdir www
echo hello > www/index.html
head -c 8000000 /dev/urandom > www/large
chmod -R a+rX .
cat > nginx.conf <<END
worker_processes 2; pid $PWD/pid; error_log $PWD/errors notice; user www-data;
events { worker_connections 256; }
http {
    access_log $PWD/accesses; sendfile on; aio threads;
    server { listen 127.0.0.1:7480; listen unix:$PWD/sock; root $PWD/www; }
}
END
nginx -q -t -c "$PWD/nginx.conf" && nginx -c "$PWD/nginx.conf"
echo "started: $?"
curl -s http://127.0.0.1:7480/
curl -s --unix-socket sock http://any/
curl -s http://127.0.0.1:7480/large | cmp - www/large && echo same
seq 40 | xargs -P 8 -I{} curl -s 'http://127.0.0.1:7480/?{}' | sort | uniq -c
kill -HUP "$(cat pid)"
sleep 0.5
curl -s http://127.0.0.1:7480/
mv accesses accesses.1
nginx -c "$PWD/nginx.conf" -s reopen 2> /dev/null
sleep 0.3
curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:7480/none
wc -l < accesses
ps -eo user:20,args | awk '/[n]ginx: worker/ { print $1, "worker" }' | sort -u
nginx -c "$PWD/nginx.conf" -s quit 2> /dev/null
for i in $(seq 100); do [ -e pid ] || break; sleep 0.05; done
ls pid 2> /dev/null
grep -E 'alert|emerg|crit' errors
true
