#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the conformance cases natively and through an engine, and compares case by case.

The native run, in a real chroot as root, is the truth. A case passes when the engine's output is the same
line for line; --verbose shows every difference, also of known gaps. Settings are named <engine>[+trap|+nofilter|+nopivot][+jail|+jail414], e.g. "rewrite+jail".
The last line is "N passed, N failed, N skipped".
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import fcntl
import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CASES = Path(__file__).parent / "cases"
CANARY = Path("/scar-canary-of-the-host")
CANARY_LOCK = Path("/tmp/scar-canary.lock")
APPLETS = ("sh", "ls", "id", "cat", "echo")
LIBRARIES = (
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib/x86_64-linux-gnu/libgcc_s.so.1",
)
SECONDS = 300

# What the rewrite engine does not do as a real chroot does, yet or by nature. Each is counted and named; one that passes in
# every setting of a run is a failure, so that the list only shrinks.
GAPS = Path(__file__).parent / "known_gaps.txt"
# What it does otherwise by design, case by case.
EXPECTED = Path(__file__).parent / "expected"


def read_gaps() -> dict[str, str]:
    """Lines "[LIBC|SETTING:]CASE reason"."""
    lines = (line.strip() for line in GAPS.read_text().splitlines())
    return dict(line.removeprefix("~").split(None, 1) for line in lines if line and not line.startswith("#"))


def unsteady_gaps() -> set[str]:
    """Those with "~" in front: the case passes at times."""
    return {line.split()[0].removeprefix("~") for line in GAPS.read_text().splitlines() if line.startswith("~")}


def build(work: Path) -> dict[str, Path]:
    """Compiles the cases against two C libraries, and those of Go."""
    sources = sorted(str(p) for p in CASES.glob("*.c"))
    flags = ["-std=gnu17", "-O1", "-w"]
    headers = ROOT / "build/third-party/kernel-headers/include"
    programs = {
        "glibc": ["gcc", *flags, "-o", str(work / "conform-glibc"), *sources, "-lpthread", "-lrt"],
        "musl": ["musl-gcc", "-static", "-isystem", str(headers), *flags, "-o", str(work / "conform-musl"), *sources],
    }
    for command in programs.values():
        subprocess.run(command, check=True)
    built = {name: work / f"conform-{name}" for name in programs}
    build_kinds(work)
    go = shutil.which("go", path=f"{os.environ.get('PATH', '')}:/usr/local/go/bin:/usr/lib/go/bin")
    if go:
        cache = Path(os.environ.get("SCAR_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "scar"))
        env = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-trimpath", "GOCACHE": str(cache / "go-build"), "GOTOOLCHAIN": "local"}
        built["go"] = work / "conform-go"
        subprocess.run([go, "build", "-o", str(built["go"]), "."], cwd=CASES / "go", env=env, check=True)
    return built


# How programs are made, besides the ways of the cases themselves.
KINDS = {
    "kind-pie": ("gcc", "-pie", "-fPIE"),
    "kind-no-pie": ("gcc", "-no-pie", "-fno-pie"),
    "kind-static": ("gcc", "-static"),
    "kind-static-pie": ("gcc", "-static-pie", "-fPIE"),
    "kind-dlopen": ("gcc", "-DWITH_LIBRARY"),
}


def build_kinds(work: Path) -> None:
    """One small program in every way, and a library for it."""
    for name, command in KINDS.items():
        subprocess.run([*command, "-O1", "-w", "-o", str(work / name), str(CASES / "kinds/kind.c")], check=True)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(work / "libkind.so"), str(CASES / "kinds/library.c")], check=True)


def make_rootfs(path: Path, programs: dict[str, Path]) -> None:
    """A guest with a shell, a dynamic C library and the cases, and nothing else."""
    for name in ("bin", "lib64", "lib/x86_64-linux-gnu", "usr/bin", "etc", "proc", "sys", "dev", "tmp"):
        (path / name).mkdir(parents=True)
    shutil.copy2("/bin/busybox", path / "bin/busybox")
    for applet in APPLETS:
        (path / "bin" / applet).symlink_to("busybox")
    for library in LIBRARIES:
        shutil.copy2(library, path / library[1:])
    for program in programs.values():
        shutil.copy2(program, path / "bin" / program.name)
    for kind in KINDS:
        shutil.copy2(path.parent / kind, path / "bin" / kind)
    shutil.copy2(path.parent / "libkind.so", path / "lib/libkind.so")
    path.chmod(0o755)


def wanted(setting: str, name: str, native: list[str], got: list[str]) -> list[str]:
    """The truth; of what rewrite does otherwise by design, expected/ holds the lines, in which * matches anything."""
    expected = EXPECTED / f"{name}.txt"
    if not setting.startswith(("rewrite", "ptrace")) or not expected.exists():
        return native
    lines = expected.read_text().splitlines()
    if len(lines) == len(got) and all(fnmatch.fnmatchcase(g, w) for g, w in zip(got, lines)):
        return got
    return lines


