#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Boots Debian's arm64 kernel in an emulated machine and runs our programs for aarch64 there.

The conformance cases run natively and through the rewrite engine, with and without the jail, and are compared as in
tests/engine/conformance.py; then `scar local run` starts images whose programs are static (Go), dynamic (Python) and busybox.
The last line is "N passed, N failed, N skipped".
"""

import gzip
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.engine import conformance
from tests.support import oci_layout
from tests.support.oci_layout import Image, Layer
from tests.support.places import ROOT, cache

BUILD = ROOT / "build/aarch64"
CROSS = "aarch64-linux-gnu-"
CROSS_LIBRARIES = Path("/usr/aarch64-linux-gnu/lib")
KERNEL = "linux-image-cloud-arm64"
PYTHON = ("libc6", "libexpat1", "zlib1g", "libssl3", "libbz2-1.0", "liblzma5", "libffi8", "libpython3.11-minimal", "libpython3.11-stdlib", "python3.11-minimal")
SECONDS = 1500
# Under emulation a second of work takes ten.
MACHINE = ("-M", "virt", "-cpu", "cortex-a72", "-m", "3072", "-smp", "2", "-nographic", "-nic", "none", "-no-reboot")



def shell(*command: str | Path, **options) -> subprocess.CompletedProcess:
    """Runs a tool; its own words are in the error if it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False, **options)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.decode(errors='replace')[-2000:]}")
    return done


def package(name: str) -> Path:
    """A Debian package for arm64, kept in the cache."""
    folder = cache() / "debian-arm64"
    folder.mkdir(parents=True, exist_ok=True)
    listed = shell("apt-get", "--print-uris", "-qq", "download", f"{name}:arm64", cwd="/").stdout.decode().split()
    path = folder / listed[1]
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=folder) as fresh:
            shell("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", f"{name}:arm64", cwd=fresh)
            os.replace(next(Path(fresh).glob("*.deb")), path)
    return path


def contents(name: str) -> bytes:
    """The tar archive of a package's files."""
    return shell("dpkg-deb", "--fsys-tarfile", package(name)).stdout


def kernel() -> Path:
    """The newest arm64 kernel of this release, unpacked."""
    shown = shell("apt-cache", "depends", f"{KERNEL}:arm64").stdout.decode()
    real = re.search(r"Depends: (linux-image-\S+-cloud-arm64)", shown)
    if not real:
        raise RuntimeError(f"{KERNEL} names no kernel")
    deb = package(real[1])
    image = cache() / "debian-arm64" / f"{deb.stem}.vmlinuz"
    if not image.exists():
        with tempfile.TemporaryDirectory(dir=image.parent) as work:
            shell("dpkg-deb", "-x", deb, work)
            os.replace(next(Path(work).glob("boot/vmlinuz-*")), image)
    return image


def busybox(work: Path) -> Path:
    """A static busybox."""
    shell("dpkg-deb", "-x", package("busybox-static"), work / "busybox")
    return work / "busybox/bin/busybox"


def cases(work: Path) -> dict[str, Path]:
    """The conformance cases for both C libraries."""
    sources = sorted(str(p) for p in conformance.CASES.glob("*.c"))
    flags = ["-std=gnu17", "-O1", "-w", "-mno-outline-atomics"]
    headers = BUILD / "third-party/kernel-headers/include"
    specs = "/usr/lib/aarch64-linux-musl/musl-gcc.specs"
    shell(f"{CROSS}gcc", *flags, "-o", work / "conform-glibc", *sources, "-lpthread")
    shell(f"{CROSS}gcc", "-specs", specs, "-static", "-isystem", headers, *flags, "-o", work / "conform-musl", *sources)
    return {name: work / f"conform-{name}" for name in ("glibc", "musl")}


def make_guest(path: Path, tool: Path, programs: dict[str, Path]) -> None:
    """What the cases run in, as conformance.make_rootfs does it for this machine's own architecture."""
    for name in ("bin", "lib/aarch64-linux-gnu", "usr/bin", "etc", "proc", "sys", "dev", "tmp"):
        (path / name).mkdir(parents=True)
    shutil.copy2(tool, path / "bin/busybox")
    for applet in conformance.APPLETS:
        (path / "bin" / applet).symlink_to("busybox")
    for library in ("ld-linux-aarch64.so.1", "libc.so.6", "libgcc_s.so.1"):
        shutil.copy2(CROSS_LIBRARIES / library, path / "lib/aarch64-linux-gnu")
    (path / "lib/ld-linux-aarch64.so.1").symlink_to("aarch64-linux-gnu/ld-linux-aarch64.so.1")
    for program in programs.values():
        shutil.copy2(program, path / "bin" / program.name)


def make_image(path: Path, tool: Path, work: Path) -> None:
    """An image whose layers are Debian's packages as they are, below one with busybox and a static Go program."""
    environ = os.environ | {"GOARCH": "arm64", "GOOS": "linux", "CGO_ENABLED": "0"}
    shell("go", "build", "-trimpath", "-o", work / "gotest", ".", cwd=ROOT / "tests/support/go", env=environ)
    own = Layer().dirs("bin", "tmp", "proc", "dev", "sys", "etc").copy("bin/busybox", tool).copy("bin/gotest", work / "gotest")
    own.file("etc/motd", "hello from the image\n").dir("app").file("app/a", "a")
    for applet in (*conformance.APPLETS, "uname"):
        own.symlink(f"bin/{applet}", "busybox")
    config = {"Env": ["PATH=/usr/bin:/bin"], "Cmd": ["/bin/sh"]}
    layers = [*(contents(name) for name in PYTHON), own.tar()]
    oci_layout.write(path, Image(layers, config, architecture="arm64"))


