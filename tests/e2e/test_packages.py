# SPDX-License-Identifier: Apache-2.0
"""What is installed works where it is installed, and the man pages say what docs/ says; `make test-packages` has the long part."""

import gzip
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.test_docs import documented_table, plain
from tests.support.places import ROOT, tool


def make(*words: str) -> None:
    done = subprocess.run([tool("make"), "--no-print-directory", *words], cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """DESTDIR of an installation under /usr."""
    folder = tmp_path_factory.mktemp("installed")
    make("install", "PREFIX=/usr", f"DESTDIR={folder}")
    return folder


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_installed_command_runs_an_image_with_the_installed_runtime(installed, pushed):
    command = [installed / "usr/bin/scar", "local", "run", pushed("busybox"), "--", "echo", "installed"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd="/")
    assert (done.returncode, done.stdout) == (0, "installed\n"), done.stderr
    assert not (installed / "usr/bin/bootstrap").exists()


def test_everything_that_a_package_needs_is_installed(installed):
    names = files(installed)
    assert {"usr/bin/scar", "usr/lib/scar/bootstrap", "usr/share/licenses/scar/scar/LICENSE", "usr/share/doc/scar/sbom.spdx.json"} <= names
    assert any(re.fullmatch(r"usr/lib/scar/faas-supervisor-.*\.zip", name) for name in names)
    pages = ("man1/scar.1", "man5/scar.yaml.5", "man7/bootstrap.7")
    assert {f"usr/share/man/{page}.gz" for page in pages} <= names
    completions = ("bash-completion/completions/scar", "zsh/vendor-completions/_scar", "fish/vendor_completions.d/scar.fish")
    assert {f"usr/share/{name}" for name in completions} <= names
    assert all(os.access(installed / name, os.X_OK) for name in ("usr/bin/scar", "usr/lib/scar/bootstrap"))


def test_uninstall_leaves_no_file(tmp_path):
    make("install", f"DESTDIR={tmp_path}")
    assert files(tmp_path)
    make("uninstall", f"DESTDIR={tmp_path}")
    assert files(tmp_path) == set()


def page(installed: Path, name: str) -> str:
    """Of an installed man page, its text without marks; a page with a mistake makes man complain."""
    path = installed / "usr/share/man" / name
    done = subprocess.run(
        [tool("man", "man-db"), "--warnings", "-l", path],
        env={**os.environ, "MANWIDTH": "400", "MANOPT": "", "LC_ALL": "C.UTF-8", "GROFF_NO_SGR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return re.sub(r".\x08", "", done.stdout)


def test_every_variable_and_key_is_in_its_man_page(installed):
    runtime = page(installed, "man7/bootstrap.7.gz")
    variables = [name for name in documented_table("environment.md") if name.isupper()]
    assert len(variables) > 30 and [name for name in variables if not re.search(rf"^ +{re.escape(name)}$", runtime, re.MULTILINE)] == []
    definitions = page(installed, "man5/scar.yaml.5.gz")
    keys = re.findall(r"^\| `([\w.]+)` \|", (ROOT / "docs/definitions.md").read_text(), re.MULTILINE)
    assert len(keys) > 80 and [key for key in keys if not re.search(rf"^ +{re.escape(key)}$", definitions, re.MULTILINE)] == []
    assert "scar - run container images inside AWS Lambda" in page(installed, "man1/scar.1.gz")


def test_a_word_that_man_marks_survives_the_way_to_the_page():
    source = subprocess.run(
        ["/usr/bin/python3", ROOT / "layer-build/man_page.py", ROOT / "docs/environment.md", "bootstrap(7)", "x"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout
    assert "SCAR_*" in plain(source.replace(r"\*", "\0")).replace("\0", "*")


KEY = re.compile(r'^\t\{"([\w.]+)", SCAR_FDL_(\w+), [^,]+, ([^,]+), ([^,]+), (NULL|"[^"]*")\}', re.MULTILINE)


def test_every_key_of_definitions_is_documented():
    rows = KEY.findall((ROOT / "deployer/fdl_keys.c").read_text())
    assert len(rows) > 80
    text = (ROOT / "docs/definitions.md").read_text()
    documented = dict(re.findall(r"^\| `([\w.]+)` \| ([^|]*?) \|.*\|", text, re.MULTILINE))
    unused = set(re.findall(r"^\| `([\w.]+)` \|$", text, re.MULTILINE))
    types = {"TEXT": "text", "BOOL": "switch", "NOT": "switch", "LIST": "list", "PAIRS": "pairs", "PLACES": "places", "MOUNTS": "places"}
    expected = {}
    for key, kind, least, most, choices in rows:
        if kind in ("INT", "NUMBER"):
            most = {"1 << 24": "16777216"}.get(most, most)
            expected[key] = f"number, {least} to {most}"
        elif choices != "NULL":
            expected[key] = ", ".join(f"`{word}`" for word in choices.strip('"').split("|"))
        elif kind != "UNUSED":
            expected[key] = types[kind]
    assert documented == expected
    assert unused == {key for key, kind, *_ in rows if kind == "UNUSED"}


def test_programs_do_not_know_where_they_were_built():
    """What would make a build in another folder differ."""
    for name in ("bootstrap", "scar", "loader"):
        assert str(ROOT).encode() not in (ROOT / "build" / name).read_bytes()


def test_man_pages_are_compressed_without_a_time(installed):
    with gzip.open(installed / "usr/share/man/man1/scar.1.gz") as packed:
        packed.read()
        assert packed.mtime == 0
