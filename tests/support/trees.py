# SPDX-License-Identifier: Apache-2.0
"""Hold an unpacked image against what umoci makes of it: names, kinds, permissions, links, content, times."""

import hashlib
import os
import stat
import tarfile
from pathlib import Path

from tests.support import oci_layout

EMPTY = hashlib.sha256(b"").hexdigest()


def facts_of(root: Path) -> dict[str, tuple]:
    """Every name below: kind, permissions, link target or content, and the first name of the same inode."""
    found: dict[str, tuple] = {}
    inodes: dict[int, str] = {}
    for folder, names, files in os.walk(root):
        names.sort()
        for name in sorted(names + files):
            path = Path(folder, name)
            info, key = path.lstat(), str(path.relative_to(root))
            content: str | int = 0
            if stat.S_ISLNK(info.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(info.st_mode):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            same = key if stat.S_ISDIR(info.st_mode) else inodes.setdefault(info.st_ino, key)
            mode = 0 if stat.S_ISLNK(info.st_mode) else stat.S_IMODE(info.st_mode)
            found[key] = (stat.S_IFMT(info.st_mode), mode, content, same, 0 if stat.S_ISLNK(info.st_mode) else int(info.st_mtime))
    return found


def devices_of(layout: Path, tag: str = "latest") -> set[str]:
    manifest = oci_layout.read_json(layout, oci_layout.top(layout, tag)["digest"])
    found = set()
    for layer in manifest["layers"]:
        with tarfile.open(layout / "blobs" / layer["digest"].replace(":", "/")) as tar:
            found |= {member.name.removeprefix("./") for member in tar if member.ischr() or member.isblk()}
    return found


def differences(ours: Path, theirs: Path, devices: set[str]) -> dict[str, tuple]:
    """Names that are not the same in both, with what they are there. `devices` cannot be made without root."""
    mine, other = facts_of(ours), facts_of(theirs)
    found: dict[str, tuple] = {key: (mine.get(key), other.get(key)) for key in mine.keys() ^ other.keys()}
    for key, (kind, mode, *rest) in other.items():
        # What its owner may not enter, write or read, he may on disk; the engine shows what the image says.
        least = 0o700 if stat.S_ISDIR(kind) else 0o400 if stat.S_ISREG(kind) else 0
        want = (kind, mode | least, *rest)
        have = mine.get(key)
        if key in devices and have and have[2] == want[2] == EMPTY:
            continue  # both put an empty file there, with different permissions
        if have != want:
            found[key] = (have, want)
    return found
