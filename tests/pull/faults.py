# SPDX-License-Identifier: Apache-2.0
"""Pulls that go wrong: the puller is killed, the connection breaks, the disk is full, each at a random point.

After every one: what is in the store's rootfs/ is complete and right to the last byte, and the next pull works and leaves nothing in tmp/.
`make test-faults` runs 200 + 200 + 50, `make test` a few. --seed repeats a run.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support import images, oci_layout
from tests.support.faulty_registry import Answer, FaultyRegistry
from tests.support.places import ROOT, scratch, tool
from tests.support.registry import Registry

PULL_RUN = ROOT / "build/pull-run"
NO_SPACE = "[no-space]"
WINDOW_LOG_MAX = 25  # SCAR_LIMIT_ZSTD_WINDOW_LOG


def make_image(folder: Path) -> Path:
    """Four layers: many small files, some large ones, a change of both, and one that removes."""
    rng = random.Random(4)
    small, large, change, last = (oci_layout.Layer() for _ in range(4))
    for n in range(40):
        small.dir(f"d{n}")
        for m in range(20):
            small.file(f"d{n}/f{m}", rng.randbytes(rng.randrange(6000)), mode=rng.choice([0o644, 0o600, 0o755]))
    large.dir("big")
    for n in range(4):
        large.file(f"big/{n}", rng.randbytes(1 << 20))
    large.hardlink("big/same", "big/0").symlink("big/link", "/d0/f0")
    for n in range(20):
        change.file(f"d{n}/f0", rng.randbytes(3000)).whiteout(f"d{n}/f1")
    last.opaque("d39").whiteout("big/3")
    layout = folder / "layout"
    oci_layout.write(layout, oci_layout.Image([layer.tar() for layer in (small, large, change, last)]))
    return layout


def fingerprint(tree: Path) -> str:
    """Of every name, its type, mode, size, time, link text and content."""
    digest = hashlib.sha256()
    for root, folders, files in os.walk(tree):
        folders.sort()
        for name in [".", *sorted(files), *(f for f in folders if Path(root, f).is_symlink())]:
            path = Path(root, name)
            info = path.lstat()
            size, time_ns = (0, 0) if path == tree else (0 if stat.S_ISDIR(info.st_mode) else info.st_size, info.st_mtime_ns)
            digest.update(f"{path.relative_to(tree)} {info.st_mode:o} {size} {time_ns}".encode())
            if path.is_symlink():
                digest.update(os.readlink(path).encode())
            elif path.is_file():
                digest.update(path.read_bytes())
    return digest.hexdigest()


def make_large_windows(folder: Path, log: int) -> Path:
    """Three zstd layers whose frames need windows of 2^log bytes, and have that much in them."""
    layout = folder / f"windows{log}"
    tars = [oci_layout.Layer().file(f"noise{n}", random.Random(n).randbytes(40 << 20)).tar() for n in range(3)]
    oci_layout.write(layout, oci_layout.Image(tars, compress=False))
    # skopeo's own zstd has no such windows: the layers change here, and what names them.
    manifest = oci_layout.read_json(layout, oci_layout.top(layout)["digest"])
    for layer in manifest["layers"]:
        plain = (layout / "blobs" / layer["digest"].replace(":", "/")).read_bytes()
        packed = subprocess.run([tool("zstd"), "-q", "-1", f"--long={log}", "-c"], input=plain, capture_output=True, check=True).stdout
        layer |= oci_layout.put(layout, packed, "application/vnd.oci.image.layer.v1.tar+zstd")
    top = oci_layout.put_json(layout, manifest, oci_layout.MANIFEST) | {"annotations": {"org.opencontainers.image.ref.name": "latest"}}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "mediaType": oci_layout.INDEX, "manifests": [top]}))
    return layout


class Run:
    def __init__(self, folder: Path, reference: str, rng: random.Random) -> None:
        self.folder, self.reference, self.rng = folder, reference, rng
        self.right, self.need = "", 0
        self.outcomes: dict[str, int] = {}

    def pull(self, store: Path, reference: str = "") -> subprocess.CompletedProcess:
        return subprocess.run([str(PULL_RUN), str(store), reference or self.reference], capture_output=True, text=True, timeout=120, check=False)

    def check(self, store: Path, where: str, must_be_there: bool = False) -> None:
        entries = list((store / "rootfs").iterdir()) if (store / "rootfs").is_dir() else []
        for entry in entries:
            found = fingerprint(entry / "fs")
            assert found == self.right, f"{where}: {entry} is not the image"
            assert sorted(child.name for child in entry.iterdir()) == ["baseline", "fs", "keep", "meta", "owners"], f"{where}: {entry}"
        if must_be_there:
            assert len(entries) == 1, f"{where}: no image after a pull that worked"
            left = list((store / "tmp").iterdir())
            assert not left, f"{where}: left behind: {left}"

    def good(self, store: Path, where: str) -> None:
        done = self.pull(store)
        assert done.returncode == 0, f"{where}: the next pull failed: {done.stderr}"
        self.check(store, where, must_be_there=True)

    def count(self, what: str) -> None:
        self.outcomes[what] = self.outcomes.get(what, 0) + 1

    def learn(self) -> float:
        """What the image looks like, and how long a pull takes."""
        store = self.folder / "first"
        start = time.monotonic()
        done = self.pull(store)
        assert done.returncode == 0, done.stderr
        seconds = time.monotonic() - start
        (entry,) = (store / "rootfs").iterdir()
        self.right = fingerprint(entry / "fs")
        # Each file takes whole pages; the list of files comes on top, so this is less than what is needed.
        self.need = sum((path.lstat().st_size + 4095) // 4096 * 4096 for path in entry.rglob("*") if path.is_file() and not path.is_symlink())
        subprocess.run(["rm", "-rf", str(store)], check=True)
        return seconds

    def killed(self, number: int, seconds: float) -> None:
        store = self.folder / f"kill{number}"
        # Several in a row sometimes, since the second begins in what the first left.
        for _ in range(self.rng.choice([1, 1, 2, 3])):
            process = subprocess.Popen([str(PULL_RUN), str(store), self.reference], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(self.rng.random() * seconds * 1.1)
            process.send_signal(signal.SIGKILL)
            self.count("killed" if process.wait() == -signal.SIGKILL else "had ended before the kill")
            self.check(store, f"kill {number}")
        self.good(store, f"kill {number}")
        subprocess.run(["rm", "-rf", str(store)], check=True)

    def dropped(self, number: int, proxy: FaultyRegistry, registry: str) -> None:
        store = self.folder / f"drop{number}"

        def cut(answer: Answer) -> Answer:
            at = self.rng.randrange(len(answer.body) + 1)
            answer.declared, answer.body, answer.cut = len(answer.body), answer.body[:at], True
            return answer

        proxy.heal()
        proxy.fault(self.rng.choice(["/blobs/", "/blobs/", "/manifests/"]), cut, self.rng.choice([1, 2, 5, 30]))
        done = self.pull(store, self.reference.replace(registry, proxy.host))
        self.count("resumed" if done.returncode == 0 else "given up")
        assert done.returncode == 0 or "[network]" in done.stderr or "[protocol]" in done.stderr, f"drop {number}: {done.stderr}"
        self.check(store, f"drop {number}", must_be_there=done.returncode == 0)
        self.good(store, f"drop {number}")
        subprocess.run(["rm", "-rf", str(store)], check=True)

    def memory(self, log: int, registry: Registry) -> None:
        """Peak resident memory, and the error beyond the limit."""
        layout = make_large_windows(self.folder, log)
        done = self.pull(self.folder / "memory", registry.push(layout, f"faults/windows{log}"))
        subprocess.run(["rm", "-rf", str(layout), str(self.folder / "memory")], check=True)
        if log > WINDOW_LOG_MAX:
            assert "[unsupported]" in done.stderr and "window" in done.stderr, done.stderr
            self.count(f"2^{log}: refused")
            return
        assert done.returncode == 0, done.stderr
        peak = int(done.stdout.split("peak_kib ")[1].split()[0])
        assert peak <= 64 << 10, f"windows of 2^{log}: {peak} KiB of memory"
        self.count(f"2^{log}: {peak >> 10} MiB")

    def full(self, number: int, need: int) -> None:
        place = self.folder / f"full{number}"
        place.mkdir()
        size = self.rng.randrange(need // 3, need)
        images.run("mount", "-t", "tmpfs", "-o", f"size={size}", "none", place)
        try:
            done = self.pull(place / "store")
            assert done.returncode != 0, f"full {number}: an image of {need} bytes went into {size}"
            assert NO_SPACE in done.stderr and "EphemeralStorage" in done.stderr, f"full {number}: {done.stderr}"
            self.count("in the middle" if "No space left" in done.stderr else "before the pull")
            self.check(place / "store", f"full {number}")
            assert not any((place / "store/tmp").iterdir()), f"full {number}: something was left"
            images.run("mount", "-o", f"remount,size={need * 3}", place)
            self.good(place / "store", f"full {number}")
        finally:
            images.run("umount", place)
            place.rmdir()


@contextmanager
def scene(seed: int) -> Iterator[tuple[Run, Registry, float]]:
    with tempfile.TemporaryDirectory(prefix="scar-faults-", dir=scratch()) as folder, Registry() as registry:
        reference = registry.push(make_image(Path(folder)), "faults/image")
        run = Run(Path(folder), reference, random.Random(seed))
        yield run, registry, run.learn()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--drops", type=int, default=200)
    parser.add_argument("--disks", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    passed = failed = skipped = 0
    print(f"seed {options.seed}")
    with scene(options.seed) as (run, registry, seconds), FaultyRegistry(registry.host) as proxy:
        cases: list[tuple[str, int, Callable[[int], None]]] = [
            ("killed pulls", options.kills, lambda n: run.killed(n, seconds)),
            ("dropped connections", options.drops, lambda n: run.dropped(n, proxy, registry.host)),
            ("zstd windows", 5, lambda n: run.memory(22 + n, registry)),
            ("full disks", options.disks, lambda n: run.full(n, run.need)),
        ]
        for name, times, case in cases:
            if name == "full disks" and os.getuid() != 0:
                print(f"skipped: {name}: only root can make a small file system")
                skipped += times
                continue
            run.outcomes = {}
            for number in range(times):
                try:
                    case(number)
                    passed += 1
                except AssertionError as error:
                    failed += 1
                    print(f"FAILED {name}: {error}")
            print(f"{name}: {times}; {run.outcomes}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
