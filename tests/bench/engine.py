#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Times work in a Debian guest: in a real chroot, through our engines, and through other ways to run a rootfs without privileges.

All engines take turns on the same files, round after round, on one processor, so that whatever disturbs the machine disturbs all. A ratio
is the median over the rounds of an engine's time to that of the chroot in the same round. Only rewrite runs in the jail, whose filter makes
the kernel's own part of each system call slower; native-jail is a real chroot under that same filter, and the column rewrite/native-jail is
what the engine itself costs. Prints a table and writes build/bench/engine.json (an array of {"work","engine","median_s","ratio","runs"}) and
build/bench/engine.svg.

With FIRST=1 all that is measured goes before other programs (real-time priority), so that those do not count.

    python3 -m tests.bench.engine [--rounds N] [--work NAME]... [--engine NAME]...
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench import plot
from tests.support.places import ROOT, cache, scratch

PACKAGES = "python3,gcc,libc6-dev,git,ca-certificates,redis-server,redis-tools,ffmpeg,tar,findutils"
CALLS = 20_000
PATH = "/usr/lib/python3/dist-packages"
ENGINES = ("native", "native-jail", "rewrite", "ptrace", "proot", "fakechroot", "bwrap", "udocker-P1", "udocker-F1")
# Shown as root in the guest, files of root are root's. Under the jail's filter all is Lambda's user, and as git notes owners in its index
# these two cannot share a tree, for only one of them is shown as root.
OWN_TREE = ("native-jail", "rewrite")
# A call costs these so much that a share of them has to do.
TRACED = ("ptrace", "proot", "udocker-P1")
# Of a work that takes a chroot three seconds at most.
WORK_SECONDS = 120
TRACED_SHARE = 20
LAMBDA = "993:993"
OUT = ROOT / "build/bench"
UDOCKER_VERSION = "udocker==1.3.17"
UDOCKER = cache("venv") / UDOCKER_VERSION / "bin/udocker"
NATIVE = 'mount --make-rprivate / && for m in proc sys dev; do mount --rbind /$m "$1/$m"; done && exec chroot "$@"'
# udocker tells PRoot which kernel to feign (-k); under Debian's PRoot 5.1.0 no dynamic program starts then.
PROOT_WITHOUT_K = """#!/bin/bash
for ((i = 1; i < $#; i++)); do
    [ "${!i}" = -k ] && exec /usr/bin/proot "${@:1:i-1}" "${@:i+2}"
done
exec /usr/bin/proot "$@"
"""
REDIS = (
    "redis-server --port 0 --unixsocket /tmp/bench.sock --save '' --daemonize no >/dev/null & s=$!; "
    "until redis-cli -s /tmp/bench.sock ping 2>/dev/null | grep -q PONG; do :; done; "
    "redis-benchmark -s /tmp/bench.sock -n 30000 -c 20 -q -t get,set; redis-cli -s /tmp/bench.sock shutdown nosave; wait $s"
)
# What the issue of the engine's speed asks for: at most this ratio for rewrite.
WORKS: dict[str, tuple[float, list[str]]] = {
    "getpid": (1.05, ["calls", "getpid", str(5 * CALLS)]),
    "getpid by syscall(3)": (1.05, ["calls", "syscall", str(5 * CALLS)]),
    "read 1 byte": (1.05, ["calls", "read", str(CALLS)]),
    "stat": (1.5, ["calls", "stat", str(CALLS), "/usr/share/doc/tar"]),
    "open+close": (1.5, ["calls", "open", str(CALLS), "/usr/share/doc/tar"]),
    "access": (1.5, ["calls", "access", str(CALLS), "/usr/share/doc/tar"]),
    "stat of a missing name": (1.5, ["calls", "missing", str(CALLS), "/usr/share/doc/none"]),
    "find /usr -type f": (1.1, ["run", "find", "/usr", "-type", "f"]),
    "du -s /usr": (1.1, ["run", "du", "-s", "/usr"]),
    "500 x /bin/true": (1.35, ["run", "sh", "-c", "i=0; while [ $i -lt 500 ]; do /bin/true; i=$((i+1)); done"]),
    "python3 start": (1.1, ["run", "python3", "-c", "import json, ssl, http.client, email"]),
    "gcc -O1": (1.1, ["run", "gcc", "-O1", "-c", "-o", "/tmp/bench.o", "/bench/timer.c"]),
    "git status": (1.15, ["run", "git", "-C", "/bench/tree", "status", "--porcelain"]),
    "tar c /usr": (1.1, ["run", "sh", "-c", "tar c /usr | cat > /dev/null"]),
    "redis-benchmark": (1.03, ["run", "sh", "-c", REDIS]),
    "ffmpeg": (1.03, ["run", "ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc=d=2:s=320x240", "-f", "matroska", "-y", "/tmp/bench.mkv"]),
}


