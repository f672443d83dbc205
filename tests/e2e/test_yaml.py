# SPDX-License-Identifier: Apache-2.0
"""Our YAML reader against PyYAML's safe_load, which has read SCAR's files so far."""

import datetime
import json
import math
import random
import subprocess
from pathlib import Path

import pytest

from tests.support.images import run
from tests.support.places import ROOT, tool

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

OBJECT = "build/obj/dbg/tests/support/probes/yaml_probe.o"
ARCHIVE = "build/lib/dbg/libruntime-base.a"
SEED = 20240301
SCALARS = 20000
DOCUMENTS = 3000
WORDS = ("yes", "No", "ON", "off", "true", "False", "y", "~", "null", "Null", "", "0b10", "0x1F", "010", "08", "1_0", "1:30", "1:60", "1:2:3.5", "1.5", "1e3", "1.5e+3",
         ".5", "-.5", ".inf", "-.INF", ".nan", "+12", "-0", "0.", "1.10", "a b", "x", "'yes'", '"1"', "12345678901234", "arn:aws:iam::012345678901:role/x", "0o17", "<")


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("probe") / "yaml_probe"
    run(tool("make"), "-s", "-C", ROOT, OBJECT, ARCHIVE)
    run(tool("gcc"), "-o", program, ROOT / OBJECT, ROOT / ARCHIVE, "-lyaml", "-lcurl", "-lssl", "-lcrypto", "-lcjson", "-lpthread")
    return program


def ask(probe: Path, documents: list[str]) -> list[str]:
    sent = b"".join(b"%d\n%s" % (len(text.encode()), text.encode()) for text in documents)
    done = subprocess.run([probe], input=sent, capture_output=True, check=True, timeout=120)
    answers = done.stdout.decode().splitlines()
    assert len(answers) == len(documents)
    return answers


class Unlike(Exception):
    """What we refuse on purpose, or take as text where PyYAML has a type of its own."""


def as_json(value: object) -> object:
    if isinstance(value, datetime.date | bytes | set) or (isinstance(value, float) and not math.isfinite(value)):
        raise Unlike
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**63 - 1:
        raise Unlike
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise Unlike
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return value


def compare(probe: Path, documents: list[str]) -> tuple[int, int]:
    """How many were equal and how many refused by both; all else fails."""
    equal = refused = 0
    for text, answer in zip(documents, ask(probe, documents), strict=True):
        try:
            wanted = as_json(yaml.safe_load(text))
        except Unlike:
            continue
        except (yaml.YAMLError, ValueError, KeyError):
            # PyYAML has no constructor for `=`, which is text to us.
            assert answer.startswith("! ") or "=" in text, (text, answer)
            refused += 1
            continue
        if answer.startswith("! ") and "twice" in answer:
            continue
        assert answer.startswith("= "), (text, wanted, answer)
        got = json.loads(answer[2:])
        assert got == wanted and repr(type(got)) == repr(type(wanted)) or (isinstance(wanted, float) and got == wanted), (text, wanted, answer)
        equal += 1
    return equal, refused


def test_scalars_are_what_pyyaml_takes_them_for(probe):
    rng = random.Random(SEED)
    alphabets = ("0123456789_.:+-eE", "01_b.+-", "0xabfF_1", "nullNULL~", "yesnoYESNO", "truefalsTRUEFALS", "on offONF", ".infINFnaN+-", "0127_", "6059:.1")
    scalars = ["- " + "".join(rng.choice(alphabet) for _ in range(rng.randrange(1, 8))) for alphabet in rng.choices(alphabets, k=SCALARS)]
    equal, _ = compare(probe, scalars + [f"- {word}" for word in WORDS])
    assert equal > SCALARS * 0.7


def random_node(rng: random.Random, depth: int, anchors: list[str]) -> str:
    """A value in flow style, with anchors, aliases and merges."""
    kind = rng.randrange(8) if depth < 4 else rng.randrange(3)
    if kind < 3 or (kind == 3 and not anchors):
        return rng.choice(WORDS) or "''"
    if kind == 3:
        return f"*{rng.choice(anchors)} "
    if kind < 6:
        return "[" + ", ".join(random_node(rng, depth + 1, anchors) for _ in range(rng.randrange(4))) + "]"
    members = [f"k{index}: {random_node(rng, depth + 1, anchors)}" for index in rng.sample(range(6), rng.randrange(4))]
    mappings = [name for name in anchors if name.startswith("m")]
    if mappings and rng.random() < 0.4:
        merged = rng.choice(mappings) if rng.random() < 0.5 else None
        members.insert(rng.randrange(len(members) + 1), f"<<: *{merged} " if merged else "<<: [" + ", ".join(f"*{name} " for name in rng.choices(mappings, k=2)) + "]")
    return "{" + ", ".join(members) + "}"


def random_document(rng: random.Random) -> str:
    anchors: list[str] = []
    lines = []
    for index in range(rng.randrange(1, 6)):
        node = random_node(rng, 0, anchors)
        name = f"{'m' if node.startswith('{') else 'a'}{index}"
        if not node.startswith("*"):
            node = f"&{name} {node}"
            anchors.append(name)
        lines.append(f"- {node}\n")
    return "".join(lines)


def test_documents_mean_what_pyyaml_reads(probe):
    rng = random.Random(SEED)
    equal, _ = compare(probe, [random_document(rng) for _ in range(DOCUMENTS)])
    assert equal > DOCUMENTS * 0.5


def test_what_pyyaml_writes_is_read(probe):
    value = {"name": "a: b", "text": "line\nother\n", "list": [1, None, True, "yes", "010", "~", "", " x "], "deep": {"ä": "☃", "empty": {}, "none": []}}
    for flow in (None, True, False):
        (answer,) = ask(probe, [yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)])
        assert json.loads(answer[2:]) == value
