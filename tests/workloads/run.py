#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs real programs in the local Lambda's jail and in a real chroot, and compares what they print.

    python3 -m tests.workloads.run [--all] [--jail on|kernel-5.10|kernel-4.14]... [--verbose] [NAME...]

Without --all or names it runs the cases marked quick. The last line is "N passed, N failed, N skipped".
"""

import argparse
import difflib
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.support.images import run
from tests.support.places import SCAR, Missing, scratch, tool
from tests.workloads.images import RECIPES, image

CASES = Path(__file__).parent / "cases"
JAILS = ("on", "kernel-4.14")
SECONDS = 300
# A ratio of processor time to the chroot's above this is pointed out; what a clock says depends on what else the machine does.
SLOW = 1.3
# What a shell says of a program that is not there: both sides would say the same, and nothing would be tested.
MISSING = re.compile(r"^\S+: (line )?\d+: \S+: not found$|: command not found$")
NATIVE = (
    'mount --make-rprivate / && mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && mount --rbind /sys "$1/sys" && '
    'root=$1 user=$2 groups=$3 && shift 3 && exec chroot --userspec="$user" --groups="$groups" "$root" "$@"'
)
# Twice in a row in the same place: the second time everything is known to the engine.
TWICE = """
for round in 1 2; do
    mkdir -p /tmp/workload && cd /tmp/workload || exit 9
    echo "== round $round"
    start=$(date +%s%N); sh -c "$1" < /dev/null 2>&1; status=$?; end=$(date +%s%N)
    echo "== status $status"
    { echo "took $(( (end - start) / 1000000 )) ms"; echo "used"; times; } >&2
    cd / && rm -rf /tmp/workload
done
"""
ENVIRONMENT = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp/workload", "LC_ALL=C.UTF-8", "TERM=dumb")


@dataclass
class Case:
    """A script, and what the comments at its start say."""

    name: str
    script: str
    image: str
    user: str
    memory: int
    quick: bool
    status: int  # how it ends
    instead: dict[str, str]  # a line of the chroot's, and what stands for it in the jail


@dataclass
class Outcome:
    lines: list[str]
    took_s: list[float]
    used_s: list[float]  # of processors
    peak_mb: int = 0


def read_case(path: Path) -> Case:
    text = path.read_text()
    said: dict[str, list[str]] = {}
    for line in re.findall(r"^# (\w+: .*)$", text.split("\n\n", 1)[0], re.MULTILINE):
        key, value = line.split(": ", 1)
        said.setdefault(key, []).append(value)
    unknown = said.keys() - {"image", "user", "memory", "quick", "status", "instead"}
    if unknown or "image" not in said:
        raise ValueError(f"{path}: the head has {unknown or 'no image'}")
    instead = dict(line.split(" => ", 1) for line in said.get("instead", []))
    return Case(
        name=path.stem,
        script=text,
        image=said["image"][0],
        user=said.get("user", [""])[0],
        memory=int(said.get("memory", ["2048"])[0]),
        quick=said.get("quick", ["no"])[0] == "yes",
        status=int(said.get("status", ["0"])[0]),
        instead=instead,
    )


def used_of(said: str) -> list[float]:
    """Seconds of processors that the children of the shell used in each round; "times" adds up."""
    sums = [0.0]
    for children in re.findall(r"^used\n.*\n(.*)$", said, re.MULTILINE):
        sums.append(sum(60 * int(m) + float(s) for m, s in re.findall(r"(\d+)m([\d.]+)s", children)))
    return [after - before for before, after in itertools.pairwise(sums)]


def outcome(command: list[str], env: dict[str, str]) -> Outcome:
    """Runs a case, wherever that is."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=env, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as late:
        lines = (late.stdout or b"").decode(errors="replace").splitlines()
        return Outcome([*lines, f"no end after {SECONDS} s"], [], [])
    said = done.stderr.decode(errors="replace")
    lines = done.stdout.decode(errors="replace").splitlines()
    took = [int(ms) / 1000 for ms in re.findall(r"^took (\d+) ms$", said, re.MULTILINE)]
    if len(took) != 2:
        lines += ["it did not run to its end:", *said.splitlines()[-10:]]
    peak = re.search(r"Max Memory Used: (\d+) MB", said)
    return Outcome(lines, took, used_of(said), int(peak.group(1)) if peak else 0)


def in_guest(case: Case) -> list[str]:
    return ["env", "-i", *ENVIRONMENT, "sh", "-c", TWICE, "sh", case.script]


