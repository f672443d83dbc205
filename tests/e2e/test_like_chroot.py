# SPDX-License-Identifier: Apache-2.0
"""What runs in the jail prints what a real chroot of the same root file system prints."""

import re

import pytest

from tests.support import chroot, images
from tests.support.lambda_local import run_local

PATH = {"PATH": images.PATH_ENV.removeprefix("PATH="), "HOME": "/root"}
BOTH_KERNELS = pytest.mark.parametrize("jail", ["", "kernel-4.14"], ids=["kernel-now", "kernel-4.14"])


def without_folder_sizes(text: bytes) -> bytes:
    """Sizes of folders, and the total of blocks, belong to the file system below; hosts, hostname and resolv.conf to the machine."""
    lines = [re.sub(rb"^(d\S+ \d+ \S+ \S+ )\d+", rb"\1N", re.sub(rb" +", b" ", line)) for line in text.splitlines()]
    own = re.compile(rb"^total \d+$|^-.* (hosts|hostname|resolv\.conf|mtab)$")
    return b"\n".join(line for line in lines if not own.search(line))


@pytest.fixture(scope="module")
def rootfs():
    """rootfs(name): the image unpacked for real; once for the module, since Debian's takes seconds."""
    contexts = {}

    def get(name: str):
        if name not in contexts:
            context = images.real_rootfs(name)
            contexts[name] = (context, context.__enter__())
        return contexts[name][1]

    yield get
    for context, _ in contexts.values():
        context.__exit__(None, None, None)


def compare(pushed, rootfs, name, argv, *, start=None, cwd="/", env=PATH, jail="", same=lambda text: text):
    """Run `argv` both ways. `start` is the whole command for the chroot where the image's entrypoint supplies part of it."""
    real = chroot.run(rootfs(name), start or argv, env, cwd)
    ours = run_local(pushed(name), *argv, environ={"SCAR_JAIL": jail} if jail else {}, tmp_size_mb=700, memory_mb=2048)
    assert same(ours.stdout) == same(real.stdout), ours.stderr[-3000:].decode(errors="replace")
    assert ours.returncode == real.returncode
    assert real.stdout, "a command that prints nothing compares nothing"
    return ours


@BOTH_KERNELS
def test_debian_lists_and_reads(pushed, rootfs, jail):
    # The owners of shadow and gshadow: see test_owners_are_remembered.
    def same(text: bytes) -> bytes:
        return without_folder_sizes(text).replace(b" root shadow ", b" root root ")

    compare(pushed, rootfs, "debian", ["sh", "-c", "ls -l /etc; cat /etc/os-release"], jail=jail, same=same)


@BOTH_KERNELS
def test_python_with_ssl_and_a_child(pushed, rootfs, jail):
    code = 'import json,ssl,subprocess; print(subprocess.run(["uname","-s"],capture_output=True))'
    compare(pushed, rootfs, "debian", ["python3", "-c", code], jail=jail)


def test_perl_prints(pushed, rootfs):
    compare(pushed, rootfs, "debian", ["perl", "-e", "print 42"])


