# SPDX-License-Identifier: Apache-2.0
"""What an invocation does to the files of its image is gone at the next one of the warm function, whatever it was."""

import re

import pytest

from tests.support.lambda_local import LocalLambda

BOTH_KERNELS = pytest.mark.parametrize("jail", ["", "kernel-4.14"], ids=["kernel-now", "kernel-4.14"])

# The whole tree with types, modes, owners, sizes, times, inodes, link texts and content. Binds are not the image's.
LIST_BUSYBOX = r"""
find / \( -path /proc -o -path /sys -o -path /dev -o -path /tmp \) -prune -o -print | sort > /tmp/names
while read -r name; do stat -c '%n|%f|%u|%g|%Y|%i|%N' "$name"; done < /tmp/names
while read -r name; do [ -f "$name" ] && [ ! -L "$name" ] && sha256sum "$name"; done < /tmp/names
true
"""

WRECK_BUSYBOX = r"""
set -e
echo appended >> /etc/os-release
echo new > /etc/created
mkdir -p /var/made/deep/deeper && echo x > /var/made/deep/deeper/file
ln -s /etc /var/link-to-etc
mkfifo /etc/fifo
mv /etc /moved-etc
mv /moved-etc /var/made/etc
touch -d '2001-01-01 00:00:00' /usr
chmod 700 /usr /var
cp /bin/busybox /var/busybox
for name in $(ls /bin); do [ "$name" = busybox ] || rm /bin/$name; done
mv /bin/busybox /bin/renamed
chmod 600 /bin/renamed
/var/busybox rm -rf /bin /usr
/var/busybox ln /var/busybox /hardlink
/var/busybox ls /
"""

LIST_DEBIAN = r"""
import hashlib, os, sys
skip = {"/proc", "/sys", "/dev", "/tmp"}
def show(path):
    s = os.lstat(path)
    line = [path, oct(s.st_mode), s.st_uid, s.st_gid, s.st_mtime_ns, s.st_ino, s.st_nlink if not os.path.isdir(path) else 0]
    if os.path.islink(path): line.append(os.readlink(path))
    elif os.path.isfile(path): line += [s.st_size, hashlib.sha256(open(path, "rb").read()).hexdigest()]
    try: line += [(n, os.getxattr(path, n)) for n in os.listxattr(path, follow_symlinks=False)]
    except OSError: pass
    print(*line)
for root, dirs, files in os.walk("/"):
    dirs[:] = sorted(d for d in dirs if os.path.join(root, d) not in skip)
    show(root)
    for name in sorted(files) + [d for d in dirs if os.path.islink(os.path.join(root, d))]:
        show(os.path.join(root, name))
"""

