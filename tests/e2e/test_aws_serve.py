# SPDX-License-Identifier: Apache-2.0
"""Our Lambda client invokes the function that `scar local serve` serves: what no other emulator streams."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.aws_probe import Probe, build
from tests.support.lambda_local import NAME, LocalLambda


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("probe"))


def cmd(*words: str) -> str:
    return json.dumps({"cmd_args": json.dumps(list(words))})


@pytest.fixture(scope="module")
def buffered(program: Path, pushed: Callable[[str], str]) -> Iterator[Probe]:
    with LocalLambda(pushed("busybox")) as running, Probe(program, "--region", "eu-west-1", "--endpoint-url", f"http://127.0.0.1:{running.port}") as probe:
        yield probe


@pytest.fixture(scope="module")
def streaming(program: Path, pushed: Callable[[str], str]) -> Iterator[Probe]:
    with LocalLambda(pushed("busybox"), env={"SCAR_RESPONSE_MODE": "streaming"}) as running:
        with Probe(program, "--region", "eu-west-1", "--endpoint-url", f"http://127.0.0.1:{running.port}") as probe:
            yield probe


def test_an_answer_comes_with_the_tail_of_the_log(buffered: Probe) -> None:
    found = buffered("invoke", name=NAME, payload=cmd("sh", "-c", "echo out; echo err >&2"), log=True)
    assert (found["status"], found["payload"], found.get("error")) == (200, "out\n", None)
    assert "REPORT RequestId: " in found["log"] and "err" in found["log"]


def test_a_function_that_fails_is_no_failure_of_the_call(buffered: Probe) -> None:
    found = buffered("invoke", name=NAME, payload=cmd("sh", "-c", "exit 3"))
    assert found["error"] == "Unhandled"
    assert json.loads(found["payload"])["exitCode"] == 3


def test_events_are_taken_without_waiting(buffered: Probe) -> None:
    assert buffered("invoke", name=NAME, payload=cmd("true"), type="async")["status"] == 202


def test_a_stream_arrives_whole(streaming: Probe) -> None:
    found = streaming("invoke", name=NAME, payload=cmd("sh", "-c", "yes 0123456 | head -c 9000000"), stream=True)
    assert found["stream"] == "0123456\n" * 1_125_000
    assert found.get("error") is None


def test_an_error_after_output_is_told(streaming: Probe) -> None:
    found = streaming("invoke", name=NAME, payload=cmd("sh", "-c", "echo first; sleep 0.5; exit 5"), stream=True)
    assert (found["stream"], found["error"]) == ("first\n", "Unhandled")
    assert json.loads(found["payload"])["errorType"] == "Function.ExitError"
