# SPDX-License-Identifier: Apache-2.0
"""What programs print on its way to the log."""

import json
import time

from tests.e2e.test_residents import RUNTIME, SERVER, request, settings
from tests.support.lambda_local import LocalLambda

PRINT = r"""
printf 'plain "text"\n' >&2
printf '{"level":"WARN","message":"own"}\n' >&2
printf '{"requestId":"mine"}\n' >&2
printf '\377\000\033 bytes\n' >&2
head -c 100000 /dev/zero | tr '\0' x >&2
printf 'no newline' >&2
echo out
"""


def objects(text: str) -> list[dict]:
    """The lines of a log that are JSON; the emulator's own are none."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def await_lines(function: LocalLambda, wanted) -> str:
    deadline = time.monotonic() + 60
    while not wanted(function.log()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert wanted(function.log()), function.log()
    return function.log()


def test_a_json_log_has_each_line_of_the_program_as_an_object(pushed):
    with LocalLambda(pushed("busybox"), env={"AWS_LAMBDA_LOG_FORMAT": "JSON"}) as function:
        ids = []
        for _ in range(2):
            assert function.run("sh", "-c", PRINT).text == "out\n"
            log = await_lines(function, lambda log, n=len(ids) + 1: log.count("no newline") == n)
            lines = [line for line in objects(log) if line.get("logger") != "bootstrap"]
            ids.append(lines[-1]["requestId"])
            plain, own, mine, binary, *long = lines[-len(lines) // len(ids) :]
            assert (plain["message"], plain["level"], plain["logger"]) == ('plain "text"', "INFO", "program")
            assert plain["timestamp"].endswith("Z") and plain["requestId"] == ids[-1]
            assert own == {"requestId": ids[-1], "level": "WARN", "message": "own"}
            assert mine == {"requestId": "mine"}
            assert binary["message"] == "\ufffd\0\x1b bytes"
            assert "".join(line["message"] for line in long) == "x" * 100000 + "no newline"
            assert all(line["requestId"] == ids[-1] for line in long)
        assert len(set(ids)) == 2
        # Nothing of the program is outside an object.
        assert not [line for line in function.log().splitlines() if "plain" in line and not line.startswith("{")]
        answer = function.run("sh", "-c", "echo reason >&2; exit 3").document()
        assert answer["stderrTail"] == "reason\n", "the error document has what the program wrote, not the log's form of it"


def test_a_text_log_has_the_lines_as_they_are(pushed):
    with LocalLambda(pushed("busybox")) as function:
        function.run("sh", "-c", "echo 'plain \"text\"' >&2; echo '{\"a\": 1}' >&2")
        await_lines(function, lambda log: 'plain "text"\n{"a": 1}\n' in log)


def test_lines_of_a_server_are_objects_too(pushed):
    text = SERVER.replace('        body = self.rfile', '        print("asked", self.path, flush=True)\n        body = self.rfile')
    with LocalLambda(pushed("debian"), env=settings(text, "server", AWS_LAMBDA_LOG_FORMAT="JSON")) as function:
        for n in range(2):
            assert function.invoke(request(path=f"/{n}")).document()["statusCode"] == 200
            log = objects(await_lines(function, lambda log, n=n: f"asked /{n}" in log))
        messages = {line["message"]: line for line in log if line.get("logger") == "program"}
        assert {"server begins", "asked /0", "asked /1"} <= set(messages)


def test_a_runtime_of_the_image_writes_its_own_log(pushed):
    text = RUNTIME.replace("import json", "import sys, json").replace("count = 0", 'count = 0\nprint("raw line", file=sys.stderr, flush=True)')
    with LocalLambda(pushed("debian"), env=settings(text, "runtime", AWS_LAMBDA_LOG_FORMAT="JSON")) as function:
        assert function.invoke("x").document()["event"] == "x"
        assert "raw line" in await_lines(function, lambda log: "raw line" in log).splitlines()
