# SPDX-License-Identifier: Apache-2.0
"""Which engine is taken where, what `scar doctor` says about it, and that docs/engines.md can be followed."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.places import ROOT, SCAR, scratch, tool

ENGINE_RUN = ROOT / "build" / "engine-run"
ENGINE_JAIL = ROOT / "build" / "engine-jail"
AS_993 = ["setpriv", "--reuid", "993", "--regid", "993", "--clear-groups"]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes users")


@pytest.fixture(scope="module")
def guest() -> Iterator[Path]:
    """A folder with a root file system of user 993, and state directories."""
    subprocess.run(["make", "-s", "build/engine-run", "build/engine-jail"], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory(prefix="scar-engines-", dir=scratch()) as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("root/bin", "root/proc", "root/sys", "root/dev", "root/tmp", "root/etc", "state", "state-993"):
            (folder / part).mkdir(parents=True)
        (folder / "root/bin/busybox").write_bytes(Path(tool("busybox", "busybox-static")).read_bytes())
        (folder / "root/bin/busybox").chmod(0o755)
        for applet in ("sh", "ls", "id", "cat", "ps"):
            (folder / "root/bin" / applet).symlink_to("busybox")
        # User 993 may not get into the tree, such as one below /root.
        shutil.copy(ENGINE_RUN, folder / "engine-run")
        for state in ("state", "state-993"):
            (folder / state).chmod(0o700)
        if os.geteuid() == 0:
            subprocess.run(["chown", "-Rh", "993:993", folder / "root", folder / "state-993"], check=True)
        yield folder


def run(guest: Path, engine: str, script: str, prefix: tuple[str, ...] = (), env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    # What one user left there is not another's to change.
    state = guest / ("state-993" if prefix else "state")
    command = [*prefix, str(guest / "engine-run"), engine, str(guest / "root"), str(state), "/bin/sh", "-c", script]
    environ = {"PATH": os.environ["PATH"], **(env or {})}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


SETTINGS = {
    "native": ("native", {}),
    "native by chroot": ("native", {"SCAR_NO_PIVOT_ROOT": "1"}),
    "rewrite": ("rewrite", {}),
    "ptrace": ("ptrace", {}),
    "ptrace without a filter": ("ptrace", {"SCAR_PTRACE_FILTER": "0"}),
}


@needs_root
@pytest.mark.parametrize("user", ["root", "993"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_each_engine_starts_a_program_with_and_without_root(guest, setting, user):
    engine, env = SETTINGS[setting]
    script = "id -u; ls -d /bin /proc/self/exe /dev/null; cat /proc/self/comm; echo kept > /tmp/made; cat /tmp/made; exit 7"
    done = run(guest, engine, script, tuple(AS_993) if user == "993" else (), env)
    assert (done.stdout, done.stderr, done.returncode) == ("0\n/bin\n/dev/null\n/proc/self/exe\ncat\nkept\n", "", 7)


@needs_root
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_signal_ends_the_program_as_itself(guest, setting):
    engine, env = SETTINGS[setting]
    done = run(guest, engine, "kill -TERM $$", env=env)
    assert done.returncode == 128 + 15
    assert "signal 15" in done.stderr


@needs_root
def test_an_engine_that_is_asked_for_but_refused_says_why(guest):
    done = run(guest, "ptrace", "true", (str(ENGINE_JAIL),))
    assert done.returncode != 0
    assert "engine ptrace: a process cannot be traced here: Operation not permitted" in done.stderr


def sleepers(marker: str) -> list[Path]:
    """Processes whose whole command is `sleep MARKER`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes() == f"sleep\0{marker}\0".encode():
                found.append(folder)
        except OSError:  # it has ended
            continue
    return found


