# image: tools

set -e
printf "shift\\nexec \"\$@\"\\n" > remote
mkdir from && cp -a /usr/share/perl /etc/skel from/ && ln from/skel/.bashrc from/hard && ln -s perl from/link
rsync -aHAX --stats from/ to/ | grep -E 'Number of (files|regular files transferred)'
rsync -aHn --itemize-changes from/ to/ && echo "nothing to do"
sleep 1.1; echo more >> from/skel/.profile && rm from/link && rsync -aH --delete --itemize-changes from/ to/
rsync -a --rsync-path=rsync from/ --exclude=perl -e "sh $HOME/remote" host:$HOME/third && ls -A third && stat -c %h to/hard
