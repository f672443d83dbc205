# SPDX-License-Identifier: Apache-2.0
"""AWS_LAMBDA_MAX_CONCURRENCY: several requests for invocations at once, as Lambda Managed Instances expect them.

The Runtime API here is a small one of our own that hands out several invocations at a time; the emulator's environment, as Lambda's,
has one.
"""

import http.server
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.lambda_local import descendants
from tests.support.places import BOOTSTRAP
from tests.support.rendezvous import Rendezvous


class RuntimeApi(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.events: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.answers: dict[str, tuple[str, bytes]] = {}
        self.waiting = 0
        self.changed = threading.Condition()

    def await_until(self, true, seconds: float = 20) -> None:
        with self.changed:
            assert self.changed.wait_for(true, seconds), (self.waiting, self.answers)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RuntimeApi

    def log_message(self, *_args: object) -> None:
        pass

    def do_GET(self) -> None:
        with self.server.changed:
            self.server.waiting += 1
            self.server.changed.notify_all()
        request_id, event = self.server.events.get()
        with self.server.changed:
            self.server.waiting -= 1
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", request_id)
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + 300_000))
        self.send_header("Content-Length", str(len(event)))
        self.end_headers()
        self.wfile.write(event)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request_id, what = self.path.split("/")[-2:]
        with self.server.changed:
            self.server.answers[request_id] = (what, body)
            self.server.changed.notify_all()
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    with RuntimeApi() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_as_many_invocations_run_at_once(api, pushed):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as store, Rendezvous(3) as place:
        env = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_address[1]}",
            "AWS_LAMBDA_MAX_CONCURRENCY": "3",
            "SCAR_IMAGE": pushed("busybox"),
            "SCAR_STORE_DIR": store,
        }
        process = subprocess.Popen([str(BOOTSTRAP)], env=env)
        try:
            api.await_until(lambda: api.waiting == 3)
            for n in range(6):
                api.events.put((f"id-{n}", json.dumps({"cmd_args": ["sh", "-c", f"wget -qO- {place.url} && echo {n}"]}).encode()))
            # Three at a time, twice.
            api.await_until(lambda: len(api.answers) == 6, 130)
            assert api.answers == {f"id-{n}": ("response", f"{n}\n".encode()) for n in range(6)}

            # One that breaks down is replaced, and the others do not notice.
            worker = descendants(process.pid)[0]
            os.kill(worker, signal.SIGKILL)
            for n in range(6, 9):
                api.events.put((f"id-{n}", b'{"cmd_args": ["true"]}'))
            # The request of the killed one may have taken an event with it.
            api.await_until(lambda: len(api.answers) >= 8, 60)
            deadline = time.monotonic() + 60
            while len([pid for pid in descendants(process.pid) if pid != worker]) < 3:
                assert time.monotonic() < deadline, "the one that was killed is not replaced"
                time.sleep(0.05)
        finally:
            children = descendants(process.pid)
            process.terminate()
            assert process.wait(20) == 0
        assert not [pid for pid in children if os.path.exists(f"/proc/{pid}")]
