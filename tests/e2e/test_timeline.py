# SPDX-License-Identifier: Apache-2.0
"""`--timeline`: where the time of a cold start went, as a picture and as trace events."""

import json
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import images
from tests.support.cloud import Cloud
from tests.support.lambda_local import LocalLambda
from tests.support.places import SCAR
from tests.support.registry import Registry


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """An image of several layers in a registry that wants a token."""
    with Registry(auth="token", anonymous=True) as registry:
        yield registry.push(images.image("layered"), "layered")


def run(*words: object, status: int | None = 0) -> subprocess.CompletedProcess:
    done = subprocess.run([SCAR, *map(str, words)], capture_output=True, text=True, timeout=120, check=False)
    assert status is None or done.returncode == status, done.stderr
    return done


def spans_of(path: Path) -> dict[str, tuple[int, int]]:
    """Name to beginning and end, in microseconds."""
    events = json.loads(path.read_text())["traceEvents"]
    assert all(event["ph"] == "X" for event in events)
    return {event["name"]: (event["ts"], event["ts"] + event["dur"]) for event in events}


def test_the_spans_of_a_cold_start_are_named_and_inside_the_invocation(guarded, tmp_path):
    done = run("local", "run", "--timeline", tmp_path / "cold.json", guarded, "--", "echo", "hello")
    assert done.stdout == "hello\n"
    spans = spans_of(tmp_path / "cold.json")
    kinds = {name.split(":")[0] for name in spans}
    assert kinds >= {"init", "invocation", "image", "token", "manifest", "download", "decode-and-write", "engine-start", "first-byte", "program", "outputs"}
    downloads = [name for name in spans if name.startswith("download:")]
    assert len(downloads) > 1 and {name.split(":")[1] for name in downloads} == {name.split(":")[1] for name in spans if name.startswith("decode")}
    begin, end = spans["invocation"]
    assert spans["init"][1] <= begin
    for name, (first, last) in spans.items():
        # Two clocks, and what Lambda prints has two digits.
        assert name == "init" or begin - 1000 <= first <= last <= end + 1000, name
    order = ["manifest", "engine-start", "first-byte"]
    assert [spans[name][1] for name in order] == sorted(spans[name][1] for name in order)
    assert spans["image"][0] <= spans["manifest"][0] and max(spans[name][1] for name in downloads) <= spans["image"][1]


def test_the_picture_is_sound_and_says_the_same(guarded, tmp_path):
    run("local", "run", "--timeline", tmp_path / "cold.svg", guarded, "--", "echo", "hello")
    root = ET.parse(tmp_path / "cold.svg").getroot()
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any(text.startswith("scar: ") for text in texts)
    assert {"init", "invocation", "token", "manifest", "engine-start", "first-byte", "program"} <= set(texts)
    assert any("MB/s" in text for text in texts)
    boxes = [(float(box.get("x")), float(box.get("width"))) for box in root.iter("{http://www.w3.org/2000/svg}rect") if box.get("x")]
    assert boxes and all(0 <= x and x + width <= 960 for x, width in boxes)


def test_a_failed_program_has_a_timeline_too(guarded, tmp_path):
    done = run("local", "run", "--timeline", tmp_path / "bad.json", guarded, "--", "sh", "-c", "echo x; exit 3", status=3)
    assert done.stdout == "x\n" and "program" in spans_of(tmp_path / "bad.json")


def test_a_pull_that_fails_has_a_timeline_and_its_own_exit_status(guarded, tmp_path):
    missing = guarded.replace("/layered", "/no-such-image")
    plain = run("local", "run", missing, "--", "true", status=None)
    done = run("local", "run", "--timeline", tmp_path / "gone.json", missing, "--", "true", status=plain.returncode)
    assert plain.returncode != 0 and "no-such-image" in done.stderr
    spans = spans_of(tmp_path / "gone.json")
    assert {"init", "invocation", "token"} <= set(spans) and "program" not in spans


def test_another_kind_of_file_is_refused_before_anything_runs(guarded, tmp_path):
    done = run("local", "run", "--timeline", tmp_path / "cold.png", guarded, "--", "echo", "hello", status=2)
    assert "takes FILE.svg or FILE.json" in done.stderr and done.stdout == "" and not (tmp_path / "cold.png").exists()


def test_a_function_is_asked_through_its_client_context(guarded, tmp_path):
    with Cloud() as cloud, LocalLambda(guarded, options=("--name", "there")) as function:
        environ = cloud.environ | {"AWS_ENDPOINT_URL_LAMBDA": function.url}
        for name in ("first.json", "second.json"):
            done = subprocess.run(
                [SCAR, "run", "-n", "there", "--timeline", tmp_path / name, "--", "echo", "hello"], env=environ, capture_output=True, text=True, timeout=60, check=False
            )
            assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr
        assert {"download", "token"} <= {name.split(":")[0] for name in spans_of(tmp_path / "first.json")}
        # A warm one asks nobody.
        warm = {name.split(":")[0] for name in spans_of(tmp_path / "second.json")}
        assert "program" in warm and not warm & {"download", "token", "manifest", "init"}
        # Who does not ask is told nothing.
        function.run("echo", "quiet")
        assert function.log().count("timeline: ") == 2
