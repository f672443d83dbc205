# SPDX-License-Identifier: Apache-2.0
"""SCAR_PULL_AT: the image comes while Lambda initialises; a pull that takes longer goes on with the invocations, and is never begun anew."""

import time

import pytest

from tests.support.faulty_registry import FOREVER, slow, status
from tests.support.lambda_local import LocalLambda


def order(function: LocalLambda) -> list[str]:
    """What the log tells first: the pull, or an invocation."""
    return [word for line in function.log().splitlines() for word in ("pulled", "cached", "START", "on its way") if f" {word}" in f" {line}"]


def await_word(function: LocalLambda, word: str) -> None:
    deadline = time.monotonic() + 60
    while word not in order(function):
        assert time.monotonic() < deadline, function.log()
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("env", "first"),
    [
        ({"SCAR_PULL_AT": "init"}, "pulled"),
        ({"AWS_LAMBDA_INITIALIZATION_TYPE": "provisioned-concurrency"}, "pulled"),
        ({"SCAR_PULL_AT": "invocation", "AWS_LAMBDA_INITIALIZATION_TYPE": "provisioned-concurrency"}, "START"),
        ({}, "START"),
    ],
)
def test_the_image_comes_when_it_is_wanted(pushed, env, first):
    with LocalLambda(pushed("busybox"), env=env) as function:
        if first == "pulled":
            await_word(function, "pulled")
            assert order(function) == ["pulled"]
        assert function.run("echo", "here").text == "here\n"
        assert order(function)[0] == first


def test_a_long_pull_goes_on_from_invocation_to_invocation(pushed, registry, faulty):
    reference = pushed("busybox").replace(registry.host, faulty.host)
    # 1.1 MB take a quarter of a minute: longer than initialisation has.
    faulty.fault("/blobs/", slow(70_000), times=FOREVER)
    with LocalLambda(reference, env={"SCAR_PULL_AT": "init"}, timeout_s=2) as function:
        await_word(function, "on its way")
        deadline, answers = time.monotonic() + 120, []
        while not answers or answers[-1].function_error:
            assert time.monotonic() < deadline, function.log()
            answers.append(function.run("echo", "at last"))
        assert answers[-1].text == "at last\n" and len(answers) > 1
        for answer in answers[:-1]:
            assert "its pull goes on in the next invocation" in answer.document()["errorMessage"]
    # The configuration and the one layer, each once and from the beginning.
    asked = [seen for seen in faulty.requests if "/blobs/" in seen.path and seen.method == "GET"]
    assert len(asked) == 2 and not any("Range" in seen.headers for seen in asked)


def test_a_pull_that_failed_is_tried_again_by_the_invocation(pushed, registry, faulty):
    reference = pushed("busybox").replace(registry.host, faulty.host)
    faulty.fault("/manifests/", status(404), times=FOREVER)
    with LocalLambda(reference, env={"SCAR_PULL_AT": "init"}) as function:
        deadline = time.monotonic() + 60
        while "the next invocation tries again" not in function.log():
            assert time.monotonic() < deadline, function.log()
            time.sleep(0.02)
        assert function.run("true").function_error
        faulty.heal()
        assert function.run("echo", "healed").text == "healed\n"
