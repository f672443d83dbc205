# SPDX-License-Identifier: Apache-2.0
"""A proxy before a real registry that goes wrong on request.

    with FaultyRegistry(registry.host) as proxy:
        proxy.fault("/blobs/" + digest, corrupt)        # once, or times=N
        proxy.fault("/manifests/", status(429, {"Retry-After": "0"}), times=FOREVER)

It keeps what it was asked in `requests`, so that a test can also say what must not have been sent.
"""

import http.client
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

FOREVER = 1 << 30


@dataclass
class Answer:
    """What goes to the client. `declared` is the Content-Length when it shall differ from the truth; `cut` ends the connection after that."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    declared: int | None = None
    cut: bool = False
    reset: bool = False
    bytes_per_s: int = 0


Fault = Callable[[Answer], Answer]


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    status: int = 0


@dataclass
class Rule:
    path: re.Pattern[str]
    fault: Fault
    left: int = 1
    hits: int = field(default=0)


def status(code: int, headers: dict[str, str] | None = None, text: str = "made up by the test") -> Fault:
    """An error as the distribution specification words it."""
    names = {401: "UNAUTHORIZED", 403: "DENIED", 404: "MANIFEST_UNKNOWN", 429: "TOOMANYREQUESTS"}
    body = json.dumps({"errors": [{"code": names.get(code, "UNKNOWN"), "message": text}]}).encode()
    return lambda _answer: Answer(code, [("Content-Type", "application/json"), *(headers or {}).items()], body)


def corrupt(answer: Answer) -> Answer:
    """One bit in the middle is flipped; the size stays."""
    middle = len(answer.body) // 2
    answer.body = answer.body[:middle] + bytes([answer.body[middle] ^ 1]) + answer.body[middle + 1 :]
    return answer


def truncate(answer: Answer) -> Answer:
    """The connection ends in the middle of the body: the client can see it."""
    answer.declared, answer.body, answer.cut = len(answer.body), answer.body[: len(answer.body) // 2], True
    return answer


def shorten(answer: Answer) -> Answer:
    """A shorter body with a Content-Length to match: only the manifest tells that bytes are missing."""
    answer.body = answer.body[: len(answer.body) // 2]
    return answer


def lengthen(answer: Answer) -> Answer:
    answer.body += b"more than the manifest says"
    return answer


def reset(answer: Answer) -> Answer:
    """A TCP reset in the middle of the body."""
    truncate(answer).reset = True
    return answer


def slow(bytes_per_s: int) -> Fault:
    def change(answer: Answer) -> Answer:
        answer.bytes_per_s = bytes_per_s
        return answer

    return change


def body(data: bytes, content_type: str = "") -> Fault:
    """Another body, under the headers of the right one unless a type is given."""

    def change(answer: Answer) -> Answer:
        answer.status, answer.body = 200, data
        if content_type:
            answer.headers = [("Content-Type", content_type)]
        return answer

    return change


def redirect(host: str) -> Fault:
    """307 to the same path elsewhere, as registries send to their blob store. {path} is filled in by the proxy."""
    return lambda _answer: Answer(307, [("Location", f"http://{host}{{path}}")], b"")


class FaultyRegistry:
    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self.requests: list[Seen] = []

    def fault(self, path: str, fault: Fault, times: int = 1) -> Rule:
        """The next `times` GET requests whose path matches the regular expression get this fault; a later rule goes first."""
        rule = Rule(re.compile(path), fault, times)
        with self._lock:
            self._rules.insert(0, rule)
        return rule

    def heal(self) -> None:
        with self._lock:
            self._rules.clear()
            self.requests.clear()

    def _take_rule(self, path: str) -> Rule | None:
        with self._lock:
            for rule in self._rules:
                if rule.left > 0 and rule.path.search(path):
                    rule.left -= 1
                    rule.hits += 1
                    return rule
        return None

    def __enter__(self) -> "FaultyRegistry":
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Small writes leave at once, so a cut comes after what was before it.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                outer._serve(self)

            do_HEAD = do_GET

            def log_message(self, *_args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_args: object) -> None:
                pass  # a client that hangs up is no news here

        self._server = Server(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _forward(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection(self._upstream, timeout=30)
        try:
            # The registry builds its challenge's realm and its Location headers from Host, so the client's own stays.
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            data = response.read()
            hop = ("connection", "transfer-encoding", "content-length", "keep-alive")
            kept = [(name, value) for name, value in response.getheaders() if name.lower() not in hop]
            length = response.getheader("Content-Length")
            return Answer(response.status, kept, data, int(length) if method == "HEAD" and length else None)
        finally:
            connection.close()

    def _serve(self, client: BaseHTTPRequestHandler) -> None:
        headers = dict(client.headers.items())
        seen = Seen(client.command, client.path, headers)
        with self._lock:
            self.requests.append(seen)
        answer = self._forward(client.command, client.path, headers)
        rule = self._take_rule(client.path)
        if rule:
            answer = rule.fault(answer)
        seen.status = answer.status
        client.send_response_only(answer.status)
        for name, value in answer.headers:
            client.send_header(name, value.replace("{path}", client.path))
        client.send_header("Content-Length", str(len(answer.body) if answer.declared is None else answer.declared))
        client.end_headers()
        if client.command != "HEAD":
            self._send(client, answer)
        if answer.cut:
            client.close_connection = True
            if answer.reset:
                # A linger time of zero makes close() send a reset.
                client.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.connection.close()

    @staticmethod
    def _send(client: BaseHTTPRequestHandler, answer: Answer) -> None:
        if not answer.bytes_per_s:
            client.wfile.write(answer.body)
            return
        step = max(1, answer.bytes_per_s // 10)
        for start in range(0, len(answer.body), step):
            client.wfile.write(answer.body[start : start + step])
            time.sleep(0.1)
