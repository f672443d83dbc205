# SPDX-License-Identifier: Apache-2.0
"""`scar local serve`: a function that stays up; invoked over HTTP without an SDK (test_clients.py has those)."""

import http.client
import json
import re
import threading
import time

import pytest

from tests.support.lambda_local import NAME, STREAM_PATH, LocalLambda
from tests.support.rendezvous import Rendezvous

BOTH_KERNELS = pytest.mark.parametrize("jail", ["", "kernel-4.14"], ids=["kernel-now", "kernel-4.14"])


@pytest.fixture(scope="module")
def function(pushed):
    with LocalLambda(pushed("busybox")) as running:
        yield running


def test_a_request_is_answered_with_the_output_and_the_tail_of_the_log(function):
    answer = function.run("sh", "-c", "echo out; echo to the log >&2")
    assert (answer.status, answer.function_error, answer.body) == (200, "", b"out\n")
    assert answer.headers.get("x-amz-executed-version") == "$LATEST"
    assert "to the log" in answer.log and "REPORT RequestId: " in answer.log


def test_an_event_is_taken_and_run_later(function):
    answer = function.invoke({"cmd_args": ["sh", "-c", "echo the event ran >&2"]}, kind="Event")
    assert (answer.status, answer.body) == (202, b"")
    deadline = time.monotonic() + 20
    while "the event ran" not in function.log() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "the event ran" in function.log()


def test_a_dry_run_runs_nothing(function):
    answer = function.invoke({"cmd_args": ["sh", "-c", "echo never printed >&2"]}, kind="DryRun")
    assert (answer.status, answer.body) == (204, b"")
    function.run("true")
    assert "never printed" not in function.log()


def test_a_failing_program_is_a_function_error_with_status_and_tail(function):
    answer = function.run("sh", "-c", "echo some output; echo the reason >&2; exit 3")
    document = answer.document()
    assert answer.status == 200 and answer.function_error == "Unhandled"
    assert document["errorType"] == "Function.ExitError" and document["exitCode"] == 3
    assert "the reason" in document["stderrTail"] and "3" in document["errorMessage"]


def test_a_time_out_kills_the_whole_process_group(pushed):
    marker = "4242.25"
    with LocalLambda(pushed("busybox"), timeout_s=3) as short:
        start = time.monotonic()
        answer = short.run("sh", "-c", f"(trap '' TERM; sleep {marker}) & sleep {marker} & sleep {marker}")
        # Not before its time; when it is over, far from what the program would take.
        assert 2 <= time.monotonic() - start < 120
        assert answer.function_error == "Unhandled", answer
        assert re.search(r"time|deadline", answer.text, re.IGNORECASE), answer
        assert short.run("sh", "-c", f"ps | grep -c '[s]leep {marker}'").document()["exitCode"] == 1, "a child of the last invocation lives"
        assert short.run("echo", "next").body == b"next\n"


def test_the_jail_is_a_jail(function):
    answer = function.run(
        "sh",
        "-c",
        "grep -E '^(Uid|CapEff|CapBnd|Seccomp):' /proc/self/status; touch /proc/1/nothing /sys/nothing 2>&1 | wc -l; ulimit -n; ls -d /dev/shm",
    )
    lines = [line.split() for line in answer.text.splitlines()]
    assert lines[0][:3] == ["Uid:", "993", "993"] or lines[0][:3] == ["Uid:", "0", "0"], "the host's or the emulated identity"
    status = {line[0]: line[1] for line in lines[:4]}
    # CapEff goes with the identity that the engine shows; CapBnd and Seccomp are the kernel's own answers.
    assert (status["CapEff:"].strip("0") != "") == (lines[0][2] == "0"), answer.text
    assert status["CapBnd:"].strip("0") == "" and status["Seccomp:"] == "2", answer.text
    assert lines[4] == ["2"] and lines[5] == ["1024"]


@BOTH_KERNELS
def test_a_thousand_warm_invocations_of_true_leave_nothing(pushed, jail):
    with LocalLambda(pushed("busybox"), environ={"SCAR_JAIL": jail} if jail else {}) as function:
        for _ in range(100):
            function.run("true")
        before = function.usage()
        start = time.monotonic()
        for _ in range(1000 if not jail else 200):
            answer = function.run("true")
            assert (answer.status, answer.function_error, answer.body) == (200, "", b""), answer
        took = time.monotonic() - start
        after = function.usage()
        print(f"\n{took:.1f} s; before {before}; after {after}")
        # A connection that is just being closed may still count on one side.
        assert all(count <= before.fds[name] for name, count in after.fds.items()) and after.fds.keys() == before.fds.keys()
        assert after.tmp_files == before.tmp_files
        assert after.processes == before.processes
        for name, rss_kb in after.rss_kb.items():
            # Page faults on code that ran for the first time may still add a little; a leak of 1 KiB an invocation may not.
            assert rss_kb <= before.rss_kb[name] + 512, (name, before, after)


