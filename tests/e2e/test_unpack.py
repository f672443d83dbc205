# SPDX-License-Identifier: Apache-2.0
"""Pull and unpack as one, without an engine: images that are not what they say, and the tree held against that of umoci."""

import gzip
import hashlib
import io
import json
import os
import stat
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import images, oci_layout, trees
from tests.support.images import run
from tests.support.oci_layout import CONFIG, INDEX, LAYER_GZIP, MANIFEST, Image, Layer, digest_of, put, put_json
from tests.support.places import ROOT, scratch, tool


@pytest.fixture(scope="session")
def pull_run() -> Path:
    run(tool("make"), "-s", "-C", ROOT, "build/pull-run")
    return ROOT / "build/pull-run"


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder in memory where creating files is cheap."""
    with tempfile.TemporaryDirectory(prefix="scar-unpack-", dir=scratch()) as folder:
        yield Path(folder)


def pulled(done: subprocess.CompletedProcess) -> Path:
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.rstrip("\n").partition(" rootfs ")[2])


# ---- the same tree as umoci's ----


@pytest.mark.parametrize("name", ["busybox", "debian", "debian_zstd", "plain_layer", "layered", "musl", "go"])
def test_the_tree_is_that_of_umoci(pull_run, place, name):
    layout = images.image(name)
    ours = pulled(subprocess.run([pull_run, place / "store", f"oci:{layout}:latest"], capture_output=True, text=True, check=False))
    readable = layout
    if name == "debian_zstd":
        readable = images.image("debian")  # umoci 0.4 knows no zstd; the content is the same
    run(tool("umoci"), "unpack", "--rootless", "--image", f"{readable}:latest", place / "bundle")
    assert trees.differences(ours, place / "bundle/rootfs", trees.devices_of(readable)) == {}


# ---- images that are not what they say ----


def compose(layout: Path, blobs: list[bytes], diff_ids: list[str], **manifest: object) -> None:
    """An image of the layers and diff IDs given; further members replace those of its manifest."""
    layout.mkdir(exist_ok=True)
    config = put_json(layout, {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}, CONFIG)
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [put(layout, blob, LAYER_GZIP) for blob in blobs]}
    point_to(layout, put_json(layout, document | manifest, MANIFEST))


def point_to(layout: Path, descriptor: dict) -> None:
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor]}))


LAYER_ZSTD = LAYER_GZIP.replace("gzip", "zstd")
TAR = Layer().dir("d").file("d/f", "content").tar()
BLOB = gzip.compress(TAR, 6, mtime=0)


def layer_wrong(change: Callable[[dict], dict]) -> Callable[[Path], None]:
    def make(layout: Path) -> None:
        layout.mkdir()
        compose(layout, [BLOB], [digest_of(TAR)], layers=[change(put(layout, BLOB, LAYER_GZIP))])

    return make


def damaged_layer(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """The blob of the right name holds something else."""

    def make(layout: Path) -> None:
        compose(layout, [BLOB], [digest_of(TAR)])
        (layout / "blobs" / digest_of(BLOB).replace(":", "/")).write_bytes(change(BLOB))

    return make


def honest_layer(blob: bytes, tar: bytes = TAR) -> Callable[[Path], None]:
    """A blob that has its digest, and that is wrong inside."""
    return lambda layout: compose(layout, [blob], [digest_of(tar)])


def file_of(size: int) -> bytes:
    """The header of a file of that size."""
    header = bytearray(Layer().file("bomb", b"").tar()[:512])
    header[124:136] = b"%011o\0" % size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def bomb(layout: Path) -> None:
    """1 GiB of zeros in a file, 1 MiB of gzip."""
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(file_of(1 << 30))]
    parts += [packer.compress(bytes(1 << 20)) for _ in range(1024)]
    parts += [packer.compress(bytes(1024)), packer.flush()]
    compose(layout, [b"".join(parts)], ["sha256:" + "0" * 64])


def zstd(*blocks: tuple[int, bytes], window: int = 17, is_closed: bool = True) -> bytes:
    """A frame (RFC 8878) of raw blocks, and of RLE ones, which say in four bytes how often one byte comes. window: its logarithm."""
    parts = [bytes.fromhex("28b52ffd 00"), bytes([(window - 10) << 3])]
    for at, (times, data) in enumerate(blocks):
        head = (times or len(data)) << 3 | bool(times) << 1 | (is_closed and at == len(blocks) - 1)
        parts += [head.to_bytes(3, "little"), data]
    return b"".join(parts)


def zstd_layer(blob: bytes, tar: bytes = TAR) -> Callable[[Path], None]:
    def make(layout: Path) -> None:
        layout.mkdir()
        compose(layout, [], [digest_of(tar)], layers=[put(layout, blob, LAYER_ZSTD)])

    return make


def zstd_bomb() -> bytes:
    """1 GiB of zeros in a file, 32 KiB of zstd."""
    return zstd((0, file_of(1 << 30)), *[(128 << 10, b"\0")] * (8 << 10), (1024, b"\0"))


def overridden(kind: bytes = tarfile.REGTYPE, **records: str) -> bytes:
    """A tar whose first entry has these pax records, and a file after it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        first, second = tarfile.TarInfo("first"), tarfile.TarInfo("second")
        first.type, first.linkname, first.pax_headers = kind, "x", records
        tar.addfile(first)
        tar.addfile(second)
    return out.getvalue()


