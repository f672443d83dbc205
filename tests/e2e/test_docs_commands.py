# SPDX-License-Identifier: Apache-2.0
"""Every command of README.md and docs/ is typed, block by block, as the page has it.

The world of a reader: an empty home, the built programs in PATH, the files that the pages speak of, AWS (moto), and a registry that stands for the public ones
by SCAR_REGISTRY_MIRRORS, as a reader with a mirror has it. Two kinds of commands would take hours or run this very test: of `make TARGET` it is asked
whether make has the target, of `python3 -m tests...` whether it is there and takes options (`--help`).
"""

import os
import signal
import socket
import subprocess
import zlib
from pathlib import Path

import pytest

from tests.e2e.test_docs import make_targets
from tests.support import images
from tests.support.cloud import REGION, Cloud
from tests.support.doc_commands import blocks, commands
from tests.support.places import ROOT, tool

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [block for page in PAGES for block in commands(page)]
# What the pages call by its public name, and the image that plays it.
IMAGES = {"library/alpine": "busybox", "library/debian": "debian"}
PORT = 9001
PRELUDE = f"""set -euo pipefail
make() {{
    for word in "$@"; do
        case $word in *=*) ;; *) case " $TARGETS " in *" $word "*) ;; *) echo "make has no target $word"; return 2 ;; esac ;; esac
    done
}}
python3() {{ case "$1 $2" in '-m tests'*) (cd {ROOT} && command /usr/bin/python3 "$1" "$2" --help > /dev/null) ;; *) command /usr/bin/python3 "$@" ;; esac; }}
"""
DEFINITION = """
functions:
  aws:
  - lambda:
      name: grayify
      container: {image: docker.io/library/alpine}
      init_script: grayify.sh
      input: [{storage_provider: s3, path: pictures/in}]
      output: [{storage_provider: s3, path: pictures/out}]
"""


def picture() -> bytes:
    """A PNG of one grey pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes((0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0))) + chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def environ(registry, tmp_path_factory) -> dict[str, str]:
    for name, image in IMAGES.items():
        registry.push(images.image(image), name)
    with Cloud() as cloud:
        cloud.of("s3").create_bucket(Bucket="pictures", CreateBucketConfiguration={"LocationConstraint": REGION})
        cloud.of("s3").put_object(Bucket="pictures", Key="out/old.png", Body=picture())
        yield {
            **{name: value for name, value in cloud.environ.items() if not name.startswith("SCAR_")},
            "TARGETS": " ".join(make_targets()),
            "HOME": str(tmp_path_factory.mktemp("home")),
            "PATH": f"{ROOT / 'build'}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "SCAR_REGISTRY_MIRRORS": f"docker.io={registry.host}",
        }


def furnish(folder: Path) -> None:
    """What the pages speak of."""
    (folder / "build").symlink_to(ROOT / "build")
    (folder / "function.yaml").write_text(DEFINITION)
    (folder / "grayify.sh").write_text("#!/bin/sh\ncat > /dev/null\n")
    (folder / "picture.png").write_bytes(picture())
    (folder / "words.txt").write_text("one\ntwo\none\n")


def typed(text: str, folder: Path, environ: dict[str, str]) -> tuple[int, str]:
    """Exit status and everything printed; what the block leaves running is ended as by Ctrl-C."""
    with subprocess.Popen(
        [tool("bash"), "-c", PRELUDE + text],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=(log := (folder / "log").open("w+b")),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as shell:
        try:
            status = shell.wait(timeout=240)
        finally:
            try:
                os.killpg(shell.pid, signal.SIGINT)
            except ProcessLookupError:
                pass
    log.seek(0)
    return status, log.read().decode(errors="replace")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_says_what_it_is(page):
    blocks(page)


def test_there_is_something_to_type():
    assert len(BLOCKS) >= 10 and {"README.md", "cli.md", "engines.md"} <= {block.page.name for block in BLOCKS}


@pytest.mark.parametrize("page", sorted({block.page for block in BLOCKS}), ids=lambda page: page.name)
def test_the_commands_of_a_page_work(page, environ, tmp_path_factory):
    folder = tmp_path_factory.mktemp(page.stem)
    furnish(folder)
    for block in (block for block in BLOCKS if block.page == page):
        assert f":{PORT}" not in block.text or is_free(PORT), f"something listens on port {PORT}"
        status, said = typed(block.text, folder, environ)
        assert status == 0, f"{page.name}:{block.line}\n{block.text}\n{said}"
