# SPDX-License-Identifier: Apache-2.0
"""Events of every sender, through a function in the jail: what the program is given, and what the sender is answered.

Among them are the defects of SCAR's Python supervisor, each as a test that ours does not have it.
"""

import base64
import io
import json
import os
import signal
import time
import zipfile
from pathlib import Path

import pytest

from tests.support.lambda_local import LocalLambda, descendants
from tests.support.places import ROOT

SAMPLES = ROOT / "tests/fuzz/corpus/event"


def sample(name: str) -> dict:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def script(text: str, **env: str) -> dict[str, str]:
    return {"SCAR_SCRIPT": base64.b64encode(text.encode()).decode()} | env


def http_event(body: bytes = b"", method: str = "POST", **query: str) -> dict:
    return {
        "httpMethod": method,
        "path": "/launch",
        "headers": {"Content-Type": "application/octet-stream"},
        "queryStringParameters": query or None,
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def body_of(document: dict) -> bytes:
    assert document["isBase64Encoded"] is True
    return base64.b64decode(document["body"])


@pytest.fixture(scope="module")
def teller(pushed):
    """Prints the variables that an event brings, and its standard input."""
    names = "STORAGE_OBJECT_KEY EVENT_TIME CONT_VAR_a CONT_VAR_LD_PRELOAD LD_PRELOAD REQUEST_METHOD INPUT_FILE_PATH"
    text = f"for n in {names}; do eval v=\\${{$n-unset}}; echo $n=$v; done; cmp - $INPUT_FILE_PATH && echo same; wc -c <$INPUT_FILE_PATH"
    with LocalLambda(pushed("busybox"), env=script(text, SCAR_DOWNLOAD_INPUT="0")) as function:
        yield function


def test_every_record_of_an_s3_event_is_run(teller):
    lines = teller.invoke(sample("s3-two")).text.splitlines()
    assert [line for line in lines if line.startswith("STORAGE_OBJECT_KEY=")] == [
        "STORAGE_OBJECT_KEY=in/a bü+c.txt",
        "STORAGE_OBJECT_KEY=in/gone.txt",
    ]
    assert lines.count("EVENT_TIME=2019-02-23T11:40:46.473Z") == 2


def test_nothing_of_one_event_is_seen_by_the_next(teller):
    document = teller.invoke(http_event(b"x", a="first")).document()
    assert "CONT_VAR_a=first" in body_of(document).decode()
    teller.invoke(sample("s3"))
    text = teller.invoke({"plain": 1}).text
    for name in ("STORAGE_OBJECT_KEY", "EVENT_TIME", "CONT_VAR_a", "REQUEST_METHOD"):
        assert f"{name}=unset" in text


def test_a_binary_body_is_the_input_byte_for_byte(teller):
    text = body_of(teller.invoke(http_event(bytes(range(256)))).document()).decode()
    assert "same" in text and text.rstrip().endswith("256")


def test_a_body_that_only_looks_like_base64_is_left_alone(teller):
    event = sample("api-gateway")
    assert body_of(teller.invoke(event).document()).decode().rstrip().endswith(str(len(event["body"])))


def test_a_query_parameter_cannot_set_any_variable(teller):
    text = body_of(teller.invoke(http_event(LD_PRELOAD="/tmp/x.so")).document()).decode()
    assert "CONT_VAR_LD_PRELOAD=/tmp/x.so" in text and "\nLD_PRELOAD=unset" in text


def test_plain_text_that_is_not_base64_is_input(teller):
    assert teller.invoke(raw=b'"no base64!"').text.rstrip().endswith("10")


def test_an_http_api_is_answered_over_http(teller):
    document = teller.invoke(sample("http-api")).document()
    assert document["statusCode"] == 200 and "REQUEST_METHOD=PUT" in body_of(document).decode()
    headers = document["headers"]
    assert headers["content-type"].startswith("text/plain") and len(headers["amz-lambda-request-id"]) == 36
    assert headers["amz-log-group-name"].startswith("/aws/lambda/") and headers["amz-log-stream-name"]


def test_output_is_binary_safe(pushed):
    with LocalLambda(pushed("busybox"), env=script("cat")) as function:
        assert body_of(function.invoke(http_event(bytes(range(256)))).document()) == bytes(range(256))


def test_the_exit_code_decides_about_success(pushed):
    with LocalLambda(pushed("busybox"), env=script("echo out; exit 3")) as function:
        document = function.invoke(http_event()).document()
        assert document["statusCode"] == 500
        assert json.loads(body_of(document)) == {
            "exception": "the program exited with status 3",
            "errorType": "Function.ExitError",
            "exitCode": 3,
        }
        assert function.invoke({}).function_error


def test_a_time_out_over_http_is_504_and_leaves_no_process(pushed):
    with LocalLambda(pushed("busybox"), env=script("sleep 4242.5 & sleep 4242.5"), timeout_s=3) as function:
        document = function.invoke(http_event()).document()
        assert document["statusCode"] == 504
        for pid in descendants(function.process.pid):
            assert b"4242.5" not in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_cgi_program_tells_status_and_fields(pushed):
    text = r"""printf 'Status: 201 Created\r\nContent-Type: text/csv\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n'; cat"""
    with LocalLambda(pushed("busybox"), env=script(text, SCAR_OUTPUT_HEADERS="1", SCAR_HTTP_TEXT="1")) as function:
        document = function.invoke(sample("http-api")).document()
        assert document["statusCode"] == 201 and document["headers"]["Content-Type"] == "text/csv"
        assert document["cookies"] == ["a=1", "b=2"]
        assert (document["body"], document["isBase64Encoded"]) == ("hello", False)


def test_a_failed_message_is_named_and_the_others_are_done(pushed):
    text = 'b=$(cat); echo "got $b"; [ "$b" != "Test message." ]'
    with LocalLambda(pushed("busybox"), env=script(text, SCAR_DOWNLOAD_INPUT="0")) as function:
        answer = function.invoke(sample("sqs"), tail=True)
        assert answer.document() == {"batchItemFailures": [{"itemIdentifier": "m1"}]} and not answer.function_error
        assert "got Test message." in answer.log and 'got {"a":1}' in answer.log


def test_a_body_can_carry_script_and_arguments_only_by_wish(pushed):
    inner = {"cmd_args": ["echo", "from the body"]}
    event = http_event(json.dumps(inner).encode())
    for wish, expected in (("0", b"default\n"), ("1", b"from the body\n")):
        with LocalLambda(pushed("busybox"), env=script("echo default", SCAR_BODY_IS_EVENT=wish)) as function:
            assert body_of(function.invoke(event).document()) == expected


def test_files_are_answered_by_oscars_rule(pushed):
    text = 'mkdir $TMP_OUTPUT_DIR/sub; for f in $(cat); do head -c 1000 /dev/zero >$TMP_OUTPUT_DIR/$f; done; ln -s /etc/passwd $TMP_OUTPUT_DIR/l; echo printed'
    with LocalLambda(pushed("busybox"), env=script(text, SCAR_OUTPUT="files")) as function:
        assert function.invoke(raw=b'""').body == b"printed\n"
        assert function.invoke(raw=b'"a"').body == bytes(1000)
        document = function.invoke(http_event(b"a sub/b")).document()
        assert document["headers"]["content-type"] == "application/zip"
        with zipfile.ZipFile(io.BytesIO(body_of(document))) as archive:
            assert archive.testzip() is None
            assert archive.namelist() == ["a", "sub/b"]
            assert archive.read("sub/b") == bytes(1000)
            assert archive.getinfo("a").compress_size < 100


def test_a_report_tells_all_about_a_run(pushed):
    with LocalLambda(pushed("busybox"), env=script("echo out; echo why >&2; exit 7", SCAR_OUTPUT="json")) as function:
        answer = function.invoke({})
        document = answer.document()
        assert not answer.function_error
        assert (document["exitCode"], document["stdout"], document["errorType"]) == (7, "out\n", "Function.ExitError")
        assert "why" in document["stderrTail"] and document["durationMs"] >= 0


def test_a_function_url_gets_a_stream_with_a_prelude(pushed):
    text = "echo '<html>'; sleep 0.2; echo more; exit $(cat)"
    with LocalLambda(pushed("busybox"), env=script(text, SCAR_RESPONSE_MODE="streaming")) as function:
        event = sample("function-url") | {"body": "0"}
        prelude, _, body = function.invoke(event).body.partition(bytes(8))
        assert json.loads(prelude)["statusCode"] == 200
        assert json.loads(prelude)["headers"]["content-type"].startswith("text/html")
        assert body == b"<html>\nmore\n"


def test_credentials_are_passed_unless_switched_off(pushed):
    keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "hidden", "AWS_SESSION_TOKEN": "token"}
    for wish, expected in (("1", "AKIDEXAMPLE hidden token"), ("0", "unset unset unset")):
        text = "echo ${AWS_ACCESS_KEY_ID-unset} ${AWS_SECRET_ACCESS_KEY-unset} ${AWS_SESSION_TOKEN-unset}"
        with LocalLambda(pushed("busybox"), env=script(text, SCAR_PASS_CREDENTIALS=wish) | keys) as function:
            assert function.invoke({}).text.strip() == expected


def test_the_end_of_the_environment_is_that_of_the_program(pushed):
    """SIGTERM in the middle of an invocation: the program, in a session of its own, must not go on."""
    with LocalLambda(pushed("busybox"), env=script("trap '' TERM; sleep 4243.5; sleep 4243.5")) as function:
        function.invoke({}, kind="Event")
        deadline = time.monotonic() + 20

        def sleepers() -> list[int]:
            found = []
            for folder in Path("/proc").iterdir():
                try:
                    if folder.name.isdigit() and b"4243.5" in (folder / "cmdline").read_bytes() and b"sleep" in (folder / "cmdline").read_bytes():
                        found.append(int(folder.name))
                except OSError:
                    continue
            return [pid for pid in found if pid in descendants(function.process.pid)]

        while not sleepers() and time.monotonic() < deadline:
            time.sleep(0.05)
        pids = sleepers()
        assert pids
        bootstrap = function.bootstrap_pids()[-1]
        os.kill(bootstrap, signal.SIGTERM)
        while time.monotonic() < deadline and (any(Path(f"/proc/{pid}").exists() for pid in pids) or Path(f"/proc/{bootstrap}").exists()):
            time.sleep(0.05)
        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        assert "stopping for signal 15" in function.log()
