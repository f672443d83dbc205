# SPDX-License-Identifier: Apache-2.0
"""`scar local run`: one image, one invocation, in the jail."""

import re
import shutil
from pathlib import Path

import pytest

from tests.support import images
from tests.support.lambda_local import run_local
from tests.support.places import tool
from tests.support.registry import PASSWORD, USER, Registry

BOTH_KERNELS = pytest.mark.parametrize("jail", ["", "kernel-4.14"], ids=["kernel-now", "kernel-4.14"])


def told(done) -> str:
    return f"status {done.returncode}\nstdout: {done.stdout[-2000:].decode(errors='replace')}\nstderr: {done.stderr[-3000:].decode(errors='replace')}"


def good(done) -> bytes:
    assert done.returncode == 0, told(done)
    return done.stdout


@BOTH_KERNELS
def test_busybox_prints_what_it_was_asked_to(pushed, jail):
    done = run_local(pushed("busybox"), "echo", "hello", "two  words", "", environ={"SCAR_JAIL": jail} if jail else {})
    assert good(done) == b"hello two  words \n"


@BOTH_KERNELS
def test_a_pipeline_of_shell_commands_works(pushed, jail):
    script = "ls / | sort | tr '\\n' ' '; cat /etc/os-release | head -n 1; for i in 1 2 3; do echo $i; done | wc -l; (exit 4) || echo $?"
    done = run_local(pushed("busybox"), "sh", "-c", script, environ={"SCAR_JAIL": jail} if jail else {})
    lines = good(done).decode().splitlines()
    assert lines[0].startswith("bin dev etc proc root sys tmp usr var ") and lines[0].endswith("ID=busybox"), told(done)
    assert [line.strip() for line in lines[1:]] == ["3", "4"]


def test_standard_output_is_kept_byte_by_byte(pushed):
    done = run_local(pushed("busybox"), "sh", "-c", "printf '\\000\\001\\377\\r\\n\\303('; head -c 300000 /dev/zero | tr '\\000' 'x'")
    assert good(done) == b"\x00\x01\xff\r\n\xc3(" + b"x" * 300_000


@pytest.mark.parametrize("status", [1, 7, 126, 127, 255])
def test_the_exit_code_is_kept(pushed, status):
    done = run_local(pushed("busybox"), "sh", "-c", f"echo out; echo err >&2; exit {status}")
    assert done.returncode == status, told(done)
    assert done.stdout == b"out\n"
    assert b"err\n" in done.stderr


def test_a_death_by_signal_is_told_as_shells_do(pushed):
    done = run_local(pushed("busybox"), "sh", "-c", "echo before; kill -9 $$")
    assert done.returncode == 128 + 9, told(done)
    assert done.stdout == b"before\n"


def test_the_report_line_has_duration_and_memory(pushed):
    done = run_local(pushed("busybox"), "sh", "-c", "sleep 1")
    report = re.search(
        rb"REPORT RequestId: \S+\s+Duration: ([0-9.]+) ms\s+Billed Duration: \d+ ms\s+Memory Size: \d+ MB\s+Max Memory Used: (\d+) MB",
        done.stderr,
    )
    assert report, told(done)
    assert float(report[1]) >= 1000 and 0 < int(report[2]) < 512


def test_everything_that_the_image_says_about_starting_counts(pushed):
    lines = good(run_local(pushed("configured"))).decode().splitlines()
    assert lines[0] == "args:default one two"
    # Engines differ, as container engines do, in whether the first group is among the others too.
    assert re.fullmatch(r"uid=1000\(worker\) gid=1000\(worker\) groups=(1000\(worker\),)?29\(audio\)", lines[1]), lines[1]
    assert lines[2] == "/data/work"
    assert lines[3].startswith("G=good day = fine E= P=/usr/local/sbin:")
    assert lines[3].endswith("H=/home/worker")
    assert re.match(r"-rw-r--r--\s+1 1000\s+1000\s+0 .* made$", lines[4]), lines[4]


def test_arguments_replace_the_command_and_not_the_entrypoint(pushed):
    lines = good(run_local(pushed("configured"), "mine", "and mine")).decode().splitlines()
    assert lines[0] == "args:mine and mine"


def test_standard_input_is_the_event(pushed, tmp_path: Path):
    data = bytes(range(256)) * 300
    (tmp_path / "input").write_bytes(data)
    assert (
        good(run_local(pushed("busybox"), "sha256sum", options=("--stdin", str(tmp_path / "input")))).split()[0]
        == good(run_local(pushed("busybox"), "sha256sum", options=("--stdin", "-"), stdin=data)).split()[0]
    )


