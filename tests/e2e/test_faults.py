# SPDX-License-Identifier: Apache-2.0
"""Whatever goes wrong with an image gives one clear error document, the loop goes on, and the next good invocation works.

All tests of a module-wide function share one environment: that it survives all of them is the point.
"""

import os
import time

import pytest

from tests.support import images, oci_layout
from tests.support.faulty_registry import FOREVER, FaultyRegistry, body, corrupt, lengthen, redirect, reset, shorten, slow, status, truncate
from tests.support.lambda_local import Answer, LocalLambda
from tests.support.registry import free_port


@pytest.fixture(scope="module")
def function(pushed):
    """One warm environment whose events may name the image."""
    with LocalLambda(pushed("busybox"), env={"SCAR_ALLOW_EVENT_IMAGE": "1"}, timeout_s=60) as running:
        yield running


@pytest.fixture(autouse=True)
def next_good_invocation_works_in_the_same_process(function):
    """Runs after each test of this module."""
    function.run("true")
    before = function.bootstrap_pids()
    yield
    after = function.run("echo", "still here")
    assert (after.status, after.function_error, after.body) == (200, "", b"still here\n"), after
    assert function.bootstrap_pids() == before, "bootstrap was started anew: the loop did not go on"


def failed(answer: Answer, error_type: str | tuple[str, ...], *words: str) -> str:
    """The error document has this type (or one of these) and names what and where."""
    assert answer.status == 200 and answer.function_error == "Unhandled", (answer, answer.log)
    document = answer.document()
    assert document["errorType"] in ((error_type,) if isinstance(error_type, str) else error_type), document
    message = document["errorMessage"]
    for word in words:
        assert word in message, document
    assert "\n" not in message and len(message) < 2048
    return message


@pytest.fixture
def fresh(registry, faulty, tmp_path) -> tuple[str, str]:
    """An image that no store has seen, below the proxy's name, and the digest of its last layer: 2 MiB of /noise."""
    noise = oci_layout.Layer().file("noise", os.urandom(2 << 20)).tar()
    config = {"Env": [images.PATH_ENV], "Cmd": ["/bin/sh"]}
    oci_layout.write(tmp_path / "layout", oci_layout.Image([images.busybox_layer().tar(), noise], config))
    reference = registry.push(tmp_path / "layout", "faults/fresh")
    return reference.replace(registry.host, faulty.host), registry.inspect(reference)["layers"][-1]["digest"]


@pytest.mark.parametrize("fault", [corrupt, shorten, lengthen], ids=["corrupted", "shortened", "lengthened"])
def test_a_blob_that_is_not_what_its_digest_says(function, faulty, fresh, fault):
    reference, digest = fresh
    faulty.fault(f"/blobs/{digest}", fault, FOREVER)
    failed(function.run("true", image=reference), "Runtime.ImageIntegrity", digest)
    faulty.heal()
    assert function.run("wc", "-c", "/noise", image=reference).text.split()[0] == str(2 << 20)


@pytest.mark.parametrize("fault", [truncate, reset], ids=["cut", "reset"])
def test_a_layer_whose_connection_breaks_for_good(function, faulty, fresh, fault):
    reference, digest = fresh
    rule = faulty.fault(f"/blobs/{digest}", fault, FOREVER)
    failed(function.run("true", image=reference), ("Runtime.RegistryNetwork", "Runtime.RegistryProtocol"), digest)
    assert rule.hits > 1, "a broken connection is worth a second try"


@pytest.mark.parametrize("path", ["/blobs/", "/manifests/"])
@pytest.mark.parametrize("fault", [truncate, reset, status(500), status(429, {"Retry-After": "0"})], ids=["cut", "reset", "500", "429"])
def test_a_passing_fault_is_tried_again_and_not_noticed(function, faulty, fresh, fault, path):
    reference, _ = fresh
    rule = faulty.fault(path, fault, 1)
    answer = function.run("wc", "-c", "/noise", image=reference)
    assert (answer.function_error, answer.text.split()[0]) == ("", str(2 << 20)), answer
    assert rule.hits == 1


