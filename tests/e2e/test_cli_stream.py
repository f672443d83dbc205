# SPDX-License-Identifier: Apache-2.0
"""`scar run --stream`: what the program prints is there while it runs."""

import subprocess
import urllib.request

import pytest

from tests.support.cloud import KEYS, REGION
from tests.support.lambda_local import LocalLambda
from tests.support.places import SCAR
from tests.support.rendezvous import Rendezvous


@pytest.fixture(scope="module")
def function(pushed):
    with LocalLambda(pushed("busybox"), options=("--name", "there"), env={"SCAR_RESPONSE_MODE": "streaming"}) as running:
        yield running


def command(*words: str) -> list[str]:
    return [str(SCAR), "run", "-n", "there", "--stream", *words]


def environ(function: LocalLambda) -> dict[str, str]:
    return {"PATH": "/usr/bin", "HOME": "/nonexistent", "AWS_REGION": REGION, "AWS_ENDPOINT_URL": function.url} | {name.upper(): value for name, value in KEYS.items()}


def test_a_line_is_printed_while_the_program_waits(function):
    with Rendezvous(2) as place:
        script = f"echo one; wget -qO- {place.url} && echo two"
        with subprocess.Popen(command("--", "sh", "-c", script), env=environ(function), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            assert run.stdout.readline() == b"one\n"
            # Only now may the program go on.
            urllib.request.urlopen(place.url, timeout=60).close()
            out, errors = run.communicate(timeout=60)
    assert (run.returncode, out) == (0, b"two\n"), errors
    assert b"billed" in errors


def test_a_failure_after_the_first_byte_is_one(function):
    done = subprocess.run(command("--", "sh", "-c", "echo before; exit 3"), env=environ(function), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (70, "before\n"), done.stderr
    assert "Function.ExitError" in done.stderr


@pytest.mark.parametrize("other", [["-a"], ["-o", "file"], ["-j"]])
def test_what_cannot_be_streamed_is_refused(function, other, tmp_path):
    done = subprocess.run(command(*other, "--", "true"), env=environ(function), capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode != 0 and "--stream prints the answer as it comes" in done.stderr
    assert list(tmp_path.iterdir()) == []
