# SPDX-License-Identifier: Apache-2.0
"""The registry client alone, against docker-registry and against what skopeo writes: every blob is kept and held against its digest."""

import hashlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import images
from tests.support.images import run
from tests.support.places import ROOT, tool
from tests.support.registry import PASSWORD, USER, Registry

OBJECT = "build/obj/dbg/tests/support/probes/registry_probe.o"
ARCHIVES = ("build/lib/dbg/libregistry.a", "build/lib/dbg/libruntime-base.a")
CREDENTIALS = ("-u", f"{USER}:{PASSWORD}")

Probe = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Probe:
    program = tmp_path_factory.mktemp("probe") / "registry_probe"
    run(tool("make"), "-s", "-C", ROOT, OBJECT, *ARCHIVES)
    libraries = ("-lcurl", "-lssl", "-lcrypto", "-lcjson", "-lz", "-lzstd", "-lpthread")
    run(tool("gcc"), "-o", program, *(ROOT / path for path in (OBJECT, *ARCHIVES)), *libraries)

    def call(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess:
        command = [program, *arguments]
        return subprocess.run(command, env={"PATH": "/usr/bin:/bin", **environ}, capture_output=True, text=True, timeout=60)

    return call


def facts(done: subprocess.CompletedProcess) -> dict[str, list[str]]:
    """The "name value" lines of a probe that worked."""
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition(" ")
        found.setdefault(name, []).append(value)
    return found


def assert_pulled(folder: Path, done: subprocess.CompletedProcess) -> dict[str, list[str]]:
    """All layers are in the folder, right to the last byte."""
    found = facts(done)
    for layer in found["layer"]:
        digest, size, _ = layer.split()
        blob = (folder / digest.removeprefix("sha256:")).read_bytes()
        assert (f"sha256:{hashlib.sha256(blob).hexdigest()}", str(len(blob))) == (digest, size)
    return found


def refused(done: subprocess.CompletedProcess, kind: str, *says: str) -> None:
    assert done.returncode != 0
    assert done.stderr.startswith(f"{kind}: "), done.stderr
    for text in says:
        assert text in done.stderr


@pytest.mark.parametrize(
    ("auth", "anonymous", "credentials"),
    [
        ("", False, ()),
        ("basic", False, CREDENTIALS),
        ("token", False, CREDENTIALS),
        ("token", True, ()),
        ("token", True, CREDENTIALS),
    ],
    ids=["open", "basic", "token", "anonymous-token", "token-not-needed"],
)
def test_every_layer_arrives_whatever_the_access_control(probe, tmp_path, auth, anonymous, credentials):
    with Registry(auth, anonymous) as registry:
        reference = registry.push(images.image("layered"), "group/layered")
        pushes = len(registry.tokens.requests) if registry.tokens else 0
        found = assert_pulled(tmp_path, probe(*credentials, "-j", "4", "-o", tmp_path, reference))
        # One token for the whole pull, whichever thread asks first.
        assert registry.tokens is None or len(registry.tokens.requests) == pushes + 1
        assert len(found["layer"]) == len(registry.inspect(reference)["layers"])


@pytest.mark.parametrize("auth", ["basic", "token"])
def test_missing_and_wrong_credentials_are_told_apart(probe, auth):
    with Registry(auth) as registry:
        reference = registry.push(images.image("busybox"), "busybox")
        refused(probe(reference), "auth", "user name and password" if auth == "basic" else "no anonymous access")
        refused(probe("-u", "tester:nonsense", reference), "auth", "user name or password")
        # What is not there is no secret to one who may pull.
        refused(probe(*CREDENTIALS, f"{registry.host}/busybox:nope"), "not-found", "busybox:nope")


def test_credentials_come_from_a_docker_config(probe, tmp_path):
    config = tmp_path / "config.json"
    with Registry("basic") as registry:
        reference = registry.push(images.image("busybox"), "busybox")
        run(tool("skopeo"), "login", "--tls-verify=false", "--authfile", config, "-u", USER, "-p", PASSWORD, registry.host)
        facts(probe("-c", config, reference))
        refused(probe("-c", tmp_path / "none.json", reference), "auth")


def test_tls_is_found_and_its_certificate_checked(probe, tmp_path):
    with Registry(tls=True) as registry:
        reference = registry.push(images.image("busybox"), "busybox")
        assert_pulled(tmp_path, probe("-o", tmp_path, reference, SCAR_CA_BUNDLE=str(registry.certificate)))
        refused(probe(reference), "tls", "certificate")


def test_the_platform_decides_in_an_index(probe, registry, tmp_path):
    reference = registry.push(images.image("index"), "index")
    here = facts(probe("-p", "linux/amd64", reference))
    there = facts(probe("-p", "linux/arm64", reference))
    assert here["platform"] == ["linux/amd64"] and there["platform"] == ["linux/arm64"]
    assert here["manifest"] != there["manifest"]
    refused(probe("-p", "linux/mips64le", reference), "platform", "linux/amd64", "this needs linux/mips64le")
    # By the digest of one manifest, what it is for is read from its config.
    digest = there["manifest"][0].split()[0]
    refused(probe("-p", "linux/amd64", f"{registry.host}/index@{digest}"), "platform", "linux/arm64")


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "layout"
    run(tool("skopeo"), "copy", "--quiet", f"oci:{images.image('layered')}:latest", f"oci:{path}:v1")
    yield path


def test_a_layout_directory_is_read_as_the_registry_is(probe, registry, tmp_path, layout):
    from_registry = facts(probe(registry.push(images.image("layered"), "layered")))
    for reference in (f"oci:{layout}", f"oci:{layout}:v1"):
        found = assert_pulled(tmp_path, probe("-o", tmp_path, reference))
        assert found["manifest"] == from_registry["manifest"] and found["layer"] == from_registry["layer"]
        assert found["requests"] == ["0"]
    refused(probe(f"oci:{layout}:v2"), "not-found", "v1")
    manifest = found["manifest"][0].split()[0]
    facts(probe(f"oci:{layout}@{manifest}"))


def test_an_archive_of_a_layout_is_read_as_the_layout_is(probe, tmp_path, layout):
    archive = tmp_path / "image.tar"
    run(tool("skopeo"), "copy", "--quiet", f"oci:{layout}:v1", f"oci-archive:{archive}:v1")
    from_layout = facts(probe(f"oci:{layout}:v1"))
    manifest = from_layout["manifest"][0].split()[0]
    for reference in (f"oci-archive:{archive}", f"oci-archive:{archive}:v1", f"oci-archive:{archive}@{manifest}"):
        found = assert_pulled(tmp_path, probe("-j", "4", "-o", tmp_path, reference))
        assert found["manifest"] == from_layout["manifest"] and found["layer"] == from_layout["layer"]
    refused(probe(f"oci-archive:{archive}:v2"), "not-found", "v1")
    refused(probe(f"oci-archive:{tmp_path}/none.tar"), "not-found", "there is no file")
    refused(probe(f"oci-archive:{layout}"), "unsupported", "no regular file")
    saved = tmp_path / "saved.tar"
    run(tool("skopeo"), "copy", "--quiet", f"oci:{layout}:v1", f"docker-archive:{saved}:name:tag")
    refused(probe(f"oci-archive:{saved}"), "not-found", "is no OCI image layout")
    # One byte of a layer changed: told by its digest.
    digest = max(found["layer"], key=lambda layer: int(layer.split()[1])).split()[0]
    data = bytearray(archive.read_bytes())
    data[data.index((layout / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()[:512]) + 100] ^= 1
    archive.write_bytes(data)
    refused(probe(f"oci-archive:{archive}"), "integrity", digest)
    run(tool("gzip"), archive)
    refused(probe(f"oci-archive:{archive}.gz"), "integrity", digest)
    run(tool("bzip2"), f"{archive}.gz")
    refused(probe(f"oci-archive:{archive}.gz.bz2"), "unsupported", "compressed with bzip2")


def test_what_docker_save_writes_is_read(probe, tmp_path, layout):
    archive = tmp_path / "image.tar"
    run(tool("skopeo"), "copy", "--quiet", f"oci:{layout}:v1", f"docker-archive:{archive}:group/name:tag")
    config = facts(probe(f"oci:{layout}"))
    found = assert_pulled(tmp_path, probe("-o", tmp_path, f"docker-archive:{archive}:group/name:tag"))
    assert found["diff_id"] == config["diff_id"]
    # Uncompressed there, so a layer's digest is its diff ID.
    assert [layer.split()[0] for layer in found["layer"]] == found["diff_id"]
    refused(probe(f"docker-archive:{archive}:other"), "not-found", "group/name:tag")
    run(tool("gzip"), archive)
    assert assert_pulled(tmp_path, probe("-j", "4", "-o", tmp_path, f"docker-archive:{archive}.gz"))["layer"] == found["layer"]