def ids_of(user: str, rootfs: Path) -> tuple[str, str]:
    """A user of the image as chroot wants it, which would look for the name outside: "uid:gid" and the groups."""
    if not user:
        return "0:0", ""
    accounts = (line.split(":") for line in (rootfs / "etc/passwd").read_text().splitlines())
    uid, gid = next((account[2], account[3]) for account in accounts if account[0] == user)
    groups = (line.split(":") for line in (rootfs / "etc/group").read_text().splitlines())
    return f"{uid}:{gid}", ",".join([gid, *(group[2] for group in groups if user in group[3].split(","))])


def run_native(case: Case, rootfs: Path) -> Outcome:
    ids = ids_of(case.user, rootfs)
    command = ["unshare", "--mount", "--pid", "--fork", "sh", "-c", NATIVE, "sh", str(rootfs), *ids, *in_guest(case)]
    return outcome(command, dict(os.environ))


def run_jailed(case: Case, layout: Path, tag: str, jail: str) -> Outcome:
    options = ["--engine", "rewrite", "--memory", str(case.memory), "--tmp-size", str(RECIPES[case.image]["tmp"])]
    command = [str(SCAR), "local", "run", *options, f"oci:{layout}:{tag}", "--", *in_guest(case)]
    return outcome(command, os.environ | {"SCAR_JAIL": jail})


def judge(case: Case, jail: str, native: Outcome, jailed: Outcome, verbose: bool) -> bool:
    """Prints how it went."""
    want = [case.instead.get(line, line) for line in native.lines]
    label = f"{case.name} (jail {jail})"
    if jailed.lines != want:
        print(f"FAIL {label}")
        lines = list(difflib.unified_diff(want, jailed.lines, "chroot", "jail", lineterm="", n=0))[2:]
        for line in lines if verbose else lines[:20]:
            print(f"     {line}")
        return False
    if len(native.used_s) != 2 or len(jailed.used_s) != 2 or native.lines.count(f"== status {case.status}") != 2:
        print(f"FAIL {label}: {native.lines[-12:]}")
        return False
    if any(MISSING.search(line) for line in native.lines):
        print(f"FAIL {label}: the image lacks a program: {[line for line in native.lines if MISSING.search(line)]}")
        return False
    first, second = (j / max(n, 0.01) for n, j in zip(native.used_s, jailed.used_s, strict=True))
    slow = "  <- slow" if second > SLOW else ""
    took = f"{jailed.took_s[1]:.2f} s, the chroot {native.took_s[1]:.2f}"
    print(f"ok   {label}: {took}; {second:.2f} times its processor time ({first:.2f} at first), at most {jailed.peak_mb} MB{slow}")
    if verbose:
        for line in jailed.lines:
            print(f"     {line}")
    return True


def run_image(name: str, cases: list[Case], jails: list[str], verbose: bool) -> dict[str, int]:
    """All cases of an image, whose files are unpacked once for the chroot."""
    counts = {"passed": 0, "failed": 0}
    layout, _ = image(name)
    with tempfile.TemporaryDirectory(prefix="scar-workloads-", dir=scratch()) as folder:
        Path(folder).chmod(0o755)
        rootfs = Path(folder, "rootfs")
        run(tool("umoci"), "raw", "unpack", "--image", f"{layout}:latest", rootfs)
        for case in cases:
            tag = image(name, case.user)[1]
            # As in the jail, where each invocation finds the image as it was built.
            fresh = Path(folder, "fresh")
            run("cp", "-a", rootfs, fresh)
            native = run_native(case, fresh)
            shutil.rmtree(fresh)
            for jail in jails:
                good = judge(case, jail, native, run_jailed(case, layout, tag, jail), verbose)
                counts["passed" if good else "failed"] += 1
    return counts


def main() -> int:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--jail", action="append", choices=("on", "kernel-5.10", "kernel-4.14"))
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    cases = [read_case(path) for path in sorted(CASES.glob("*.sh"))]
    unknown = set(options.names) - {case.name for case in cases}
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    chosen = [case for case in cases if case.name in options.names or (not options.names and (options.all or case.quick))]
    total = {"passed": 0, "failed": 0, "skipped": 0}
    sys.stdout.reconfigure(line_buffering=True)
    for name in dict.fromkeys(case.image for case in chosen):
        group = [case for case in chosen if case.image == name]
        try:
            counts = run_image(name, group, options.jail or list(JAILS), options.verbose)
        except Missing as missing:
            print(f"SKIP {', '.join(case.name for case in group)}: {missing}")
            counts = {"failed" if os.environ.get("SCAR_MUST_WORK") else "skipped": len(group)}
        for key, value in counts.items():
            total[key] += value
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**total))
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
