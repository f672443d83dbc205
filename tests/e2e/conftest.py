# SPDX-License-Identifier: Apache-2.0
"""What every end-to-end test may ask for. A part of the outside world that is not at hand makes a test skip (places.Missing), loudly; with
SCAR_MUST_WORK=1 a skip is a failure."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support import images
from tests.support.cloud import Cloud
from tests.support.faulty_registry import FaultyRegistry
from tests.support.places import BOOTSTRAP, scratch
from tests.support.registry import Registry


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("SCAR_MUST_WORK") == "1" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome, report.longrepr = "failed", f"{item.nodeid}: skipped, but SCAR_MUST_WORK=1: {reason}"


@pytest.fixture(scope="session")
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


@pytest.fixture(scope="session")
def pushed(registry: Registry) -> Callable[[str], str]:
    """pushed("busybox") is the reference of that image in the registry; it is pushed when first asked for."""
    references: dict[str, str] = {}

    def reference(name: str) -> str:
        if name not in references:
            references[name] = registry.push(images.image(name), name.replace("_", "-"))
        return references[name]

    return reference


@pytest.fixture
def faulty(registry: Registry) -> Iterator[FaultyRegistry]:
    """The registry, with a proxy before it that goes wrong on request."""
    with FaultyRegistry(registry.host) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def running_cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


@pytest.fixture
def cloud(running_cloud: Cloud) -> Cloud:
    """An empty account."""
    running_cloud.reset()
    return running_cloud


@pytest.fixture
def container() -> Iterator[Path]:
    """The files of a job's container, with the runtime at its root."""
    folder = Path(tempfile.mkdtemp(prefix="scar-job-", dir=scratch()))
    rootfs = folder / "rootfs"
    with images.real_rootfs("busybox") as files:
        shutil.copytree(files, rootfs, symlinks=True)
    shutil.copy(BOOTSTRAP, rootfs / "bootstrap")
    yield rootfs
    shutil.rmtree(folder)
