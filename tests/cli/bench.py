#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `scar ls` adds to the time that AWS takes: against a server that answers at once, in turns with curl asking the same server as often.

The bar: at most 5 ms from start to output. The result is a table and build/bench/cli.json, an array of {"work", "tool", "p50_us", "p99_us", "runs"}.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCAR = ROOT / "build/scar"
BAR_US = 5000
ANSWER = json.dumps({"Functions": []}).encode()


class Handler(BaseHTTPRequestHandler):
    """An account without functions."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    requests = 0

    def do_GET(self) -> None:
        Handler.requests += 1
        # In one piece, so that no small packet waits for another.
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(ANSWER) + ANSWER)

    def log_message(self, *_args: object) -> None:
        pass


def timed(command: list[str], environ: dict[str, str]) -> float:
    """Microseconds from start to end."""
    start = time.perf_counter()
    subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1e6


def main() -> int:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    environ = {"HOME": "/nonexistent", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": url}
    works = {
        ("start", "scar"): [str(SCAR), "version"],
        ("ls", "scar"): [str(SCAR), "ls"],
    }
    if curl := shutil.which("curl"):
        works["ls", "curl"] = [curl, "-s", f"{url}/2015-03-31/functions"]
    took: dict[tuple[str, str], list[float]] = {key: [] for key in works}
    for _ in range(options.rounds):
        for key, command in works.items():
            took[key].append(timed(command, environ))
    server.shutdown()
    assert Handler.requests >= options.rounds
    rows = []
    for (work, tool), values in took.items():
        p50, p99 = statistics.median(values), statistics.quantiles(values, n=100)[98]
        rows.append({"work": work, "tool": tool, "p50_us": round(p50), "p99_us": round(p99), "runs": len(values)})
        print(f"{work:6} {tool:5} {p50 / 1000:7.2f} ms, 99 of 100 below {p99 / 1000:7.2f} ms")
    out = ROOT / "build/bench/cli.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(rows, indent=1) + "\n")
    size = SCAR.stat().st_size
    print(f"scar is {size / 1048576:.1f} MiB (at most 8)")
    ls = next(row["p50_us"] for row in rows if row["work"] == "ls" and row["tool"] == "scar")
    if ls > BAR_US or size > 8 << 20:
        print(f"missed: ls takes more than {BAR_US / 1000:.0f} ms, or the program is too large")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
