# SPDX-License-Identifier: Apache-2.0
"""The clients that people use: boto3 and Debian's awscli invoke the function that `scar local serve` serves."""

import base64
import itertools
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.lambda_local import NAME, LocalLambda
from tests.support.places import Missing, tool

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_DEFAULT_REGION": "eu-west-1",
}


@pytest.fixture(scope="module")
def function(pushed):
    with LocalLambda(pushed("busybox"), env={"SCAR_ALLOW_EVENT_IMAGE": "1"}, tmp_size_mb=700) as running:
        yield running


@pytest.fixture(scope="module")
def streaming(pushed):
    """A function that streams. The Runtime API does not say what the caller wants, so this is part of a function's configuration."""
    env = {"SCAR_ALLOW_EVENT_IMAGE": "1", "SCAR_RESPONSE_MODE": "streaming"}
    with LocalLambda(pushed("busybox"), env=env, tmp_size_mb=700) as running:
        yield client_of(running)


@pytest.fixture(scope="module")
def client(function):
    return client_of(function)


def client_of(function: LocalLambda):
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise Missing(f"boto3 is not installed ({error}); tests/run.sh puts it into a venv where a Python package index answers") from error
    access = {"aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"]}
    config = Config(retries={"max_attempts": 0}, read_timeout=60)
    made = boto3.client("lambda", endpoint_url=function.url, region_name="eu-west-1", config=config, **access)
    if not hasattr(made, "invoke_with_response_stream"):
        raise Missing(f"boto3 {boto3.__version__} is too old for InvokeWithResponseStream")
    return made


def payload(*args: str, **event: str) -> bytes:
    return json.dumps({"cmd_args": json.dumps(list(args))} | event).encode()


def test_boto3_request_response(client):
    answer = client.invoke(FunctionName=NAME, Payload=payload("echo", "hello"), LogType="Tail")
    assert answer["StatusCode"] == 200 and "FunctionError" not in answer and answer["ExecutedVersion"] == "$LATEST"
    assert answer["Payload"].read() == b"hello\n"
    assert "REPORT RequestId: " + answer["ResponseMetadata"]["RequestId"] in base64.b64decode(answer["LogResult"]).decode()


def test_boto3_event_and_dry_run(client):
    assert client.invoke(FunctionName=NAME, Payload=payload("true"), InvocationType="Event")["StatusCode"] == 202
    assert client.invoke(FunctionName=NAME, Payload=payload("true"), InvocationType="DryRun")["StatusCode"] == 204


def test_boto3_function_error(client):
    answer = client.invoke(FunctionName=NAME, Payload=payload("sh", "-c", "echo why >&2; exit 9"))
    document = json.loads(answer["Payload"].read())
    assert answer["FunctionError"] == "Unhandled" and (document["errorType"], document["exitCode"]) == ("Function.ExitError", 9)


def test_boto3_sees_each_line_within_200_ms(streaming, pushed):
    """The program prints the time at which it prints; clocks are the same, for both are on this machine."""
    script = 'for i in 1 2 3 4; do echo "$(date +%s.%N) line $i"; sleep 1; done'
    image = {"image": pushed("debian")}
    # The pull is not what is measured.
    streaming.invoke(FunctionName=NAME, Payload=payload("true", **image))
    answer = streaming.invoke_with_response_stream(FunctionName=NAME, Payload=payload("sh", "-c", script, **image))
    seen, complete = [], None
    for event in answer["EventStream"]:
        now = time.time()
        if "PayloadChunk" in event:
            seen += [(now, line.decode()) for line in event["PayloadChunk"]["Payload"].splitlines()]
        complete = event.get("InvokeComplete", complete)
    assert [line.split()[1:] for _, line in seen] == [["line", str(i)] for i in (1, 2, 3, 4)], seen
    delays = [now - float(line.split()[0]) for now, line in seen]
    print(f"\ndelays in ms: {[round(delay * 1000, 1) for delay in delays]}")
    assert all(-0.05 < delay < 0.2 for delay in delays), delays
    gaps = [later - sooner for (sooner, _), (later, _) in itertools.pairwise(seen)]
    assert all(0.8 < gap < 1.5 for gap in gaps), gaps
    assert complete is not None and not complete.get("ErrorCode"), complete


def test_boto3_gets_an_error_that_comes_after_output(streaming):
    answer = streaming.invoke_with_response_stream(
        FunctionName=NAME, Payload=payload("sh", "-c", "echo first; sleep 1; echo bad >&2; exit 5")
    )
    chunks, complete = [], {}
    for event in answer["EventStream"]:
        chunks += [event["PayloadChunk"]["Payload"]] if "PayloadChunk" in event else []
        complete = event.get("InvokeComplete", complete)
    assert b"".join(chunks) == b"first\n"
    assert complete.get("ErrorCode") == "Function.ExitError" and "5" in complete.get("ErrorDetails", ""), complete


def test_boto3_streams_more_than_a_buffered_response_may_hold(streaming):
    answer = streaming.invoke_with_response_stream(FunctionName=NAME, Payload=payload("head", "-c", "20000000", "/dev/zero"))
    assert sum(len(event["PayloadChunk"]["Payload"]) for event in answer["EventStream"] if "PayloadChunk" in event) == 20_000_000


def test_boto3_is_told_that_a_buffered_response_is_too_large(client):
    answer = client.invoke(FunctionName=NAME, Payload=payload("head", "-c", "7000000", "/dev/zero"))
    document = json.loads(answer["Payload"].read())
    assert answer["FunctionError"] == "Unhandled" and document["errorType"] == "Function.ResponseSizeTooLarge", document
    assert client.invoke(FunctionName=NAME, Payload=payload("echo", "next"))["Payload"].read() == b"next\n"


def awscli(function: LocalLambda, *words: str) -> dict:
    command = [tool("aws", "awscli"), "lambda", "invoke", "--endpoint-url", function.url, "--function-name", NAME, *words]
    environ = {"PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/"), "AWS_EC2_METADATA_DISABLED": "true"} | CREDENTIALS
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environ)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout or "{}")


def test_awscli_request_response(function, tmp_path: Path):
    out = tmp_path / "out"
    event = ("--cli-binary-format", "raw-in-base64-out", "--payload", payload("echo", "hello").decode())
    answer = awscli(function, *event, "--log-type", "Tail", str(out))
    assert answer["StatusCode"] == 200 and "FunctionError" not in answer
    assert out.read_bytes() == b"hello\n"
    assert "REPORT RequestId: " in base64.b64decode(answer["LogResult"]).decode()


def test_awscli_event_dry_run_and_function_error(function, tmp_path: Path):
    out = str(tmp_path / "out")
    assert awscli(function, "--invocation-type", "Event", out)["StatusCode"] == 202
    assert awscli(function, "--invocation-type", "DryRun", out)["StatusCode"] == 204
    event = ("--cli-binary-format", "raw-in-base64-out", "--payload", payload("false").decode())
    assert awscli(function, *event, out)["FunctionError"] == "Unhandled"
    assert json.loads(Path(out).read_text())["exitCode"] == 1
