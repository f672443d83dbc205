# image: tools

set -e
mkdir from && cp -a /usr/share/perl /etc/skel from/ && ln from/skel/.bashrc from/hard && ln -s perl from/link
rsync -aHAX --stats from/ to/ | grep -E 'Number of (files|regular files transferred)'
rsync -aHn --itemize-changes from/ to/ && echo "nothing to do"
echo more >> from/skel/.profile && rm from/link && rsync -aH --delete --itemize-changes from/ to/
rsync -a --rsync-path=rsync from/ --exclude=perl -e 'sh -c "shift; exec \"\$@\"" --' host:$HOME/third && ls -A third && stat -c %h to/hard
printf 'port = 8730\nuse chroot = no\nuid = 0\ngid = 0\n[data]\npath = /tmp/workload/from\n' > conf && rsync --daemon --config=conf
sleep 0.5 && rsync -a rsync://127.0.0.1:8730/data/skel/ fourth && ls -A fourth
