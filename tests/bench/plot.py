# SPDX-License-Identifier: Apache-2.0
"""A bar chart as SVG, with nothing but text formatting."""

import math
from html import escape
from pathlib import Path

COLOURS = ("#1f6feb", "#8250df", "#bf8700", "#cf222e", "#57606a", "#1a7f37", "#d4a72c", "#bf3989")
LEFT, WIDTH, BAR, GAP = 190, 640, 9, 14
LEGEND = 84
LOWEST = 0.5


def bars(path: Path, title: str, rows: list[dict], names: list[str], group: str = "work", series: str = "engine", value: str = "ratio") -> None:
    """One group of bars for each value of `group`, on a logarithmic axis with a line at 1."""
    groups = list(dict.fromkeys(row[group] for row in rows))
    names = [name for name in names if any(row[series] == name for row in rows)]
    most = max((row[value] or 1 for row in rows), default=1)
    span = math.log(max(most, 2) * 1.1 / LOWEST)

    def place(number: float) -> float:
        return LEFT + WIDTH * math.log(max(number, LOWEST) / LOWEST) / span

    height = 60 + len(groups) * (len(names) * BAR + GAP) + 30
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 60}" height="{height}" font-family="sans-serif" font-size="11">']
    out.append(f'<rect width="100%" height="100%" fill="white"/><text x="10" y="20" font-size="14">{escape(title)}</text>')
    for i, name in enumerate(names):
        out.append(f'<rect x="{LEFT + i * LEGEND}" y="30" width="10" height="10" fill="{COLOURS[i % len(COLOURS)]}"/><text x="{LEFT + 14 + i * LEGEND}" y="39">{escape(name)}</text>')
    y = 60
    for label in groups:
        out.append(f'<text x="{LEFT - 8}" y="{y + len(names) * BAR / 2 + 4}" text-anchor="end">{escape(label)}</text>')
        for i, name in enumerate(names):
            found = next((row[value] for row in rows if row[group] == label and row[series] == name), None)
            if found:
                end = place(found)
                out.append(f'<rect x="{LEFT}" y="{y + i * BAR}" width="{end - LEFT:.1f}" height="{BAR - 1}" fill="{COLOURS[i % len(COLOURS)]}"/>')
                out.append(f'<text x="{end + 4:.1f}" y="{y + i * BAR + BAR - 1}" font-size="9">{found:.2f}</text>')
        y += len(names) * BAR + GAP
    out.append(f'<line x1="{place(1):.1f}" y1="50" x2="{place(1):.1f}" y2="{y}" stroke="#000" stroke-dasharray="3 3"/></svg>')
    path.write_text("\n".join(out) + "\n")