@pytest.mark.parametrize(
    ("code", "error_type"),
    [
        (401, "Runtime.RegistryAuth"),
        (403, "Runtime.RegistryAuth"),
        (404, "Runtime.ImageNotFound"),
        (429, "Runtime.RegistryRateLimit"),
        (500, "Runtime.RegistryUnavailable"),
        (503, "Runtime.RegistryUnavailable"),
    ],
)
def test_a_registry_that_refuses_the_manifest(function, faulty, code, error_type):
    faulty.fault("/v2/", status(code, {"Retry-After": "0"}), FOREVER)
    failed(function.run("true", image=f"{faulty.host}/refused:latest"), error_type, f"{faulty.host}/refused:latest")


@pytest.mark.parametrize(("code", "error_type"), [(404, "Runtime.ImageNotFound"), (500, "Runtime.RegistryUnavailable")])
def test_a_registry_that_refuses_a_blob(function, faulty, fresh, code, error_type):
    reference, digest = fresh
    faulty.fault(f"/blobs/{digest}", status(code, {"Retry-After": "0"}), FOREVER)
    failed(function.run("true", image=reference), error_type, digest)


def test_a_rate_limit_says_when_to_come_back_and_does_not_eat_the_invocation(function, faulty):
    faulty.fault("/v2/", status(429, {"Retry-After": "3600"}), FOREVER)
    failed(function.run("true", image=f"{faulty.host}/busy:latest"), "Runtime.RegistryRateLimit", "429")
    assert len([seen for seen in faulty.requests if "/busy/manifests/" in seen.path]) == 1, "it was asked again"


def test_an_image_that_is_not_there(function, registry):
    failed(function.run("true", image=f"{registry.host}/no/such/image:3"), "Runtime.ImageNotFound", f"{registry.host}/no/such/image", "3")


def test_a_tag_that_is_not_there(function, pushed):
    failed(function.run("true", image=pushed("busybox").replace(":latest", ":absent")), "Runtime.ImageNotFound", "absent")


def test_nobody_listens(function):
    port = free_port()
    failed(function.run("true", image=f"127.0.0.1:{port}/nothing:1"), "Runtime.RegistryNetwork", f"127.0.0.1:{port}")


def test_a_host_name_that_does_not_exist(function):
    failed(function.run("true", image="registry.invalid/nothing:1"), "Runtime.RegistryNetwork", "registry.invalid")


@pytest.mark.parametrize(
    "reference",
    [
        "docker.io/UPPER",
        "a b",
        "x@sha256:12",
        "host:99999/x",
        "-x",
        "a/../b",
        "http://registry.example/x",
        ":tag",
        "a//b",
        "x:" + "t" * 129,
    ],
)
def test_a_wrong_reference(function, reference):
    failed(function.run("true", image=reference), "Runtime.InvalidImageReference", reference[:40])


@pytest.mark.parametrize(
    ("document", "error_type"),
    [
        (b"<html>captive portal</html>", "Runtime.InvalidImage"),
        (b'{"schemaVersion":1}', "Runtime.Unsupported"),
        (b'{"schemaVersion":2,"layers":[]}', "Runtime.InvalidImage"),
        (b"[" * 100_000, "Runtime.LimitExceeded"),
        (b'{"schemaVersion":2,"config":7,"layers":{}}', "Runtime.InvalidImage"),
        (b"", "Runtime.InvalidImage"),
    ],
    ids=["html", "schema-1", "no-config", "deep", "wrong-types", "empty"],
)
def test_a_manifest_that_is_none(function, faulty, document, error_type):
    faulty.fault("/manifests/", body(document, oci_layout.MANIFEST), FOREVER)
    failed(function.run("true", image=f"{faulty.host}/strange:latest"), error_type, f"{faulty.host}/strange")


def test_a_blob_that_is_no_archive(function, registry, tmp_path):
    """Digest and size are right; the content is no layer."""
    layout = tmp_path / "layout"
    oci_layout.write(layout, oci_layout.Image([b"this is no tar archive, whatever the media type says" * 40], {"Cmd": ["/x"]}))
    reference = registry.push(layout, "faults/no-archive")
    failed(
        function.run("true", image=reference),
        "Runtime.InvalidImage",
        oci_layout.read_json(layout, oci_layout.top(layout)["digest"])["layers"][0]["digest"],
    )


