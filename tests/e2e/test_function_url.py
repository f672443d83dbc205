# SPDX-License-Identifier: Apache-2.0
"""The function's URL of `scar local serve`: a browser's or curl's way to a function, streamed if the function streams."""

import base64
import http.client
import json
import subprocess
import time

import pytest

from tests.support.lambda_local import LocalLambda
from tests.support.places import tool


def script(text: str, **env: str) -> dict[str, str]:
    return {"SCAR_SCRIPT": base64.b64encode(text.encode()).decode()} | env


@pytest.fixture(scope="module")
def echo(pushed):
    with LocalLambda(pushed("busybox"), env=script('echo "$REQUEST_METHOD $PATH_INFO $QUERY_STRING $HTTP_COOKIE $CONT_VAR_a"; cat')) as function:
        yield function


def curl(function: LocalLambda, path: str, *options: str) -> bytes:
    return subprocess.run([str(tool("curl")), "-sS", *options, function.url + path], check=True, capture_output=True, timeout=60).stdout


def test_curl_is_answered(echo):
    assert curl(echo, "/a/b?a=1%202&b", "-b", "x=1; y=2") == b"GET /a/b a=1%202&b x=1; y=2 1 2\n"


def test_a_binary_body_comes_and_goes(echo, tmp_path):
    body = bytes(range(256)) * 4096
    (tmp_path / "body").write_bytes(body)
    answer = curl(echo, "/", "--data-binary", f"@{tmp_path}/body", "-H", "Content-Type: application/octet-stream")
    assert answer.partition(b"\n")[2] == body


def test_head_has_no_body(echo):
    connection = http.client.HTTPConnection("127.0.0.1", echo.port, timeout=30)
    for _ in range(2):
        connection.request("HEAD", "/x")
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read() == b"" and int(answer.getheader("Content-Length")) > 0
    connection.close()


def test_status_fields_and_cookies_are_the_programs(pushed):
    text = r"printf 'Status: 404 Nothing\r\nContent-Type: text/x\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nno'"
    for mode in ("buffered", "streaming"):
        with LocalLambda(pushed("busybox"), env=script(text, SCAR_OUTPUT_HEADERS="1", SCAR_RESPONSE_MODE=mode)) as function:
            connection = http.client.HTTPConnection("127.0.0.1", function.port, timeout=30)
            connection.request("GET", "/")
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (404, b"no")
            assert answer.getheader("Content-Type") == "text/x"
            assert answer.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
            assert len(answer.getheader("amz-lambda-request-id")) == 36


def test_a_stream_arrives_as_it_is_written(pushed):
    with LocalLambda(pushed("busybox"), env=script("echo one; sleep 1; echo two", SCAR_RESPONSE_MODE="streaming")) as function:
        connection = http.client.HTTPConnection("127.0.0.1", function.port, timeout=30)
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert answer.read1() == b"one\n"
        first = time.monotonic()
        assert answer.read() == b"two\n"
        assert time.monotonic() - first > 0.7


def test_a_stream_that_fails_is_not_whole(pushed):
    with LocalLambda(pushed("busybox"), env=script("echo one; sleep 0.3; exit 3", SCAR_RESPONSE_MODE="streaming")) as function:
        connection = http.client.HTTPConnection("127.0.0.1", function.port, timeout=30)
        connection.request("GET", "/")
        with pytest.raises(http.client.IncompleteRead):
            connection.getresponse().read()


def get(function: LocalLambda) -> tuple[int, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", function.port, timeout=60)
    connection.request("GET", "/")
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_an_image_that_is_not_there_is_the_functions_fault(pushed):
    with LocalLambda("127.0.0.1:1/nothing:here") as function:
        status, document = get(function)
        assert status >= 500 and "127.0.0.1:1" in document["exception"]


def test_a_function_error_is_a_bad_gateway(pushed):
    with LocalLambda(pushed("busybox"), env=script("exit 3", SCAR_MODE="runtime")) as function:
        assert get(function) == (502, {"message": "Internal Server Error"})
