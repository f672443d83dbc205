# SPDX-License-Identifier: Apache-2.0
"""The AWS clients of the deployer, driven line by line (tests/support/probes/aws_probe.c), and a server that records what it is asked."""

import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.images import run
from tests.support.places import ROOT, tool

OBJECT = "build/obj/dbg/tests/support/probes/aws_probe.o"
ARCHIVES = ("build/lib/dbg/libdeployer-aws.a", "build/lib/dbg/libruntime-base.a")
LIBRARIES = ("-lcurl", "-lssl", "-lcrypto", "-lcjson", "-lexpat", "-lpthread")
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}


class Refused(Exception):
    """What a failed operation says: kind, text, code, status, request_id, hint."""

    def __init__(self, error: dict) -> None:
        super().__init__(error["text"])
        self.error = error


def build(folder: Path) -> Path:
    program = folder / "aws_probe"
    run(tool("make"), "-s", "-C", ROOT, OBJECT, *ARCHIVES)
    run(tool("gcc"), "-o", program, ROOT / OBJECT, *(ROOT / archive for archive in ARCHIVES), *LIBRARIES)
    return program


class Probe:
    """A session; `environment` is all that it knows of the world."""

    def __init__(self, program: Path, *words: str, environment: dict | None = None, home: Path | None = None) -> None:
        variables = {"PATH": os.environ["PATH"], "HOME": str(home or "/nonexistent"), "AWS_EC2_METADATA_DISABLED": "true", **(KEYS if environment is None else environment)}
        self.process = subprocess.Popen([program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=variables)

    def __call__(self, op: str, **arguments):
        line = json.dumps({"op": op, **{key: value for key, value in arguments.items() if value is not None}})
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"aws_probe ended with {self.process.wait()}: {self.process.stderr.read().decode(errors='replace')[-2000:]}")
        found = json.loads(answer)
        if "error" in found:
            raise Refused(found["error"])
        return found.get("ok")

    def __enter__(self) -> "Probe":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.process.stdin.close()
        self.errors = self.process.stderr.read().decode(errors="replace")
        self.process.stdout.close()
        self.process.stderr.close()
        # 1: the session could not be opened, which a test may have wanted. A sanitizer ends with another one.
        if self.process.wait(10) not in (0, 1) and kind is None:
            raise RuntimeError(f"aws_probe ended with {self.process.returncode}: {self.errors[-2000:]}")


class Recorder:
    """Answers with what `answers` holds, one after the other, and with {} when that is used up; keeps every request. An answer is
    (status, headers, body), or a function of the request that gives one; None hangs up."""

    def __init__(self) -> None:
        self.requests: list[dict] = []
        self.answers: list = []
        self.fallback = (200, {}, b"{}")
        self.lock = threading.Lock()

    def __enter__(self) -> "Recorder":
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path, _, query = self.path.partition("?")
                request = {"method": self.command, "path": path, "query": query, "headers": {name.lower(): value for name, value in self.headers.items()}, "body": body}
                with recorder.lock:
                    recorder.requests.append(request)
                    answer = recorder.answers.pop(0) if recorder.answers else recorder.fallback
                if callable(answer):
                    answer = answer(request)
                if answer is None:
                    self.close_connection = True
                    return
                status, headers, content = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in headers:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)
                if "Content-Length" in headers and int(headers["Content-Length"]) != len(content) and self.command != "HEAD":
                    self.close_connection = True

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    def take(self) -> list[dict]:
        with self.lock:
            taken, self.requests = self.requests, []
            self.answers.clear()
        return taken
