# SPDX-License-Identifier: Apache-2.0
"""Our parsers of what AWS sends, against botocore's data for its own: the error and output cases of its protocol tests, and its reading of profiles."""

import configparser
import json
import random
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import places
from tests.support.aws_probe import Probe, Refused, build

botocore = pytest.importorskip("botocore", reason="botocore is not installed; tests/run.sh puts it into a venv where a Python package index answers")
import botocore.configloader  # noqa: E402

PROTOCOLS = {"rest-json": "rest-json", "json": "json", "json_1_0": "json", "rest-xml": "rest-xml", "query": "query", "ec2": "ec2"}
SEED = 20261123


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    with Probe(build(tmp_path_factory.mktemp("probe")), "--region", "eu-west-1") as running:
        yield running


@pytest.fixture(scope="module")
def data() -> Path:
    """The protocol tests of the botocore that is installed; only its source distribution has them. Kept in the cache, never in the tree."""
    folder = places.cache("botocore-tests") / botocore.__version__
    if not (folder / "complete").exists():
        folder.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", folder, f"botocore=={botocore.__version__}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        archives = list(folder.glob("*.tar.gz"))
        if done.returncode or not archives:
            raise places.Missing(f"botocore's source distribution: {done.stderr[-300:]}")
        with tarfile.open(archives[0]) as archive:
            for member in archive.getmembers():
                if "/tests/unit/protocols/output/" in member.name and member.isfile():
                    (folder / Path(member.name).name).write_bytes(archive.extractfile(member).read())
        archives[0].unlink()
        (folder / "complete").touch()
    return folder


def cases(data: Path, name: str) -> Iterator[tuple[str, dict, dict]]:
    for suite in json.loads((data / f"{name}.json").read_text()):
        for case in suite["cases"]:
            yield case["id"], suite, case


@pytest.mark.parametrize("name", PROTOCOLS)
def test_error_codes_are_found_where_botocore_finds_them(probe: Probe, data: Path, name: str) -> None:
    wrong, seen = [], 0
    for case_id, _suite, case in cases(data, name):
        if "errorCode" not in case:
            continue
        seen += 1
        response = case["response"]
        found = probe("refusal", protocol=PROTOCOLS[name], status=response["status_code"], headers=response.get("headers") or {}, body=response.get("body") or "")
        if found["code"] != case["errorCode"] or ("errorMessage" in case and found["message"] != (case["errorMessage"] or "")):
            wrong.append((case_id, found, case["errorCode"], case.get("errorMessage")))
    assert not wrong
    assert seen >= 2, f"only {seen} cases"


def tree(node: ElementTree.Element) -> list:
    children = [tree(child) for child in node]
    text = (node.text or "") + "".join(child.tail or "" for child in node)
    return [node.tag.rpartition("}")[2], text if text.strip() or not children else "", children]


@pytest.mark.parametrize("name", ["rest-xml", "query", "ec2"])
def test_documents_have_the_elements_and_text_that_python_finds(probe: Probe, data: Path, name: str) -> None:
    seen = 0
    for case_id, _suite, case in cases(data, name):
        body = case["response"].get("body") or ""
        try:
            wanted = ElementTree.fromstring(body.encode())
        except ElementTree.ParseError:
            if body:
                with pytest.raises(Refused):
                    probe("xml", text=body)
            continue
        seen += 1
        assert probe("xml", text=body) == tree(wanted), case_id
    assert seen >= 15, f"only {seen} documents"


@pytest.mark.parametrize("name", ["rest-json", "json", "json_1_0"])
def test_answers_in_json_have_the_values_that_python_finds(probe: Probe, data: Path, name: str) -> None:
    seen = 0
    for case_id, _suite, case in cases(data, name):
        body = case["response"].get("body") or ""
        try:
            wanted = json.loads(body)
        except ValueError:
            if body:
                with pytest.raises(Refused):
                    probe("json", text=body)
            continue
        seen += 1
        assert probe("json", text=body) == wanted, case_id
    assert seen >= 15, f"only {seen} documents"


