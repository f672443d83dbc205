# image: debian
# quick: yes
# A package built and installed without a mirror, with maintainer scripts, a configuration file and a diversion.

set -e
true
mkdir -p made/DEBIAN made/usr/bin made/etc made/var/lib/made
printf 'Package: made\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: made here\n' > made/DEBIAN/control
printf '#!/bin/sh\nset -e\nadduser --version >/dev/null 2>&1 || true\necho "postinst $1"\nchown 33:33 /var/lib/made\nchmod 2750 /var/lib/made\n' > made/DEBIAN/postinst
printf '#!/bin/sh\necho "prerm $1"\n' > made/DEBIAN/prerm
echo /etc/made.conf > made/DEBIAN/conffiles
chmod 755 made/DEBIAN/postinst made/DEBIAN/prerm
printf '#!/bin/sh\necho "made $(cat /etc/made.conf)"\n' > made/usr/bin/made && chmod 755 made/usr/bin/made
echo one > made/etc/made.conf
dpkg-deb --root-owner-group -b made made.deb | sed 's/.*: //'
dpkg-deb -c made.deb | awk '{print $1, $2, $6}'
dpkg -i made.deb 2>&1 | grep -v Reading
made
stat -c '%a %u %g' /var/lib/made
dpkg-divert --local --rename --add /usr/bin/made 2>&1
[ ! -e /usr/bin/made ] && made.distrib 2>/dev/null || /usr/bin/made.distrib
dpkg-divert --rename --remove /usr/bin/made 2>&1
dpkg -V made && echo verified
dpkg -P made 2>&1 | grep -v Reading
ls /etc/made.conf 2>&1 || echo purged
