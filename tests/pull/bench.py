# SPDX-License-Identifier: Apache-2.0
"""Cold pull and unpack of one Debian image, ours against others, from a docker-registry on loopback: `make bench-pull`.

Places: tmpfs (/dev/shm), ext4 (fresh, on a loop device whose file is in /dev/shm: nearest to Lambda's /tmp), shaped (tmpfs, the registry behind a link
of 50 MB/s and 20 ms: netem in a network namespace, or, where the kernel has none, the relay tests/pull/shape.c). Formats: gzip and zstd. In each round
every tool runs once, in turn, so that what else the machine does hits all; --first gives all of them a real-time priority, so that it hits none.

The limit of a row is what no program can do without on two cores, each part measured alone in the same run: decompression with the digests of what goes
in and comes out, and the making of the files (tests/pull/limit.c), and the processor time in which the registry, which is on the same two cores, sends the
layers to a curl that throws them away. The limit is the largest of: decompression of two layers at a time, making the files by one thread, and half of the
processor time of all three; shaped, also the time for the bytes. "to parts" compares with the first two alone, as if the registry were elsewhere and
the two never needed the same core.
"""

import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support import images, oci_layout
from tests.support.lambda_local import LocalLambda
from tests.support.places import ROOT, Missing, scratch, tool
from tests.support.registry import Registry, free_port

PULL_RUN, PULL_LIMIT, PULL_SHAPE = (ROOT / "build" / name for name in ("pull-run", "pull-limit", "pull-shape"))
PACKAGES = "python3-numpy,imagemagick,perl,git"
RATE_MB, DELAY_MS = 50, 20
LAYERS = (re.compile(r"\./usr/(share|include|lib/python3)"), re.compile(r"\./usr/lib/"), re.compile(r""))


@images.recipe()
def pull_bench(layout: Path) -> None:
    """Debian with numpy, ImageMagick and git: three layers by folder."""
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        Path(folder).chmod(0o755)
        whole = Path(folder, "rootfs.tar")
        options = ("--quiet", "--variant=minbase", f"--include={PACKAGES}")
        environment = dict(os.environ, TMPDIR=folder, SOURCE_DATE_EPOCH=str(oci_layout.MTIME))
        images.run(tool("mmdebstrap"), *options, images.DEBIAN_RELEASE, whole, env=environment)
        parts = [Path(folder, f"{n}.tar") for n in range(len(LAYERS))]
        # The last pattern takes what is left, and comes first: every folder is in the lowest layer.
        order = [len(LAYERS) - 1, *range(len(LAYERS) - 1)]
        with tarfile.open(whole) as source, ExitStack() as stack:
            outs = [stack.enter_context(tarfile.open(part, "w", format=tarfile.PAX_FORMAT)) for part in parts]
            for info in source:
                which = len(LAYERS) - 1 if info.isdir() or info.islnk() else next(n for n, p in enumerate(LAYERS) if p.match(info.name))
                outs[which].addfile(info, source.extractfile(info) if info.isreg() else None)
        oci_layout.write(layout, oci_layout.Image([parts[n].read_bytes() for n in order], {"Env": [images.PATH_ENV]}))


@images.recipe("pull_bench")
def pull_bench_zstd(layout: Path) -> None:
    images._recompressed(layout, "pull_bench")


# ---- places ----------------------------------------------------------------------------------------------------------------------------


@contextmanager
def on_tmpfs() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="scar-bench-", dir="/dev/shm") as folder:
        yield Path(folder)


@contextmanager
def on_ext4() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="scar-bench-", dir="/dev/shm") as folder:
        disk, mount = Path(folder, "disk"), Path(folder, "mount")
        mount.mkdir()
        with open(disk, "wb") as file:
            file.truncate(6 << 30)
        images.run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", disk)
        images.run("mount", "-o", "loop", disk, mount)
        try:
            yield mount
        finally:
            images.run("umount", mount)


