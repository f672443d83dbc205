# SPDX-License-Identifier: Apache-2.0
"""Write an OCI image layout (image-spec 1.0) with nothing but tar, gzip and SHA-256.

Real tools make the ordinary images (see images.py); this module makes the ones that they would refuse to make, and tiny ones in
milliseconds. Everything is deterministic: the same content gives the same digests.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
LAYER_PLAIN = "application/vnd.oci.image.layer.v1.tar"
MTIME = 1_600_000_000


class Layer:
    """A tar file in the making. Parents are not added by themselves: a layer holds exactly what was asked for."""

    def __init__(self) -> None:
        self._out = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._out, mode="w", format=tarfile.PAX_FORMAT)

    def entry(self, name: str, kind: bytes, mode: int, data: bytes = b"", target: str = "", uid: int = 0, gid: int = 0) -> "Layer":
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.linkname, info.size = kind, mode, target, len(data)
        info.uid, info.gid, info.mtime = uid, gid, MTIME
        self._tar.addfile(info, io.BytesIO(data) if data else None)
        return self

    def file(self, name: str, data: bytes | str, mode: int = 0o644, uid: int = 0, gid: int = 0) -> "Layer":
        return self.entry(name, tarfile.REGTYPE, mode, data.encode() if isinstance(data, str) else data, uid=uid, gid=gid)

    def copy(self, name: str, source: Path | str, mode: int = 0o755) -> "Layer":
        return self.file(name, Path(source).read_bytes(), mode)

    def dir(self, name: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> "Layer":
        return self.entry(name, tarfile.DIRTYPE, mode, uid=uid, gid=gid)

    def dirs(self, *names: str) -> "Layer":
        for name in names:
            self.dir(name)
        return self

    def symlink(self, name: str, target: str) -> "Layer":
        return self.entry(name, tarfile.SYMTYPE, 0o777, target=target)

    def hardlink(self, name: str, target: str) -> "Layer":
        return self.entry(name, tarfile.LNKTYPE, 0o644, target=target)

    def whiteout(self, path: str) -> "Layer":
        folder, _, name = path.rpartition("/")
        return self.file(f"{folder}/.wh.{name}" if folder else f".wh.{name}", b"")

    def opaque(self, folder: str) -> "Layer":
        return self.file(f"{folder}/.wh..wh..opq", b"")

    def tar(self) -> bytes:
        self._tar.close()
        return self._out.getvalue()


@dataclass
class Image:
    layers: Sequence[bytes]  # tar files
    config: dict = field(default_factory=dict)  # the "config" member of the image configuration
    architecture: str = "amd64"
    variant: str = ""
    compress: bool = True


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def put(layout: Path, data: bytes, media_type: str) -> dict:
    digest = digest_of(data)
    path = layout / "blobs" / digest.replace(":", "/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def put_json(layout: Path, document: dict, media_type: str) -> dict:
    return put(layout, json.dumps(document, sort_keys=True).encode(), media_type)


def _put_image(layout: Path, image: Image) -> dict:
    platform = {"architecture": image.architecture, "os": "linux", **({"variant": image.variant} if image.variant else {})}
    config = platform | {"config": image.config, "rootfs": {"type": "layers", "diff_ids": [digest_of(tar) for tar in image.layers]}}
    layers = [
        put(layout, gzip.compress(tar, 6, mtime=0) if image.compress else tar, LAYER_GZIP if image.compress else LAYER_PLAIN)
        for tar in image.layers
    ]
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": put_json(layout, config, CONFIG), "layers": layers}
    return put_json(layout, manifest, MANIFEST) | {"platform": platform}


def write(layout: Path, *images: Image, tag: str = "latest") -> str:
    """Write one image, or an image index over several platforms, below `tag`. Returns the digest that the tag points to."""
    layout.mkdir(parents=True, exist_ok=True)
    entries = [_put_image(layout, image) for image in images]
    if len(entries) == 1:
        top = {key: entries[0][key] for key in ("mediaType", "digest", "size")}
    else:
        top = put_json(layout, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, INDEX)
    top["annotations"] = {"org.opencontainers.image.ref.name": tag}
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [top]}))
    return top["digest"]


def read_json(layout: Path, digest: str) -> dict:
    return json.loads((layout / "blobs" / digest.replace(":", "/")).read_bytes())


def top(layout: Path, tag: str = "") -> dict:
    """The descriptor that a tag of the layout points to; its first, if none is named."""
    manifests = json.loads((layout / "index.json").read_text())["manifests"]
    named = [found for found in manifests if found.get("annotations", {}).get("org.opencontainers.image.ref.name") == tag]
    return (named or manifests)[0]
