# SPDX-License-Identifier: Apache-2.0
"""The story of a user, typed into a terminal: an empty account, a definition, files, a function that really runs (in the jail of `scar local serve`, with moto
for S3), its results and its log; and an empty account again."""

import base64
import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.cloud import KEYS, REGION, Cloud
from tests.support.lambda_local import LocalLambda
from tests.support.places import SCAR
from tests.support.terminal import Terminal

SCRIPT = """set -e
name=$(basename "$INPUT_FILE_PATH")
tr a-z A-Z < "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$name"
echo "done: $name"
"""
DEFINITION = """
functions:
  aws:
  - lambda:
      name: shout
      memory: 512
      init_script: shout.sh
      container: {image: IMAGE}
      input: [{storage_provider: s3, path: texts/in}]
      output: [{storage_provider: s3, path: texts/out}]
"""


def environ_of_function(cloud: Cloud) -> dict[str, str]:
    """What the deployed function would be told, with moto in the place of S3."""
    config = {"name": "shout", "input": [{"storage_provider": "s3", "path": "texts/in"}], "output": [{"storage_provider": "s3", "path": "texts/out"}]}
    return {
        "FDL": base64.b64encode(json.dumps(config).encode()).decode(),
        "SCAR_SCRIPT": base64.b64encode(SCRIPT.encode()).decode(),
        "AWS_ENDPOINT_URL_S3": cloud.url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": KEYS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": KEYS["aws_secret_access_key"],
    }


@pytest.fixture
def cloud():
    with Cloud() as running:
        yield running


def write_log(cloud: Cloud, *lines: str) -> None:
    """What Lambda would write while the function runs."""
    logs = cloud.of("logs")
    # moto's own attempts at running the function leave streams as well.
    if "s" not in [stream["logStreamName"] for stream in logs.describe_log_streams(logGroupName="/aws/lambda/shout")["logStreams"]]:
        logs.create_log_stream(logGroupName="/aws/lambda/shout", logStreamName="s")
    now = int(time.time() * 1000)
    logs.put_log_events(logGroupName="/aws/lambda/shout", logStreamName="s", logEvents=[{"timestamp": now, "message": line} for line in lines])


def test_from_an_empty_account_to_results_and_back(cloud: Cloud, pushed, tmp_path: Path):
    image = pushed("busybox")
    (tmp_path / "shout.sh").write_text(SCRIPT)
    (tmp_path / "shout.yaml").write_text(DEFINITION.replace("IMAGE", image))
    (tmp_path / "files").mkdir()
    for name in ("one.txt", "two.txt"):
        (tmp_path / "files" / name).write_text(f"hello from {name}\n")
    environ = {name: value for name, value in cloud.environ.items() if name not in ("NO_COLOR", "TMUX")}
    environ |= {"PATH": f"{SCAR.parent}:{environ['PATH']}", "TERM": "xterm-256color"}

    with (
        LocalLambda(image, options=("--name", "shout"), env=environ_of_function(cloud), tmp_size_mb=900) as function,
        Terminal(environ, tmp_path) as terminal,
    ):
        assert "shout" not in terminal.run("scar ls")
        assert "+ function shout" in terminal.run("scar apply -f shout.yaml --no-layer")
        assert "\x1b[32m+ function shout" in terminal.raw()
        again = terminal.run("scar apply -f shout.yaml --no-layer -o json")
        assert json.loads(again)["Functions"][0]["Changes"] == 0
        assert "in/one.txt" in terminal.run("scar put -b texts/in -p files")
        ran = terminal.run(f"AWS_ENDPOINT_URL_LAMBDA={function.url} scar run -n shout -ib texts/in")
        assert "done: one.txt" in ran and "done: two.txt" in ran
        assert "2 of 2 files done, 0 failed" in ran
        terminal.run("scar get -b texts/out/ -p results")
        assert {path.name: path.read_text() for path in (tmp_path / "results").iterdir()} == {"one.txt": "HELLO FROM ONE.TXT\n", "two.txt": "HELLO FROM TWO.TXT\n"}
        write_log(cloud, "START RequestId: 1", "before")
        begin = len(terminal.text())
        terminal.type("scar log -n shout --follow")
        terminal.await_text("\nbefore\n", begin)
        write_log(cloud, "while it runs")
        terminal.await_text("\nwhile it runs\n", begin)
        terminal.interrupt()
        assert "deleted function shout" in terminal.run("scar rm -f shout.yaml")
        assert "shout" not in terminal.run("scar ls")
    assert cloud.of("iam").list_roles()["Roles"] == []
    assert [bucket["Name"] for bucket in cloud.of("s3").list_buckets()["Buckets"]] == ["texts"]


def run(cloud: Cloud, function: LocalLambda, *words: str) -> subprocess.CompletedProcess:
    return cloud.scar("run", "-n", "shout", *words, status=None, AWS_ENDPOINT_URL_LAMBDA=function.url)


def test_run_tells_how_a_real_function_ended(cloud: Cloud, pushed, tmp_path: Path):
    script = tmp_path / "fail.sh"
    script.write_text("echo printed; exit 7\n")
    with LocalLambda(pushed("busybox"), options=("--name", "shout")) as function:
        good = run(cloud, function, "--", "echo", "a b")
        assert (good.returncode, good.stdout) == (0, "a b\n")
        assert " of 512 MB, at most $0.0000" in good.stderr
        assert "billed" in good.stderr and "init" in good.stderr
        given = run(cloud, function, "--stdin", str(script), "--", "cat")
        assert given.stdout == script.read_text()
        bad = run(cloud, function, "-s", str(script))
        assert (bad.returncode, bad.stdout) == (70, "printed\n")
        assert "Function.ExitError" in bad.stderr and "exit status 7" in bad.stderr
        document = json.loads(run(cloud, function, "-s", str(script), "-j").stdout)["LambdaOutput"]
        assert json.loads(document["Payload"])["exitCode"] == 7
