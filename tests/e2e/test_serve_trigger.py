# SPDX-License-Identifier: Apache-2.0
"""A definition file on this machine: `scar local run -f`, and `serve -f --s3-trigger` beside moto's S3: files are put, functions run in the jail, results appear."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.cloud import REGION, Cloud
from tests.support.places import SCAR
from tests.support.registry import free_port

DEFINITION = """
functions:
  aws:
  - lambda:
      name: shout
      memory: 256
      timeout: 60
      container:
        image: IMAGE
        environment: {Variables: {MARK: "!"}}
      init_script: shout.sh
      input: [{storage_provider: s3, path: texts/in}]
      output: [{storage_provider: s3, path: texts/loud}]
  - lambda:
      name: count
      container: {image: IMAGE}
      init_script: count.sh
      input: [{storage_provider: s3, path: texts/loud}]
      output: [{storage_provider: s3, path: texts/counts}]
"""
SHOUT = """tr a-z A-Z < "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"
printf '%s' "$MARK" >> "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"
"""
COUNT = """wc -c < "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH").count"
"""


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as running:
        running.of("s3").create_bucket(Bucket="texts", CreateBucketConfiguration={"LocationConstraint": REGION})
        yield running


@pytest.fixture
def definition(pushed, tmp_path) -> Path:
    (tmp_path / "shout.sh").write_text(SHOUT)
    (tmp_path / "count.sh").write_text(COUNT)
    path = tmp_path / "function.yaml"
    path.write_text(DEFINITION.replace("IMAGE", pushed("busybox")))
    return path


@contextlib.contextmanager
def served(cloud: Cloud, definition: Path, name: str, *options: str) -> Iterator[Path]:
    """`scar local serve` of one function of the file; its log."""
    log = definition.parent / f"{name}.log"
    command = [SCAR, "local", "serve", "-f", definition, "--name", name, "--port", str(free_port()), "--s3-trigger", *options]
    with log.open("wb") as out, subprocess.Popen(command, env=cloud.environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out) as process:
        try:
            wait_for(lambda: "scar: function" in log.read_text() or process.poll() is not None, log)
            yield log
        finally:
            process.terminate()
            assert process.wait(timeout=60) == 0, log.read_text()


def wait_for(condition: Callable[[], object], log: Path) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def keys(cloud: Cloud, prefix: str) -> list[str]:
    return [item["Key"] for item in cloud.of("s3").list_objects_v2(Bucket="texts", Prefix=prefix).get("Contents", [])]


def content(cloud: Cloud, key: str) -> bytes:
    return cloud.of("s3").get_object(Bucket="texts", Key=key)["Body"].read()


def test_new_files_go_through_a_workflow_of_two_functions(cloud, definition):
    s3 = cloud.of("s3")
    s3.put_object(Bucket="texts", Key="in/old.txt", Body=b"was there before")
    with served(cloud, definition, "shout", "--concurrency", "2") as log, served(cloud, definition, "count") as second:
        for name in ("one.txt", "with space+plus.txt"):
            s3.put_object(Bucket="texts", Key=f"in/{name}", Body=b"hello")
        s3.put_object(Bucket="texts", Key="elsewhere/three.txt", Body=b"not an input")
        wait_for(lambda: len(keys(cloud, "counts/")) == 2, second)
        assert content(cloud, "loud/one.txt") == b"HELLO!"
        assert content(cloud, "counts/with space+plus.txt.count").split() == [b"6"]
        # A file that is put again is new again.
        s3.put_object(Bucket="texts", Key="in/one.txt", Body=b"once more")
        wait_for(lambda: content(cloud, "loud/one.txt") == b"ONCE MORE!", log)
        wait_for(lambda: content(cloud, "counts/one.txt.count").split() == [b"10"], second)
    assert keys(cloud, "loud/") == ["loud/one.txt", "loud/with space+plus.txt"]
    assert "old.txt is new" not in log.read_text() and log.read_text().count(" is new") == 3


def test_what_fails_is_tried_twice_more_and_told(cloud, definition):
    (definition.parent / "shout.sh").write_text("exit 3\n")
    with served(cloud, definition, "shout") as log:
        cloud.of("s3").put_object(Bucket="texts", Key="in/bad.txt", Body=b"x")
        wait_for(lambda: "in/bad.txt: failed: Function.ExitError" in log.read_text(), log)
        assert log.read_text().count("END RequestId") == 3
        # The next file has its turn.
        cloud.of("s3").put_object(Bucket="texts", Key="in/next.txt", Body=b"x")
        wait_for(lambda: "in/next.txt: failed" in log.read_text(), log)


def run_local(cloud: Cloud, *words: object) -> subprocess.CompletedProcess:
    return subprocess.run([SCAR, "local", "run", *map(str, words)], env=cloud.environ, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)


def test_a_definition_runs_as_it_would_be_deployed(cloud, definition):
    (definition.parent / "shout.sh").write_text('echo "$MARK $AWS_LAMBDA_FUNCTION_NAME $AWS_LAMBDA_FUNCTION_MEMORY_SIZE $AWS_REGION"\n')
    done = run_local(cloud, "-f", definition, "--name", "shout")
    assert (done.returncode, done.stdout) == (0, f"! shout 256 {REGION}\n"), done.stderr
    done = run_local(cloud, "-f", definition, "--name", "shout", "--memory", "300", "-e", "CONT_VAR_MARK=?")
    assert done.stdout == f"? shout 300 {REGION}\n", done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-f", "FILE"], "function.yaml has 2 functions for AWS: choose one with --name"),
        (["-f", "FILE", "--name", "other"], "function.yaml has no function other"),
        (["-f", "/no/such.yaml"], "/no/such.yaml"),
    ],
)
def test_a_definition_that_cannot_be_used_is_refused(cloud, definition, words, message):
    done = run_local(cloud, *[definition if word == "FILE" else word for word in words])
    assert done.returncode != 0 and message in done.stderr


def test_a_trigger_needs_inputs(cloud, definition):
    command = [SCAR, "local", "serve", "--s3-trigger", "busybox"]
    done = subprocess.run(command, env=cloud.environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "--s3-trigger needs a definition" in done.stderr
    definition.write_text(definition.read_text().replace("input: [{storage_provider: s3, path: texts/in}]", ""))
    command = [SCAR, "local", "serve", "-f", definition, "--name", "shout", "--s3-trigger", "--port", str(free_port())]
    done = subprocess.run(command, env=cloud.environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "no input in S3" in done.stderr


def test_a_function_that_would_start_itself_is_refused(cloud, definition):
    definition.write_text(definition.read_text().replace("path: texts/loud}]", "path: texts/in/again}]", 1))
    command = [SCAR, "local", "serve", "-f", definition, "--name", "shout", "--s3-trigger", "--port", str(free_port())]
    done = subprocess.run(command, env=cloud.environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "function.yaml" in done.stderr, done.stderr