def write_canary() -> None:
    """A file in the host's root, which no call of a guest may find."""
    CANARY.write_text("no guest sees me\n")
    CANARY.chmod(0o640)
    os.utime(CANARY, (1_000_000_000, 1_000_000_000))


def check_canary(label: str, total: dict[str, int]) -> None:
    """What the cases try on its name must have happened in the guest, if anywhere."""
    try:
        status = CANARY.lstat()
    except FileNotFoundError:
        # That a guest can remove it, the cases show as well; so it was a run beside this one, of before there was a lock.
        print(f"{label}: {CANARY} was away and is made again")
        write_canary()
        return
    seen = (oct(status.st_mode), status.st_uid, status.st_nlink, status.st_mtime, status.st_size, os.listxattr(CANARY))
    if seen == ("0o100640", os.geteuid(), 1, 1_000_000_000, 17, []):
        total["passed"] += 1
        return
    total["failed"] += 1
    print(f"FAIL {label} canary: a guest has changed the host's {CANARY}: {seen}")
    CANARY.unlink(missing_ok=True)
    write_canary()


def split(output: str) -> dict[str, list[str]]:
    """Output by case; what stands before the first case belongs to ''."""
    cases: dict[str, list[str]] = {"": []}
    name = ""
    for line in output.splitlines():
        if line.startswith("== "):
            name = line[3:]
            cases[name] = []
        else:
            cases[name].append(line)
    return cases


