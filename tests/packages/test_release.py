# SPDX-License-Identifier: Apache-2.0
"""The long part of what is released; see rules.mk."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.images import image
from tests.support.places import ROOT, scratch, tool
from tests.support.registry import Registry

VERSION = re.search(r'SCAR_VERSION "(.*)"', (ROOT / "runtime/base/version.h").read_text())[1]


def run(*command: object, cwd: Path = ROOT, seconds: int = 1800) -> str:
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Path]:
    """The tarball, unpacked in a folder of another name and depth, without git."""
    folder = Path(tempfile.mkdtemp(prefix="scar-dist-", dir=scratch()))
    try:
        run("make", "dist")
        run("tar", "xf", ROOT / f"build/scar-{VERSION}.tar.gz", cwd=folder)
        yield folder / f"scar-{VERSION}"
    finally:
        shutil.rmtree(folder)


def test_the_tarball_is_the_same_twice(elsewhere):
    first = (ROOT / f"build/scar-{VERSION}.tar.gz").read_bytes()
    run("make", "dist")
    assert (ROOT / f"build/scar-{VERSION}.tar.gz").read_bytes() == first


def test_the_tarball_builds_the_same_layers(elsewhere):
    run("make", "-j2", "all", "layer", cwd=elsewhere)
    run("make", "-j2", "ARCH=aarch64", "all", "layer", cwd=elsewhere)
    for name in ("faas-supervisor-x86_64.zip", "aarch64/faas-supervisor-arm64.zip"):
        ours = (ROOT / "build" / name).read_bytes()
        assert len(ours) <= 6 * 1024 * 1024
        assert (elsewhere / "build" / name).read_bytes() == ours, name
    assert (elsewhere / "build/scar").read_bytes() == (ROOT / "build/scar").read_bytes()


def test_the_tarball_tests_itself(elsewhere):
    assert " passed, 0 failed, 0 skipped" in run("make", "-j2", "unit", "T=runtime/base", cwd=elsewhere)


def test_the_layer_runs_images_on_both_kinds_of_runtime():
    with Registry() as registry:
        reference = registry.push(image("busybox"), "busybox")
        told = run("layer-build/verify.sh", ROOT / "build/faas-supervisor-x86_64.zip", reference)
    assert "provided    ran from the layer" in told and "as wrapper  ran from the layer" in told


def spdx_mistakes(document: dict) -> list[str]:
    """By the rules of SPDX 2.3 that a reader needs."""
    ids = [document["SPDXID"], *(package["SPDXID"] for package in document["packages"])]
    mistakes = [] if len(set(ids)) == len(ids) else ["an id twice"]
    needed = {"spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo"}
    mistakes += [f"no {key}" for key in needed - document.keys()]
    for package in document["packages"]:
        missing = {"name", "SPDXID", "downloadLocation", "versionInfo", "licenseDeclared"} - package.keys()
        mistakes += [f"{package['name']}: no {key}" for key in missing]
    for relation in document["relationships"]:
        mistakes += [f"{relation}: unknown id" for key in ("spdxElementId", "relatedSpdxElement") if relation[key] not in ids]
    if not any(relation["relationshipType"] == "DESCRIBES" for relation in document["relationships"]):
        mistakes.append("describes nothing")
    return mistakes


def test_the_package_is_clean_and_works_in_a_debian_of_nothing_else(tmp_path):
    run("make", "deb")
    package = ROOT / f"build/scar_{VERSION}_amd64.deb"
    first = package.read_bytes()
    package.unlink()
    run("make", "deb")
    assert package.read_bytes() == first
    # Root is what a container's tests are; lintian says that it would rather not be.
    told = subprocess.run([tool("lintian"), "--pedantic", "--info", package], capture_output=True, text=True, timeout=300, check=False)
    assert (told.returncode, told.stdout) == (0, ""), told.stdout
    root = Path(tempfile.mkdtemp(prefix="scar-deb-", dir=scratch()))
    try:
        run("mmdebstrap", "--quiet", "--variant=essential", "bookworm", root, seconds=600)
        shutil.copy(package, root / "tmp/scar.deb")
        run("chroot", root, "dpkg", "-i", "/tmp/scar.deb")
        assert run("chroot", root, "scar", "version").strip() == f"scar {VERSION}"
        shutil.copytree(image("busybox"), root / "tmp/busybox")
        here = ["unshare", "--mount", "--pid", "--fork", f"--mount-proc={root}/proc", "chroot", root]
        assert run(*here, "scar", "local", "run", "--no-jail", "oci:/tmp/busybox", "--", "echo", "from the package") == "from the package\n"
        document = json.loads((root / "usr/share/doc/scar/sbom.spdx.json").read_text())
        assert spdx_mistakes(document) == []
        run("chroot", root, "dpkg", "--purge", "scar")
        assert not os.path.lexists(root / "usr/lib/scar")
    finally:
        shutil.rmtree(root)
