#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of the house that no compiler knows: banned functions, the licence line, headers that compile alone.

Runs a self-test first. Tests and the freestanding loader follow the same list.
"""
import fnmatch
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("runtime", "registry", "extractor", "invoke", "deployer")
SPDX = "SPDX-License-Identifier: Apache-2.0"

# function -> where it is allowed (patterns of paths from the root), and what to use instead.
BANNED = {
    "sprintf": ((), "snprintf or scar_buf"),
    "vsprintf": ((), "vsnprintf or scar_buf"),
    "strcpy": ((), "memcpy with a checked length, or scar_buf"),
    "strcat": ((), "scar_buf"),
    "gets": ((), "read with a bound"),
    "atoi": ((), "strtol with its errors checked"),
    "atol": ((), "strtol with its errors checked"),
    "system": ((), "fork and exec"),
    "popen": ((), "fork and exec"),
    "alloca": ((), "scar_buf"),
    "mktemp": ((), "mkostemp"),
    "tmpnam": ((), "mkostemp"),
    "exit": (("*/main.c",), "an error return"),
    # base reads switches that force a probe off, and the CA file; everything else is configuration.
    "getenv": (("*config*.c", "*/main.c", "runtime/base/*.c"), "the configuration"),
}
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def calls(path, text):
    """(line, function, remedy) for each banned call; comments and strings are blanked, lines kept."""
    code = NOISE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    for found in CALL.finditer(code):
        allowed, remedy = BANNED[found[1]]
        if not any(fnmatch.fnmatch(path, pattern) for pattern in allowed):
            yield code.count("\n", 0, found.start()) + 1, found[1], remedy


def self_test():
    good = 'int f(void) { /* system("x") */ char *s = "strcpy(a)"; snprintf(b, 1, ""); o->exit(1); _exit(2); return 0; }'
    return (
        not list(calls("registry/x.c", good))
        and [line for line, _, _ in calls("registry/x.c", "\nint a = atoi(b);\n system (c);")] == [2, 3]
        and not list(calls("invoke/main.c", "exit(1); getenv(a);"))
        and not list(calls("invoke/config.c", "getenv(a);"))
    )


def stands_alone(header):
    """The compiler's complaint about a header that needs another one before it, or None."""
    if any(part in ("x86_64", "aarch64") for part in header.parts) or "loader" in header.parts:
        return None
    zydis = ["-DZYAN_NO_LIBC", "-DZYDIS_MINIMAL_MODE", "-isystem", "build/third-party/zydis/include"] if "rewrite" in header.parts else []
    run = subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE=", "-I.", *zydis, "-fsyntax-only", "-x", "c", "-"],
                         input=f'#include "{header}"\n', cwd=ROOT, capture_output=True, text=True, check=False)
    return None if run.returncode == 0 else f"does not compile alone: {run.stderr.splitlines()[0]}"


def main():
    if not self_test():
        print("style-check: self-test failed")
        return 1
    files = sorted(path.relative_to(ROOT) for folder in (*FOLDERS, "tests") for path in (ROOT / folder).rglob("*") if path.suffix in (".c", ".h", ".S"))
    bad = []
    for path in files:
        text = (ROOT / path).read_text(errors="replace")
        if SPDX not in text[:200]:
            bad.append(f"{path}:1: no line with {SPDX}")
        if path.parts[0] in FOLDERS:
            bad += [f"{path}:{line}: {name}() is banned; use {remedy}" for line, name, remedy in calls(path.as_posix(), text)]
    headers = [path for path in files if path.suffix == ".h" and path.parts[0] in FOLDERS]
    with ThreadPoolExecutor(max_workers=2) as pool:
        bad += [f"{header}:1: {complaint}" for header, complaint in zip(headers, pool.map(stands_alone, headers)) if complaint]
    print("\n".join([*bad, f"style-check: {len(files)} files, {len(bad)} findings"]))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