class NotMeasured(Exception):
    """Why an engine is missing from the table."""


def base_rootfs() -> Path:
    """A tar of the guest, made once."""
    key = hashlib.sha256(f"{PACKAGES} 2".encode()).hexdigest()[:12]
    tar = cache("bench") / f"rootfs-{key}.tar"
    if tar.exists():
        return tar
    print("bench: making the guest (once)", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        root = Path(folder, "root")
        Path(folder).chmod(0o755)
        options = ["--quiet", "--variant=minbase", f"--include={PACKAGES}"]
        subprocess.run(["mmdebstrap", *options, "bookworm", root], check=True, env=os.environ | {"TMPDIR": folder})
        bench = root / "bench"
        bench.mkdir()
        tree = bench / "tree"
        for i in range(2000):
            (tree / f"d{i % 40}").mkdir(parents=True, exist_ok=True)
            (tree / f"d{i % 40}" / f"f{i}").write_text(f"{i}\n")
        git = ["git", "-C", tree, "-c", "user.name=bench", "-c", "user.email=bench@example.org"]
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "tree"]):
            subprocess.run([*git, *words], check=True)
        (root / "root/.gitconfig").write_text("[safe]\n\tdirectory = *\n")
        subprocess.run(["tar", "-C", root, "--exclude=./dev/*", "-cf", f"{tar}.part", "."], check=True)
        os.replace(f"{tar}.part", tar)
    return tar


def unpack(root: Path, tar: Path, owner: str = "") -> None:
    """A tree of the guest, with the timer of this source tree in it."""
    root.mkdir()
    subprocess.run(["tar", "-C", root, "-xf", tar], check=True)
    add_timer(root)
    (root / "tmp").chmod(0o1777)
    if owner:
        subprocess.run(["chown", "-Rh", owner, root], check=True)


def add_timer(root: Path) -> None:
    """Built for this machine's C library, which is the guest's."""
    shutil.copy2(Path(__file__).parent / "timer.c", root / "bench")
    subprocess.run(["gcc", "-O2", "-o", root / "bench/timer", root / "bench/timer.c"], check=True)


