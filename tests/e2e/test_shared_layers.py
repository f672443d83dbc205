# SPDX-License-Identifier: Apache-2.0
"""An image built on one that the store has: only what is above is fetched, and the two stay apart."""

import gzip
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_unpack import place, pull_run, pulled  # noqa: F401 (fixtures)
from tests.support import images, oci_layout
from tests.support.oci_layout import CONFIG, LAYER_GZIP, MANIFEST, Layer, digest_of, put, put_json, read_json
from tests.support.trees import facts_of

UPPER = Layer().dirs("opt").file("opt/program", "x" * 5000, 0o755).whiteout("etc/motd").file("etc/issue", "ours\n").dir("etc", 0o711)


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Debian, and a layer on it."""
    lower = images.image("debian")
    upper = tmp_path_factory.mktemp("on-debian", numbered=True) / "layout"
    shutil.copytree(lower, upper)
    manifest = read_json(upper, oci_layout.top(upper)["digest"])
    config = read_json(upper, manifest["config"]["digest"])
    tar = UPPER.tar()
    config["rootfs"]["diff_ids"].append(digest_of(tar))
    manifest["layers"].append(put(upper, gzip.compress(tar, 6, mtime=0), LAYER_GZIP))
    manifest["config"] = put_json(upper, config, CONFIG)
    top = put_json(upper, manifest, MANIFEST) | {"annotations": {"org.opencontainers.image.ref.name": "latest"}}
    index = json.loads((upper / "index.json").read_text())
    (upper / "index.json").write_text(json.dumps(index | {"manifests": [top]}))
    yield lower, upper
    shutil.rmtree(upper)


def pull(program: Path, store: Path, reference: str) -> Path:
    return pulled(subprocess.run([program, store, reference], capture_output=True, text=True, check=False))


def test_only_the_layers_above_are_fetched(pull_run, place, registry, faulty, layouts):  # noqa: F811
    references = [registry.push(layout, f"shared-{i}").replace(registry.host, faulty.host) for i, layout in enumerate(layouts)]
    upper = read_json(layouts[1], oci_layout.top(layouts[1])["digest"])
    below = pull(pull_run, place / "store", references[0])
    before = facts_of(below)
    faulty.heal()
    shared = pull(pull_run, place / "store", references[1])
    asked = {seen.path.rpartition("/")[2] for seen in faulty.requests if "/blobs/" in seen.path}
    assert asked == {upper["config"]["digest"], upper["layers"][-1]["digest"]}
    whole = pull(pull_run, place / "other", references[1])
    assert facts_of(shared) == facts_of(whole)
    assert facts_of(below) == before
    assert (shared / "opt/program").stat().st_size == 5000
    # No file is both's, so nothing that is done to one can be seen in the other.
    inodes = [{path.lstat().st_ino for path in root.rglob("*")} for root in (below, shared)]
    assert not inodes[0] & inodes[1]


def test_a_copy_that_is_killed_leaves_both_images_right(pull_run, place, layouts):  # noqa: F811
    lower, upper = (f"oci:{layout}:latest" for layout in layouts)
    whole = facts_of(pull(pull_run, place / "other", upper))
    below = pull(pull_run, place / "store", lower)
    before = facts_of(below)
    started = time.monotonic()
    pull(pull_run, place / "timed", lower)
    took = time.monotonic() - started
    killed = 0
    for attempt in range(8):
        with subprocess.Popen([pull_run, place / "store", upper], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(took * (attempt + 1) / 16)
            process.kill()
        killed += process.returncode == -signal.SIGKILL
        if list((place / "store/rootfs").iterdir()) != [below.parent]:
            break  # it was done before
    assert killed > 0
    shared = pull(pull_run, place / "store", upper)
    assert facts_of(shared) == whole
    assert facts_of(below) == before
    assert not list((place / "store/tmp").iterdir())
