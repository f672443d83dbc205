# SPDX-License-Identifier: Apache-2.0
"""What an invocation costs beyond the program: `make bench-invoke`.

warm-no-op    a static program that does nothing, through loop, engine and jail, against a bare C client of the Runtime API (bare.c) in the same jail, taking turns
start         from the start of the process to its first request for an invocation, at a server that only listens
first-byte    from write(2) in the program to the client of InvokeWithResponseStream
stream-200mb  200 MB as one stream; rss_kib is the high-water mark, which may not grow with the size

build/bench/invoke.json: a list of {"work", "tool", "p50_us", "p99_us", "ratio", "rss_kib", "runs"}; ratio is that of p50 to the first tool of the work.
"""

import argparse
import base64
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support import images
from tests.support.lambda_local import PATH, STREAM_PATH, LocalLambda
from tests.support.places import BOOTSTRAP, ROOT
from tests.support.registry import Registry

BARE, WRITER = ROOT / "build/bench-bare", ROOT / "build/bench-writer"
BYTES = 200_000_000
BAR_WARM_US, BAR_START_US, BAR_START_KIB, BAR_FIRST_US = 2000, 10_000, 8192, 5000


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def row(work: str, tool: str, times_us: list[float], rss_kib: int, base_us: float = 0) -> dict:
    p50 = statistics.median(times_us)
    return {
        "work": work,
        "tool": tool,
        "p50_us": round(p50),
        "p99_us": round(percentile(times_us, 0.99)),
        "ratio": round(p50 / (base_us or p50), 3),
        "rss_kib": rss_kib,
        "runs": len(times_us),
    }


def status_kib(pid: int, name: str) -> int:
    return next(int(line.split()[1]) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(name + ":"))


class Caller:
    """One keep-alive connection to a function."""

    def __init__(self, function: LocalLambda, event: dict) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", function.port, timeout=60)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._event = json.dumps(event).encode()

    def __call__(self) -> float:
        start = time.perf_counter_ns()
        self._connection.request("POST", PATH, self._event, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        body = answer.read()
        took = (time.perf_counter_ns() - start) / 1000
        if answer.status != 200 or body or answer.getheader("X-Amz-Function-Error"):
            raise RuntimeError(f"an invocation failed: {answer.status} {body[:300]!r}")
        return took


def writer_script() -> str:
    """As SCAR_SCRIPT: a path within the function's files would have to be in the jail."""
    return base64.b64encode(WRITER.read_bytes()).decode()


def warm(image: str, runs: int) -> list[dict]:
    with (
        LocalLambda(image, options=["--bootstrap", str(BARE)]) as bare,
        LocalLambda(image) as ours,
    ):
        calls = {"bare-c": Caller(bare, {}), "bootstrap": Caller(ours, {"cmd_args": ["/bin/true"]})}
        times: dict[str, list[float]] = {name: [] for name in calls}
        for call in calls.values():
            for _ in range(20):
                call()
        before = ours.usage()
        for _ in range(runs):
            for name, call in calls.items():
                times[name].append(call())
        after = ours.usage()
        grown = {"fds": sum(after.fds.values()) - sum(before.fds.values()), "tmp_files": after.tmp_files - before.tmp_files}
        rss_grown = status_kib(ours.bootstrap_pids()[0], "VmRSS") - before.rss_kb["bootstrap0"]
        print(f"after {runs} invocations: {grown}, rss +{rss_grown} KiB")
        base = statistics.median(times["bare-c"])
        rows = [
            row("warm-no-op", "bare-c", times["bare-c"], 0),
            row("warm-no-op", "bootstrap", times["bootstrap"], status_kib(ours.bootstrap_pids()[0], "VmRSS"), base),
        ]
        if grown["fds"] > 0 or grown["tmp_files"] > 0 or rss_grown > 512:
            raise SystemExit("bench-invoke: an invocation leaves something behind")
        return rows


def start_once(program: Path, server: socket.socket, image: str) -> tuple[float, int]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        env = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.getsockname()[1]}", "SCAR_IMAGE": image, "SCAR_STORE_DIR": folder, "SCAR_LOG_LEVEL": "ERROR"}
        start = time.perf_counter_ns()
        process = subprocess.Popen([str(program)], env=env)
        connection, _ = server.accept()
        connection.recv(4096)
        took = (time.perf_counter_ns() - start) / 1000
        rss = status_kib(process.pid, "VmRSS")
        process.kill()
        process.wait()
        connection.close()
        return took, rss


