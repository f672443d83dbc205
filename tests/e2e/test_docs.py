# SPDX-License-Identifier: Apache-2.0
"""Documentation says what the programs do: limits, options."""

import re
import subprocess

import pytest

from tests.support.places import ROOT, SCAR


def documented_table(name: str) -> dict[str, str]:
    """First column (without code marks) to second column of the tables in docs/."""
    rows = re.findall(r"^\| `([^|]*?)` \| ([^|]*?) \|", (ROOT / "docs" / name).read_text(), re.MULTILINE)
    return {first.replace("`", ""): second for first, second in rows}


def test_every_limit_is_documented_with_its_value(tmp_path):
    names = re.findall(r"^#define (SCAR_LIMIT_\w+)", (ROOT / "runtime/base/limits.h").read_text(), re.MULTILINE)
    lines = [f'printf("%s %llu\\n", "{name}", (unsigned long long)({name}));' for name in names]
    source = tmp_path / "limits.c"
    source.write_text(
        '#include <stddef.h>\n#include <stdio.h>\n#include "runtime/base/limits.h"\nint main(void) {' + "\n".join(lines) + "return 0; }"
    )
    subprocess.run(["gcc", f"-I{ROOT}", "-o", tmp_path / "limits", source], check=True)
    actual = subprocess.run([tmp_path / "limits"], check=True, capture_output=True, text=True).stdout
    assert documented_table("limits.md") == dict(line.split() for line in actual.splitlines())


def options_of(text: str) -> set[str]:
    """Option words at the start of help lines, with the word for their value: "--port N"."""
    lines = re.findall(r"^  ((?:-\w, )?--[\w-]+(?: [A-Z=]+)?)(?:  |$)", text, re.MULTILINE)
    return {line for line in lines if "--help" not in line}


@pytest.mark.parametrize("command", ["run", "serve"])
def test_every_option_is_documented(command):
    done = subprocess.run([SCAR, "local", command, "--help"], capture_output=True, text=True, timeout=10, check=True)
    documented = {option for option, of in documented_table("cli.md").items() if of in ("both", command)}
    assert options_of(done.stdout) == documented


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"], ["local", "--help"], ["local", "run", "-h"]])
def test_help_is_no_error(words):
    done = subprocess.run([SCAR, *words], capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 0
    assert "usage: scar" in done.stdout
    assert done.stderr == ""


NOT_ABOUT_IMAGES = ("Engine", "InputOutput", "InternalError", "Interrupted", "InvalidEntrypoint", "OutOfMemory", "Unsupported")


def test_documented_errors_are_those_of_the_program():
    known = set(re.findall(r'"(Runtime\.\w+)"', (ROOT / "runtime/base/err.c").read_text()))
    documented = set(re.findall(r"^\| `(Runtime\.\w+)` \|", (ROOT / "docs/images.md").read_text(), re.MULTILINE))
    assert documented <= known
    assert known - documented == {f"Runtime.{name}" for name in NOT_ABOUT_IMAGES}
