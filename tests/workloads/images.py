# SPDX-License-Identifier: Apache-2.0
"""Images of Debian packages for the workloads: OCI layouts in the cache, keyed by what goes into them."""

import fcntl
import hashlib
import inspect
import json
import os
import shutil
import tempfile
import tomllib
from pathlib import Path

from tests.support.images import DEBIAN_RELEASE, PATH_ENV, _from_tar, run
from tests.support.places import Missing, cache, scratch, tool

RECIPES = tomllib.loads((Path(__file__).parent / "images.toml").read_text())
# What no program needs; the pages of the manual stay, since the JDK links its own into them.
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/locale/*")


def _make(layout: Path, packages: list[str]) -> None:
    mmdebstrap = tool("mmdebstrap")
    if os.getuid() != 0:
        raise Missing("images of workloads are made by mmdebstrap as root")
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        # _apt, the user apt drops to, must get in.
        Path(folder).chmod(0o755)
        tar = Path(folder, "rootfs.tar")
        options = ["--quiet", "--variant=minbase", "--aptopt=APT::Install-Recommends false", f"--include={','.join(packages)}"]
        options += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
        try:
            run(mmdebstrap, *options, DEBIAN_RELEASE, tar, env=os.environ | {"TMPDIR": folder})
        except RuntimeError as error:
            raise Missing(f"no image of Debian's packages: {error}") from error
        _from_tar(layout, tar, "--config.env", PATH_ENV)


def image(name: str, user: str = "") -> tuple[Path, str]:
    """The layout of an image of images.toml, made if it is not in the cache, and the tag whose user that is."""
    packages = RECIPES[name]["packages"]
    key = hashlib.sha256(json.dumps([packages, inspect.getsource(_make), DEBIAN_RELEASE, PATH_ENV, LEFT_OUT]).encode()).hexdigest()[:16]
    folder = cache("workloads")
    final = folder / f"{name}-{key}"
    tag = f"user-{user}" if user else "latest"
    with open(folder / f"{name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not final.is_dir():
            for stale in [*folder.glob(f"{name}-*"), *folder.glob(f".{name}-*")]:
                shutil.rmtree(stale)
            making = folder / f".{name}-{os.getpid()}"
            _make(making, packages)
            making.rename(final)
        tags = {found["annotations"]["org.opencontainers.image.ref.name"] for found in json.loads((final / "index.json").read_text())["manifests"]}
        if tag not in tags:
            run(tool("umoci"), "config", "--image", f"{final}:latest", "--tag", tag, "--config.user", user)
    return final, tag