def cpio(tree: Path) -> bytes:
    """The tree as an initramfs archive (format newc), all owned by root."""
    out = bytearray()

    def add(name: str, mode: int, data: bytes, number: int) -> None:
        head = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        out.extend(b"070701" + b"".join(b"%08x" % word for word in head) + name.encode() + b"\0")
        out.extend(bytes(-len(out) % 4) + data)
        out.extend(bytes(-len(out) % 4))

    for number, path in enumerate(sorted(tree.rglob("*")), 1):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            data = os.readlink(path).encode()
        else:
            data = path.read_bytes() if stat.S_ISREG(mode) else b""
        add(str(path.relative_to(tree)), mode, data, number)
    add("TRAILER!!!", 0, b"", 0)
    return bytes(out)


def boot(work: Path) -> str:
    """Everything that the machine wrote on its console."""
    tree = work / "tree"
    for name in ("bin", "proc", "sys", "dev", "tmp"):
        (tree / name).mkdir(parents=True)
    tool = busybox(work)
    make_guest(tree / "guest", tool, cases(work))
    make_image(tree / "image", tool, work)
    shutil.copy2(tool, tree / "bin/busybox")
    for program in ("bootstrap", "scar", "engine-run", "engine-jail"):
        shutil.copy2(BUILD / program, tree / "bin")
    shutil.copy2(Path(__file__).parent / "init.sh", tree / "init")
    (tree / "init").chmod(0o755)
    (tree / conformance.CANARY.name).touch()
    archive = work / "initramfs"
    archive.write_bytes(gzip.compress(cpio(tree), 1))
    command = ["qemu-system-aarch64", *MACHINE, "-kernel", str(kernel()), "-initrd", str(archive), "-append", "console=ttyAMA0 quiet loglevel=1 panic=-1"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS, check=False)
        output = done.stdout
    except subprocess.TimeoutExpired as late:
        output = late.output or b""
    return output.decode(errors="replace").replace("\r", "")


def parts(output: str) -> dict[str, str]:
    """Output by part."""
    found = re.split(r"^@@ (\S+)\n", output, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2]))


def check_runs(found: dict[str, str]) -> dict[str, int]:
    """The programs in images."""
    counts = {"passed": 0, "failed": 0}
    wanted = {
        "run-shell": r"0\naarch64\napp\nbin\n(.*\n)*1\n2\n3\nstatus 7\n",
        "run-go": r"(.*\n)+status 0\n",
        "run-python": r'\{"exe": "/usr/bin/python3.11", "cwd": "/", "uid": 0\}\nfrom a child\n1 True b.\\x7fELF.\nstatus 0\n',
    }
    for name, pattern in wanted.items():
        if re.match(pattern, found.get(name, "")):
            counts["passed"] += 1
        else:
            counts["failed"] += 1
            print(f"FAIL {name}:\n{found.get(name, '(it did not run)')[:3000]}")
    return counts


def main() -> int:
    """See the module's text."""
    missing = shutil.which("qemu-system-aarch64") is None
    if missing:
        must = os.environ.get("SCAR_MUST_WORK") == "1"
        print("SKIP aarch64: qemu-system-aarch64 is not installed (make setup)")
        print("0 passed, 1 failed, 0 skipped" if must else "0 passed, 0 failed, 1 skipped")
        return int(must)
    with tempfile.TemporaryDirectory(prefix="scar-aarch64-", dir="/dev/shm") as name:
        output = boot(Path(name))
    (ROOT / "build/test-logs").mkdir(parents=True, exist_ok=True)
    (ROOT / "build/test-logs/aarch64-console").write_text(output)
    found = parts(output)
    total = check_runs(found)
    gaps, still_open = conformance.read_gaps(), {}
    total["gaps"] = 0
    for libc in ("glibc", "musl"):
        native = conformance.split(found.get(f"native-{libc}", ""))
        if len(native) < 2:
            total["failed"] += 1
            print(f"FAIL the native run of {libc} gave nothing")
        for setting in ("rewrite", "rewrite+jail"):
            engine = conformance.split(found.get(f"{setting}-{libc}", ""))
            for key, value in conformance.compare(f"{setting}+aarch64", libc, native, engine, False, gaps, still_open).items():
                total[key] += value
    for gap in (gap for gap, is_open in still_open.items() if gap.startswith("aarch64:") and not is_open):
        total["failed"] += 1
        print(f"FAIL {gap} passes now: take it out of {conformance.GAPS.name}")
    if "end" not in found:
        total["failed"] += 1
        print(f"FAIL the machine did not come to its end; its last words: {output[-1000:]}")
    print("{gaps} known gaps (tests/engine/known_gaps.txt)".format(**total))
    print("{passed} passed, {failed} failed, 0 skipped".format(**total))
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