def wait_until(done: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            pytest.fail("waited in vain")
        time.sleep(0.05)


@needs_root
def test_nobody_remains_when_the_tracer_is_killed(guest):
    marker = str(86400 + os.getpid() % 1000)
    script = f"sleep {marker} & sleep {marker}; true"
    started = subprocess.Popen(
        [ENGINE_RUN, "ptrace", guest / "root", guest / "state", "/bin/sh", "-c", script], stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: len(sleepers(marker)) == 2)
        status = (sleepers(marker)[0] / "status").read_text()
        os.kill(int(re.search(r"^TracerPid:\t(\d+)", status, re.MULTILINE)[1]), signal.SIGKILL)
        assert started.wait(timeout=20) == 128 + 9
        wait_until(lambda: not sleepers(marker))
    finally:
        started.kill()
        for folder in sleepers(marker):
            os.kill(int(folder.name), signal.SIGKILL)
        started.wait(timeout=20)


@needs_root
def test_a_time_out_ends_all_that_is_traced(pushed):
    marker = str(87400 + os.getpid() % 1000)
    script = f"(setsid sleep {marker} &) ; sleep {marker}"
    command = [SCAR, "local", "run", "--no-jail", "--engine", "ptrace", "--timeout", "3", pushed("busybox"), "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 124, done.stderr
    wait_until(lambda: not sleepers(marker))


# ---- scar doctor ----


def doctor(*prefix: str, env: dict[str, str] | None = None, program: Path = SCAR) -> tuple[int, dict]:
    done = subprocess.run(
        [*prefix, program, "doctor", "-o", "json"], env={"PATH": os.environ["PATH"], **(env or {})}, capture_output=True, text=True, timeout=60, check=False
    )
    report = json.loads(done.stdout)
    assert done.stderr == ""
    return done.returncode, {**report, "checks": {(c["group"], c["name"]): c for c in report["checks"]}}


def test_the_doctor_finds_the_engines_of_this_machine():
    status, report = doctor()
    assert status == 0
    assert report["checks"]["engine", "rewrite"]["ok"]
    assert report["engine"] in ("native", "rewrite")
    assert report["checks"]["kernel", "release"]["text"].split()[1] == os.uname().release


def test_the_doctor_knows_when_nothing_works():
    status, report = doctor(env={"SCAR_ENGINE_REFUSE": "native,rewrite,ptrace"})
    assert status == 69
    assert report["engine"] is None
    for engine in ("native", "rewrite", "ptrace"):
        assert report["checks"]["engine", engine] == {"group": "engine", "name": engine, "ok": False, "text": "refused by SCAR_ENGINE_REFUSE"}


@needs_root
def test_the_doctor_sees_what_a_jail_refuses(guest):
    _, free = doctor()
    # User 993 may not get into the tree, such as one below /root.
    status, jailed = doctor(str(ENGINE_JAIL), program=Path(shutil.copy(SCAR, guest / "scar")))
    assert status == 0
    assert jailed["engine"] == "rewrite"
    for group, name in (("engine", "ptrace"), ("permits", "chroot"), ("permits", "user namespace"), ("permits", "seccomp filter")):
        assert free["checks"][group, name]["ok"]
        assert not jailed["checks"][group, name]["ok"]
        assert "Operation not permitted" in jailed["checks"][group, name]["text"]


@needs_root
def test_without_root_the_doctor_prefers_rewrite(guest):
    status, report = doctor(*AS_993, program=Path(shutil.copy(SCAR, guest / "scar")))
    assert (status, report["engine"]) == (0, "rewrite")


def test_the_doctor_tells_of_the_surroundings():
    _, report = doctor(env={"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9", "SSL_CERT_FILE": "/no/such/bundle"})
    assert report["checks"]["lambda", "AWS_LAMBDA_RUNTIME_API"] == {
        "group": "lambda",
        "name": "AWS_LAMBDA_RUNTIME_API",
        "ok": True,
        "text": "127.0.0.1:9",
    }
    assert not report["checks"]["tls", "CA bundle"]["ok"]


@pytest.mark.parametrize("words", [["-o"], ["-o", "xml"], ["more"], ["-x", "json"]])
def test_a_wrong_option_of_the_doctor_is_named(words):
    done = subprocess.run([SCAR, "doctor", *words], capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 2
    assert words[0] in done.stderr
    assert done.stdout == ""


# ---- docs/engines.md ----


def commands() -> list[str]:
    return re.findall(r"^((?:\w+=\S+ )*scar (?:local|doctor).*)$", (ROOT / "docs/engines.md").read_text(), re.MULTILINE)


@needs_root
@pytest.mark.parametrize("command", commands())
def test_the_commands_of_the_documentation_work(pushed, command):
    words = shlex.split(command)
    environ = {**os.environ, "PATH": f"{SCAR.parent}:{os.environ['PATH']}"}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environ[name] = value
    words = [pushed("busybox") if word == "alpine" else word for word in words]
    done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    if "--engine" in words:
        assert f"engine {words[words.index('--engine') + 1]}" in done.stderr
    if any(word.startswith("SCAR_ENGINE_REFUSE") for word in words):
        assert "engine ptrace" in done.stderr
    if "run" in words:
        assert done.stdout == "hello\n"
