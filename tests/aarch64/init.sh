#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# First process of the emulated machine: runs what machine.py put there. A line "@@ NAME" starts each part of the output.
# The sandbox moves to a root of its own, which cannot be done from the kernel's first root.
if [ "$1" != second ]; then
    /bin/busybox mkdir /root
    /bin/busybox mount -t tmpfs -o size=90% root /root
    /bin/busybox cp -a /bin /dev /guest /image /init /proc /sys /tmp /scar-canary-of-the-host /root/
    exec /bin/busybox switch_root /root /init second
fi
/bin/busybox --install -s /bin
export PATH=/bin HOME=/tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mkdir -p /dev/shm /dev/pts
mount -t tmpfs shm /dev/shm
mount -t devpts pts /dev/pts
ln -s /proc/self/fd /dev/fd
ip link set lo up
umask 022
ulimit -n 4096

# conform SETTING LIBC COMMAND...: the cases in a root of their own
conform() {
    name=$1-$2 libc=$2
    shift 2
    cp -a /guest "/$name"
    mkdir -m 700 "/state-$name"
    case $name in *jail*) chown -Rh 993:993 "/$name" "/state-$name" ;; esac
    echo "@@ $name"
    env -i PATH=/bin "$@" rewrite "/$name" "/state-$name" "/bin/conform-$libc" 2>&1
}

for libc in glibc musl; do
    cp -a /guest /native-$libc
    for m in proc sys dev; do mount --rbind /$m /native-$libc/$m; done
    echo "@@ native-$libc"
    chroot /native-$libc env -i PATH=/bin /bin/conform-$libc 2>&1
    conform rewrite $libc engine-run
    conform rewrite+jail $libc engine-jail /bin/engine-run
done
cp -a /image /tmp/image
run() {
    echo "@@ run-$1"
    shift
    scar local run --bootstrap /bin/bootstrap --timeout 120 oci:/tmp/image -- "$@" 2> /tmp/stderr
    echo "status $?"
    grep -v '^REPORT' /tmp/stderr | grep -iE 'scar|error|denied' | head -5
}
run shell sh -c 'id -u; uname -m; ls /; for i in 1 2 3; do echo $i | cat; done; exit 7'
run go /bin/gotest
run python /usr/bin/python3.11 -c '
import hashlib, json, os, socket, subprocess, sys, threading
print(json.dumps({"exe": sys.executable, "cwd": os.getcwd(), "uid": os.getuid()}))
print(subprocess.run(["/bin/sh", "-c", "echo from a child"], capture_output=True, text=True).stdout, end="")
total = []
threads = [threading.Thread(target=lambda: total.append(len(os.listdir("/bin")))) for _ in range(20)]
[t.start() for t in threads]; [t.join() for t in threads]
print(len(set(total)), hashlib.sha256(open("/bin/busybox", "rb").read()).hexdigest()[:8] != "", open("/bin/busybox", "rb").read(4))
'
echo "@@ end"
poweroff -f
