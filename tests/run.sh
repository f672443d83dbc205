#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [GROUP...]: run groups of tests (all when none is named), print a table, and end with `N passed, N failed, N skipped`.
#
# A folder tests/NAME whose rules.mk has a target NAME-test adds that group (see the Makefile). A group's last line of that form counts; a check without
# one (a linter) is one test. A group that breaks without counting a failure counts one, so the status is 0 only when everything ran and
# passed. Logs: build/test-logs/GROUP.log; the last line again in counts. What failed stands again before the table.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=/dev/null
. layer-build/common.sh
logs=build/test-logs
mkdir -p "$logs"
jobs=-j$(nproc)
suites=()
for rules in tests/*/rules.mk; do
    suite=$(basename "$(dirname "$rules")")-test
    if grep -qsE "^([^#:]* )?$suite( [^:]*)?:" "$rules"; then suites+=("$suite"); fi
done
groups=(setup build unit asan fuzz-replay deps-check style-check format-check tidy "${suites[@]}" e2e)
[ $# -eq 0 ] || groups=("$@")
passed=0 failed=0 skipped=0 table='' broken=()

group_command() {
    case $1 in
    setup) make --no-print-directory setup ;;
    build) make --no-print-directory "$jobs" all ;;
    unit | asan | fuzz-replay | tidy | *-test) make --no-print-directory "$jobs" "$1" ;;
    e2e) end_to_end ;;
    *) make --no-print-directory "$1" ;;
    esac
}

# Debian's own Python and pytest, whatever PATH says. What tests/e2e/requirements.txt asks for besides lives in the cache, keyed by the list.
end_to_end() {
    local requirements=tests/e2e/requirements.txt venv='' python=/usr/bin/python3
    find tests/e2e -name 'test_*.py' 2> /dev/null | grep -q . || { echo "no end-to-end tests"; return 0; }
    if [ -s "$requirements" ]; then
        venv=$SCAR_CACHE/venv/$( (/usr/bin/python3 --version; cat "$requirements") | sha256sum | cut -c1-12)
        python=$venv/bin/python
        mkdir -p "$SCAR_CACHE/venv"
        (
            flock 8
            [ ! -e "$venv/.complete" ] || exit 0
            /usr/bin/python3 -m venv --clear --system-site-packages "$venv" && "$python" -m pip --quiet install -r "$requirements" &&
                touch "$venv/.complete"
        ) 8> "$venv.lock" || {
            echo "e2e: cannot install what $requirements asks for: the tests that need it will be skipped"
            python=/usr/bin/python3
        }
    fi
    # shellcheck disable=SC2086
    "$python" -m pytest -p no:cacheprovider -o empty_parameter_set_mark=fail_at_collect -q -ra --tb=short ${PYTEST_ARGS:-} tests/e2e
}

# The last line that counts: ours, or pytest's ("3 passed, 1 skipped in 2.1s").
count_of() { # LOG WORD
    grep -E '[0-9]+ (passed|failed|skipped|error)' "$1" | tail -n 1 | grep -oE "[0-9]+ $2" | tail -n 1 | cut -d' ' -f1
}

for group in "${groups[@]}"; do
    start=$SECONDS log=$logs/$group.log
    printf '== %s\n' "$group"
    group_command "$group" < /dev/null 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    p=0 f=0 s=0
    case $group in
    unit | asan | fuzz-replay | e2e | *-test)
        p=$(count_of "$log" passed) f=$(count_of "$log" failed) s=$(count_of "$log" skipped)
        e=$(count_of "$log" errors?)
        p=${p:-0} f=$((${f:-0} + ${e:-0})) s=${s:-0}
        [ "$status" -eq 0 ] || [ "$f" -gt 0 ] || f=1
        ;;
    setup | build) [ "$status" -eq 0 ] || f=1 ;;
    *) if [ "$status" -eq 0 ]; then p=1; else f=1; fi ;;
    esac
    if [ "$group" = e2e ] && [ "${SCAR_MUST_WORK:-}" = 1 ] && [ "$s" -gt 0 ]; then
        echo "e2e: $s skipped, but SCAR_MUST_WORK=1"
        f=$((f + s)) s=0
    fi
    [ "$f" -eq 0 ] || broken+=("$group")
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    table+=$(printf '%-13s %7d %7d %7d %6d s' "$group" "$p" "$f" "$s" $((SECONDS - start)))$'\n'
    # Without the packages or the programs nothing after them means anything.
    if [ "$group" = setup ] && [ "$status" -ne 0 ]; then break; fi
done
# What a log says of its failures: ours, pytest's, cmocka's, a compiler's; the last lines where nothing looks like one.
failures_of() { # GROUP
    printf '\n== failed in %s\n' "$1"
    grep -nE -A 8 '^(FAIL|FAILED|ERROR|NOT OK|fail|not ok)\b|^\[ +(FAILED|ERROR) +\]|(error|warning): |: Error [0-9]' "$logs/$1.log" | head -n 60 | grep . || tail -n 20 "$logs/$1.log"
}
for group in "${broken[@]}"; do failures_of "$group"; done
printf '\n%-13s %7s %7s %7s %8s\n%s' group passed failed skipped time "$table"
echo "$passed passed, $failed failed, $skipped skipped" | tee "$logs/counts"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