def overriding(**records: str) -> Callable[[Path], None]:
    tar = overridden(**records)
    return honest_layer(gzip.compress(tar), tar)


def nested_index(depth: int) -> Callable[[Path], None]:
    def make(layout: Path) -> None:
        compose(layout, [BLOB], [digest_of(TAR)])
        inner = json.loads((layout / "index.json").read_text())["manifests"][0]
        for _ in range(depth):
            inner = put_json(layout, {"schemaVersion": 2, "mediaType": INDEX, "manifests": [inner]}, INDEX)
        point_to(layout, inner)

    return make


def self_index(layout: Path) -> None:
    """An index cannot hold its own digest; one that claims to is damaged."""
    layout.mkdir()
    document = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [{"mediaType": INDEX, "digest": "sha256:" + "1" * 64, "size": 300}]}).encode()
    path = layout / "blobs/sha256" / ("1" * 64)
    path.parent.mkdir(parents=True)
    path.write_bytes(document.ljust(300))
    point_to(layout, {"mediaType": INDEX, "digest": "sha256:" + "1" * 64, "size": 300})


def huge_manifest(layout: Path) -> None:
    layout.mkdir()
    point_to(layout, put(layout, b'{"schemaVersion":2,"x":"' + b"a" * (5 << 20) + b'"}', MANIFEST))


HOSTILE: dict[str, tuple[Callable[[Path], None], str]] = {
    "layer size too small": (layer_wrong(lambda d: d | {"size": d["size"] - 1}), "integrity"),
    "layer size too large": (layer_wrong(lambda d: d | {"size": d["size"] + 1}), "integrity"),
    "layer size absurd": (layer_wrong(lambda d: d | {"size": 1 << 52}), "no-space"),
    "layer size beyond all numbers": (layer_wrong(lambda d: d | {"size": 1 << 64}), "image"),
    "layer size negative": (layer_wrong(lambda d: d | {"size": -1}), "image"),
    "layer size a string": (layer_wrong(lambda d: d | {"size": "12"}), "image"),
    "layer digest of another kind": (layer_wrong(lambda d: d | {"digest": "md5:" + "0" * 32}), "image"),
    "layer digest a path": (layer_wrong(lambda d: d | {"digest": "sha256:../../../etc/passwd"}), "image"),
    "layer missing": (layer_wrong(lambda d: d | {"digest": "sha256:" + "2" * 64}), "not-found"),
    "layer flipped": (damaged_layer(lambda b: b[:40] + bytes([b[40] ^ 1]) + b[41:]), "integrity"),
    "layer cut": (damaged_layer(lambda b: b[:-9]), "integrity"),
    "layer longer": (damaged_layer(lambda b: b + b"x"), "integrity"),
    "layer empty": (damaged_layer(lambda b: b""), "integrity"),
    "gzip cut": (honest_layer(BLOB[:-12]), "integrity"),
    "gzip checksum wrong": (honest_layer(BLOB[:-8] + b"\0\0\0\0" + BLOB[-4:]), "integrity"),
    "gzip garbage inside": (honest_layer(BLOB[:30] + b"\xff" * 40 + BLOB[70:]), "integrity"),
    "tar cut": (honest_layer(gzip.compress(TAR[:700]), TAR[:700]), "image"),
    "tar garbage": (honest_layer(gzip.compress(b"no tar file" * 100), b"no tar file" * 100), "image"),
    "another diff ID": (honest_layer(BLOB, b"something else"), "integrity"),
    "gzip bomb": (bomb, ""),
    "zstd bomb": (zstd_layer(zstd_bomb()), ""),
    "zstd cut": (zstd_layer(zstd((0, TAR), is_closed=False)), "integrity"),
    "zstd block of a kind that is none": (zstd_layer(zstd((0, TAR))[:6] + b"\x07\0\0"), "integrity"),
    "zstd frame of a kind that is none": (zstd_layer(b"\0" + zstd((0, TAR))[1:]), "integrity"),
    "zstd garbage behind": (zstd_layer(zstd((0, TAR)) + b"more"), "integrity"),
    "zstd window of 128 MiB": (zstd_layer(zstd((0, TAR), window=27)), "unsupported"),
    "zstd of another content": (zstd_layer(zstd((0, TAR)), b"something else"), "integrity"),
    "pax size of a terabyte": (overriding(size=str(1 << 40)), ""),
    "pax size beyond all numbers": (overriding(size=str(1 << 64)), "image"),
    "pax size negative": (overriding(size="-512"), "image"),
    "pax size of a directory": (overriding(kind=tarfile.DIRTYPE, size="512"), "image"),
    "pax size of a link": (overriding(kind=tarfile.SYMTYPE, size="512"), "image"),
    "pax name too long": (overriding(path="n" * 256), "limit"),
    "fewer diff IDs": (lambda layout: compose(layout, [BLOB, BLOB], [digest_of(TAR)]), "image"),
    "10,000 layers": (lambda layout: compose(layout, [BLOB] * 10_000, [digest_of(TAR)] * 10_000), "limit"),
    "both manifest and index": (lambda layout: compose(layout, [BLOB], [digest_of(TAR)], manifests=[]), "image"),  # CVE-2021-41190
    "index nested too deep": (nested_index(6), "limit"),
    "index of itself": (self_index, "integrity"),
    "manifest of 5 MiB": (huge_manifest, "limit"),
}


