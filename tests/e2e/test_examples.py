# SPDX-License-Identifier: Apache-2.0
"""The examples: the commands of their pages, typed in a copy of their folders, beside moto's S3; images come from Debian's packages, through a mirror, under the
names that the definitions have. Without SCAR_EXAMPLES=all only those whose images other tests make too."""

import csv
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support import images, oci_layout
from tests.support.cloud import Cloud
from tests.support.doc_commands import commands
from tests.support.oci_layout import Image, Layer
from tests.support.places import ROOT, tool
from tests.support.registry import free_port
from tests.workloads.images import image as workload

EXAMPLES = ROOT / "examples"


def png(path: Path) -> tuple[int, int, int]:
    """Width, height and colour type; its check sums hold."""
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at = 8
    while at < len(data):
        size = struct.unpack(">I", data[at : at + 4])[0]
        assert zlib.crc32(data[at + 4 : at + 8 + size]) == struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0]
        at += 12 + size
    width, height, _, colour = struct.unpack(">IIBB", data[16:26])
    return width, height, colour


def check_cowsay(said: str, results: Path, there: Path) -> None:
    del said
    cow = (results / "saying.txt").read_text()
    assert "< Any image, as it is. >" in cow and "^__^" in cow


def check_imagemagick(said: str, results: Path, there: Path) -> None:
    del said
    assert png(there / "picture.png")[2] == 2
    # 0: grey without alpha
    assert png(results / "picture.png") == (48, 32, 0)


def check_ffmpeg(said: str, results: Path, there: Path) -> None:
    del said, there
    video = (results / "clip.avi").read_bytes()
    assert video[:4] == b"RIFF" and video[8:12] == b"AVI " and b"FMP4" in video
    # The header's own count of frames and size: 10 of 64 x 48.
    header = video.index(b"avih") + 8
    assert struct.unpack("<I", video[header + 16 : header + 20])[0] == 10
    assert struct.unpack("<II", video[header + 32 : header + 40]) == (64, 48)


WORDS = ["3 the", "2 dog", "1 and", "1 brown", "1 fox", "1 jumps", "1 lazy", "1 over", "1 quick", "1 sleeps"]


def check_ruby(said: str, results: Path, there: Path) -> None:
    del said, there
    words = json.loads((results / "text.json").read_text())
    assert [f"{count} {word}" for word, count in words.items()] == WORDS


def check_r(said: str, results: Path, there: Path) -> None:
    del said
    with (there / "points.csv").open() as points:
        assert len(list(csv.DictReader(points))) == 8
    assert (results / "line.txt").read_text() == "y = 1.000 + 2.500 x\n"


def check_erlang(said: str, results: Path, there: Path) -> None:
    del said
    assert (results / "sorted.txt").read_text().splitlines() == sorted((there / "lines.txt").read_text().split())


def check_elixir(said: str, results: Path, there: Path) -> None:
    del said, there
    assert (results / "longest.txt").read_text() == "pomegranate\n"


def check_aws_cli(said: str, results: Path, there: Path) -> None:
    del said
    size = (there / "file.txt").stat().st_size
    assert re.search(rf"^\S+ \S+ +{size} in/file\.txt$", (results / "listing.txt").read_text(), re.MULTILINE)


def check_deep_learning(said: str, results: Path, there: Path) -> None:
    del said, there
    answer = json.loads((results / "seven.json").read_text())
    assert answer["digit"] == 7 and answer["probability"] > 0.9


def check_workflow(said: str, results: Path, there: Path) -> None:
    del said, there
    found = [path.read_text().split() for path in sorted(results.glob("moving-*.txt"))]
    assert len(found) == 5
    # One object in each picture, twenty points further to the right each time; a lossy video moves edges by a point or two.
    for number, (area,) in enumerate(found):
        width, height, x, y = map(int, re.fullmatch(r"(\d+)x(\d+)\+(\d+)\+(\d+)", area).groups())
        assert abs(width - 30) <= 3 and abs(height - 30) <= 3 and abs(x - (10 + 20 * number)) <= 3 and abs(y - 40) <= 3, found


def check_words(said: str, results: Path, there: Path) -> None:
    del said, there
    lines = [" ".join(line.split()) for line in (results / "words.txt").read_text().splitlines()]
    assert sorted(lines) == sorted(WORDS) and lines[:2] == WORDS[:2]


def check_http_server(said: str, results: Path, there: Path) -> None:
    del results, there
    assert said == "visitor 1 of /first\nvisitor 2 of /second\n"


def check_streaming(said: str, results: Path, there: Path) -> None:
    del results, there
    assert said.split()[:5] == ["2", "3", "5", "7", "11"] and len(said.split()) == 100


def check_batch(said: str, results: Path, there: Path) -> None:
    del results, there
    answer = json.loads(said)
    assert answer["throws"] == 200000 and abs(answer["pi"] - 3.14159) < 0.02


