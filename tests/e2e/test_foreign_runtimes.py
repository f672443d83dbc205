# SPDX-License-Identifier: Apache-2.0
"""The same `bootstrap` under two Runtime API servers that others wrote: npm's @vercel/fun and AWS's Runtime Interface Emulator.

Neither has a jail, so these tests are about the protocol: they show that our emulator and our loop do not merely agree with each other.
"""

import fcntl
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support import images
from tests.support.cloud import Cloud
from tests.support.images import run
from tests.support.lambda_local import descendants
from tests.support.places import BOOTSTRAP, SCAR, Missing, cache, tool
from tests.support.registry import free_port

FUN = "@vercel/fun@1.3.6"
# AWS publishes the emulator's binary on GitHub, and SAM's wheel carries it: a package index is easier to reach, and pins the version.
SAM = "aws-sam-cli==1.170.0"
RIE_IN_WHEEL = f"samcli/local/rapid/aws-lambda-rie-{ {'x86_64': 'x86_64', 'aarch64': 'arm64'}[os.uname().machine] }"


@contextmanager
def fetched(name: str) -> Iterator[tuple[Path, bool]]:
    """A folder of the cache, locked, and whether it has to be filled. It counts as filled when no exception leaves the block."""
    folder = cache("peers") / name.replace("/", "-").strip("@")
    with open(f"{folder}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / ".complete"
        fill = not done.exists()
        if fill:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        yield folder, fill
        done.touch()


def fetch(what: str, *command: str, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise Missing(f"{what} cannot be had here: {' '.join(command)}: {done.stderr.strip()[-500:]}")


@pytest.fixture(scope="module")
def fun() -> Path:
    """The node_modules folder with @vercel/fun in it."""
    npm = tool("npm")
    with fetched(FUN) as (folder, fill):
        if fill:
            (folder / "package.json").write_text("{}")
            fetch(FUN, npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", FUN, cwd=folder)
    return folder / "node_modules"


@pytest.fixture(scope="module")
def rie() -> Path:
    """The emulator's program."""
    with fetched(SAM) as (folder, fill):
        if fill:
            fetch(
                SAM,
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
                "--dest",
                str(folder),
                SAM,
                cwd=folder,
            )
            with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
                (folder / "aws-lambda-rie").write_bytes(wheel.read(RIE_IN_WHEEL))
            (folder / "aws-lambda-rie").chmod(0o755)
            next(folder.glob("*.whl")).unlink()
    return folder / "aws-lambda-rie"


# Reads a list of payloads, invokes them one after the other, and prints what came back.
FUN_DRIVER = """
const { createFunction } = require('@vercel/fun');
const { folder, environment, payloads } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
(async () => {
  const results = [];
  const fn = await createFunction({ Code: { Directory: folder }, Handler: 'scar', Runtime: 'provided', Environment: { Variables: environment } });
  try {
    for (const payload of payloads) {
      const answer = await fn.invoke({ Payload: JSON.stringify(payload) });
      results.push({ error: answer.FunctionError || '', payload: answer.Payload.toString() });
    }
  } finally {
    await fn.destroy();
  }
  console.log(JSON.stringify(results));
})().catch((error) => { console.error(error); process.exit(1); });
"""


def invoke_under_fun(modules: Path, folder: Path, environment: dict[str, str], payloads: list[dict]) -> list[dict]:
    """The function's package is folder/task, or else bootstrap alone."""
    task = folder / "task"
    if not task.exists():
        task.mkdir()
        shutil.copy(BOOTSTRAP, task / "bootstrap")
    given = json.dumps({"folder": str(task), "environment": environment, "payloads": payloads})
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "NODE_PATH": str(modules), "XDG_CACHE_HOME": str(folder)}
    node = subprocess.Popen(
        [tool("node", "nodejs"), "-e", FUN_DRIVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
        start_new_session=True,
    )
    try:
        out, err = node.communicate(given, timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(node.pid, signal.SIGKILL)
        out, err = node.communicate()
        raise AssertionError(f"no end under {FUN}: {err[-3000:]}") from None
    assert node.returncode == 0, err[-3000:]
    return json.loads(out.splitlines()[-1])


def function_environment(folder: Path, reference: str) -> dict[str, str]:
    """What the function is configured with. Its store lies in the test's own folder, for outside our jail /tmp is everybody's."""
    return {"SCAR_IMAGE": reference, "SCAR_STORE_DIR": str(folder / "store"), "SCAR_ALLOW_EVENT_IMAGE": "1"}


EVENTS = [
    {"cmd_args": json.dumps(["sh", "-c", "echo hello from $(head -n 1 /etc/os-release)"])},
    {"cmd_args": json.dumps(["sh", "-c", "echo why >&2; exit 6"])},
    {"cmd_args": json.dumps(["true"]), "image": "127.0.0.1:1/nobody/listens:1"},
    {"cmd_args": json.dumps(["echo", "next"])},
]


def test_under_vercel_fun(fun, pushed, tmp_path):
    answers = invoke_under_fun(fun, tmp_path, function_environment(tmp_path, pushed("busybox")), EVENTS)
    assert answers[0] == {"error": "", "payload": "hello from ID=busybox\n"}
    assert answers[1]["error"] and "Function.ExitError" in answers[1]["payload"], answers[1]
    assert answers[2]["error"] and "Runtime.RegistryNetwork" in answers[2]["payload"], answers[2]
    assert answers[3] == {"error": "", "payload": "next\n"}


PACKAGED = """
functions:
  aws:
  - lambda: {name: packaged, container: {image_file: image.tar}, deployment: {bucket: packages}, timeout: 60}
"""


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, str]]:
    """What `scar apply` made of a definition whose image is a file: the function's package and its variables."""
    folder = tmp_path_factory.mktemp("packaged")
    run(tool("skopeo"), "copy", "-q", f"oci:{images.image('busybox')}:latest", f"docker-archive:{folder}/image.tar:example/busybox:1")
    (folder / "function.yaml").write_text(PACKAGED)
    with Cloud() as cloud:
        cloud.scar("apply", "-f", folder / "function.yaml", "--no-layer")
        variables = cloud.of("lambda").get_function_configuration(FunctionName="packaged")["Environment"]["Variables"]
        s3 = cloud.of("s3")
        (found,) = [item["Key"] for item in s3.list_objects_v2(Bucket="packages")["Contents"]]
        return s3.get_object(Bucket="packages", Key=found)["Body"].read(), variables


def unpacked(deployed, task: Path, teller: str) -> dict[str, str]:
    """The package in a folder, and the function's variables. The image is named by one of them, or as in packages that SCAR itself made."""
    package, variables = deployed
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        archive.extractall(task)
        assert {"bootstrap", "function_config.yaml", "image.tar"} <= set(archive.namelist())
    (task / "bootstrap").chmod(0o755)  # which Python leaves out
    assert variables["IMAGE_ID"] == "docker-archive:/var/task/image.tar"
    if teller == "variable":
        return dict(variables)
    (task / "function_config.yaml").write_text("name: packaged\ncontainer: {image_file: image.tar}\n")
    return {name: value for name, value in variables.items() if name != "IMAGE_ID"}


@pytest.mark.parametrize("teller", ["variable", "definition"])
def test_an_image_in_the_package_is_run_under_vercel_fun(fun, deployed, tmp_path, teller):
    task = tmp_path / "task"
    # Lambda has the package at /var/task; here that is elsewhere, and $LAMBDA_TASK_ROOT says so.
    environment = {name: value.replace("/var/task", str(task)) for name, value in unpacked(deployed, task, teller).items()}
    answers = invoke_under_fun(fun, tmp_path, environment | {"SCAR_STORE_DIR": str(tmp_path / "store")}, [EVENTS[0], EVENTS[3]])
    assert answers[0] == {"error": "", "payload": "hello from ID=busybox\n"}
    assert answers[1] == {"error": "", "payload": "next\n"}


@pytest.mark.parametrize("jail", ["on", "kernel-4.14", "off"])
@pytest.mark.parametrize("teller", ["variable", "definition"])
def test_an_image_in_the_package_is_run_in_the_jail(deployed, tmp_path, teller, jail):
    task = tmp_path / "task"
    variables = unpacked(deployed, task, teller)
    (task / "image.tar").chmod(0o600)  # as tools write it: for its owner, whom the function is not
    if jail == "off":
        variables = {name: value.replace("/var/task", str(task)) for name, value in variables.items()}
    given = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
    command = [SCAR, "local", "run", "--task", task, *given, "--", "sh", "-c", ". /etc/os-release; echo hello from $ID"]
    environ = os.environ | {"SCAR_JAIL": jail, "SCAR_STORE_DIR": str(tmp_path / "store") if jail == "off" else "/tmp/scar"}
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, env=environ)
    assert (done.returncode, done.stdout) == (0, "hello from busybox\n"), done.stderr


def test_a_package_that_cannot_be_shown_is_refused(tmp_path):
    (tmp_path / "package.zip").touch()
    done = subprocess.run([str(SCAR), "local", "run", "--task", str(tmp_path / "package.zip")], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--task takes a folder, not a file such as a zip" in done.stderr


@contextmanager
def running_rie(program: Path, folder: Path, environment: dict[str, str], *wrapped: str) -> Iterator[tuple[int, int]]:
    """Its port and its process. `wrapped` is what bootstrap gets as arguments, as an exec wrapper does."""
    api, front = free_port(), free_port()
    command = [
        program,
        "--runtime-api-address",
        f"127.0.0.1:{api}",
        "--runtime-interface-emulator-address",
        f"127.0.0.1:{front}",
        BOOTSTRAP,
        *wrapped,
    ]
    log = folder / "rie.log"
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "AWS_LAMBDA_FUNCTION_TIMEOUT": "60"} | environment
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=environ,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", front)) == 0:
                    break
            time.sleep(0.02)
        yield front, process.pid
    except AssertionError as error:
        raise AssertionError(f"{error}\nlog of aws-lambda-rie: {log.read_text(errors='replace')[-3000:]}") from error
    finally:
        # The emulator gives bootstrap a process group of its own.
        for pid in [process.pid, *descendants(process.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(10)


def invoke_rie(port: int, event: dict) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/2015-03-31/functions/function/invocations", json.dumps(event))
        return connection.getresponse().read()
    finally:
        connection.close()


def test_under_aws_runtime_interface_emulator(rie, pushed, tmp_path):
    with running_rie(rie, tmp_path, function_environment(tmp_path, pushed("busybox"))) as (port, _):
        answers = [invoke_rie(port, event) for event in EVENTS]
        assert answers[0] == b"hello from ID=busybox\n"
        assert json.loads(answers[1])["errorType"] == "Function.ExitError", answers[1]
        assert json.loads(answers[2])["errorType"] == "Runtime.RegistryNetwork", answers[2]
        assert answers[3] == b"next\n"


def test_as_exec_wrapper_of_a_managed_runtime(rie, pushed, tmp_path):
    """Lambda calls the wrapper with the runtime's own command line; bootstrap takes the place of that runtime."""
    managed = ("/var/lang/bin/python3.12", "/var/runtime/bootstrap.py", "app.handler")
    with running_rie(rie, tmp_path, function_environment(tmp_path, pushed("busybox")), *managed) as (port, _):
        assert invoke_rie(port, EVENTS[0]) == b"hello from ID=busybox\n"


def test_a_thousand_warm_invocations_under_the_emulator_leave_nothing(rie, pushed, tmp_path):
    def usage() -> tuple[int, int, int]:
        """Descriptors and resident KiB of bootstrap, and files of its store."""
        (inner,) = [pid for pid in descendants(emulator) if Path(f"/proc/{pid}/comm").read_text() == "bootstrap\n"]
        rss = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{inner}/status").read_text())
        return (
            len(os.listdir(f"/proc/{inner}/fd")),
            int(rss[1]),
            sum(len(dirs) + len(files) for _, dirs, files in os.walk(tmp_path / "store")),
        )

    with running_rie(rie, tmp_path, function_environment(tmp_path, pushed("busybox"))) as (port, emulator):
        event = {"cmd_args": json.dumps(["true"])}
        assert {invoke_rie(port, event) for _ in range(100)} == {b""}
        before = usage()
        assert {invoke_rie(port, event) for _ in range(1000)} == {b""}
        after = usage()
    print(f"\n(fds, RSS in KiB, files): {before} then {after}")
    assert (after[0], after[2]) == (before[0], before[2])
    assert after[1] <= before[1] + 512
