# SPDX-License-Identifier: Apache-2.0
"""Drive `scar local`: one invocation by `run`, or a function that stays up by `serve`.

    with LocalLambda(reference, tmp_size_mb=64) as function:
        answer = function.invoke({"cmd_args": ["true"]})

The client below speaks HTTP with Python's own library, so that a test of the function does not depend on an AWS SDK; the SDKs have their
own tests in test_clients.py.
"""

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.support.places import BOOTSTRAP, SCAR
from tests.support.registry import free_port

NAME = "scar-test"
PATH = f"/2015-03-31/functions/{NAME}/invocations"
STREAM_PATH = f"/2021-11-15/functions/{NAME}/response-streaming-invocations"


def _programs() -> None:
    for program in (SCAR, BOOTSTRAP):
        if not os.access(program, os.X_OK):
            # Not a skip: without the programs there is nothing to test, and a green run would be a lie.
            raise RuntimeError(f"{program} is not built: make")


def settings(
    *,
    memory_mb: int = 0,
    tmp_size_mb: int = 0,
    timeout_s: int = 0,
    engine: str = "",
    env: dict[str, str] | None = None,
    plain_http: bool = False,
    jail: bool = True,
) -> list[str]:
    """The options that `run` and `serve` share."""
    options = [] if jail else ["--no-jail"]
    for name, value in (("memory", memory_mb), ("tmp-size", tmp_size_mb), ("timeout", timeout_s), ("engine", engine)):
        options += [f"--{name}", str(value)] if value else []
    options += ["--plain-http"] if plain_http else []
    for name, value in (env or {}).items():
        options += ["-e", f"{name}={value}"]
    return options


def run_local(
    image: str,
    *args: str,
    options: Sequence[str] = (),
    stdin: bytes | None = None,
    environ: dict[str, str] | None = None,
    wait_s: int = 120,
    **named,
) -> subprocess.CompletedProcess:
    """`scar local run`; standard output and error as bytes."""
    _programs()
    command = [str(SCAR), "local", "run", *settings(**named), *options, image, "--", *args]
    return subprocess.run(
        command,
        input=stdin if stdin is not None else b"",
        capture_output=True,
        timeout=wait_s,
        check=False,
        env=os.environ | (environ or {}),
    )


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def function_error(self) -> str:
        return self.headers.get("x-amz-function-error", "")

    @property
    def log(self) -> str:
        """The tail of the log, if it was asked for."""
        return base64.b64decode(self.headers.get("x-amz-log-result", "")).decode(errors="replace")

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    def document(self) -> dict:
        return json.loads(self.body)


@dataclass
class Usage:
    """What an environment holds at one moment."""

    fds: dict[str, int]
    rss_kb: dict[str, int]
    tmp_files: int
    processes: int


def descendants(pid: int) -> list[int]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
    found, fresh = [], [pid]
    while fresh:
        fresh = [child for child, parent in parents.items() if parent in fresh]
        found += fresh
    return found


def _status(pid: int, name: str) -> str:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.split(":", 1)[1].strip()
    return ""


class LocalLambda:
    def __init__(self, image: str = "", *, options: Iterable[str] = (), environ: dict[str, str] | None = None, **named) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [str(SCAR), "local", "serve", "--port", str(self.port), *settings(**named), *options, *([image] if image else [])]
        self._environ = os.environ | (environ or {})

    def __enter__(self) -> "LocalLambda":
        _programs()
        self._log = tempfile.NamedTemporaryFile(prefix="scar-serve-", suffix=".log")
        self.process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, start_new_session=True, env=self._environ
        )
        try:
            self._await()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _await(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError(f"scar local serve is not ready: {self.log()[-3000:]}")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        children = descendants(self.process.pid)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)
                raise
        if error is not None:
            print(f"--- log of scar local serve ---\n{self.log()[-6000:]}")
        self._log.close()
        self.left_behind = [pid for pid in children if Path(f"/proc/{pid}").exists() and not _status(pid, "State").startswith("Z")]

    def log(self) -> str:
        return Path(self._log.name).read_text(errors="replace")

    def invoke(
        self,
        event: object = None,
        *,
        kind: str = "",
        tail: bool = False,
        wait_s: float = 120,
        stream: bool = False,
        raw: bytes | None = None,
    ) -> Answer:
        """One invocation; `kind` is the X-Amz-Invocation-Type, `raw` an event that is not JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=wait_s)
        headers = {"Content-Type": "application/json"}
        headers |= {"X-Amz-Invocation-Type": kind} if kind else {}
        headers |= {"X-Amz-Log-Type": "Tail"} if tail else {}
        try:
            payload = raw if raw is not None else json.dumps({} if event is None else event).encode()
            connection.request("POST", STREAM_PATH if stream else PATH, payload, headers)
            response = connection.getresponse()
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
        finally:
            connection.close()

    def run(self, *args: str, image: str = "", **event) -> Answer:
        """An invocation with these arguments for the program, and another image than the function's if one is named."""
        return self.invoke({"cmd_args": json.dumps(list(args))} | ({"image": image} if image else {}) | event, tail=True)

    def bootstrap_pids(self) -> list[int]:
        found = []
        for pid in descendants(self.process.pid):
            try:
                if Path(f"/proc/{pid}/comm").read_text().strip() == "bootstrap":
                    found.append(pid)
            except OSError:
                continue
        return found

    def usage(self) -> Usage:
        # The server needs a moment to see that the last client has hung up.
        time.sleep(0.2)
        fds, rss, inner = {}, {}, self.bootstrap_pids()
        for name, pid in [("scar", self.process.pid), *((f"bootstrap{n}", pid) for n, pid in enumerate(inner))]:
            fds[name] = len(os.listdir(f"/proc/{pid}/fd"))
            rss[name] = int(_status(pid, "VmRSS").split()[0])
        # /tmp as the function sees it, whatever the jail made it from.
        tmp = Path(f"/proc/{inner[0]}/root/tmp")
        return Usage(fds, rss, sum(len(folders) + len(files) for _, folders, files in os.walk(tmp)), len(descendants(self.process.pid)))
