# SPDX-License-Identifier: Apache-2.0
"""What staging costs: 1 GB from and to nginx, by our providers and by curl, in turns. `make bench-storage` writes build/bench/storage.json.

The S3 client fetches with signatures that nginx does not look at; delivery is WebDAV's, since nginx stores what it is sent.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.places import ROOT, scratch, tool
from tests.support.storage_servers import ACCESS_KEY, LOGIN, PASSWORD, SECRET_KEY, WebDav

BAR_RATIO, BAR_RSS_KIB = 1.2, 64 * 1024


def measured(command: list[str]) -> tuple[float, int]:
    """Seconds, and the peak of resident KiB that the command prints (curl prints none: 0)."""
    begin = time.monotonic()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.monotonic() - begin, int(done.stdout or 0)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=1000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="scar-bench-", dir=scratch()))
    curl, ours = tool("curl"), str(ROOT / "build/storage-run")
    credentials = ["-u", f"{LOGIN}:{PASSWORD}"]
    try:
        with WebDav(access=False) as server:
            (server.root / "bucket").mkdir()
            block = os.urandom(1 << 20)
            with (server.root / "bucket/in").open("wb") as file:
                for _ in range(options.megabytes):
                    file.write(block)
            (server.root / "out").mkdir()
            (server.root / "out").chmod(0o777)
            shutil.copy(server.root / "bucket/in", folder / "big")
            definition = folder / "definition.yaml"
            definition.write_text(json.dumps({
                "output": [{"storage_provider": "webdav.here", "path": "out"}],
                "storage_providers": {
                    "s3": {"here": {"endpoint": server.url, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY}},
                    "webdav": {"here": {"hostname": server.url, "login": LOGIN, "password": PASSWORD}},
                },
                "input": [{"storage_provider": "s3.here", "path": "bucket"}],
            }))
            works = {
                "fetch": ([ours, str(definition), "fetch", "s3", "bucket", "in", str(folder), "got"], [curl, "-sf", "-o", str(folder / "got"), f"{server.url}/bucket/in"]),
                "deliver": ([ours, str(definition), "deliver", str(folder), "big"], [curl, "-sf", *credentials, "-T", str(folder / "big"), f"{server.url}/out/by-curl"]),
            }
            rows, good = [], True
            for work, commands in works.items():
                times: tuple[list[float], list[float]] = ([], [])
                peaks = [0, 0]
                for _ in range(options.rounds):
                    for which, command in enumerate(commands):
                        (folder / "got").unlink(missing_ok=True)
                        seconds, rss = measured(command)
                        times[which].append(seconds)
                        peaks[which] = max(peaks[which], rss)
                if work == "fetch":
                    assert subprocess.run(["cmp", folder / "got", folder / "big"], check=False).returncode == 0
                else:
                    assert subprocess.run(["cmp", server.root / "out/big", folder / "big"], check=False).returncode == 0
                medians = [statistics.median(taken) for taken in times]
                for which, name in enumerate(("scar", "curl")):
                    rows.append({
                        "work": f"{work} {options.megabytes} MB", "tool": name, "p50_us": round(medians[which] * 1e6), "p99_us": round(max(times[which]) * 1e6),
                        "ratio": round(medians[which] / medians[1], 3), "rss_kib": peaks[which], "runs": options.rounds,
                    })
                good = good and medians[0] <= BAR_RATIO * medians[1] and peaks[0] <= BAR_RSS_KIB
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for row in rows:
        print(f"{row['work']:>16} {row['tool']:>5} {row['p50_us'] / 1e6:7.3f} s  x{row['ratio']:<6} {row['rss_kib'] / 1024:6.1f} MiB")
    target = ROOT / "build/bench/storage.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(rows, indent=1) + "\n")
    print("within the bars" if good else f"NOT within {BAR_RATIO} x curl and {BAR_RSS_KIB} KiB")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