def test_a_script_runs_under_the_interpreter_that_it_names(pushed, tmp_path: Path):
    script = tmp_path / "script"
    script.write_text('#!/bin/busybox sh\necho "script of $(cat /etc/os-release | head -n 1)"\nexit 5\n')
    done = run_local(pushed("busybox"), options=("--script", str(script)))
    assert (done.returncode, done.stdout) == (5, b"script of ID=busybox\n"), told(done)


def test_a_python_script_runs_under_python(pushed, tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text("#!/usr/bin/env python3\nimport sys\nprint('python', sys.version_info[0], sys.argv[0] != '')\n")
    assert good(run_local(pushed("debian"), options=("--script", str(script)))) == b"python 3 True\n"


def test_variables_from_the_command_line_reach_the_program(pushed):
    done = run_local(pushed("busybox"), "sh", "-c", 'echo "$GIVEN"', env={"GIVEN": "by hand = yes"})
    assert good(done) == b"by hand = yes\n"


@pytest.mark.parametrize("name", ["busybox_zstd", "plain_layer", "index", "layered"])
def test_every_kind_of_layer_and_an_index_work(pushed, name):
    assert good(run_local(pushed(name), "echo", "ran")) == b"ran\n"


def test_docker_schema_2_works(registry):
    reference = registry.push(images.image("busybox"), "schema2", "--format", "v2s2")
    assert registry.inspect(reference)["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert good(run_local(reference, "echo", "ran")) == b"ran\n"


def test_a_digest_reference_works(registry, pushed):
    reference = pushed("busybox")
    digest = images.oci_layout.top(images.image("busybox"))["digest"]
    assert good(run_local(f"{reference.rpartition(':')[0]}@{digest}", "echo", "ran")) == b"ran\n"


def test_an_image_layout_on_disk_works(tmp_path: Path):
    layout = tmp_path / "layout"
    shutil.copytree(images.image("busybox"), layout)
    # umoci writes for its owner alone; the jail's user is somebody else.
    images.run("chmod", "-R", "a+rX", layout)
    assert good(run_local(f"oci:{layout}:latest", "echo", "ran")) == b"ran\n"


def test_a_docker_archive_works(tmp_path: Path):
    archive = tmp_path / "image.tar"
    images.run(tool("skopeo"), "copy", "--quiet", f"oci:{images.image('busybox')}:latest", f"docker-archive:{archive}:busybox:latest")
    assert good(run_local(f"docker-archive:{archive}", "echo", "ran")) == b"ran\n"


@pytest.mark.parametrize("auth", ["basic", "token"])
def test_credentials_are_used(auth):
    with Registry(auth=auth) as guarded:
        reference = guarded.push(images.image("busybox"), "private/busybox")
        access = {"SCAR_REGISTRY_USERNAME": USER, "SCAR_REGISTRY_PASSWORD": PASSWORD}
        done = run_local(reference, "echo", "ran", environ=access)
        assert good(done) == b"ran\n"
        assert PASSWORD.encode() not in done.stderr

        refused = run_local(reference, "echo", "ran", environ=access | {"SCAR_REGISTRY_PASSWORD": "wrong secret"})
        assert refused.returncode != 0 and not refused.stdout, told(refused)
        assert b"wrong secret" not in refused.stderr


def test_anonymous_tokens_are_fetched_as_from_docker_hub():
    with Registry(auth="token", anonymous=True) as guarded:
        assert good(run_local(guarded.push(images.image("busybox"), "library/busybox"), "echo", "ran")) == b"ran\n"


def test_tls_is_verified():
    with Registry(tls=True) as secure:
        reference = secure.push(images.image("busybox"), "busybox")
        trusted = run_local(
            reference, "echo", "ran", environ={"SSL_CERT_FILE": str(secure.certificate)}, env={"SSL_CERT_FILE": str(secure.certificate)}
        )
        refused = run_local(reference, "echo", "ran")
    assert refused.returncode != 0 and not refused.stdout, told(refused)
    assert b"certificate" in refused.stderr.lower(), told(refused)
    assert good(trusted) == b"ran\n"


def test_a_wrong_command_line_is_refused_before_anything_starts(pushed):
    done = run_local(pushed("busybox"), options=("--no-such-option",))
    assert done.returncode == 2, told(done)
    assert b"--no-such-option" in done.stderr
