# SPDX-License-Identifier: Apache-2.0
"""The Lambda layer: what is in the zip, and that an image runs from what Lambda unpacks into /opt."""

import json
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.support.lambda_local import run_local
from tests.support.places import ROOT, tool

LAYER = ROOT / "build" / f"faas-supervisor-{ {'x86_64': 'x86_64', 'aarch64': 'arm64'}[os.uname().machine] }.zip"
MIB = 1024 * 1024


def make(*words: str) -> None:
    done = subprocess.run([tool("make"), *words], cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.fixture(scope="module")
def layer() -> zipfile.ZipFile:
    make("layer")
    with zipfile.ZipFile(LAYER) as archive:
        yield archive


def mode(info: zipfile.ZipInfo) -> int:
    return info.external_attr >> 16


@pytest.fixture
def opt(layer, tmp_path) -> Path:
    """Unpacked as Lambda does: modes count."""
    folder = tmp_path / "opt"
    for info in layer.infolist():
        layer.extract(info, folder)
        (folder / info.filename).chmod(mode(info) & 0o7777)
    return folder


def test_the_bootstrap_is_an_executable_at_the_root(layer):
    assert mode(layer.getinfo("bootstrap")) == 0o100755
    assert all(mode(info) == 0o100644 for info in layer.infolist() if info.filename != "bootstrap")


def test_the_layer_is_small(layer):
    assert LAYER.stat().st_size <= 6 * MIB


def test_the_same_inputs_give_the_same_bytes(layer, tmp_path):
    other = tmp_path / "again.zip"
    make("layer", f"LAYER={other}")
    assert other.read_bytes() == LAYER.read_bytes()


def test_every_linked_library_is_named_with_its_licence(layer):
    document = json.loads(layer.read("share/doc/scar/sbom.spdx.json"))
    names = {package["name"] for package in document["packages"]} - {"faas-supervisor"}
    assert {"curl", "openssl", "libarchive", "zstd", "isal", "cjson", "zydis", "musl"} <= names
    for name in names:
        texts = [info for info in layer.infolist() if info.filename.startswith(f"share/licenses/scar/{name}/")]
        assert texts and all(info.file_size > 200 for info in texts), name
    assert "share/licenses/scar/scar/LICENSE" in layer.namelist()
    assert all(package["versionInfo"] for package in document["packages"])


def test_an_image_runs_from_the_unpacked_layer(opt, pushed):
    done = run_local(pushed("busybox"), "echo", "hello", options=["--bootstrap", str(opt / "bootstrap")])
    assert (done.returncode, done.stdout) == (0, b"hello\n"), done.stderr.decode(errors="replace")
