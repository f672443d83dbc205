# image: debian
# A package from Debian's mirror, installed inside the image: apt drops to _apt, dpkg changes owners and runs scripts.

set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install -y --no-install-recommends hello cron > log 2>&1 || { cat log; exit 1; }
hello
dpkg -V hello cron
dpkg-query -W -f '${Package} ${Status}\n' hello cron
stat -c '%A %U %G %n' /usr/bin/crontab /var/spool/cron/crontabs
getent group crontab | cut -d: -f1
apt-get -qq purge -y hello cron > log 2>&1 || { cat log; exit 1; }
command -v hello || echo "gone again"
