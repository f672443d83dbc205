# SPDX-License-Identifier: Apache-2.0
"""`scar local serve --freeze`: as in Lambda, nothing of a function runs between its invocations."""

import base64
import time
from pathlib import Path

import pytest

from tests.support.lambda_local import LocalLambda, descendants

# A runtime of its own with a thread and a process in the background, both counting.
RUNTIME = """#!/usr/bin/python3
import json, os, subprocess, threading, time, urllib.request

base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
ticks = 0


def tick():
    global ticks
    while True:
        ticks += 1
        time.sleep(0.005)


threading.Thread(target=tick, daemon=True).start()
subprocess.Popen(["sh", "-c", "while :; do echo >> /tmp/ticks; sleep 0.01; done"])
while True:
    event = urllib.request.urlopen(base + "next")
    wanted = json.load(event).get("ticks", 0)
    before = ticks
    while ticks < before + wanted:
        time.sleep(0.001)
    answer = {"ticks": ticks, "lines": os.path.getsize("/tmp/ticks") if os.path.exists("/tmp/ticks") else 0}
    urllib.request.urlopen(urllib.request.Request(base + event.headers["Lambda-Runtime-Aws-Request-Id"] + "/response", json.dumps(answer).encode()))
"""


def states(function: LocalLambda) -> set[str]:
    """Of all processes of the function, as proc(5) has them: T is stopped."""
    found = set()
    for pid in descendants(function.process.pid):
        try:
            found.add(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0])
        except FileNotFoundError:
            pass
    return found


def await_state(function: LocalLambda, frozen: bool) -> None:
    deadline = time.monotonic() + 60
    while (states(function) == {"T"}) != frozen:
        assert time.monotonic() < deadline, states(function)
        time.sleep(0.01)


def settings(script: str, mode: str) -> dict[str, str]:
    return {"SCAR_SCRIPT": base64.b64encode(script.encode()).decode(), "SCAR_MODE": mode}


def test_nothing_runs_between_invocations_and_all_goes_on_at_the_next(pushed):
    with LocalLambda(pushed("debian"), env=settings(RUNTIME, "runtime"), options=("--freeze",), tmp_size_mb=800) as function:
        # At least so many ticks pass inside an invocation.
        first = function.invoke({"ticks": 5}).document()
        await_state(function, frozen=True)
        second = function.invoke({"ticks": 5}).document()
        assert second["ticks"] >= first["ticks"] + 5 and second["lines"] >= first["lines"]
        await_state(function, frozen=True)
    assert [pid for pid in function.left_behind if Path(f"/proc/{pid}").exists()] == []


def test_without_the_option_it_runs_on(pushed):
    with LocalLambda(pushed("debian"), env=settings(RUNTIME, "runtime"), tmp_size_mb=800) as function:
        first = function.invoke({"ticks": 1}).document()["ticks"]
        deadline = time.monotonic() + 60
        while function.invoke({"ticks": 0}).document()["ticks"] < first + 20:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert states(function) != {"T"}


@pytest.mark.parametrize("concurrency", ["1", "3"])
def test_programs_are_invoked_as_ever(pushed, concurrency):
    with LocalLambda(pushed("busybox"), options=("--freeze", "--concurrency", concurrency), timeout_s=2) as function:
        await_state(function, frozen=True)
        for word in ("one", "two"):
            assert function.run("echo", word).text == f"{word}\n"
        assert function.run("sleep", "60").function_error
        assert function.run("echo", "three").text == "three\n"
        await_state(function, frozen=True)
    assert [pid for pid in function.left_behind if Path(f"/proc/{pid}").exists()] == []
