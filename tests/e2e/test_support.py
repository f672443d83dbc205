# SPDX-License-Identifier: Apache-2.0
"""The test support itself, tried with clients that are not ours: a fault that did not happen would make a test pass for nothing."""

import hashlib
import http.client
import subprocess

import pytest

from tests.support import chroot, images, oci_layout
from tests.support.faulty_registry import corrupt, lengthen, redirect, reset, shorten, status, truncate
from tests.support.places import tool
from tests.support.registry import PASSWORD, USER, Registry


def get(host: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.fixture
def blob(registry, pushed) -> tuple[str, str]:
    """Path and digest of a layer in the registry."""
    digest = registry.inspect(pushed("busybox"))["layers"][0]["digest"]
    return f"/v2/busybox/blobs/{digest}", digest


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def test_the_proxy_passes_everything_on_unless_told_otherwise(faulty, blob):
    path, digest = blob
    assert sha256(get(faulty.host, path)[1]) == digest
    assert [seen.path for seen in faulty.requests] == [path]


@pytest.mark.parametrize(("fault", "change"), [(corrupt, 0), (lengthen, 27), (shorten, -1)])
def test_a_changed_body_is_complete_and_wrong(faulty, blob, fault, change):
    path, digest = blob
    whole = len(get(faulty.host, path)[1])
    faulty.fault("/blobs/", fault)
    code, body = get(faulty.host, path)
    assert code == 200 and sha256(body) != digest
    assert len(body) - whole == change if change >= 0 else len(body) == whole // 2
    assert sha256(get(faulty.host, path)[1]) == digest, "a fault for one request hit another"


def test_a_cut_connection_is_seen_as_one(faulty, blob):
    faulty.fault("/blobs/", truncate)
    with pytest.raises(http.client.IncompleteRead):
        get(faulty.host, blob[0])
    faulty.fault("/blobs/", reset)
    with pytest.raises(ConnectionResetError):
        get(faulty.host, blob[0])


def test_a_status_and_a_redirect_replace_the_answer(faulty, blob):
    faulty.fault("/blobs/", status(429, {"Retry-After": "1"}))
    assert get(faulty.host, blob[0])[0] == 429
    faulty.fault("/blobs/", redirect("elsewhere.invalid"))
    assert get(faulty.host, blob[0])[0] == 307


@pytest.mark.parametrize("auth", ["basic", "token"])
def test_a_guarded_registry_lets_in_only_who_knows_the_password(auth):
    with Registry(auth=auth) as guarded:
        reference = guarded.push(images.image("busybox"), "busybox")
        assert guarded.inspect(reference)["schemaVersion"] == 2
        for creds in (f"{USER}:wrong", f"wrong:{PASSWORD}"):
            command = [tool("skopeo"), "inspect", "--raw", "--tls-verify=false", "--creds", creds, f"docker://{reference}"]
            assert subprocess.run(command, capture_output=True, timeout=30, check=False).returncode != 0
        assert get(guarded.host, "/v2/busybox/manifests/latest")[0] == 401


@pytest.mark.parametrize("name", ["busybox", "busybox_zstd", "plain_layer", "layered", "configured", "musl", "index"])
def test_other_tools_accept_the_images(name):
    raw = images.run(tool("skopeo"), "inspect", "--config", f"oci:{images.image(name)}:latest").stdout
    assert '"os":"linux"' in raw.replace(" ", "")


def test_zstd_layers_are_zstd():
    layout = images.image("busybox_zstd")
    layer = oci_layout.read_json(layout, oci_layout.top(layout)["digest"])["layers"][0]
    assert layer["mediaType"].endswith("+zstd")
    assert (layout / "blobs" / layer["digest"].replace(":", "/")).read_bytes()[:4] == b"\x28\xb5\x2f\xfd"


def test_the_chroot_to_compare_with_is_one():
    with images.real_rootfs("musl") as rootfs:
        done = chroot.run(rootfs, ["/bin/program"], {}, "/srv")
    assert done.returncode == 0 and b"motd: made for musl\n" in done.stdout and b"cwd: /srv\n" in done.stdout
