#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Turns a page of docs/ into a man page's scdoc source, so that both say the same.

Knows the Markdown that docs/ uses: headings, paragraphs, lists, fenced blocks, and tables. A table's row becomes an entry: its first cell is the term, its
last cell the text, and cells between are told behind it by their column's name.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

# Characters that mean something to scdoc.
SPECIAL = re.compile(r"([\\*_\[\]#<>~|^])")


def escaped(text: str) -> str:
    """Plain text for scdoc."""
    return SPECIAL.sub(r"\\\1", text)


def inline(text: str) -> str:
    """Code and strong words become bold, links their text with the address behind it."""
    text = re.sub(r"\[([^\]]*)\]\(([^)]*)\)", lambda link: f"{link[1]} ({link[2]})", text)
    parts = re.split(r"(`[^`]+`|\*\*[^*]+\*\*)", text.replace("&#124;", "|"))
    bare = [part[1:-1] if part.startswith("`") else part[2:-2] if part.startswith("**") else None for part in parts]
    return "".join(escaped(part) if inner is None else f"*{escaped(inner)}*" for part, inner in zip(parts, bare))


def cells(row: str) -> list[str]:
    """Of a table's row."""
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def entries(rows: list[str]) -> list[str]:
    """A table, its head and rule first."""
    head, lines = cells(rows[0]), []
    for row in rows[2:]:
        term, *rest = cells(row)
        said = [f"{name.capitalize()}: {inline(cell)}." for name, cell in zip(head[1:-1], rest[:-1]) if cell]
        text = " ".join([inline(rest[-1]) if rest else "", *said]).strip()
        lines += [inline(term), "\t" + text, ""] if text else [inline(term), ""]
    return lines


def converted(text: str) -> list[str]:
    """The body: everything behind the page's title."""
    lines, source = [], text.splitlines()[1:]
    while source:
        line = source.pop(0)
        if line.startswith("```"):
            lines += ["```"]
            while not source[0].startswith("```"):
                lines.append(source.pop(0))
            source.pop(0)
            lines += ["```"]
        elif line.startswith("|"):
            table = [line]
            while source and source[0].startswith("|"):
                table.append(source.pop(0))
            lines += entries(table)
        elif line.startswith("#"):
            level, title = line.split(" ", 1)
            # scdoc has two levels, and the page's title is above them.
            lines += ["#" * min(len(level) - 1, 2) + " " + (title.upper() if len(level) == 2 else title), ""]
        else:
            bullet = re.match(r"(- |\d+\. )", line)
            if bullet and lines and lines[-1] and not re.match(r"- |\. ", lines[-1]):
                lines.append("")
            lines.append(("- " if line.startswith("- ") else ". ") + inline(line[bullet.end() :]) if bullet else inline(line.strip()))
            # scdoc joins what is indented to the item before it.
            while bullet and source and source[0].startswith("  "):
                lines[-1] += " " + inline(source.pop(0).strip())
    return lines


def main() -> int:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("name", help="NAME(SECTION)")
    parser.add_argument("summary", help="what it is, in a line")
    options = parser.parse_args()
    name = options.name.split("(")[0]
    body = "\n".join(converted(options.page.read_text()))
    body = re.sub(r"\n{3,}", "\n\n", body).strip()
    print(f"{options.name}\n\n# NAME\n\n{name} - {options.summary}\n\n# DESCRIPTION\n\n{body}\n\n# SEE ALSO\n\n*scar*(1)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
