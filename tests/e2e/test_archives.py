# SPDX-License-Identifier: Apache-2.0
"""Images in archives that skopeo wrote: compressed, and in moto's S3."""

import gzip
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import images
from tests.support.images import run
from tests.support.lambda_local import run_local
from tests.support.places import tool
from tests.support.storage_servers import ACCESS_KEY, S3, SECRET_KEY

KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_SESSION_TOKEN": ""}
COMMAND = ("sh", "-c", "cat /etc/os-release; ls /bin | wc -l")
PACKERS = {
    "": lambda data: data,
    ".gz": lambda data: gzip.compress(data, 1),
    ".zst": lambda data: subprocess.run([tool("zstd"), "-q", "-c"], input=data, capture_output=True, check=True).stdout,
}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """NAME.tar, NAME.tar.gz and NAME.tar.zst of both kinds."""
    folder = tmp_path_factory.mktemp("archives")
    found = {}
    for kind in ("docker", "oci"):
        plain = folder / f"{kind}.tar"
        name = ":example/busybox:1" if kind == "docker" else ":latest"
        run(tool("skopeo"), "copy", "-q", f"oci:{images.image('busybox')}:latest", f"{kind}-archive:{plain}{name}")
        for suffix, pack in PACKERS.items():
            found[f"{kind}{suffix}"] = Path(f"{plain}{suffix}")
            found[f"{kind}{suffix}"].write_bytes(pack(plain.read_bytes()))
    return found


@pytest.fixture(scope="module")
def s3(archives: dict[str, Path]) -> Iterator[S3]:
    with S3() as server:
        client = server.client()
        client.create_bucket(Bucket="images", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        for name, path in archives.items():
            client.put_object(Bucket="images", Key=f"some where/{name}", Body=path.read_bytes())
        yield server


def printed(reference: str, **named) -> str:
    done = run_local(reference, *COMMAND, **named)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture(scope="module")
def right(registry) -> str:
    return printed(registry.push(images.image("busybox"), "busybox"))


@pytest.mark.parametrize("name", ["docker", "docker.gz", "docker.zst", "oci", "oci.gz", "oci.zst"])
def test_an_archive_may_be_compressed(archives, right, name):
    assert printed(f"{name.split('.')[0]}-archive:{archives[name]}") == right


@pytest.mark.parametrize("name", ["docker", "docker.gz", "oci", "oci.zst"])
def test_an_archive_may_be_in_s3(s3, right, name):
    tag = "example/busybox:1" if name.startswith("docker") else "latest"
    assert printed(f"s3://images/some where/{name}:{tag}", env={"AWS_ENDPOINT_URL_S3": s3.url} | KEYS) == right


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("s3://images/none", "there is no object s3://images/none"),
        ("s3://no-such-bucket/x", "there is no object"),
        ("s3://images/some where/docker:other", "it has docker.io/example/busybox:1"),
        ("s3://images", "what follows s3:// is not BUCKET/KEY"),
    ],
)
def test_what_is_not_there_is_named(s3, reference, says):
    done = run_local(reference, env={"AWS_ENDPOINT_URL_S3": s3.url} | KEYS)
    assert done.returncode != 0
    assert says in done.stderr.decode()


def test_a_damaged_archive_is_refused(archives, tmp_path):
    data = bytearray(archives["docker.gz"].read_bytes())
    data[len(data) // 2] ^= 0xFF
    cut = archives["oci.zst"].read_bytes()[:-2000]
    for name, content, kind in (("damaged.gz", data, "docker"), ("cut.zst", cut, "oci")):
        (tmp_path / name).write_bytes(content)
        done = run_local(f"{kind}-archive:{tmp_path / name}", "true")
        assert done.returncode == 65, done.stderr.decode()