class Engine:
    """One way to start a program in a rootfs."""

    def __init__(self, name: str, work: Path, tar: Path) -> None:
        self.name = name
        self.root = work / (f"{name}-root" if name in OWN_TREE else "root")
        self.state = work / f"{name}-state"
        self.environment = dict(os.environ)
        if name.startswith("udocker"):
            self.make_container(work, tar)
            return
        if not self.root.exists():
            unpack(self.root, tar, LAMBDA if name in OWN_TREE else "")
        self.state.mkdir(mode=0o700)
        if name == "native-jail":
            shutil.copy2(ROOT / "build/engine-jail", self.root / "bench")
        if name == "rewrite":
            subprocess.run(["chown", LAMBDA, self.state], check=True)

    def make_container(self, work: Path, tar: Path) -> None:
        """
        A container of udocker's own. Its bundle of a PRoot and of fakechroots for many guests is not at any package registry: it drives
        Debian's, as its settings permit.
        """
        self.state = work / "udocker"
        library = Path("/usr/lib") / f"{os.uname().machine}-linux-gnu" / "fakechroot/libfakechroot.so"
        proot = work / "proot-for-udocker"
        proot.write_text(PROOT_WITHOUT_K)
        proot.chmod(0o755)
        self.environment |= {
            "UDOCKER_TARBALL": "",
            "UDOCKER_USE_PROOT_EXECUTABLE": str(proot),
            "UDOCKER_FAKECHROOT_SO": str(library),
            "UDOCKER_USE_PATCHELF_EXECUTABLE": shutil.which("patchelf") or "",
            "UDOCKER_DIR": str(self.state),
            "UDOCKER_LOGLEVEL": "1",
            "UDOCKER_TMP": str(work),
            "HOME": str(work),
        }
        steps = [] if self.state.exists() else [["import", str(tar), "bench:latest"]]
        steps += [["create", f"--name={self.name}", "bench:latest"], ["setup", f"--execmode={self.name[-2:]}", self.name]]
        for step in steps:
            done = subprocess.run([UDOCKER, "--allow-root", *step], env=self.environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise NotMeasured(f"udocker {step[0]}: {(done.stderr + done.stdout).strip()[-200:]}")
        self.root = self.state / "containers" / self.name / "ROOT"
        add_timer(self.root)

    def command(self, program: list[str]) -> list[str]:
        """Its command line for one of the guest's."""
        inside = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C"]
        match self.name:
            case "native":
                return ["unshare", "--mount", "sh", "-c", NATIVE, "sh", str(self.root), *inside, *program]
            case "native-jail":
                return ["unshare", "--mount", "sh", "-c", NATIVE, "sh", str(self.root), *inside, "/bench/engine-jail", *program]
            case "rewrite":
                return [str(ROOT / "build/engine-jail"), str(ROOT / "build/engine-run"), "rewrite", str(self.root), str(self.state), *program]
            case "ptrace":
                return [str(ROOT / "build/engine-run"), "ptrace", str(self.root), str(self.state), *program]
            case "proot":
                return ["proot", "-S", str(self.root), *inside, *program]
            case "fakechroot":
                return ["fakechroot", "chroot", str(self.root), *program]
            case "bwrap":
                return ["bwrap", "--bind", str(self.root), "/", "--proc", "/proc", "--dev", "/dev", *inside, *program]
            case _:
                return [str(UDOCKER), "--allow-root", "-q", "run", "--nobanner", "--env=LC_ALL=C", "--env=HOME=/root", self.name, *program]

    def seconds(self, work: list[str]) -> float | None:
        """What the timer in the guest measured, or None if the engine cannot do the work."""
        share = TRACED_SHARE if work[0] == "calls" and self.name in TRACED else 1
        if share > 1:
            work = [*work[:2], str(int(work[2]) // share), *work[3:]]
        label = f"bench: {self.name}: {' '.join(work)[:60]}"
        try:
            done = subprocess.Popen(
                self.command(["/bench/timer", *work]),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=self.environment,
                start_new_session=True,
            )
        except FileNotFoundError as why:
            print(f"{label}: {why}", file=sys.stderr)
            return None
        try:
            stdout, stderr = done.communicate(timeout=WORK_SECONDS)
        except subprocess.TimeoutExpired:
            # With all that it has started: it would go on, before other programs.
            os.killpg(done.pid, signal.SIGKILL)
            done.communicate()
            print(f"{label}: no end after {WORK_SECONDS} s", file=sys.stderr)
            return None
        match = re.fullmatch(r"(\d+\.\d+)\n", stdout)
        if done.returncode or not match:
            print(f"{label}: {(stderr or stdout).strip()[-200:]}", file=sys.stderr)
            return None
        return float(match[1]) * share

    def private_kib(self) -> int | None:
        """Memory of a sleeping program that it shares with nobody."""
        marker = "86399.5"
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        running = subprocess.Popen(self.command(["sleep", marker]), env=self.environment, start_new_session=True, **quiet)
        try:
            for _ in range(200):
                for folder in Path("/proc").glob("[0-9]*"):
                    try:
                        words = (folder / "cmdline").read_bytes().split(b"\0")
                        if words[0].endswith(b"sleep") and words[1:2] == [marker.encode()] and (folder / "wchan").read_text():
                            text = (folder / "smaps_rollup").read_text()
                            os.kill(int(folder.name), 9)
                            return sum(int(kib) for kib in re.findall(r"^Private_\w+:\s+(\d+)", text, re.MULTILINE))
                    except OSError:
                        continue
                try:
                    running.wait(0.05)
                    return None
                except subprocess.TimeoutExpired:
                    pass
            return None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()


def engines(names: list[str], work: Path) -> Iterator[Engine]:
    """Those that are installed and can run a program."""
    tar = base_rootfs()
    for name in names:
        try:
            if name in ("proot", "fakechroot", "bwrap") and not shutil.which(name):
                raise NotMeasured("not installed")
            if name.startswith("udocker") and not UDOCKER.exists():
                install_udocker()
            engine = Engine(name, work, tar)
            # Once to warm up: the rewrite engine fills its cache of patched text, the kernel its page cache.
            if engine.seconds(["run", "true"]) is None:
                raise NotMeasured("cannot run /bin/true, see above")
            yield engine
        except NotMeasured as why:
            print(f"bench: NOT MEASURED: {name}: {why}", file=sys.stderr)


def install_udocker() -> None:
    """From the registry of Python packages, beside the other tools that tests use."""
    folder = UDOCKER.parents[1]
    for words in ([sys.executable, "-m", "venv", str(folder)], [str(folder / "bin/pip"), "install", "-q", UDOCKER_VERSION]):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            raise NotMeasured(f"{UDOCKER_VERSION} cannot be installed: {done.stderr.strip()[-200:]}")


def measure(all_engines: list[Engine], works: list[str], rounds: int) -> list[dict]:
    """Engines take turns within each round. Works that are not measured now stay in the file as they were."""
    path = OUT / "engine.json"
    rows = [row for row in json.loads(path.read_text()) if row["work"] in WORKS and row["work"] not in works] if path.exists() else []
    for work in works:
        times: dict[str, dict[int, float]] = {engine.name: {} for engine in all_engines}
        able = [engine for engine in all_engines if engine.seconds(WORKS[work][1]) is not None]
        for number in range(rounds):
            for engine in able[number % len(able) :] + able[: number % len(able)] if able else []:
                seconds = engine.seconds(WORKS[work][1])
                if seconds is not None:
                    times[engine.name][number] = seconds
        native = times.get("native", {})
        for name, found in times.items():
            if not found:
                continue
            # Only of one round: what ran minutes apart cannot be compared.
            pairs = [seconds / native[number] for number, seconds in found.items() if number in native]
            ratio = round(statistics.median(pairs), 3) if pairs else None
            rows.append({"work": work, "engine": name, "median_s": statistics.median(found.values()), "ratio": ratio, "runs": len(found)})
        pairs = [seconds / times["native-jail"][number] for number, seconds in times.get("rewrite", {}).items() if number in times.get("native-jail", {})]
        OUT.mkdir(parents=True, exist_ok=True)
        rows.sort(key=lambda row: list(WORKS).index(row["work"]))
        path.write_text(json.dumps(rows, indent=1) + "\n")
        print_row(work, [row for row in rows if row["work"] == work], statistics.median(pairs) if pairs else None)
    return rows


def print_row(work: str, rows: list[dict], same_filter: float | None) -> None:
    """One line of the table."""
    cells = {row["engine"]: row for row in rows}
    text = "".join(f"{cells[name]['ratio'] or 0:>12.2f}" if name in cells else f"{'-':>12}" for name in ENGINES)
    bar = WORKS[work][0]
    ratio = cells.get("rewrite", {}).get("ratio")
    verdict = "" if not ratio else " met" if ratio <= bar else " MISSED"
    verdict += f", {same_filter:.2f} under the same filter" if same_filter else ""
    print(f"{work:<24}{text}   {bar:.2f}{verdict}", flush=True)


def main() -> int:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--work", action="append", choices=WORKS)
    parser.add_argument("--engine", action="append", choices=ENGINES)
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("bench: the chroot to compare with needs root", file=sys.stderr)
        return 1
    # One processor for all: moving between two is the greatest noise there is.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if os.environ.get("FIRST"):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))
    with tempfile.TemporaryDirectory(prefix="scar-engine-bench-", dir=scratch()) as folder:
        Path(folder).chmod(0o755)
        able = list(engines(options.engine or list(ENGINES), Path(folder)))
        print(f"{'ratio to a chroot':<24}" + "".join(f"{name:>12}" for name in ENGINES) + "   bar")
        rows = measure(able, options.work or list(WORKS), options.rounds)
        memory = {engine.name: engine.private_kib() for engine in able}
        print(f"{'private KiB of sleep':<24}" + "".join(f"{memory.get(name) or '-':>12}" for name in ENGINES) + "   native + 300")
    plot.bars(OUT / "engine.svg", "Time of work in a Debian guest, as a multiple of a real chroot's", rows, [name for name in ENGINES if name != "native"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
