#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The commands that pages tell a reader to type: their fenced blocks marked `sh`.

doc_commands.py PAGE...   prints them, a comment with the page and line before each block

Blocks marked `sh docker` need a container engine besides: tests/packages types them. Blocks of other kinds (`text`, `yaml`, `json`, `mermaid`) are output, files and pictures. A block without a kind, or one indented by four spaces, is refused, so
that nothing to type escapes.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

KINDS = ("sh", "sh docker", "text", "yaml", "json", "c", "mermaid")


class Unmarked(Exception):
    """A block of which a reader cannot tell whether it is to be typed."""


@dataclass(frozen=True)
class Block:
    """One fenced block; `line` is that of its fence."""

    page: Path
    line: int
    kind: str
    text: str


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page."""
    found: list[Block] = []
    kind, begin, lines = "", 0, []
    previous = ""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = re.match(r"```(.*)", line)
        if fence and not begin:
            kind, begin, lines = fence[1].strip(), number, []
            if kind not in KINDS:
                raise Unmarked(f'{page}:{number}: a block of the kind "{kind}": one of {", ".join(KINDS)}')
        elif fence:
            found.append(Block(page, begin, kind, "\n".join(lines) + "\n"))
            begin = 0
        elif begin:
            lines.append(line)
        elif line.startswith("    ") and not previous:
            raise Unmarked(f"{page}:{number}: an indented block; fence it")
        previous = line
    if begin:
        raise Unmarked(f"{page}:{begin}: a block without an end")
    return found


def commands(page: Path, kind: str = "sh") -> list[Block]:
    """What is to be typed."""
    return [block for block in blocks(page) if block.kind == kind]


def main() -> int:
    """Prints them."""
    for name in sys.argv[1:]:
        for block in commands(Path(name)):
            print(f"# {name}:{block.line}\n{block.text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
