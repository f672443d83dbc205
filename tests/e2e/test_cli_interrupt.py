# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and SIGTERM in the middle of what `scar` does: nothing half made stays, and what is there is told. A proxy before moto holds the connection up at the chosen
moment."""

import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cloud import Cloud
from tests.support.places import SCAR

MIB = 1 << 20
SIZE = 80 * MIB
APPLY = ("--no-layer", "--no-image-check")


class Hurdle:
    """Passes connections on, until `stop(sent, received, bytes to send)` says that one goes no further; new connections pass."""

    def __init__(self, port: int, stop: Callable[[int, int, bytes], bool]) -> None:
        self.port, self.stop = port, stop
        self.reached = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self) -> "Hurdle":
        return self

    def __exit__(self, *_) -> None:
        self.listener.close()

    def accept(self) -> None:
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.port))
            counts = [0, 0]
            for source, sink, index in ((client, server, 0), (server, client, 1)):
                threading.Thread(target=self.copy, args=(source, sink, counts, index), daemon=True).start()

    def copy(self, source: socket.socket, sink: socket.socket, counts: list[int], index: int) -> None:
        try:
            while data := source.recv(65536):
                counts[index] += len(data)
                if not self.reached.is_set() and self.stop(counts[0], counts[1], data if index == 0 else b""):
                    self.reached.set()
                    return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def interrupted(cloud: Cloud, hurdle: Hurdle, number: int, *words: str | Path) -> tuple[str, str]:
    """Sends the signal once the hurdle is reached. @return stdout, stderr"""
    environ = cloud.environ | {"AWS_ENDPOINT_URL": hurdle.url}
    with subprocess.Popen([SCAR, *map(str, words)], env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert hurdle.reached.wait(60)
        begin = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert time.monotonic() - begin < 10
    assert process.returncode == 128 + number, err
    assert "scar: interrupted" in err
    return out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_large_upload_is_given_up(cloud: Cloud, tmp_path: Path, number: int):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.txt").write_text("first")
    with (folder / "large").open("wb") as file:
        file.truncate(SIZE)
    cloud.scar("put", "-b", "bucket/in", "-p", folder / "a.txt")
    held = []

    def stop(sent: int, received: int, data: bytes) -> bool:
        # An upload is under way, of which one part is there at least.
        del received, data
        if sent < 30 * MIB:
            return False
        held.extend(cloud.of("s3").list_multipart_uploads(Bucket="bucket").get("Uploads", []))
        return True

    with Hurdle(cloud.port, stop) as hurdle:
        out, _ = interrupted(cloud, hurdle, number, "put", "-b", "bucket/in", "-p", folder)
    assert held, "the signal came in the middle"
    assert out == "in/a.txt\n", "what is there is told, what is not is not"
    assert not cloud.of("s3").list_multipart_uploads(Bucket="bucket").get("Uploads")
    assert [item["Key"] for item in cloud.of("s3").list_objects_v2(Bucket="bucket")["Contents"]] == ["in/a.txt"]


def test_a_download_leaves_no_part_of_a_file(cloud: Cloud, tmp_path: Path):
    s3 = cloud.of("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="bucket", Key="out/a.txt", Body=b"first")
    s3.put_object(Bucket="bucket", Key="out/large", Body=bytes(SIZE))
    there = tmp_path / "there"
    with Hurdle(cloud.port, lambda sent, received, data: received > 20 * MIB) as hurdle:
        out, _ = interrupted(cloud, hurdle, signal.SIGINT, "get", "-b", "bucket/out", "-p", there)
    assert [path.name for path in there.rglob("*") if path.is_file()] == ["a.txt"]
    assert out.splitlines() == [str(there / "out/a.txt")]
    cloud.scar("get", "-b", "bucket/out", "-p", there)
    assert (there / "out/large").stat().st_size == SIZE


def test_an_apply_tells_what_is_there_and_the_next_one_goes_on(cloud: Cloud, tmp_path: Path):
    path = tmp_path / "function.yaml"
    path.write_text("functions: {aws: [{lambda: {name: cow, container: {image: grycap/cowsay}, output: [{storage_provider: s3, path: cows/out}]}}]}\n")
    with Hurdle(cloud.port, lambda sent, received, data: data.startswith(b"POST /2015-03-31/functions")) as hurdle:
        _, err = interrupted(cloud, hurdle, signal.SIGINT, "apply", "-f", path, *APPLY)
    assert [line for line in err.splitlines() if line.startswith("+ ")] == ["+ bucket cows", "+ role scar-cow-eu-west-1"]
    assert "what was made stays" in err and "rm removes it" in err
    assert not cloud.of("lambda").list_functions()["Functions"]
    done = cloud.scar("apply", "-f", path, *APPLY)
    assert "+ function cow" in done.stderr and "+ role" not in done.stderr and "+ bucket" not in done.stderr
    assert len(cloud.of("iam").list_roles()["Roles"]) == 1
