#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Fail on an #include that tests/support/deps.table does not allow. The self-test runs first: a check that cannot fail proves nothing."""
import fnmatch
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "tests/support/deps.table"
TOP_FOLDERS = ("runtime", "registry", "extractor", "invoke", "deployer")
INCLUDE = re.compile(r'^\s*#\s*(?:include|import)\s*(?:"([^"]+)"|<([^>]+)>)')


class Table:
    def __init__(self, text):
        self.rows = {}
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            fields = [field.split() for field in line.split("|")]
            if len(fields) != 3 or len(fields[0]) != 1:
                raise SystemExit(f"{TABLE}:{number}: a row is `path | includes | outside`")
            self.rows[fields[0][0]] = (fields[1], fields[2])
        self.watched = {entry.split("@")[0] for _, outside in self.rows.values() for entry in outside}

    def row_of(self, path):
        """The row of a file: its own, or its folder's, or that of the nearest folder above (an architecture's sub-folder has none)."""
        while path not in self.rows:
            path, slash, _ = path.rpartition("/")
            if not slash:
                return None
        return path

    def refuses(self, source, header, ours):
        """The reason why `source` may not include `header`, or None. Both are paths from the root; outside headers as written."""
        row = self.row_of(source)
        if row is None:
            return "is in a folder without a row in the table"
        includes, outside = self.rows[row]
        if not ours:
            if not any(header.startswith(prefix) for prefix in self.watched):
                return None
            for entry in outside:
                prefix, _, pattern = entry.partition("@")
                if header.startswith(prefix) and fnmatch.fnmatch(source.rpartition("/")[2], pattern or "*"):
                    return None
            return f"may not use the library header <{header}>"
        if header.startswith("tests/"):
            return f"may not include {header}: nothing includes tests"
        target = self.row_of(header)
        if target is None:
            return f"includes {header}, which is in no folder of the table"
        # A file with a row of its own still belongs to its folder.
        home = row if not row.endswith((".c", ".h")) else row.rpartition("/")[0]
        if target == home or "*" in includes or header in includes or target in includes:
            return None
        return f"may not include {header}"


def edges(root, folders):
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in (".c", ".h", ".S"):
                continue
            source = path.relative_to(root).as_posix()
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                found = INCLUDE.match(line)
                if not found:
                    continue
                header, ours = (found[1], True) if found[1] else (found[2], False)
                if ours and not header.startswith(TOP_FOLDERS + ("tests/",)):
                    # Not written from the root: relative to the file, or ours in name only.
                    beside = (path.parent / header).resolve()
                    header = beside.relative_to(root).as_posix() if beside.is_file() and beside.is_relative_to(root) else header
                yield source, number, header, ours


def self_test(table):
    allowed = [
        ("registry/ref.c", "registry/ref.h", True),
        ("registry/ref.c", "runtime/base/err.h", True),
        ("registry/ref.c", "stdio.h", False),
        ("runtime/base/http.c", "curl/curl.h", False),
        ("runtime/base/yaml.c", "yaml.h", False),
        ("runtime/emulator/server.c", "runtime/api/protocol.h", True),
        ("invoke/main.c", "runtime/api/loop.h", True),
        ("invoke/engine/rewrite/x86_64/patch.c", "Zydis/Zydis.h", False),
    ]
    forbidden = [
        ("runtime/base/err.c", "registry/ref.h", True),
        ("registry/ref.c", "curl/curl.h", False),
        ("runtime/base/path.c", "curl/curl.h", False),
        ("runtime/api/loop.c", "invoke/job.h", True),
        ("runtime/emulator/server.c", "runtime/api/loop.h", True),
        ("invoke/job.c", "runtime/api/loop.h", True),
        ("invoke/engine/ptrace/trace.c", "invoke/engine/rewrite/patch.h", True),
        ("invoke/engine/choose.c", "cjson/cJSON.h", False),
        ("registry/ref.c", "tests/support/fake.h", True),
        ("deployer/plan.c", "yaml.h", False),
        ("elsewhere/x.c", "runtime/base/err.h", True),
        ("registry/ref.c", "nowhere.h", True),
    ]
    wrong = [edge for edge in allowed if table.refuses(*edge)] + [edge for edge in forbidden if not table.refuses(*edge)]
    for source, header, _ in wrong:
        print(f"deps-check: self-test: wrong verdict on {source} -> {header}")
    return not wrong


def main():
    table = Table(TABLE.read_text())
    if not self_test(table):
        return 1
    seen = bad = 0
    for source, number, header, ours in edges(ROOT, TOP_FOLDERS):
        seen += 1
        reason = table.refuses(source, header, ours)
        if reason:
            bad += 1
            print(f"{source}:{number}: {reason}")
    print(f"deps-check: {seen} includes, {bad} forbidden")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
