# SPDX-License-Identifier: Apache-2.0
"""The newcomer's first command."""

import os
import re
import subprocess
import time

from tests.support.places import ROOT


def make_run(**variables: str) -> tuple[str, float, int]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--no-print-directory", "run", *(f"{name}={value}" for name, value in variables.items())]
    start = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False
    )
    return done.stdout.decode(errors="replace"), time.monotonic() - start, done.returncode


def test_make_run_tells_what_happened_and_is_quick_when_all_is_built():
    out, seconds, status = make_run()
    assert status == 0, out
    assert "Hello from" in out and "uid=0" in out, out
    assert re.search(r"^\s+pulled  [\d.]+ [kM]B in \d+ ms, [\d.]+ [kM]B on disk$", out, re.MULTILINE), out
    assert re.search(r"^\s+engine  rewrite$", out, re.MULTILINE), out
    assert re.search(r"^\s+exit code  0$", out, re.MULTILINE), out
    assert seconds < 15


def test_make_run_takes_arguments_with_quotes_and_keeps_the_failure():
    out, _, status = make_run(ARGS="sh -c 'echo \"two  words\"; exit 3'")
    assert "\ntwo  words\n" in out, out
    assert "exit code  3" in out and status != 0, out