def counting_go() -> Path:
    """The image of examples/static-go/Containerfile, by the Go at hand."""
    source = EXAMPLES / "static-go/main.go"
    layout = images.cache("examples") / images.key_of(source.read_text())
    with images.locked(layout.with_suffix(".lock")):
        if not layout.is_dir():
            with tempfile.TemporaryDirectory(dir=layout.parent) as folder:
                program = Path(folder, "wordcount")
                settings = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GO111MODULE": "off", "GOCACHE": str(images.cache("go-build"))}
                images.run(images.go_tool(), "build", "-trimpath", "-ldflags=-s", "-o", program, source, env=os.environ | settings)
                oci_layout.write(Path(folder, "layout"), Image([Layer().copy("wordcount", program).tar()], {"Entrypoint": ["/wordcount"]}))
                Path(folder, "layout").rename(layout)
    return layout


# Names of the definitions, and what makes the image that has that name here.
MADE: dict[str, Callable[[], Path]] = {
    "grycap/cowsay": lambda: workload("cowsay")[0],
    "grycap/imagemagick": lambda: workload("media")[0],
    "jrottenberg/ffmpeg": lambda: workload("media")[0],
    "library/ruby": lambda: workload("languages")[0],
    "library/r-base": lambda: workload("languages")[0],
    "library/erlang": lambda: workload("languages")[0],
    "library/elixir": lambda: workload("languages")[0],
    "amazon/aws-cli": lambda: workload("tools")[0],
    "pytorch/pytorch": lambda: workload("torch")[0],
    "library/python": lambda: images.image("debian"),
    "library/alpine": lambda: images.image("busybox"),
    "example/wordcount": counting_go,
}
CHECKS = {
    "cowsay": check_cowsay,
    "imagemagick": check_imagemagick,
    "ffmpeg": check_ffmpeg,
    "ruby": check_ruby,
    "r": check_r,
    "erlang": check_erlang,
    "elixir": check_elixir,
    "aws-cli": check_aws_cli,
    "deep-learning": check_deep_learning,
    "workflow": check_workflow,
    "static-go": check_words,
    "alpine": check_words,
    "http-server": check_http_server,
    "streaming": check_streaming,
    "batch": check_batch,
}
QUICK = ("static-go", "alpine", "http-server", "streaming", "batch")
CHOSEN = list(CHECKS) if os.environ.get("SCAR_EXAMPLES") == "all" else list(QUICK)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud() as running:
        yield running


@pytest.fixture(scope="module")
def environ(cloud, registry) -> dict[str, str]:
    """Of a reader whose registry mirror and S3 are on loopback."""
    return cloud.environ | {"PATH": f"{ROOT / 'build'}:/usr/bin:/bin", "SCAR_REGISTRY_MIRRORS": f"docker.io={registry.host}"}


@contextmanager
def terminal(text: str, folder: Path, environ: dict[str, str], number: int) -> Iterator[Path]:
    """A terminal in which the command goes on until Ctrl-C; from the moment on when the function is there. A free port stands for the page's."""
    log = folder / f"terminal-{number}.log"
    with log.open("wb") as out, subprocess.Popen([tool("bash"), "-c", "exec " + text.strip()], cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out) as process:
        try:
            deadline = time.monotonic() + 120
            while "scar: function" not in log.read_text():
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.02)
            yield log
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


def with_ports(blocks: list[str]) -> list[str]:
    """Ports of the pages, 9001 unless one is named, become free ones."""
    text = "\0".join(blocks)
    text = re.sub(r"^(scar local serve(?!.*--port).*)$", r"\1 --port 9001", text, flags=re.MULTILINE)
    for port in set(re.findall(r"\b900\d\b", text)):
        text = text.replace(port, str(free_port()))
    return text.split("\0")


@pytest.mark.parametrize("name", CHOSEN)
def test_the_page_of_an_example(name, environ, registry, tmp_path):
    there = tmp_path / name
    shutil.copytree(EXAMPLES / name, there)
    for image in set(re.findall(r"image: docker\.io/(\S+)", (there / "function.yaml").read_text())):
        registry.push(MADE[image](), image)
    typed = with_ports([block.text for block in commands(there / "README.md")])
    serving = [text for text in typed if "scar local serve" in text]
    rest = [text for text in typed if text not in serving]
    assert any("scar apply" in text for text in rest) and len(rest) > 1
    said = planned = ""
    with ExitStack() as stack:
        logs = [stack.enter_context(terminal(text, there, environ, number)) for number, text in enumerate(serving)]
        for text in rest:
            try:
                done = subprocess.run([tool("bash"), "-euo", "pipefail", "-c", text], cwd=there, env=environ, capture_output=True, text=True, timeout=240, check=False, stdin=subprocess.DEVNULL)
            except subprocess.TimeoutExpired as late:
                raise AssertionError(f"{text}\n" + "\n".join(log.read_text() for log in logs)) from late
            assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}\n" + "\n".join(log.read_text() for log in logs)
            said += done.stdout if "apply" not in text else ""
            planned += done.stdout if "apply" in text else ""
    assert "+ function " in planned and ("+ job definition pi" in planned) == (name == "batch")
    found = sorted({path.parent for path in (there / "results").rglob("*") if path.is_file()})
    assert len(found) <= 1
    CHECKS[name](said, found[0] if found else there, there)


def test_every_example_is_tried_and_in_the_index():
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    assert folders == set(CHECKS)
    assert set(re.findall(r"\]\(([\w-]+)/README\.md\)", (EXAMPLES / "README.md").read_text())) == folders
