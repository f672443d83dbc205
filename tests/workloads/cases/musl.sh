# image: musl
# quick: yes
# A user land of busybox and musl, like Alpine's.

export PATH=$HOME/bin
/bin/busybox mkdir $HOME/bin && /bin/busybox --install -s $HOME/bin || exit 1
uname -s; id -u; ls -l /etc/passwd | awk '{print $1}'
find /usr -type f | wc -l
printf 'b\na\n' | sort | tr '\n' ' '; echo
tar -C / -cf - etc 2>/dev/null | tar -tf - | head -1
echo text | gzip | zcat; echo text | sha256sum
(sleep 0.1; echo later) & wait
vi --help 2>&1 | head -1; awk "BEGIN { print 2 * 512 }"; echo 'abc' | sed 's/b/B/'
mkdir -p $HOME/www && echo page > $HOME/www/index.html && httpd -p 127.0.0.1:8089 -h $HOME/www && wget -qO- http://127.0.0.1:8089/; killall httpd
/usr/bin/ldd /usr/lib/x86_64-linux-musl/libc.so 2>&1 | head -1 | cut -c1-20
exit 0