def names_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_what_it_says_is_refused_and_leaves_nothing(pull_run, place, name):
    make, kind = HOSTILE[name]
    make(place / "layout")
    outside = names_below(place)
    # A file may grow to 64 MiB here: a bomb meets that first, as it would a full disk.
    command = f"trap '' XFSZ; ulimit -f {64 * 1024}; exec '{pull_run}' '{place}/store' 'oci:{place}/layout'"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode > 0, done.stdout + done.stderr
    if kind:
        assert done.stderr.startswith(f"pull_run: [{kind}] "), done.stderr
    assert {path for path in names_below(place) - outside if not path.startswith("store")} == set()
    # Nothing that would be taken for an image.
    assert not list((place / "store").glob("rootfs/*"))


def test_an_image_without_fault_made_the_same_way_is_pulled(pull_run, place):
    nested_index(3)(place / "layout")
    root = pulled(subprocess.run([pull_run, place / "store", f"oci:{place}/layout"], capture_output=True, text=True, check=False))
    assert (root / "d/f").read_text() == "content"


def test_zstd_made_by_hand_is_pulled(pull_run, place):
    """So that the cases above fail for what they say."""
    zstd_layer(zstd((0, TAR[:512]), (0, TAR[512:])))(place / "layout")
    root = pulled(subprocess.run([pull_run, place / "store", f"oci:{place}/layout"], capture_output=True, text=True, check=False))
    assert (root / "d/f").read_text() == "content"


@pytest.mark.parametrize("records", [{"size": "0"}, {"path": "../../x/../up"}, {"path": "/abs"}, {"kind": tarfile.SYMTYPE, "linkpath": "../../.."}], ids=str)
def test_pax_overrides_are_taken_as_umoci_takes_them(pull_run, place, records):
    oci_layout.write(place / "layout", Image([overridden(**records)]))
    root = pulled(subprocess.run([pull_run, place / "store", f"oci:{place}/layout"], capture_output=True, text=True, check=False))
    run(tool("umoci"), "unpack", "--rootless", "--image", f"{place}/layout:latest", place / "bundle")
    assert names_below(root) == names_below(place / "bundle/rootfs") and "second" in names_below(root)
    assert trees.differences(root, place / "bundle/rootfs", trees.devices_of(place / "layout")) == {}


def test_escapes_stay_inside(pull_run, place):
    """Every way out at once; what is left below the root is harmless, and beside it there is nothing."""
    (place / "victim").write_text("safe")
    victim = str(place / "victim")
    layers = [
        Layer().file("../../up", "x").file("/abs", "x").symlink("out", str(place)).symlink("slash", "/").dir("sub").tar(),
        Layer().file("out/victim", "changed").file("slash/etc/made", "x").file("sub/../../../far", "x").whiteout("out/victim").tar(),
        Layer().symlink("direct", victim).file("direct", "replaced").file("sub/./x", "1").dir("sub/x").tar(),
    ]
    oci_layout.write(place / "layout", Image(layers))
    before = names_below(place)
    done = subprocess.run([pull_run, place / "store", f"oci:{place}/layout"], capture_output=True, text=True, check=False)
    root = pulled(done)
    assert (place / "victim").read_text() == "safe"
    assert {path for path in names_below(place) - before if not path.startswith("store")} == set()
    assert (root / "up").read_text() == "x" and (root / "abs").read_text() == "x" and (root / "far").read_text() == "x"
    assert not (root / "direct").is_symlink() and (root / "direct").read_text() == "replaced"
    assert (root / "sub/x").is_dir()