WRECK_DEBIAN = r"""
import ctypes, mmap, os, random, shutil, socket, stat, subprocess, sys, threading
random.seed(SEED)
libc = ctypes.CDLL(None, use_errno=True)
files, dirs = [], []
for root, d, f in os.walk("/"):
    if root == "/": d[:] = [x for x in d if x not in ("proc", "sys", "dev", "tmp")]
    files += [os.path.join(root, x) for x in f]
    dirs += [os.path.join(root, x) for x in d]
regular = [p for p in files if os.path.isfile(p) and not os.path.islink(p) and os.access(p, os.W_OK)]
done = {}
def do(what, *args):
    try: what(*args); done[what.__name__] = done.get(what.__name__, 0) + 1
    except (OSError, ValueError): pass
def append(p): open(p, "ab").write(b"more")
def rewrite(p): open(p, "wb").write(b"other")
def inplace(p):
    with open(p, "r+b") as f: f.write(b"in place")
def mapped(p):
    with open(p, "r+b") as f, mmap.mmap(f.fileno(), 0) as m: m[0:1] = b"!"
def truncated(p): os.truncate(p, 3)
def emptied(p): os.truncate(p, 0)
def mode(p): os.chmod(p, random.choice([0o600, 0o755, 0o4711]))
def fmode(p):
    fd = os.open(p, os.O_RDONLY); os.fchmod(fd, 0o640); os.close(fd)
def times(p): os.utime(p, (1, 1))
def owner(p): os.chown(p, 33, 33)
def gone(p): os.unlink(p)
def renamed(p): os.rename(p, p + ".moved")
def replaced(p):
    open(p + ".new", "w").write("replacement"); os.replace(p + ".new", p)
def over(p): os.rename(p, random.choice(regular))
def linked(p):
    os.link(p, p + ".link"); open(p + ".link", "a").write("through the link"); os.unlink(p)
def moved_and_changed(p):
    os.rename(p, "/m%d" % random.getrandbits(40)); os.chmod(p, 0o777)
def bare_open(p): os.close(os.open(p, os.O_RDWR))
def turned_into_dir(p): os.unlink(p); os.makedirs(p + "/a/b")
def attribute(p): os.setxattr(p, "user.scar", b"1")
def exchanged(p):
    if libc.renameat2(-100, p.encode(), -100, random.choice(regular).encode(), 2): raise OSError
acts = [append, rewrite, inplace, mapped, truncated, emptied, mode, fmode, times, owner, gone, renamed, replaced, over, linked,
        moved_and_changed, bare_open, turned_into_dir, exchanged]
random.shuffle(regular)
# What this program itself needs goes last.
mine = ("/usr/lib/python3", "/usr/bin/python3", "/lib/", "/usr/lib/x86_64-linux-gnu/", "/usr/lib/aarch64-linux-gnu/", "/usr/bin/", "/bin/", "/lib64")
victims = [p for p in regular if not p.startswith(mine)]
threads = [threading.Thread(target=lambda part=part: [do(random.choice(acts), p) for p in part]) for part in (victims[:700], victims[700:1400])]
for t in threads: t.start()
for t in threads: t.join()
def dir_mode(p): os.chmod(p, 0o000)
def dir_times(p): os.utime(p, (5, 5))
def dir_moved(p): os.rename(p, p + ".d")
def dir_into(p): os.rename(p, random.choice(folders) + "/into")
def dir_gone(p): shutil.rmtree(p)
def dir_swapped(p):
    q = random.choice(folders)
    if libc.renameat2(-100, p.encode(), -100, q.encode(), 2): raise OSError
def dir_filled(p):
    os.makedirs(p + "/x/y/z"); open(p + "/x/y/z/f", "w").write("f"); os.mkfifo(p + "/x/fifo"); os.symlink("/", p + "/x/link")
    s = socket.socket(socket.AF_UNIX); s.bind(p + "/s")
def dir_replaced(p):
    for n in os.listdir(p): os.unlink(p + "/" + n)
    os.mkdir("/fresh%d" % SEED); open("/fresh%d/x" % SEED, "w"); os.rename("/fresh%d" % SEED, p)
def dir_removed_and_made(p):
    for n in os.listdir(p): os.unlink(p + "/" + n)
    os.rmdir(p); os.mkdir(p); open(p + "/again", "w").write("x")
folders = [p for p in dirs if not os.path.islink(p) and p.startswith(("/usr/share", "/var", "/etc", "/home", "/opt", "/srv", "/root", "/media"))]
random.shuffle(folders)
for p in folders[:150]: do(random.choice([dir_mode, dir_times, dir_moved, dir_into, dir_gone, dir_swapped, dir_filled, dir_replaced, dir_removed_and_made]), p)
os.chdir("/"); deep = []
os.mkdir("/deep"); os.chdir("/deep")
for i in range(1500): os.mkdir("d" * 8); os.chdir("d" * 8)
os.chdir("/")
def links(p): os.link(p, "/l%d" % random.getrandbits(40))
for p in victims[1400:1500]: do(links, p)
subprocess.run(["sh", "-c", "echo by a child > /var/child; rm -rf /opt /srv /usr/share/doc; chmod 700 /"], check=True)
print(sorted(done.items()))
sys.stdout.flush()
if FINAL: shutil.rmtree("/usr", ignore_errors=True); shutil.rmtree("/etc", ignore_errors=True)
"""


def list_of(function, program) -> list[str]:
    answer = function.run(*program)
    assert answer.function_error == "", (answer, function.log()[-3000:])
    return answer.text.splitlines()


def differences(before: list[str], after: list[str]) -> list[str]:
    old, new = set(before), set(after)
    return [f"- {line}" for line in before if line not in new][:15] + [f"+ {line}" for line in after if line not in old][:15]


