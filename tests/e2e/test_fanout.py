# SPDX-License-Identifier: Apache-2.0
"""`scar run` over many files: one invocation each, so many at once and no more."""

import base64
import http.server
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from urllib.parse import unquote_plus

import pytest

from tests.support.lambda_local import LocalLambda
from tests.support.places import SCAR

AT_ONCE = 4
ENVIRON = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true"}


class Lambda(http.server.ThreadingHTTPServer):
    """Takes events, and answers none before AT_ONCE are there."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.barrier = threading.Barrier(AT_ONCE, timeout=60)
        self.inside = self.most = 0
        self.types: set[str] = set()
        self.files: list[str] = []


class Handler(http.server.BaseHTTPRequestHandler):
    server: Lambda
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server = self.server
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.inside += 1
            server.most = max(server.most, server.inside)
        try:
            server.barrier.wait()
            # One too many would come while these are held.
            time.sleep(0.2)
            status = 202
        except threading.BrokenBarrierError:
            status = 400
        s3 = event["Records"][0]["s3"]
        with server.lock:
            server.inside -= 1
            server.types.add(self.headers["X-Amz-Invocation-Type"])
            server.files.append(f"{s3['bucket']['name']}/{unquote_plus(s3['object']['key'])}")
        self.send_response(status if "refused" not in server.files[-1] else 400)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Lambda]:
    with Lambda() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(url: str, *words: str, stdin: str = "") -> subprocess.CompletedProcess:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SCAR_"))}
    return subprocess.run([SCAR, "run", "-n", "f", *words], input=stdin, env=kept | ENVIRON | {"AWS_ENDPOINT_URL_LAMBDA": url}, capture_output=True, text=True, timeout=120, check=False)


def url_of(service: Lambda) -> str:
    return f"http://127.0.0.1:{service.server_address[1]}"


def test_a_list_of_files_is_so_many_events_at_once_and_no_more(service, tmp_path):
    names = [f"bucket/in/{n} +é.txt" for n in range(2 * AT_ONCE)] + [f"other-bucket/{n}" for n in range(AT_ONCE)]
    (tmp_path / "list").write_text("# what is to be done\n\n" + "\r\n".join(names[:5]) + "\n" + "".join(f"s3://{name}\n" for name in names[5:]))
    done = run(url_of(service), "-a", "--manifest", str(tmp_path / "list"), "--concurrency", str(AT_ONCE))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert f"{len(names)} of {len(names)} files sent, 0 failed" in done.stderr
    assert sorted(service.files) == sorted(names)
    assert (service.most, service.types) == (AT_ONCE, {"Event"})


def test_files_that_failed_are_named_and_the_others_are_done(service):
    names = ["bucket/a", "bucket/b", "bucket/refused", "bucket/c"]
    done = run(url_of(service), "-a", "--manifest", "-", stdin="\n".join(names))
    assert done.returncode == 70
    assert "4 of 4 files sent, 1 failed" in done.stderr and "failed: bucket/refused: " in done.stderr
    assert sorted(service.files) == sorted(names)


@pytest.mark.parametrize(
    ("words", "stdin", "says"),
    [
        (("--manifest", "-"), "bucket/a\n\nno-key\n", "line 3"),
        (("--manifest", "-"), "bucket/a\nbucket/\n", "line 2"),
        (("--manifest", "-"), "# nothing\n", "no files"),
        (("--manifest", "-", "-ib", "bucket"), "bucket/a", "exclude each other"),
        (("--manifest", "/no/such/list"), "", "/no/such/list"),
    ],
)
def test_a_wrong_list_is_refused_before_anything_is_sent(service, words, stdin, says):
    done = run(url_of(service), "-a", *words, stdin=stdin)
    assert done.returncode != 0 and says in done.stderr
    assert service.files == []


def test_a_list_runs_a_function_for_each_file(pushed):
    env = {"SCAR_SCRIPT": base64.b64encode(b"echo $STORAGE_OBJECT_KEY").decode(), "SCAR_DOWNLOAD_INPUT": "0"}
    with LocalLambda(pushed("busybox"), options=["--name", "f", "--concurrency", "2"], env=env) as function:
        done = run(function.url, "--manifest", "-", "--concurrency", "2", stdin="".join(f"bucket/{n}.txt\n" for n in range(6)))
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == [f"{n}.txt" for n in range(6)]
