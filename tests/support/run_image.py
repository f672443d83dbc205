# SPDX-License-Identifier: Apache-2.0
"""What `make run` does after the build: one image, from a real registry, through `scar local run` in the jail.

IMAGE=busybox (default) and IMAGE=debian are made here and pushed to a registry on loopback; any other IMAGE is a reference and is pulled
from where it says. ARGS are the program's arguments, as a shell would split them. Ends with the program's own exit code.
"""

import os
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.support import images, oci_layout
from tests.support.places import ROOT, SCAR, Missing
from tests.support.registry import Registry

MADE_HERE = {"busybox": "Debian's busybox-static", "debian": "Debian packages, by mmdebstrap"}
DEFAULT_ARGS = {
    "busybox": ["sh", "-c", 'echo "Hello from $(grep PRETTY_NAME /etc/os-release | cut -d= -f2)"; uname -sm; id; ls /'],
    "debian": [
        "sh",
        "-c",
        "head -n 1 /etc/os-release; id; python3 -c 'import ssl; print(ssl.OPENSSL_VERSION)'; perl -e 'print \"perl $^V\\n\"'",
    ],
}
# Debian's unpacked tree does not fit beside itself into Lambda's default half gigabyte with room to work.
OPTIONS = {"debian": ["--tmp-size", "700"]}


def say(what: str, text: str) -> None:
    print(f"{what:>10}  {text}", flush=True)


def size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def describe(layout: Path) -> str:
    manifest = oci_layout.read_json(layout, oci_layout.top(layout)["digest"])
    layers = manifest["layers"]
    return f"{len(layers)} layer{'s' if len(layers) > 1 else ''}, {size(sum(layer['size'] for layer in layers))} compressed"


def reference_of(name: str, stack: ExitStack) -> str:
    if name not in MADE_HERE:
        say("image", f"{name}, from where it says")
        return name
    layout = images.image(name)
    say("image", f"{name}: {describe(layout)}, made from {MADE_HERE[name]}")
    registry = stack.enter_context(Registry())
    reference = registry.push(layout, name)
    say("registry", f"Debian's docker-registry on {registry.host}, pushed by skopeo")
    return reference


def run(reference: str, options: list[str], args: list[str]) -> int:
    command = [str(SCAR), "local", "run", *options, reference, "--", *args]
    say("command", shlex.join([str(SCAR.relative_to(ROOT)), *command[1:]]))
    print("-" * 100, flush=True)
    # The program's output goes straight to ours; what bootstrap and the emulator say is kept, to be told after it.
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    print("-" * 100, flush=True)
    report(done.stderr.decode(errors="replace"), done.returncode)
    say("exit code", str(done.returncode))
    return done.returncode


PULLED = re.compile(r"\bpulled \S+: (\d+) bytes in (\d+) ms, (\d+) bytes on disk")
ENGINE = re.compile(r"\bengine (\w+)")
REPORT = re.compile(r"\bDuration: ([\d.]+) ms.*Max Memory Used: (\d+) MB")


def report(log: str, status: int) -> None:
    """What bootstrap and the emulator said of it, and their whole log where a line is missing or the program failed."""
    pulled, engine, ended = (pattern.search(log) for pattern in (PULLED, ENGINE, REPORT))
    if pulled:
        say("pulled", f"{size(int(pulled[1]))} in {pulled[2]} ms, {size(int(pulled[3]))} on disk")
    if engine:
        say("engine", engine[1])
    if ended:
        say("invocation", f"{ended[1]} ms, at most {ended[2]} MB of memory")
    if status != 0 or not (pulled and engine and ended):
        print(log, file=sys.stderr, flush=True)


def main() -> int:
    name = os.environ.get("IMAGE") or "busybox"
    args = shlex.split(os.environ.get("ARGS") or "") or DEFAULT_ARGS.get(name, [])
    try:
        with ExitStack() as stack:
            return run(reference_of(name, stack), OPTIONS.get(name, []), args)
    except (Missing, RuntimeError) as error:
        print(f"make run: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
