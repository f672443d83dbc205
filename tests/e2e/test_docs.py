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


def told_by_help(*words: str) -> str:
    return subprocess.run([SCAR, *words, "--help"], capture_output=True, text=True, timeout=10, check=True).stdout


def commands() -> list[str]:
    return re.findall(r"^  ([a-z]+(?: [a-z]+)?)(?:, [\w-]+)? {2,}\S", told_by_help(), re.MULTILINE)


def documented_options() -> dict[str, dict[str, str]]:
    """Command to its options ("-e, --env K=V") and their meaning, from the reference in docs/cli.md."""
    sections = re.split(r"^### `scar ", (ROOT / "docs/cli.md").read_text(), flags=re.MULTILINE)[1:]
    rows = {}
    for section in sections:
        command = re.match(r"[a-z ]+(?= \[OPTION)", section)
        assert command, section[:60]
        options = re.findall(r"^\| (`-.*?`) \| (.*?) \|$", section, re.MULTILINE)
        rows[command[0]] = {option.replace("`", ""): meaning.replace("&#124;", "|") for option, meaning in options}
    return rows


def test_every_command_and_option_is_documented():
    known = {}
    for command in commands():
        text = told_by_help(*command.split())
        known[command] = dict(re.findall(r"^  ((?:-\w+, )?--[\w-]+(?: [A-Z=]+)?)  +(.*)$", text, re.MULTILINE))
        assert known[command], command
    assert len(known) == 19
    assert documented_options() == known


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
