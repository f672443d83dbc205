# SPDX-License-Identifier: Apache-2.0
"""Completions, as the shells themselves work them out."""

import subprocess

import pytest

from tests.support.places import SCAR, tool


def completed(*words: str) -> list[str]:
    """What bash offers for the last of the words."""
    quoted = " ".join(f"'{word}'" for word in words)
    script = f'eval "$({SCAR} completion bash)"; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _scar; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run([tool("bash"), "-c", script], capture_output=True, text=True, timeout=10, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("scar", "la"), ["layer"]),
        (("scar", "layer", ""), ["build", "publish", "ls", "prune"]),
        (("scar", "local", "s"), ["serve"]),
        (("scar", "apply", "--ep"), ["--ephemeral-storage"]),
        (("scar", "init", "--ep"), ["--ephemeral-storage"]),
        (("scar", "ls", "-o", ""), ["table", "json", "yaml", "name"]),
        (("scar", "apply", "--architecture", "a"), ["arm64"]),
        (("scar", "completion", "f"), ["fish"]),
        (("scar", "layer", "prune", "--k"), ["--keep"]),
        (("scar", "run", "--man"), ["--manifest"]),
    ],
)
def test_bash_offers_commands_options_and_values(words: tuple[str, ...], offered: list[str]):
    assert completed(*words) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_all_commands(shell: str):
    done = subprocess.run([SCAR, "completion", shell], capture_output=True, text=True, timeout=10, check=True)
    for word in ("apply", "serve", "prune", "ephemeral-storage", "deployment-bucket"):
        assert word in done.stdout


def test_another_shell_is_refused():
    done = subprocess.run([SCAR, "completion", "csh"], capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 2
    assert "csh" in done.stderr