class Serving(Registry):
    """A registry whose processor time counts; `reach` is where pulls find it."""

    def __enter__(self) -> "Serving":
        super().__enter__()
        self.reach = self.host
        return self

    def busy_s(self) -> float:
        """Of the registry, after the program name in parentheses: fields 14 and 15 of proc_pid_stat(5)."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Relayed(Serving):
    """The same link made by a program."""

    def __enter__(self) -> "Relayed":
        super().__enter__()
        port = free_port()
        words = [str(PULL_SHAPE), str(port), self.host.rpartition(":")[2], str(RATE_MB), str(DELAY_MS)]
        self._relay = subprocess.Popen(words)
        self.reach = f"127.0.0.1:{port}"
        return self

    def __exit__(self, *error: object) -> None:
        self._relay.terminate()
        self._relay.wait(10)
        super().__exit__(*error)


class Shaped(Serving):
    """A registry in a network namespace of its own, behind a link of RATE_MB and DELAY_MS."""

    def __enter__(self) -> "Shaped":
        self.namespace = f"scar{os.getpid()}"
        outer, inner = f"sc{os.getpid()}a", f"sc{os.getpid()}b"
        ip = tool("ip", "iproute2")
        images.run(ip, "netns", "add", self.namespace)
        images.run(ip, "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", self.namespace)
        images.run(ip, "addr", "add", "10.213.7.1/30", "dev", outer)
        images.run(ip, "link", "set", outer, "up")
        for words in (
            f"{tool('tc', 'iproute2')} qdisc add dev {inner} root netem delay {DELAY_MS}ms rate {RATE_MB * 8}mbit limit 20000",
            f"{ip} addr add 10.213.7.2/30 dev {inner}",
            f"{ip} link set {inner} up",
            f"{ip} link set lo up",
        ):
            try:
                images.run(ip, "netns", "exec", self.namespace, *words.split())
            except RuntimeError:
                images.run(ip, "netns", "del", self.namespace)
                raise
        self.host = "10.213.7.2:5000"
        return super().__enter__()

    def prefix(self) -> list[str]:
        return [tool("ip", "iproute2"), "netns", "exec", self.namespace]

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        images.run(tool("ip", "iproute2"), "netns", "del", self.namespace)


@contextmanager
def shaped() -> Iterator[Serving]:
    with ExitStack() as stack:
        try:
            running = stack.enter_context(Shaped())
        except RuntimeError as error:
            print(f"shaped by tests/pull/shape.c: {str(error)[-60:].strip()}")
            running = stack.enter_context(Relayed())
        yield running


# ---- tools -----------------------------------------------------------------------------------------------------------------------------


def measured(command: str) -> tuple[float, int]:
    """Seconds, and the largest resident size of one of its processes (KiB)."""
    start = time.monotonic()
    # GNU time(1) in between: what the kernel counts for a process includes the one that it was forked from, and we are large.
    done = subprocess.run(
        ["/usr/bin/time", "-q", "-f", "peak %M", "/bin/bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - start
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr[-1500:]}")
    return seconds, int(done.stderr.rpartition("peak ")[2])


class Bench:
    def __init__(self, place: str, folder: Path, registry: Serving, gzip: Path, zstd: Path) -> None:
        self.place, self.folder, self.registry = place, folder, registry
        self.layouts = {"gzip": gzip, "zstd": zstd}
        pushed = {name: registry.push(layout, f"bench/{name}") for name, layout in self.layouts.items()}
        self.references = {name: reference.replace(registry.host, registry.reach) for name, reference in pushed.items()}

    def fresh(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.folder))

    def layers(self, kind: str) -> list[str]:
        layout = self.layouts[kind]
        return [layer["digest"] for layer in oci_layout.read_json(layout, oci_layout.top(layout)["digest"])["layers"]]

    def ours(self, kind: str, folder: Path) -> tuple[float, int]:
        return measured(f"{PULL_RUN} -p {folder}/store {self.references[kind]}")

    def skopeo_umoci(self, kind: str, folder: Path) -> tuple[float, int]:
        layout = folder / "layout"
        copy = f"skopeo copy --quiet --src-tls-verify=false docker://{self.references[kind]} oci:{layout}:latest"
        return measured(f"{copy} && umoci unpack --rootless --image {layout}:latest {folder}/bundle")

    def podman(self, kind: str, folder: Path) -> tuple[float, int]:
        roots = f"--root {folder}/root --runroot {folder}/run --storage-driver overlay"
        return measured(f"podman {roots} pull --quiet --tls-verify=false {self.references[kind]}")

    def udocker(self, kind: str, folder: Path) -> tuple[float, int]:
        host, _, name = self.references[kind].partition("/")
        # It would look for its engines on the internet, which a pull does not need.
        run = f"env UDOCKER_DIR={folder}/udocker UDOCKER_TARBALL={folder}/none udocker --quiet --allow-root"
        return measured(f"{run} pull --registry=http://{host} {name} > /dev/null && {run} create {name} > /dev/null")

    def blobs(self, kind: str) -> list[str]:
        name = self.references[kind].partition("/")[2].rpartition(":")[0]
        return [f"http://{self.registry.reach}/v2/{name}/blobs/{digest}" for digest in self.layers(kind)]

    def curl_tar(self, kind: str, folder: Path, unpack: str = "") -> tuple[float, int]:
        unpack = unpack or {"gzip": "igzip", "zstd": "zstd"}[kind]
        return measured(" && ".join(f"curl -sSf {url} | {unpack} -dcq | tar x -C {folder} --no-same-owner" for url in self.blobs(kind)))

    def curl_gzip_tar(self, kind: str, folder: Path) -> tuple[float, int]:
        return self.curl_tar(kind, folder, "gzip")

    def serving_s(self, kind: str) -> float:
        """Processor time of the registry and of a client that does nothing but receive."""
        before, busy = resource.getrusage(resource.RUSAGE_CHILDREN), self.registry.busy_s()
        measured(f"curl -sSf {' '.join(f'-o /dev/null {url}' for url in self.blobs(kind))}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return self.registry.busy_s() - busy + after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def limit(self, kind: str, folder: Path) -> tuple[float, int]:
        layout = self.layouts[kind]
        words = [word for digest in self.layers(kind) for word in (kind, str(layout / "blobs" / digest.replace(":", "/")))]
        done = subprocess.run([str(PULL_LIMIT), str(folder), *words], check=True, capture_output=True, text=True)
        decode_wall, decode_cpu, write_wall, write_cpu = map(float, done.stdout.split())
        serving = self.serving_s(kind)
        parts = [decode_wall, write_wall, (decode_cpu + write_cpu + serving) / 2]
        if self.place == "shaped":
            parts.append(sum((layout / "blobs" / digest.replace(":", "/")).stat().st_size for digest in self.layers(kind)) / (RATE_MB * 1e6))
        self.parts.setdefault(kind, []).append((decode_wall, write_wall, serving, parts[2]))
        return max(parts), 0

    parts: dict[str, list[tuple[float, float, float, float]]]

    def run(self, rounds: int, slow_rounds: int) -> list[dict]:
        self.parts = {}
        tools: list[tuple[str, Callable[[str, Path], tuple[float, int]]]] = [
            ("limit", self.limit),
            ("scar", self.ours),
            ("curl | igzip or zstd | tar", self.curl_tar),
            ("curl | gzip | tar", self.curl_gzip_tar),
            ("skopeo + umoci --rootless", self.skopeo_umoci),
            ("podman pull", self.podman),
            ("udocker pull, create", self.udocker),
        ]
        slow = ("skopeo", "podman", "udocker")
        needs = {"scar": ("time",), "curl | igzip or zstd | tar": ("curl", "igzip", "zstd", "tar"), "udocker pull, create": ("udocker",), "skopeo + umoci --rootless": ("skopeo", "umoci"), "podman pull": ("podman",)}
        absent = {name for name, programs in needs.items() if not all(map(shutil.which, programs))}
        for name in absent:
            print(f"skipped: {name}: not installed")
        # Debian's umoci knows no zstd, nor does udocker.
        missing = {(kind, name) for name in absent for kind in self.layouts}
        missing |= {("zstd", "skopeo + umoci --rootless"), ("zstd", "curl | gzip | tar"), ("zstd", "udocker pull, create")}
        samples: dict[tuple[str, str], list[tuple[float, int]]] = {}
        for number in range(rounds):
            for kind in self.layouts:
                for name, call in tools:
                    if (kind, name) in missing or (number >= slow_rounds and name.startswith(slow)):
                        continue
                    folder = self.fresh()
                    try:
                        sample = call(kind, folder)
                        samples.setdefault((kind, name), []).append(sample)
                    except RuntimeError as error:
                        missing.add((kind, name))
                        print(f"skipped: {name}, {kind}, on {self.place}: {str(error)[-300:]}")
                    subprocess.run(["rm", "-rf", str(folder)], check=True)
        rows = []
        for (kind, name), values in samples.items():
            limit = statistics.median(seconds for seconds, _ in samples[kind, "limit"])
            part = statistics.median(max(decode, write) for decode, write, *_ in self.parts[kind])
            median = statistics.median(seconds for seconds, _ in values)
            rows.append(
                {
                    "work": f"{kind}, {self.place}",
                    "tool": name,
                    "median_s": round(median, 4),
                    "min_s": round(min(seconds for seconds, _ in values), 4),
                    "ratio_to_limit": round(median / limit, 3),
                    "ratio_to_parts": round(median / part, 3),
                    "peak_rss_kib": max(rss for _, rss in values),
                    "runs": len(values),
                }
            )
        for kind, parts in self.parts.items():
            decode, write, serving, half = (statistics.median(column) for column in zip(*parts))
            alone = f"decode on two cores {decode:.3f} s, making files {write:.3f} s, serving {serving:.2f} s of processor time"
            print(f"  {kind}, {self.place}: {alone}, half of all processor time {half:.3f} s")
        return rows


def starts() -> list[dict]:
    """The first request of a fresh process with and without TLS, and a warm invocation that does nothing."""
    rows = []
    for name, tls in (("first requests, HTTP", False), ("first requests, HTTPS", True)):
        with Registry(tls=tls) as registry, tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            reference = registry.push(images.image("busybox"), "bench/busybox")
            bundle = Path(folder, "bundle.pem")
            system = Path("/etc/ssl/certs/ca-certificates.crt")
            bundle.write_text((system.read_text() if system.exists() else "") + (registry.certificate.read_text() if tls else ""))
            times = []
            for number in range(25):
                command = [str(PULL_RUN), "-c", str(bundle), f"{folder}/store{number}", reference]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                times.append(int(done.stdout.split()[1]) / 1e6)
            rows.append({"work": "manifest and config of busybox", "tool": name, "times": times})
    with Registry() as registry, LocalLambda(registry.push(images.image("busybox"), "bench/busybox")) as function:
        for _ in range(100):
            function.run("true")
        found = re.findall(r"Duration: ([0-9.]+) ms\tBilled", function.log())[5:]
        rows.append({"work": "a whole invocation of true", "tool": "warm start", "times": [float(value) / 1000 for value in found]})
    return [
        {
            "work": row["work"],
            "tool": row["tool"],
            "median_s": round(statistics.median(row["times"]), 5),
            "min_s": round(min(row["times"]), 5),
            "ratio_to_limit": None,
            "ratio_to_parts": None,
            "peak_rss_kib": 0,
            "runs": len(row["times"]),
        }
        for row in rows
    ]


# ---- what comes of it ------------------------------------------------------------------------------------------------------------------


def draw(rows: list[dict], path: Path) -> None:
    """Bars of times, one group for each work, on a logarithmic axis since the peers are an order of magnitude apart."""
    rows = [row for row in rows if row["ratio_to_limit"] is not None]
    colours = {"limit": "#999999", "scar": "#1b7837", "skopeo + umoci --rootless": "#d98b4a", "podman pull": "#a05195", "udocker pull, create": "#c9a227"}
    import math

    def x(seconds: float) -> float:
        return 330 + 560 * (math.log10(max(seconds, 0.1)) + 1) / 2.5

    parts, y, work = [], 40, None
    for row in rows:
        if row["work"] != work:
            work = row["work"]
            y += 12
            parts.append(f'<text x="10" y="{y + 12}" font-weight="bold">{work}</text>')
        width = x(row["median_s"]) - x(0.1)
        name = row["tool"].replace("&", "&amp;")
        parts.append(f'<text x="320" y="{y + 12}" text-anchor="end">{name}</text>')
        parts.append(f'<rect x="{x(0.1):.1f}" y="{y}" width="{width:.1f}" height="15" fill="{colours.get(row["tool"], "#5aaedc")}"/>')
        parts.append(f'<text x="{x(row["median_s"]) + 5:.1f}" y="{y + 12}">{row["median_s"]:.2f} s</text>')
        y += 19
    ticks = "".join(
        f'<line x1="{x(t):.1f}" y1="34" x2="{x(t):.1f}" y2="{y}" stroke="#ddd"/><text x="{x(t):.1f}" y="30" text-anchor="middle">{t} s</text>'
        for t in (0.1, 0.3, 1, 3, 10, 30)
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="960" height="{y + 20}" font-family="sans-serif" font-size="12">'
    title = '<text x="10" y="16" font-size="14">Cold pull and unpack of a Debian image (logarithmic)</text>'
    path.write_text(f"{head}<rect width='100%' height='100%' fill='white'/>{title}{ticks}{''.join(parts)}</svg>\n")


def show(rows: list[dict]) -> None:
    print(f"{'work':<32}{'tool':<28}{'median s':>10}{'min s':>10}{'to limit':>10}{'to parts':>10}{'RSS MiB':>9}{'runs':>6}")
    for row in rows:
        ratio, part = ("" if row[key] is None else f"{row[key]:.2f}" for key in ("ratio_to_limit", "ratio_to_parts"))
        rss = f"{row['peak_rss_kib'] / 1024:.0f}" if row["peak_rss_kib"] else ""
        print(f"{row['work']:<32}{row['tool']:<28}{row['median_s']:>10.4f}{row['min_s']:>10.4f}{ratio:>10}{part:>10}{rss:>9}{row['runs']:>6}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slow-rounds", type=int, default=3, help="of skopeo + umoci, podman and udocker")
    parser.add_argument("--first", action="store_true", help="run everything at a real-time priority (root): other programs do not count")
    parser.add_argument("--docs", action="store_true", help="put the picture into docs/")
    parser.add_argument("where", nargs="*", default=["tmpfs", "ext4", "shaped", "starts"], metavar="tmpfs|ext4|shaped|starts")
    options = parser.parse_args()
    if options.first:
        # Inherited by all that is started.
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    gzip, zstd = images.image("pull_bench"), images.image("pull_bench_zstd")
    size = sum(layer["size"] for layer in oci_layout.read_json(gzip, oci_layout.top(gzip)["digest"])["layers"])
    print(f"image: Debian {images.DEBIAN_RELEASE} with {PACKAGES}; {size / 1e6:.0f} MB gzip; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    places = {"tmpfs": (on_tmpfs, Serving), "ext4": (on_ext4, Serving), "shaped": (on_tmpfs, shaped)}
    rows: list[dict] = []
    for where in options.where:
        try:
            if where == "starts":
                rows += starts()
                continue
            place, registry = places[where]
            with place() as folder, registry() as running:
                rows += Bench(where, folder, running, gzip, zstd).run(options.rounds, options.slow_rounds)
        except (Missing, RuntimeError) as error:
            print(f"skipped: {where}: {error}")
    folder = ROOT / "build/bench"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pull.json").write_text(json.dumps(rows, indent=1) + "\n")
    picture = ROOT / "docs/bench-pull.svg" if options.docs else folder / "pull.svg"
    draw(rows, picture)
    show(rows)
    print(f"written: {folder}/pull.json, {picture}")


if __name__ == "__main__":
    main()
