# SPDX-License-Identifier: Apache-2.0
"""Container images made on this machine from Debian packages and from the sources beside this file.

Each image is an OCI layout in the cache, keyed by everything that goes into it, and made by the first who asks. Ordinary images are
put together by umoci and skopeo; those that real tools would refuse to make, and the tiny ones, by oci_layout.py.

    python3 -m tests.support.images NAME...      make them, and print where they are
"""

import fcntl
import hashlib
import inspect
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import oci_layout
from tests.support.oci_layout import Image, Layer
from tests.support.places import ROOT, Missing, cache, scratch, tool

GO_SOURCE = ROOT / "tests/support/go"
MUSL_SOURCE = ROOT / "tests/support/c/musl_program.c"
BUSYBOX = Path("/usr/bin/busybox")
MUSL_LOADER = Path("/lib/ld-musl-x86_64.so.1")
PATH_ENV = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEBIAN_RELEASE = "bookworm"
DEBIAN_PACKAGES = "python3,perl"

Recipe = Callable[[Path], None]
RECIPES: dict[str, tuple[Recipe, tuple[Path | str, ...]]] = {}


def recipe(*inputs: Path | str) -> Callable[[Recipe], Recipe]:
    """Register a function that fills a folder with an image layout; `inputs` are the files, and the other images, that it reads."""

    def register(function: Recipe) -> Recipe:
        RECIPES[function.__name__] = (function, inputs)
        return function

    return register


def run(*command: str | Path, **options) -> subprocess.CompletedProcess:
    """Run a tool; what it said is in the error if it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done


def _key(name: str) -> str:
    function, inputs = RECIPES[name]
    # What recipes share counts too: a change of the writer or of a helper makes every image anew.
    shared = (oci_layout, _from_tar, busybox_layer, _recompressed)
    parts = [inspect.getsource(part).encode() for part in (function, *shared)]
    parts += [f"{PATH_ENV} {DEBIAN_RELEASE} {DEBIAN_PACKAGES}".encode()]
    for source in inputs:
        if isinstance(source, str):
            parts.append(_key(source).encode())
            continue
        if not source.exists():
            raise Missing(f"{source} is not there (make setup installs what the tests need)")
        files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
        parts += [file.read_bytes() for file in files]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def key_of(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with open(path, "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def image(name: str) -> Path:
    """The OCI layout of a named image, made if it is not in the cache."""
    folder = cache("images")
    final = folder / f"{name}-{_key(name)}"
    with locked(folder / f"{name}.lock"):
        if not final.is_dir():
            for stale in [*folder.glob(f"{name}-*"), *folder.glob(f".{name}-*")]:
                shutil.rmtree(stale)
            making = folder / f".{name}-{os.getpid()}"
            RECIPES[name][0](making)
            making.rename(final)
    return final


# ---- ordinary images -----------------------------------------------------------------------------------------------------------------


def _from_tar(layout: Path, tar: Path, *config: str) -> None:
    """One layer, by umoci."""
    umoci = tool("umoci")
    run(umoci, "init", "--layout", layout)
    run(umoci, "new", "--image", f"{layout}:latest")
    run(umoci, "raw", "add-layer", "--image", f"{layout}:latest", tar)
    run(umoci, "config", "--image", f"{layout}:latest", *config)
    run(umoci, "gc", "--layout", layout)


def busybox_layer() -> Layer:
    layer = Layer().dirs("bin", "etc", "root", "usr", "usr/bin", "var", "proc", "sys", "dev").dir("tmp", 0o1777)
    layer.copy("bin/busybox", BUSYBOX)
    for applet in run(BUSYBOX, "--list").stdout.split():
        if applet != "busybox":
            layer.symlink(f"bin/{applet}", "busybox")
    layer.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nworker:x:1000:1000::/home/worker:/bin/sh\n")
    layer.file("etc/group", "root:x:0:\nworker:x:1000:\naudio:x:29:worker\n")
    layer.file("etc/os-release", 'ID=busybox\nPRETTY_NAME="BusyBox from Debian\'s busybox-static"\n')
    return layer


@recipe(BUSYBOX)
def busybox(layout: Path) -> None:
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        tar = Path(folder, "rootfs.tar")
        tar.write_bytes(busybox_layer().tar())
        _from_tar(layout, tar, "--config.env", PATH_ENV, "--config.cmd", "/bin/sh")


@recipe()
def debian(layout: Path) -> None:
    mmdebstrap = tool("mmdebstrap")
    if os.getuid() != 0:
        raise Missing("the Debian image is made by mmdebstrap as root")
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        # _apt, the user apt drops to, must get in.
        Path(folder).chmod(0o755)
        tar = Path(folder, "rootfs.tar")
        options = ("--quiet", "--variant=minbase", f"--include={DEBIAN_PACKAGES}")
        run(mmdebstrap, *options, DEBIAN_RELEASE, tar, env=dict(os.environ, TMPDIR=folder, SOURCE_DATE_EPOCH=str(oci_layout.MTIME)))
        _from_tar(layout, tar, "--config.env", PATH_ENV, "--config.cmd", "/bin/bash")


def go_tool() -> str:
    go = shutil.which("go") or tool("go", "golang-go")
    words = run(go, "version", env=dict(os.environ, GOTOOLCHAIN="local")).stdout.split()
    number = tuple(int(part) for part in words[2].removeprefix("go").split(".")[:2])
    if number < (1, 19):
        raise Missing(f"{go} is {words[2]}, older than 1.19 (Debian package golang-go)")
    return go


@recipe(GO_SOURCE)
def go(layout: Path) -> None:
    """FROM scratch: one static program and two files."""
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        program = Path(folder, "goserver")
        settings = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false -trimpath", "GOCACHE": str(cache("go-build"))}
        run(go_tool(), "build", "-ldflags=-s -w", "-o", program, ".", cwd=GO_SOURCE, env=os.environ | settings)
        layer = Layer().dirs("app", "etc").copy("app/goserver", program).file("etc/motd", "made for Go\n")
    oci_layout.write(layout, Image([layer.tar()], {"Entrypoint": ["/app/goserver"], "WorkingDir": "/app"}))


@recipe(MUSL_SOURCE, MUSL_LOADER)
def musl(layout: Path) -> None:
    """A dynamic program with musl as the image's own C library and loader."""
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        program = Path(folder, "program")
        run(tool("musl-gcc", "musl-tools"), "-O2", "-Wall", "-o", program, MUSL_SOURCE)
        layer = Layer().dirs("lib", "etc", "bin", "srv")
        layer.copy("lib/ld-musl-x86_64.so.1", MUSL_LOADER).symlink("lib/libc.so", "ld-musl-x86_64.so.1")
        layer.copy("bin/program", program).file("etc/motd", "made for musl\n").symlink("etc/link", "../etc/motd")
    oci_layout.write(layout, Image([layer.tar()], {"Cmd": ["/bin/program"], "Env": [PATH_ENV], "WorkingDir": "/srv"}))


