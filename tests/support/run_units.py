#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Run test executables, add up what they report, and end with `N passed, N failed, N skipped`.

Unit tests are cmocka programs that speak TAP on standard output. A program that is missing (it did not build), dies, times out or
reports fewer tests than it announced counts as one failure more, so nothing fails silently. Fuzz targets count one test each: the
replay of their corpus. With SCAR_MUST_WORK=1 a skip is a failure.
"""
import argparse
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

TIMEOUT_S = 300


class Result:
    def __init__(self, name):
        self.name, self.passed, self.failed, self.skipped, self.notes, self.seconds = name, 0, 0, 0, [], 0.0

    def fail(self, note):
        self.failed += 1
        self.notes.append(note)


def run(command, env):
    """Exit status (negative: signal; None: time-out) and output. Runs in a session of its own, so that a time-out leaves no children."""
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               start_new_session=True)
    try:
        out, err = process.communicate(timeout=TIMEOUT_S)
        status = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        status = None
    return status, out.decode(errors="replace"), err.decode(errors="replace")


def tail(text, lines=40):
    return "\n".join("    " + line for line in text.strip().splitlines()[-lines:])


def read_tap(result, out):
    planned = seen = 0
    for line in out.splitlines():
        plan = re.match(r"1\.\.(\d+)", line)
        test = re.match(r"(ok|not ok)\b(.*)", line)
        if plan:
            planned += int(plan[1])
        elif test:
            seen += 1
            name = test[2].strip()
            if "# SKIP" in line:
                if os.environ.get("SCAR_MUST_WORK") == "1":
                    result.fail(f"  skipped, but SCAR_MUST_WORK=1: {name}")
                else:
                    result.skipped += 1
                    result.notes.append(f"  SKIP {name}")
            elif test[1] == "ok":
                result.passed += 1
            else:
                result.fail(f"  FAILED {name}")
    return planned, seen


def run_unit(exe, env):
    result = Result(exe)
    if not os.path.exists(exe):
        result.fail("  was not built (the compiler's message is above)")
        return result
    start = time.monotonic()
    status, out, err = run([exe], env)
    result.seconds = time.monotonic() - start
    planned, seen = read_tap(result, out)
    if status is None:
        result.fail(f"  no end after {TIMEOUT_S} s")
    elif seen < planned or (status != 0 and not result.failed):
        result.fail(f"  ended with status {status} after {seen} of {planned} tests")
    elif planned == 0:
        result.fail("  announced no test")
    if result.failed:
        details = "\n".join(line for line in out.splitlines() if line.startswith("#"))
        result.notes += [tail(details), tail(err)]
    return result


def run_fuzz(exe, corpus, env):
    result = Result(exe)
    inputs = sorted(corpus.rglob("*")) if corpus.is_dir() else []
    inputs = [str(path) for path in inputs if path.is_file()]
    if not os.path.exists(exe):
        result.fail("  was not built (the compiler's message is above)")
    elif not inputs:
        result.fail(f"  its corpus {corpus} is empty")
    else:
        start = time.monotonic()
        status, out, err = run([exe, "-rss_limit_mb=2048", "-timeout=20", *inputs], env)
        result.seconds = time.monotonic() - start
        if status == 0:
            result.passed += 1
        else:
            result.fail(f"  replay of {len(inputs)} inputs ended with status {status}\n{tail(out + err)}")
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sanitized", action="store_true", help="set the sanitizers' options")
    parser.add_argument("--fuzz", metavar="CORPUS", type=Path, help="the programs are fuzz targets; replay CORPUS/<name>/")
    parser.add_argument("programs", nargs="*")
    args = parser.parse_args()

    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
    if args.sanitized or args.fuzz:
        env.setdefault("ASAN_OPTIONS", "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:allocator_may_return_null=1")
        env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
        env.setdefault("ASAN_SYMBOLIZER_PATH", "/usr/bin/llvm-symbolizer-14")
    if not args.programs:
        print("no test is selected: check T=", file=sys.stderr)

    def one(exe):
        return run_fuzz(exe, args.fuzz / Path(exe).name, env) if args.fuzz else run_unit(exe, env)

    passed = failed = skipped = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for result in pool.map(one, args.programs):
            passed, failed, skipped = passed + result.passed, failed + result.failed, skipped + result.skipped
            word = "FAIL" if result.failed else "ok"
            print(f"{word:4} {result.name}: {result.passed} passed, {result.failed} failed, {result.skipped} skipped ({result.seconds:.1f} s)")
            for note in filter(None, result.notes):
                print(note)
            sys.stdout.flush()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not args.programs else 0


if __name__ == "__main__":
    sys.exit(main())
