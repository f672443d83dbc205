# SPDX-License-Identifier: Apache-2.0
"""With a container engine (podman): the layer mounted into an image laid out as AWS's base image for `provided`, and the image of our Containerfile."""

import http.client
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.test_foreign_runtimes import rie  # noqa: F401 -- a fixture
from tests.support.doc_commands import commands
from tests.support.images import image
from tests.support.places import ROOT, scratch, tool
from tests.support.registry import Registry, free_port

# As AWS's image has it: the emulator in its place, an empty /var/runtime, /var/task as working directory.
PROVIDED = """FROM {base}
COPY aws-lambda-rie /usr/local/bin/aws-lambda-rie
COPY lambda-entrypoint.sh /lambda-entrypoint.sh
RUN mkdir -p /var/task /var/runtime /opt
ENV LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime
WORKDIR /var/task
ENTRYPOINT ["/lambda-entrypoint.sh"]
"""
ENTRYPOINT = """#!/bin/sh
[ $# -eq 1 ] || exit 142
export _HANDLER="$1"
exec /usr/local/bin/aws-lambda-rie /var/runtime/bootstrap
"""


# A store of its own has no registries' settings; this machine's cgroups and firewall are nobody's business here.
BUILD = ("--tls-verify=false", "--isolation", "chroot", "--network", "host")
RUN = ("--network", "host", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096")


class Podman:
    """An engine with a store of its own. Networks of its own need a firewall that not every machine has: the host's is used."""

    def __init__(self, folder: Path) -> None:
        self.command = [tool("podman"), "--root", f"{folder}/root", "--runroot", f"{folder}/run", "--cgroup-manager", "cgroupfs", "--events-backend", "none", "--runtime", tool("runc")]

    def __call__(self, *words: object) -> str:
        done = subprocess.run([*self.command, *map(str, words)], capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, f"podman {words}: {done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, *words: object) -> Iterator[subprocess.Popen]:
        """A container in the foreground, ended afterwards."""
        name = f"scar-test-{free_port()}"
        command = [*self.command, "run", "--rm", "--name", name, *RUN, *map(str, words)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as container:
            try:
                yield container
            finally:
                subprocess.run([*self.command, "kill", name], capture_output=True, timeout=60, check=False)
                container.wait(timeout=60)


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    folder = Path(tempfile.mkdtemp(prefix="scar-podman-", dir=scratch()))
    engine = Podman(folder)
    try:
        yield engine
    finally:
        engine("rmi", "--all", "--force")
        subprocess.run(["umount", "--lazy", "--quiet", f"{folder}/root/overlay"], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with Registry() as running:
        for name in ("busybox", "debian"):
            running.push(image(name), name)
        running.push(image("busybox"), "library/alpine")
        yield running


def ask(port: int, path: str, event: dict, container: subprocess.Popen) -> bytes:
    """The answer to an invocation; waits until somebody listens."""
    deadline = time.monotonic() + 120
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        try:
            connection.request("POST", path, json.dumps(event))
            return connection.getresponse().read()
        except ConnectionRefusedError:
            assert container.poll() is None and time.monotonic() < deadline, container.stdout.read().decode()
            time.sleep(0.1)
        finally:
            connection.close()


@pytest.fixture(scope="module")
def provided(podman, registry, rie, tmp_path_factory) -> None:  # noqa: F811
    """What stands for AWS's base image, under its name."""
    folder = tmp_path_factory.mktemp("provided")
    shutil.copy(rie, folder / "aws-lambda-rie")
    (folder / "lambda-entrypoint.sh").write_text(ENTRYPOINT)
    (folder / "lambda-entrypoint.sh").chmod(0o755)
    (folder / "Containerfile").write_text(PROVIDED.format(base=f"{registry.host}/debian"))
    podman("build", *BUILD, "-t", "public.ecr.aws/lambda/provided:al2023", folder)


def test_the_image_serves_with_and_without_privileges(podman, registry):
    podman("build", *BUILD, "--build-arg", f"BASE={registry.host}/debian", "-t", "scar-local", "-f", ROOT / "Containerfile", ROOT)
    for privileged in ([], ["--privileged"]):
        port = free_port()
        with podman.running(*privileged, "scar-local", "--port", port, f"{registry.host}/busybox") as container:
            answer = ask(port, "/2015-03-31/functions/scar/invocations", {"cmd_args": ["sh", "-c", "echo served; exit 0"]}, container)
        assert answer == b"served\n", answer


@pytest.mark.usefixtures("provided")
def test_the_documented_commands(podman, registry, tmp_path):
    """As docs/install.md has them; `docker` is podman, Docker Hub a mirror of it on loopback, and ports are the host's own."""
    # A build's context may not lead out of itself by links.
    (tmp_path / "build").mkdir()
    for name in ("build/scar", "build/bootstrap", "build/faas-supervisor-x86_64.zip", "Containerfile", ".dockerignore"):
        shutil.copy(ROOT / name, tmp_path / name)
    engine = " ".join(podman.command)
    prelude = f"""set -euo pipefail
docker() {{
    local verb=$1; shift
    case $verb in
    build) {engine} build {" ".join(BUILD)} --build-arg BASE={registry.host}/debian "$@" ;;
    run) {engine} run {" ".join(RUN)} -e SCAR_REGISTRY_MIRRORS=docker.io={registry.host} "$@" ;;
    *) {engine} "$verb" "$@" ;;
    esac
}}
"""
    typed = commands(ROOT / "docs/install.md", "sh docker")
    assert len(typed) == 2
    for block in typed:
        with (tmp_path / "log").open("w+b") as log:
            status = subprocess.run([tool("bash"), "-c", prelude + block.text], cwd=tmp_path, stdout=log, stderr=log, timeout=300, check=False).returncode
            log.seek(0)
            said = log.read().decode(errors="replace")
        assert status == 0 and "Linux\n" in said, f"{block.text}\n{said}"