def environment(jail: str) -> dict[str, str]:
    return {"SCAR_JAIL": jail} if jail else {}


@BOTH_KERNELS
def test_a_wrecked_busybox_image_is_whole_again(pushed, jail):
    with LocalLambda(pushed("busybox"), environ=environment(jail), env={"SCAR_LOG_LEVEL": "DEBUG"}) as function:
        lister = ("sh", "-c", LIST_BUSYBOX)
        before = list_of(function, lister)
        assert len(before) > 5
        for _ in range(2):
            wrecked = function.run("sh", "-c", WRECK_BUSYBOX)
            assert "hardlink" in wrecked.text and "bin" not in wrecked.text.split(), wrecked
            after = list_of(function, lister)
            assert after == before, differences(before, after)
        assert "put an image back" in function.log() and "pulled" not in function.log().partition("put an image back")[2]


@BOTH_KERNELS
def test_a_wrecked_debian_image_is_whole_again(pushed, jail):
    with LocalLambda(pushed("debian"), tmp_size_mb=900, timeout_s=120, environ=environment(jail), env={"SCAR_LOG_LEVEL": "DEBUG"}) as function:
        lister = ("python3", "-c", LIST_DEBIAN)
        before = list_of(function, lister)
        assert len(before) > 3000
        for seed in range(3):
            program = WRECK_DEBIAN.replace("SEED", str(seed)).replace("FINAL", str(seed == 2))
            wrecked = function.run("python3", "-c", program)
            assert wrecked.function_error == "" and "dir_swapped" in wrecked.text, (wrecked, function.log()[-3000:])
            after = list_of(function, lister)
            assert after == before, differences(before, after)
        assert function.log().count("put an image back") >= 3 and len(re.findall(r"\bpulled ", function.log())) == 1, function.log()[-2000:]


def test_what_cannot_be_undone_brings_the_image_anew(pushed):
    with LocalLambda(pushed("debian"), tmp_size_mb=900, timeout_s=120) as function:
        read = ("python3", "-c", "import os; print(os.listxattr('/usr'), os.listdir('/srv'))")
        before = list_of(function, read)
        done = function.run("python3", "-c", "import os; os.setxattr('/usr', 'user.scar', b'1'); print(os.listxattr('/usr'))")
        if "user.scar" not in done.text:
            pytest.skip("the file system of /tmp keeps no attributes of users")
        assert list_of(function, read) == before
        assert len(re.findall(r"\bpulled ", function.log())) == 2, function.log()[-2000:]


def test_changes_are_there_within_one_invocation_and_stay_where_that_is_wanted(pushed):
    script = "cat /etc/added 2>/dev/null; echo added >> /etc/added; echo $((1 + $(wc -l < /etc/os-release))); echo x >> /etc/os-release; wc -l < /etc/os-release"
    with LocalLambda(pushed("busybox"), env={"SCAR_KEEP_CHANGES": "1"}) as function:
        first, second = (function.run("sh", "-c", script).text.split() for _ in range(2))
        assert second[0] == "added" and int(second[1]) == int(first[0]) + 1
    with LocalLambda(pushed("busybox")) as function:
        first, second = (function.run("sh", "-c", script).text.split() for _ in range(2))
        assert first == second and first[0] == first[1]


def test_a_killed_runtime_leaves_no_change_behind(pushed, tmp_path):
    """Without the jail: a store that outlives its runtime, as one on a shared file system does."""
    settings = {"SCAR_LOG_LEVEL": "DEBUG", "SCAR_STORE_DIR": str(tmp_path / "store")}
    with LocalLambda(pushed("busybox"), jail=False, engine="rewrite", env=settings) as function:
        before = list_of(function, ("sh", "-c", LIST_BUSYBOX))
        for pause in (0.0, 0.02, 0.1):
            wreck = WRECK_BUSYBOX.replace("/var/busybox ls /", f"echo wrecked >&2; /var/busybox sleep {pause}; kill -9 $PPID; /var/busybox sleep 5")
            answer = function.run("sh", "-c", wreck)
            assert answer.function_error, answer
            after = list_of(function, ("sh", "-c", LIST_BUSYBOX))
            assert after == before, differences(before, after)
        assert function.log().count("put an image back") == 3 and function.log().count(" pulled ") == 1, function.log()[-3000:]