def events_of(connection: http.client.HTTPResponse):
    """Parses application/vnd.amazon.eventstream by hand: (seconds, headers, payload)."""
    import struct

    while True:
        prelude = connection.read(12)
        if len(prelude) < 12:
            return
        total, header_bytes, _ = struct.unpack(">III", prelude)
        rest = connection.read(total - 12)
        headers, at = {}, 0
        while at < header_bytes:
            length = rest[at]
            name = rest[at + 1 : at + 1 + length].decode()
            size = int.from_bytes(rest[at + 2 + length : at + 4 + length], "big")
            headers[name] = rest[at + 4 + length : at + 4 + length + size].decode()
            at += 4 + length + size
        yield time.time(), headers, rest[header_bytes:-4]


@pytest.mark.parametrize("stderr", ["", " >&2"], ids=["output", "only-log"])
@pytest.mark.parametrize("mode", ["buffered", "streaming"])
def test_a_stream_ends_with_its_own_event(pushed, stderr, mode):
    with LocalLambda(pushed("busybox"), env={"SCAR_RESPONSE_MODE": mode}) as function:
        check_stream(function, stderr)


def check_stream(function: LocalLambda, stderr: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", function.port, timeout=30)
    connection.request("POST", STREAM_PATH, json.dumps({"cmd_args": ["sh", "-c", f"echo one{stderr}"]}), {"X-Amz-Log-Type": "Tail"})
    response = connection.getresponse()
    assert response.status == 200 and response.getheader("Content-Type") == "application/vnd.amazon.eventstream"
    seen = [(headers[":event-type"], payload) for _, headers, payload in events_of(response)]
    connection.close()
    assert b"".join(payload for kind, payload in seen if kind == "PayloadChunk") == (b"" if stderr else b"one\n")
    assert [kind for kind, _ in seen].count("InvokeComplete") == 1 and seen[-1][0] == "InvokeComplete"


def test_functions_have_names(function):
    connection = http.client.HTTPConnection("127.0.0.1", function.port, timeout=30)
    connection.request("POST", f"/2015-03-31/functions/{NAME}:1/nothing", "{}")
    assert connection.getresponse().status in (403, 404)
    connection.close()


@pytest.mark.parametrize("name", ["a%20b", "a.b", "x" * 65, "arn:aws:s3:::bucket", "arn:aws:lambda", "f:a.b", "f:1:2", "f:" + "1" * 129, "..", "%00"])
def test_what_is_no_name_of_a_function_is_refused(function, name):
    connection = http.client.HTTPConnection("127.0.0.1", function.port, timeout=30)
    connection.request("POST", f"/2015-03-31/functions/{name}/invocations", "{}")
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("x-amzn-ErrorType")) == (400, "ValidationException")
    connection.close()


@pytest.mark.parametrize(
    "name", [NAME, f"{NAME}:live", f"{NAME}%3A%24LATEST", f"arn:aws:lambda:us-east-1:123456789012:function:{NAME}:1", f"123456789012:function:{NAME}", f"eu-west-1:{NAME}", f"function:{NAME}:live"]
)
def test_a_function_has_names_and_arns(function, name):
    connection = http.client.HTTPConnection("127.0.0.1", function.port, timeout=30)
    connection.request("POST", f"/2015-03-31/functions/{name}/invocations", json.dumps({"cmd_args": ["echo", "it"]}))
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"it\n")
    connection.close()


@pytest.mark.parametrize("event", [b"not JSON", b"{", b"\xff", b"{} {}"])
def test_what_is_no_json_is_no_event(function, event):
    answer = function.invoke(raw=event)
    assert answer.status == 400 and answer.headers["x-amzn-errortype"] == "InvalidRequestContentException"


def test_invocations_at_once_have_environments_of_their_own(pushed):
    with LocalLambda(pushed("busybox"), options=["--concurrency", "3"], timeout_s=120) as function, Rendezvous(3) as place:
        answers: list[bytes] = []
        threads = [threading.Thread(target=lambda: answers.append(function.run("sh", "-c", f"wget -qO- {place.url} && echo met").body)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [b"met\n"] * 3
        assert len(function.bootstrap_pids()) >= 3
        pids = set(function.bootstrap_pids())
        for _ in range(5):
            function.run("true")
        assert set(function.bootstrap_pids()) == pids, "those that are idle serve again"