def random_xml(rng: random.Random, depth: int = 0) -> str:
    name = rng.choice(("a", "b", "Contents", "n:x", "é"))
    declared = ' xmlns:n="urn:n" xmlns="urn:d"' if depth == 0 else ""
    inside = "".join(random_xml(rng, depth + 1) for _ in range(rng.randrange(4))) if depth < 5 else ""
    text = rng.choice(("", " \n ", "x", "&lt;&amp;&#x41;", "<![CDATA[<&>]]>", "ä日本", "<!-- c -->", "<?pi x?>", "]]&gt;"))
    return f"<{name}{declared} k='v'>{text}{inside}</{name}>"


def test_random_documents_are_read_as_python_reads_them(probe: Probe) -> None:
    rng = random.Random(SEED)
    for _ in range(1500):
        document = random_xml(rng)
        if rng.random() < 0.3:
            at = rng.randrange(len(document))
            document = document[:at] + rng.choice(("<", ">", "&", "", "\x01", "</a>")) + document[at + rng.randrange(2) :]
        try:
            wanted = tree(ElementTree.fromstring(document.encode()))
        except ElementTree.ParseError:
            wanted = None
        try:
            found = probe("xml", text=document)
        except Refused:
            found = None
        assert found == wanted, document


def ours(probe: Probe, text: str) -> dict | None:
    try:
        entries = probe("ini", text=text)
    except Refused:
        return None
    found: dict = {}
    for section, group, key, value in entries:
        keys = found.setdefault(section, {})
        if key and group:
            if not isinstance(keys.get(group), dict):
                keys[group] = {}
            keys[group][key] = value
        elif key:
            keys[key] = value
    return found


def theirs(path: Path, text: str) -> dict | None:
    path.write_text(text)
    try:
        return botocore.configloader.raw_config_parse(str(path))
    except (botocore.exceptions.ConfigParseError, configparser.Error):
        return None


def random_ini(rng: random.Random) -> str:
    lines = [f"[{rng.choice(('default', 'profile a', 'x y'))}]"]
    for number in range(rng.randrange(12)):
        kind = rng.random()
        if kind < 0.15:
            lines.append(f"[s{number}]")
        elif kind < 0.25:
            lines.append(rng.choice(("", "# c = d", "; [x]", "   ")))
        elif kind < 0.45:
            lines += [f"k{number} =", f"    n{number} = {rng.choice(('v', 'a=b', 'http://x:1/y'))}", f"    m{number}=w"]
        else:
            lines.append(f"{rng.choice(('', '', '  '))}{rng.choice(('Key', 'aws_access_key_id', 'x'))}{number}{rng.choice(('=', ' = ', '= '))}{rng.choice(('v', 'a=b', 'x ; y', 'a # b', 'AbC/+=='))}")
    if rng.random() < 0.15:
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(("[open", "no delimiter", "= v")))
    return "\n".join(lines) + "\n"


def unindented(text: str) -> bool:
    """Values over several lines, which nothing here has, are those of a key that has one: those are left out of the comparison."""
    above = ""
    for line in text.splitlines():
        if line.startswith(" ") and line.strip() and above and not above.endswith("=") and not above.startswith((" ", "[")):
            return False
        above = line.rstrip() if line.strip() and line.lstrip()[0] not in "#;" else above
    return True


def test_random_files_are_read_as_botocore_reads_them(probe: Probe, tmp_path: Path) -> None:
    rng = random.Random(SEED)
    compared = 0
    for _ in range(3000):
        text = random_ini(rng)
        wanted = theirs(tmp_path / "config", text)
        if not unindented(text) or (wanted is not None and "\n" in json.dumps(wanted).replace("\\n", "\n")):
            continue
        compared += 1
        assert ours(probe, text) == wanted, text
    assert compared > 1000, f"only {compared} files compared"