def test_credentials_do_not_follow_a_redirect(registry):
    with FaultyRegistry(registry.host) as store, FaultyRegistry(registry.host) as front:
        registry.push(images.image("busybox_zstd"), "redirected")
        front.fault("/blobs/", redirect(store.host), FOREVER)
        environ = {"SCAR_REGISTRY_USERNAME": "tester", "SCAR_REGISTRY_PASSWORD": "do not pass on"}
        with LocalLambda(f"{front.host}/redirected:latest", environ=environ) as other:
            assert other.run("echo", "ran").body == b"ran\n"
        assert store.requests, "the redirect was not followed"
        assert not [seen for seen in store.requests if "Authorization" in seen.headers]


def test_the_wrong_architecture(function, pushed):
    failed(function.run("true", image=pushed("wrong_architecture")), "Runtime.UnsupportedPlatform", "s390x", pushed("wrong_architecture"))


def test_an_index_without_this_architecture_names_those_it_has(function, pushed):
    failed(function.run("true", image=pushed("wrong_index")), "Runtime.UnsupportedPlatform", "ppc64le", "riscv64")


def test_an_entrypoint_that_does_not_exist(function, pushed):
    failed(function.run(image=pushed("missing_entrypoint")), "Runtime.InvalidEntrypoint", "/opt/absent/program")


def test_an_entrypoint_that_is_no_program(function, pushed):
    failed(function.run(image=pushed("unusable_entrypoint")), "Runtime.InvalidEntrypoint", "/not-a-program")


def test_an_image_without_a_command(function, pushed):
    answer = function.run(image=pushed("no_command"))
    assert answer.function_error == "Unhandled" and "command" in answer.document()["errorMessage"].lower(), answer


@pytest.mark.parametrize(
    "event", [b"not JSON", b"", b"\xff\xfe", b'{"cmd_args": 7}', b'{"cmd_args": "[1"}', b'{"script": "%%%"}', b"[" * 5000]
)
def test_events_that_cannot_be_understood(function, event):
    answer = function.invoke(raw=event)
    if answer.function_error:
        assert answer.document()["errorType"] in ("Function.InvalidEvent", "Function.ExitError"), answer
    # Text that is no job is the program's input: the image's own command ran, or the event was refused; either way one answer.
    assert answer.status in (200, 400), answer


def test_a_slow_registry_ends_with_the_invocation(pushed, faulty, fresh):
    reference, digest = fresh
    faulty.fault(f"/blobs/{digest}", slow(20_000), FOREVER)  # 100 s in all
    with LocalLambda(pushed("busybox"), env={"SCAR_ALLOW_EVENT_IMAGE": "1"}, timeout_s=5) as other:
        start = time.monotonic()
        answer = other.run("true", image=reference)
        assert answer.function_error == "Unhandled" and time.monotonic() - start < 60, answer
        assert other.run("echo", "next").body == b"next\n"
        faulty.heal()
        assert other.run("echo", "now", image=reference).body == b"now\n"


def test_a_full_tmp(pushed):
    with LocalLambda(pushed("busybox"), env={"SCAR_ALLOW_EVENT_IMAGE": "1"}, tmp_size_mb=32) as small:
        assert small.run("echo", "before").body == b"before\n"
        pids = small.bootstrap_pids()
        failed(small.run("true", image=pushed("big")), "Runtime.NoSpace", "/tmp")
        assert small.run("echo", "after").body == b"after\n"
        # What the failed pull left behind must not keep the next image out.
        assert small.run("echo", "other", image=pushed("layered")).body == b"other\n"
        assert small.bootstrap_pids() == pids


def test_the_image_of_an_event_needs_permission(pushed):
    with LocalLambda(pushed("busybox")) as strict:
        answer = strict.run("true", image=pushed("layered"))
        assert answer.function_error == "Unhandled" and "SCAR_ALLOW_EVENT_IMAGE" in answer.document()["errorMessage"], answer
        assert strict.run("echo", "own").body == b"own\n"


def test_a_function_without_an_image_says_so():
    with LocalLambda() as empty:
        answer = empty.run("true")
        assert answer.function_error == "Unhandled" and "image" in answer.document()["errorMessage"].lower(), answer


def test_no_process_is_left_behind(pushed):
    with LocalLambda(pushed("busybox")) as function:
        function.run("sh", "-c", "sleep 300 & sleep 300 & true")
        function.run("true")
    time.sleep(0.2)
    assert function.left_behind == [] or not [pid for pid in function.left_behind if os.path.exists(f"/proc/{pid}")]