DEBIAN = {
    "python-threads-and-pipes": [
        "python3",
        "-c",
        "import threading,subprocess,os\n"
        "o=[]\n"
        "def f(i): o.append(subprocess.run(['sh','-c',f'echo {i}; exit {i}'],capture_output=True))\n"
        "t=[threading.Thread(target=f,args=(i,)) for i in range(8)]\n"
        "[x.start() for x in t]; [x.join() for x in t]\n"
        "print(sorted((r.returncode,r.stdout) for r in o)); r,w=os.pipe(); os.write(w,b'x'); print(os.read(r,1))",
    ],
    "python-files": [
        "python3",
        "-c",
        "import os,tempfile,pathlib\n"
        "d=tempfile.mkdtemp(); os.chdir(d); p=pathlib.Path('a/b/c'); p.mkdir(parents=True); (p/'f').write_text('x')\n"
        "os.symlink('/etc/passwd','abs'); os.symlink('a/b','rel'); os.rename('a/b/c/f','g'); os.link('g','h')\n"
        "print(sorted(os.listdir()), os.readlink('abs'), os.path.realpath('rel')==d+'/a/b', os.stat('g').st_nlink, open('abs').readline())\n"
        "os.chmod('g',0o640); s=os.stat('g'); print(oct(s.st_mode),s.st_uid,s.st_gid)\n"
        "print([e.name for e in os.scandir('/') if e.is_dir()]==[e.name for e in os.scandir('/') if os.path.isdir('/'+e.name)])",
    ],
    "python-multiprocessing": [
        "python3",
        "-c",
        "import multiprocessing as m\n"
        "def f(x): return x*x\n"
        "if __name__=='__main__':\n"
        "  with m.Pool(3) as p: print(sum(p.map(f,range(100))))\n"
        "  q=m.Queue(); q.put(1); print(q.get()); l=m.Lock(); l.acquire(); l.release(); print('locked')",
    ],
    "unix-sockets": [
        "python3",
        "-c",
        "import socket,threading,os\n"
        "s=socket.socket(socket.AF_UNIX); s.bind('/tmp/sock'); s.listen(); print(s.getsockname())\n"
        "def serve():\n c,_=s.accept(); c.sendall(c.recv(100).upper()); c.close()\n"
        "t=threading.Thread(target=serve); t.start(); c=socket.create_connection if 0 else socket.socket(socket.AF_UNIX); c.connect('/tmp/sock')\n"
        "c.sendall(b'hello'); print(c.recv(100)); t.join(); print(c.getpeername(), os.path.exists('/tmp/sock'))",
    ],
    "find-everything": [
        "sh",
        "-c",
        "find /usr /etc /var /lib/ -xdev ! -name hosts ! -name resolv.conf ! -name hostname | sort | sha256sum; find / -xdev -path /proc -prune -o -path /sys -prune -o -path /dev -prune -o -path /tmp -prune -o -type l -printf '%p %l\\n' | sort | sha256sum",
    ],
    "contents-of-everything": ["sh", "-c", "cd /usr && find . -xdev -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum"],
    "modes": [
        "sh",
        "-c",
        "find /usr /etc /var /home /root -xdev \\( -type f -o -type d \\) ! -name hosts ! -name resolv.conf ! -name hostname"
        " \\( -type f -printf '%p %m %n\\n' -o -printf '%p %m\\n' \\) | sort",
    ],
    "identity": ["sh", "-c", "id; whoami; groups; umask; pwd; echo $0 $HOME"],
    "perl-forks": [
        "perl",
        "-e",
        '$|=1; for my $i (1..5) { my $p=fork // die; if(!$p){exit $i} waitpid $p,0; print $?>>8,"\\n" } print `echo in backticks`; open F,"<","/etc/debian_version"; print <F>',
    ],
    "shell-and-signals": [
        "bash",
        "-c",
        "trap 'echo caught' USR1; kill -USR1 $$; (sleep 5 & kill %1; wait %1 2>/dev/null; echo $?); echo ${BASH_VERSINFO[0]}; cat <(echo substitution); exec 3<<<here; cat <&3",
    ],
    "dpkg-knows-itself": ["sh", "-c", "dpkg-query -W | sort | head -n 30; dpkg -L perl-base | head -n 5; dpkg -V base-passwd; echo $?"],
    "proc-self": [
        "sh",
        "-c",
        "readlink /proc/self/exe; readlink /proc/self/cwd; readlink /proc/self/root; tr '\\0' ' ' < /proc/self/cmdline",
    ],
    "no-way-out": [
        "sh",
        "-c",
        "cd /; cd ../../..; pwd; ls -d /work /usr/local/go /../work /proc/../../work 2>&1; cat /etc/../../../etc/debian_version",
    ],
    "missing-program": ["sh", "-c", "nothing-like-this; echo $?; /etc/passwd; echo $?; exec /no/such"],
}


@pytest.mark.parametrize("case", DEBIAN)
def test_debian_behaves(pushed, rootfs, case):
    compare(pushed, rootfs, "debian", DEBIAN[case])


def test_a_static_go_program_starts_a_child_and_serves_http(pushed, rootfs):
    compare(pushed, rootfs, "go", [], start=["/app/goserver"], cwd="/app")


@BOTH_KERNELS
def test_a_musl_program_with_the_images_own_loader(pushed, rootfs, jail):
    compare(pushed, rootfs, "musl", [], start=["/bin/program"], cwd="/srv", jail=jail)


def test_layers_on_layers_give_the_same_tree(pushed, rootfs):
    script = "cd /w && find . -exec stat -c '%N %F %a %h %u:%g %Y' {} \\; | grep -v ' directory ' | sort; find . -type d ! -name closed -exec stat -c '%n %a' {} \\; | sort; cat a b b-hard kept-hard becomes-file/* becomes-file becomes-dir/in absolute 2>&1; ./run me; stat -c %h b kept-hard"
    compare(pushed, rootfs, "layered", ["sh", "-c", script])


OWNERS = {
    "of-the-image": ["stat", "-c", "%n %U %G %a", "/etc/shadow", "/etc/gshadow", "/usr/bin/chage", "/var/mail", "/var/local"],
    "changed": ["sh", "-c", "cd /tmp && echo x > f && chown 12:34 f && stat -c '%u %g' f && chown -h 5 f && stat -c '%u %g' f"],
}


@pytest.mark.parametrize("case", OWNERS)
def test_owners_are_remembered(pushed, rootfs, case):
    compare(pushed, rootfs, "debian", OWNERS[case])


def test_a_read_only_folder_looks_read_only(pushed, rootfs):
    compare(pushed, rootfs, "layered", ["stat", "-c", "%a", "/w/closed"])