def start(image: str, runs: int) -> list[dict]:
    rows = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        for tool, program in (("bare-c", BARE), ("bootstrap", BOOTSTRAP)):
            measured = [start_once(program, server, image) for _ in range(runs)]
            rows.append(row("start", tool, [m[0] for m in measured], max(m[1] for m in measured), rows[0]["p50_us"] if rows else 0))
    return rows


def stream(function: LocalLambda, event: dict) -> tuple[int, bytes, int]:
    """(time of the first payload in ns, its bytes, bytes of payload in all)"""
    connection = http.client.HTTPConnection("127.0.0.1", function.port, timeout=120)
    connection.request("POST", STREAM_PATH, json.dumps(event), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    first_ns, first, total = 0, b"", 0
    while len(prelude := answer.read(12)) == 12:
        size, head = int.from_bytes(prelude[:4], "big"), int.from_bytes(prelude[4:8], "big")
        rest = answer.read(size - 12)
        if b"PayloadChunk" in rest[:head]:
            if not total:
                first_ns, first = time.time_ns(), rest[head:-4]
            total += size - 16 - head
    connection.close()
    return first_ns, first, total


def streams(image: str, runs: int) -> list[dict]:
    with LocalLambda(image, env={"SCAR_RESPONSE_MODE": "streaming"}, timeout_s=120) as function:
        script = writer_script()
        late = []
        for _ in range(runs):
            seen_ns, text, _ = stream(function, {"script": script, "cmd_args": ["clock"]})
            late.append((seen_ns - int(text)) / 1000)
        rows = [row("first-byte", "bootstrap", late, 0)]
        stream(function, {"script": script, "cmd_args": ["bytes", "1000000"]})
        pid = function.bootstrap_pids()[0]
        before = status_kib(pid, "VmHWM")
        begin = time.perf_counter_ns()
        _, _, total = stream(function, {"script": script, "cmd_args": ["bytes", str(BYTES)]})
        took = (time.perf_counter_ns() - begin) / 1000
        high = status_kib(pid, "VmHWM")
        if total != BYTES:
            raise SystemExit(f"bench-invoke: {total} of {BYTES} bytes arrived")
        print(f"200 MB in {took / 1e6:.2f} s; high-water mark {before} -> {high} KiB")
        rows.append(row("stream-200mb", "bootstrap", [took], high))
        if high - before > 1024:
            raise SystemExit("bench-invoke: memory grows with the stream")
        return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    runs = parser.parse_args().runs
    with Registry() as registry:
        image = registry.push(images.image("busybox"), "bench")
        rows = warm(image, runs) + start(image, max(20, min(100, runs))) + streams(image, max(10, min(50, runs)))
    out = ROOT / "build/bench/invoke.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(rows, indent=1) + "\n")
    by = {(r["work"], r["tool"]): r for r in rows}
    for r in rows:
        print(f"{r['work']:14} {r['tool']:10} p50 {r['p50_us']:>8} us  p99 {r['p99_us']:>8} us  x{r['ratio']:<7} {r['rss_kib']:>6} KiB  {r['runs']} runs")
    bars = {
        "warm no-op, p50 above bare C": (by["warm-no-op", "bootstrap"]["p50_us"] - by["warm-no-op", "bare-c"]["p50_us"], BAR_WARM_US, "us"),
        "start to first request, p50": (by["start", "bootstrap"]["p50_us"], BAR_START_US, "us"),
        "memory at the first request": (by["start", "bootstrap"]["rss_kib"], BAR_START_KIB, "KiB"),
        "first byte, p50": (by["first-byte", "bootstrap"]["p50_us"], BAR_FIRST_US, "us"),
    }
    for name, (value, bar, unit) in bars.items():
        print(f"{'ok  ' if value <= bar else 'MISS'} {name}: {value} {unit}, bar {bar} {unit}")
    if any(value > bar for value, bar, _ in bars.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