def _recompressed(layout: Path, name: str) -> None:
    # oci: to oci:, since a push that compresses may silently reuse a gzip blob which the registry has already.
    options = ("--quiet", "--dest-compress-format", "zstd", "--dest-oci-accept-uncompressed-layers=false")
    run(tool("skopeo"), "copy", *options, f"oci:{image(name)}:latest", f"oci:{layout}:latest")
    for layer in oci_layout.read_json(layout, oci_layout.top(layout)["digest"])["layers"]:
        if not layer["mediaType"].endswith("+zstd"):
            raise RuntimeError(f"skopeo left {layer['mediaType']} where zstd was asked for")


@recipe("busybox")
def busybox_zstd(layout: Path) -> None:
    _recompressed(layout, "busybox")


@recipe("debian")
def debian_zstd(layout: Path) -> None:
    _recompressed(layout, "debian")


# ---- images that try one thing each --------------------------------------------------------------------------------------------------


@recipe(BUSYBOX)
def plain_layer(layout: Path) -> None:
    """A layer that is not compressed at all."""
    oci_layout.write(layout, Image([busybox_layer().tar()], {"Env": [PATH_ENV], "Cmd": ["/bin/sh"]}, compress=False))


@recipe(BUSYBOX)
def configured(layout: Path) -> None:
    """Everything that an image configuration says about how to start: entrypoint, command, variables, user, working directory."""
    layer = Layer().dirs("data").dir("data/work", 0o755, 1000, 1000).dirs("home").dir("home/worker", 0o755, 1000, 1000)
    config = {
        "Entrypoint": [
            "/bin/sh",
            "-c",
            'echo "args:$*"; id; pwd; echo "G=$GREETING E=$EMPTY P=$PATH H=$HOME"; touch made && ls -ln made',
            "arg0",
        ],
        "Cmd": ["default one", "two"],
        "Env": [PATH_ENV, "GREETING=good day = fine", "EMPTY="],
        "User": "worker",
        "WorkingDir": "/data/work",
    }
    oci_layout.write(layout, Image([busybox_layer().tar(), layer.tar()], config))


