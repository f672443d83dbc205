# SPDX-License-Identifier: Apache-2.0
"""The newcomer's first command."""

import os
import re
import subprocess

from tests.support.places import ROOT


def make_run(**variables: str) -> tuple[str, int]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--no-print-directory", "run", *(f"{name}={value}" for name, value in variables.items())]
    done = subprocess.run(
        command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False
    )
    return done.stdout.decode(errors="replace"), done.returncode


def test_make_run_tells_what_happened_and_makes_nothing_anew_when_all_is_built():
    out, status = make_run()
    assert status == 0, out
    assert "Hello from" in out and "uid=0" in out, out
    assert re.search(r"^\s+pulled  [\d.]+ [kM]B in \d+ ms, [\d.]+ [kM]B on disk$", out, re.MULTILINE), out
    assert re.search(r"^\s+engine  rewrite$", out, re.MULTILINE), out
    assert re.search(r"^\s+exit code  0$", out, re.MULTILINE), out
    # What makes it quick; how many seconds it takes is a matter of the machine.
    assert not re.search(r"^ +(CC|AS|AR|LINK) ", out, re.MULTILINE), out


def test_make_run_takes_arguments_with_quotes_and_keeps_the_failure():
    out, status = make_run(ARGS="sh -c 'echo \"two  words\"; exit 3'")
    assert "\ntwo  words\n" in out, out
    assert "exit code  3" in out and status != 0, out
