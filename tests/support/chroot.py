# SPDX-License-Identifier: Apache-2.0
"""Run a command in a real chroot: what the engine's output is compared with."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.places import Missing, tool

# In a mount namespace of its own, so that nothing stays mounted whatever happens.
_MOUNTS = """
set -e
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount -t tmpfs tmpfs "$1/tmp"
exec "$2" -S -c "$3" "$1" "$@"
"""
_ENTER = """
import json, os, sys, warnings  # all that execvpe needs, since nothing can be imported inside
root, (cwd, argv, env) = sys.argv[1], json.loads(sys.argv[-1])
os.chroot(root)
os.chdir(cwd)
os.execvpe(argv[0], argv, env)
"""


def run(rootfs: Path, argv: Sequence[str], env: Mapping[str, str], cwd: str = "/", stdin: bytes = b"") -> subprocess.CompletedProcess:
    if os.getuid() != 0:
        raise Missing("a real chroot to compare with needs root")
    for folder in ("proc", "dev", "tmp"):
        (rootfs / folder).mkdir(exist_ok=True)
    what = json.dumps([cwd, list(argv), dict(env)])
    command = [tool("unshare", "util-linux"), "-m", "/bin/sh", "-c", _MOUNTS, "sh", str(rootfs), sys.executable, _ENTER, what]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=120, check=False)