@recipe(BUSYBOX)
def layered(layout: Path) -> None:
    """Five layers: whiteouts, an opaque folder, replaced kinds, hard links, odd modes and names, links that point out of the image."""
    one = Layer().dirs("w", "w/gone", "w/opaque", "w/opaque/deep", "w/becomes-file", "w/keep")
    for name in ("w/a", "w/b", "w/gone/x", "w/opaque/old", "w/opaque/deep/old", "w/becomes-dir", "w/becomes-file/in", "w/keep/kept"):
        one.file(name, f"one {name}\n")
    two = Layer().whiteout("w/a").whiteout("w/gone").dirs("w/opaque").opaque("w/opaque").file("w/opaque/new", "two\n")
    three = Layer().dirs("w/becomes-dir").file("w/becomes-dir/in", "three\n").file("w/becomes-file", "three\n").file("w/b", "three\n")
    three.hardlink("w/b-hard", "w/b").hardlink("w/kept-hard", "w/keep/kept").file("w/a", "back again\n")
    four = Layer().symlink("w/absolute", "/etc/passwd").symlink("w/up", "../../../../etc/group").symlink("w/dangling", "/no/where")
    four.file("w/run", "#!/bin/sh\necho ran $0 $1\n", 0o755).file("w/secret", "s\n", 0o600).dir("w/sticky", 0o1777).file(
        "w/read-only", "r\n", 0o444
    )
    four.dirs("w/closed").file("w/closed/in", "in\n").dir("w/closed", 0o555)
    long = "n" * 200
    five = (
        Layer()
        .dirs(f"w/{long}")
        .file(f"w/{long}/{long}", "long\n")
        .file("w/\u00fcml\u00e4ut \u20ac", "utf-8\n")
        .file("w/with\nnewline", "nl\n")
    )
    tars = [busybox_layer().tar(), *(layer.tar() for layer in (one, two, three, four, five))]
    oci_layout.write(layout, Image(tars, {"Env": [PATH_ENV], "Cmd": ["/bin/sh"]}))


@recipe(BUSYBOX)
def wrong_architecture(layout: Path) -> None:
    oci_layout.write(layout, Image([busybox_layer().tar()], {"Cmd": ["/bin/sh"]}, architecture="s390x"))


@recipe(BUSYBOX)
def wrong_index(layout: Path) -> None:
    """An index over several platforms, this one not among them."""
    tar = Layer().file("motd", "not for you\n").tar()
    oci_layout.write(layout, *(Image([tar], {"Cmd": ["/motd"]}, name) for name in ("s390x", "ppc64le", "riscv64")))


@recipe(BUSYBOX)
def index(layout: Path) -> None:
    """An index over several platforms; only the layer of this one holds a shell."""
    foreign = Layer().file("motd", "foreign\n").tar()
    own = [busybox_layer().tar()]
    config = {"Env": [PATH_ENV], "Cmd": ["/bin/sh"]}
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    others = [Image([foreign], {"Cmd": ["/motd"]}, name) for name in ("amd64", "arm64", "s390x") if name != machine]
    oci_layout.write(layout, *others, Image(own, config, machine))


@recipe(BUSYBOX)
def missing_entrypoint(layout: Path) -> None:
    oci_layout.write(layout, Image([busybox_layer().tar()], {"Env": [PATH_ENV], "Entrypoint": ["/opt/absent/program"]}))


@recipe(BUSYBOX)
def unusable_entrypoint(layout: Path) -> None:
    """The entrypoint is there, but nothing that can be executed."""
    layer = Layer().file("not-a-program", b"\x7fELF" + bytes(60), 0o755)
    oci_layout.write(layout, Image([busybox_layer().tar(), layer.tar()], {"Env": [PATH_ENV], "Entrypoint": ["/not-a-program"]}))


@recipe(BUSYBOX)
def no_command(layout: Path) -> None:
    """Neither entrypoint nor command."""
    oci_layout.write(layout, Image([busybox_layer().tar()], {"Env": [PATH_ENV]}))


@recipe(BUSYBOX)
def big(layout: Path) -> None:
    """64 MiB on disk that compress to little: quick to pull, too big for a small /tmp."""
    layer = Layer()
    for n in range(8):
        layer.file(f"zeros-{n}", bytes(8 << 20))
    oci_layout.write(layout, Image([busybox_layer().tar(), layer.tar()], {"Env": [PATH_ENV], "Cmd": ["/bin/sh"]}))


# ---- what tests do with them ---------------------------------------------------------------------------------------------------------


@contextmanager
def real_rootfs(name: str) -> Iterator[Path]:
    """The image unpacked as root by umoci, to be compared with."""
    if os.getuid() != 0:
        raise Missing("a real rootfs to compare with is unpacked and entered as root")
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        run(tool("umoci"), "unpack", "--image", f"{image(name)}:latest", f"{folder}/bundle")
        yield Path(folder, "bundle", "rootfs")


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        print(image(wanted))
