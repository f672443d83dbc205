# SPDX-License-Identifier: Apache-2.0
"""Where things are: the tree, what it built, the cache outside it, and the tools of the machine."""

import os
import shutil
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOOTSTRAP = ROOT / "build" / "bootstrap"
SCAR = ROOT / "build" / "scar"


class Missing(unittest.SkipTest):
    """Something outside the project that a test needs is not at hand; a test that meets it is skipped, loudly."""


def cache(*parts: str) -> Path:
    """A folder of the cache that builds and tests share, made when absent."""
    base = os.environ.get("SCAR_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "scar")
    path = Path(base, *parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


def tool(name: str, package: str = "") -> str:
    """Path of a program, Debian's own copy first."""
    path = shutil.which(name, path=f"/usr/bin:/usr/sbin:/bin:/sbin:{os.environ.get('PATH', '')}")
    if path is None:
        raise Missing(f"{name} is not installed (Debian package {package or name}; make setup installs it)")
    return path


def scratch() -> Path:
    """Where big short-lived trees go: memory if there is a tmpfs, for creating files there costs least."""
    shm = Path("/dev/shm")
    return shm if os.access(shm, os.W_OK) else Path(os.environ.get("TMPDIR", "/tmp"))