def run(command: list[str], env: dict[str, str]) -> str:
    """Standard output and error of a run, whatever its exit status."""
    try:
        done = subprocess.run(
            command, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as late:
        return (late.output or b"").decode(errors="replace") + f"\nno end after {SECONDS} s"
    return done.stdout.decode(errors="replace")


def run_native(rootfs: Path, program: str, wanted: list[str]) -> str:
    """In a chroot, with own mounts that end with it."""
    script = (
        'mount --make-rprivate / && mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && '
        'mount --rbind /sys "$1/sys" && root="$1" && shift && exec env -i PATH=/bin /usr/sbin/chroot "$root" "$@"'
    )
    command = ["unshare", "--mount", "--pid", "--fork", "sh", "-c", script, "sh", str(rootfs), program, *wanted]
    return run(command, dict(os.environ))


def reachable_runner(folder: Path) -> str:
    """A copy of build/engine-run in the folder: user 993 may not get into the tree, such as one below /root."""
    copy = folder / "engine-run"
    if not copy.exists():
        shutil.copy(ROOT / "build/engine-run", copy)
    return str(copy)


def run_engine(setting: str, rootfs: Path, state: Path, program: str, wanted: list[str]) -> str:
    """Through build/engine-run, in the test's jail where the setting asks for it."""
    engine, *extras = setting.split("+")
    env = {"PATH": "/bin"}
    if "trap" in extras:
        env["SCAR_REWRITE_TACTIC"] = "trap"
    if "nofilter" in extras:
        env["SCAR_PTRACE_FILTER"] = "0"
    if "nopivot" in extras:
        env["SCAR_NO_PIVOT_ROOT"] = "1"
    command = [reachable_runner(rootfs.parent), engine, str(rootfs), str(state), program, *wanted]
    if "jail" in extras:
        command = [str(ROOT / "build/engine-jail"), *command]
    if "jail414" in extras:
        command, env["JAIL_KERNEL"] = [str(ROOT / "build/engine-jail"), *command], "4.14"
    if any(extra.startswith("jail") for extra in extras):
        for path in (rootfs, state):
            subprocess.run(["chown", "-Rh", "993:993", str(path)], check=True)
    return run(command, env)


def compare(setting: str, libc: str, native: dict[str, list[str]], engine: dict[str, list[str]], verbose: bool, gaps: dict[str, str], still_open: dict[str, bool]) -> dict[str, int]:
    """Prints one line a case."""
    counts = {"passed": 0, "failed": 0, "gaps": 0}
    for name in native:
        if not name:
            continue
        got = engine.get(name, ["(the case did not run)"])
        want = wanted(setting, name, native[name], got)
        label = f"{setting} {libc} {name}"
        gap = next((key for key in (name, f"{libc}:{name}", *(f"{part}:{name}" for part in setting.split("+"))) if key in gaps), None)
        if gap:
            still_open[gap] = still_open.get(gap, False) or got != want
        if got == want:
            counts["passed"] += 1
        elif gap and not verbose:
            counts["gaps"] += 1
            print(f"GAP  {label}: {gaps[gap]}")
        else:
            counts["failed"] += 1
            print(f"FAIL {label}")
            lines = list(difflib.unified_diff(want, got, "native", setting, lineterm="", n=0))[2:]
            for line in lines if verbose else lines[:12]:
                print(f"     {line}")
    return counts


POINTS = [str(number) for number in range(1, 17)]


def check_map(cases: set[str], total: dict[str, int]) -> None:
    """README.md says which test stands for which point of the design: each point has one, and each named test exists."""
    engine = ROOT / "tests/unit/invoke/engine"
    units = {f"{path.parent.name}/{path.stem}" for path in engine.rglob("test_*.c")}
    functions = {name for path in engine.rglob("test_*.c") for name in re.findall(r"^static void (\w+)\(void \*\*", path.read_text(), re.M)}
    rows = [line.strip("| ").split(" | ") for line in (CASES.parent / "README.md").read_text().splitlines() if line.startswith("| ")]
    start = next(i for i, row in enumerate(rows) if row[0] == "point") + 1
    told = {row[0].split()[0]: row[1] for row in rows[start:]}
    wrong = [f"no test stands for point {point}" for point in POINTS if point not in told]
    for row in rows[start:]:
        names = re.findall(r"`([^`]+)`", row[1])
        known = [
            name
            for name in names
            if fnmatch.filter(cases, name) or name in units or name in functions or name.split("+")[0] == "rewrite" or name in ("trap", "make aarch64-test")
        ]
        wrong += [f"{row[0]}: there is no test {name}" for name in names if name not in known]
        wrong += [] if known else [f"{row[0]}: no test"]
    for text in wrong:
        print(f"FAIL README.md: {text}")
    total["failed"] += len(wrong)
    total["passed"] += not wrong


def main() -> int:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings", nargs="*", default=["rewrite", "rewrite+trap", "rewrite+jail", "rewrite+jail414", "ptrace", "ptrace+nofilter"])
    parser.add_argument("--case", action="append", default=[], help="only this case")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--libc", choices=("glibc", "musl", "go"))
    parser.add_argument("--seeds", type=int, nargs=2, metavar=("FIRST", "COUNT"), help="these random sequences instead of the cases")
    options = parser.parse_args()
    gaps = read_gaps()
    still_open: dict[str, bool] = {}
    seen: set[str] = set()
    total = {"passed": 0, "failed": 0, "gaps": 0}
    if os.geteuid() != 0:
        print("SKIP conformance: the native run needs root")
        print("0 passed, %d failed, %d skipped" % ((1, 0) if os.environ.get("SCAR_MUST_WORK") else (0, 1)))
        return 1 if os.environ.get("SCAR_MUST_WORK") else 0
    os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="scar-conform-", dir="/dev/shm") as name:
        work = Path(name)
        work.chmod(0o755)
        programs = build(work)
        skipped = int("go" not in programs)
        if skipped:
            print("SKIP the cases of a Go program: there is no go (layer-build/setup.sh)")
        alone = open(CANARY_LOCK, "w", encoding="ascii")  # noqa: SIM115 -- held to the end
        fcntl.flock(alone, fcntl.LOCK_SH)
        write_canary()
        try:
            for libc in programs:
                if options.libc not in (None, libc):
                    continue
                program = f"/bin/conform-{libc}"
                native_root = work / f"native-{libc}"
                make_rootfs(native_root, programs)
                if options.seeds and libc == "go":
                    continue
                words = ["@random", *map(str, options.seeds)] if options.seeds else []
                native = split("".join(run_native(native_root, program, [c]) for c in options.case) or run_native(native_root, program, words))
                seen |= native.keys()
                for setting in options.settings:
                    root, state = work / f"engine-{setting}-{libc}", work / f"state-{setting}-{libc}"
                    make_rootfs(root, programs)
                    state.mkdir(mode=0o700)
                    output = "".join(run_engine(setting, root, state, program, [c]) for c in options.case) or run_engine(
                        setting, root, state, program, words
                    )
                    check_canary(f"{setting} {libc}", total)
                    counts = compare(setting, libc, native, split(output), options.verbose, gaps, still_open)
                    print(f"{setting} {libc}: {counts}")
                    for key, value in counts.items():
                        total[key] += value
        finally:
            with contextlib.suppress(BlockingIOError):  # another run still needs it
                fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
                CANARY.unlink(missing_ok=True)
            alone.close()
    if len(seen) > 100 and not skipped:
        check_map(seen, total)
    unsteady = unsteady_gaps()
    for gap in (gap for gap, is_open in still_open.items() if not is_open and gap not in unsteady):
        total["failed"] += 1
        print(f"FAIL {gap} passes now in every setting: take it out of {GAPS.name}")
    print("{gaps} known gaps (tests/engine/known_gaps.txt)".format(**total))
    total["failed"] += skipped if os.environ.get("SCAR_MUST_WORK") else 0
    print("{passed} passed, {failed} failed, ".format(**total) + f"{skipped} skipped")
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
