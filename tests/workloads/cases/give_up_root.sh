# image: servers
# quick: yes

# What entrypoints of images do: start as root, prepare, become another.
chmod 755 . && mkdir data && chown postgres:postgres data
ls -ld data | awk '{ print $1, $3, $4 }'
/usr/lib/postgresql/15/bin/initdb -D "$PWD/root"
su -s /bin/sh postgres -c 'id; touch data/of-su; ls -l data | awk "{ print \$3, \$9 }"'
setpriv --reuid=postgres --regid=postgres --clear-groups sh -c 'id; touch data/of-setpriv; stat -c %U data/* /etc/passwd'
setpriv --reuid=postgres --regid=postgres --init-groups --inh-caps=-all id
runuser -u postgres -- id
chroot --userspec=postgres:postgres / id
start-stop-daemon --start --chuid postgres --exec /usr/bin/id
ls -l data | awk '{ print $3, $9 }'
useradd -m -d "$PWD/new" somebody && su somebody -c 'id -un; pwd; cd; pwd; ls -ld . | cut -c1-10'
userdel somebody
