# SPDX-License-Identifier: Apache-2.0
"""Programs that stay across invocations: an image's HTTP server, and an image's own Lambda runtime."""

import base64
import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.lambda_local import LocalLambda, descendants

SERVER = """#!/usr/bin/python3
import http.server, os, socket, sys, threading, time

time.sleep(0.3)
print("server begins", flush=True)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    count = 0

    def do_GET(self):
        Handler.count += 1
        if self.path == "/die":
            os._exit(3)
        if self.path == "/fade":  # as one that cleans up: it takes no connection any more, and ends later
            self.server.socket.shutdown(socket.SHUT_RDWR)
            threading.Timer(0.5, os._exit, [3]).start()
        if self.path == "/slow":
            time.sleep(30)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        text = f"{self.command} {self.path} {Handler.count} {self.headers.get('X-List')} ".encode() + body
        self.send_response(418 if self.path == "/teapot" else 500 if body == b'{"fail": 1}' else 200)
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        if self.path == "/stream":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for n in range(3):
                self.wfile.write(b"6\\r\\npart %d\\r\\n" % n)
                time.sleep(0.1)
            self.wfile.write(b"0\\r\\n\\r\\n")
            return
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_POST = do_PUT = do_HEAD = do_GET


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

RUNTIME = """#!/usr/bin/python3
import json, os, urllib.request

base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
count = 0
while True:
    event = urllib.request.urlopen(base + "next")
    count += 1
    answer = {"event": json.load(event), "count": count, "name": os.environ["AWS_LAMBDA_FUNCTION_NAME"], "etc": os.path.exists("/etc/debian_version")}
    if answer["event"] == "exit":
        os._exit(7)
    request = urllib.request.Request(base + event.headers["Lambda-Runtime-Aws-Request-Id"] + "/response", json.dumps(answer).encode())
    urllib.request.urlopen(request)
"""


def settings(script: str, mode: str, **env: str) -> dict[str, str]:
    return {"SCAR_SCRIPT": base64.b64encode(script.encode()).decode(), "SCAR_MODE": mode} | env


def request(method: str = "GET", path: str = "/", body: str = "", **headers: str) -> dict:
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {"http": {"method": method, "path": path}, "domainName": "x.lambda-url.eu-west-1.on.aws"},
        "body": body,
        "isBase64Encoded": False,
    }


def body_of(document: dict) -> str:
    return base64.b64decode(document["body"]).decode()


@pytest.fixture(scope="module")
def server(pushed):
    with LocalLambda(pushed("debian"), env=settings(SERVER, "server", SCAR_PORT="18080"), timeout_s=4) as function:
        yield function


def test_a_server_is_started_once_and_kept(server):
    first = server.invoke(request("PUT", "/a/b", "hello", **{"x-list": "1,2"})).document()
    assert first["statusCode"] == 200 and first["cookies"] == ["a=1", "b=2"]
    assert body_of(first) == "PUT /a/b 1 1,2 hello"
    assert body_of(server.invoke(request("GET", "/a")).document()).startswith("GET /a 2 ")
    assert server.log().count("server begins") == 1


def test_status_and_head_are_those_of_the_server(server):
    assert server.invoke(request("GET", "/teapot")).document()["statusCode"] == 418
    head = server.invoke(request("HEAD", "/x")).document()
    assert head["statusCode"] == 200 and head["body"] == ""


def test_an_event_that_is_no_request_is_posted(server):
    text = server.invoke({"a": 1}).text
    assert text.startswith("POST /events ") and text.endswith('{"a": 1}')
    failed = server.invoke({"fail": 1})
    assert failed.function_error and "500" in failed.document()["errorMessage"]


def test_websocket_is_refused_clearly(server):
    document = server.invoke(request("GET", "/", **{"upgrade": "websocket", "connection": "upgrade"})).document()
    assert document["statusCode"] == 501 and "WebSocket" in body_of(document)


def test_a_slow_answer_is_504_and_the_server_stays(server):
    assert server.invoke(request("GET", "/slow")).document()["statusCode"] == 504
    assert server.invoke(request("GET", "/")).document()["statusCode"] == 200


def test_a_server_that_died_is_started_again(server):
    assert server.invoke(request("GET", "/die")).document()["statusCode"] >= 500
    assert body_of(server.invoke(request("GET", "/again")).document()).startswith("GET /again 1 ")
    assert "started again" in server.log()


def test_a_server_that_takes_no_connection_any_more_is_waited_for(server):
    assert server.invoke(request("GET", "/fade")).document()["statusCode"] == 200
    assert body_of(server.invoke(request("GET", "/again")).document()).startswith("GET /again 1 ")
    assert "started again" in server.log()


def test_a_server_that_breaks_off_is_told_as_the_servers_fault(server):
    document = server.invoke(request("GET", "/die")).document()
    assert document["statusCode"] == 502 and json.loads(body_of(document))["errorType"] == "Function.ServerError"


def test_a_servers_answer_is_streamed(pushed):
    env = settings(SERVER, "server", SCAR_PORT="18081", SCAR_RESPONSE_MODE="streaming", SCAR_HEALTH_PATH="/health")
    with LocalLambda(pushed("debian"), env=env) as function:
        prelude, _, body = function.invoke(request("GET", "/stream")).body.partition(bytes(8))
        assert json.loads(prelude)["statusCode"] == 200 and json.loads(prelude)["cookies"] == ["a=1", "b=2"]
        assert body == b"part 0part 1part 2"


def test_a_server_that_never_listens_is_told(pushed):
    with LocalLambda(pushed("busybox"), env=settings("echo not today >&2; exit 5", "server")) as function:
        document = function.invoke(request()).document()
        assert document["statusCode"] == 500 and "status 5" in body_of(document)


def test_the_end_of_the_environment_is_that_of_the_server(pushed):
    with LocalLambda(pushed("debian"), env=settings(SERVER, "server", SCAR_PORT="18082")) as function:
        assert function.invoke(request()).document()["statusCode"] == 200
        bootstrap = function.bootstrap_pids()[-1]
        children = descendants(bootstrap)
        assert children
        os.kill(bootstrap, signal.SIGTERM)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and any(Path(f"/proc/{pid}").exists() for pid in children):
            time.sleep(0.05)
        assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def test_an_image_with_its_own_runtime_runs_unchanged(pushed):
    with LocalLambda(pushed("debian"), env=settings(RUNTIME, "runtime")) as function:
        first = function.invoke({"a": [1]})
        assert not first.function_error
        document = first.document()
        assert (document["event"], document["count"], document["etc"]) == ({"a": [1]}, 1, True)
        assert function.invoke({}).document()["count"] == 2
        assert function.invoke("exit").function_error
        assert function.invoke({}).document()["count"] == 1, "Lambda starts it again"


def test_a_runtime_that_cannot_start_is_an_error_of_the_initialisation(pushed):
    with LocalLambda(pushed("busybox"), env=settings("#!/no/such/interpreter\n", "runtime")) as function:
        answer = function.invoke({})
        assert answer.function_error and "interpreter of the script is missing" in answer.text
