# SPDX-License-Identifier: Apache-2.0
"""Storage on loopback: moto's S3, Debian's nginx as WebDAV, and the part of CDMI (ISO/IEC 17826, as Oneprovider serves it) that moves plain objects."""

import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from tests.support.places import Missing, scratch, tool
from tests.support.registry import free_port

ACCESS_KEY, SECRET_KEY = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
LOGIN, PASSWORD = "tester", "p@ss word"
TOKEN = "MDAxNWxvY2F0aW9uIG9uZXpvbmUK"


def await_http(url: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{process.args[0]} does not answer at {url}")


class Server:
    """A process that serves until the `with` ends."""

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="scar-storage-", dir=scratch()))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder)
        try:
            await_http(self.url, self.process)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


class S3(Server):
    def command(self) -> list[str]:
        try:
            import boto3  # noqa: F401
            import moto.server  # noqa: F401
        except ImportError as error:
            raise Missing(f"moto is not installed ({error}); tests/run.sh puts it into a venv where a Python package index answers") from error
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def client(self):
        import boto3
        from botocore.config import Config

        config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1})
        keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
        return boto3.client("s3", endpoint_url=self.url, region_name="eu-west-1", config=config, **keys)


class WebDav(Server):
    """`access` asks for LOGIN and PASSWORD."""

    def __init__(self, access: bool = True) -> None:
        self.access = access

    def command(self) -> list[str]:
        self.root = self.folder / "files"
        self.root.mkdir()
        # Its workers are another user's.
        self.folder.chmod(0o755)
        self.root.chmod(0o777)
        (self.folder / "temp").mkdir()
        (self.folder / "temp").chmod(0o777)
        (self.folder / "passwords").write_text(f"{LOGIN}:{{PLAIN}}{PASSWORD}\n")
        (self.folder / "nginx.conf").write_text(f"""
daemon off;
pid {self.folder}/pid;
error_log {self.folder}/errors;
worker_processes 1;
events {{ worker_connections 64; }}
http {{
    access_log {self.folder}/access;
    server {{
        listen 127.0.0.1:{self.port};
        client_max_body_size 0;
        client_body_temp_path {self.folder}/temp;
        auth_basic {'"files"' if self.access else "off"};
        auth_basic_user_file {self.folder}/passwords;
        location / {{
            root {self.root};
            dav_methods PUT DELETE MKCOL COPY MOVE;
            min_delete_depth 0;
        }}
    }}
}}
""")
        return [tool("nginx", "nginx-light"), "-c", str(self.folder / "nginx.conf"), "-e", str(self.folder / "errors")]

    def log(self) -> str:
        return (self.folder / "access").read_text()


class Cdmi:
    """Oneprovider's /cdmi/SPACE/PATH: X-Auth-Token, plain objects, containers made as needed, Range. `broken` names a path whose PUT is cut off."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        self.requests: list[str] = []
        self.cut_after = 0

    def __enter__(self) -> "Cdmi":
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def path_of(self) -> str | None:
                outer.requests.append(f"{self.command} {self.path} {self.headers.get('Range', '')}".strip())
                if self.headers.get("X-Auth-Token") != TOKEN:
                    self.answer(401)
                    return None
                return unquote(self.path).removeprefix("/cdmi/")

            def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                path = self.path_of()
                if path is not None:
                    outer.objects[path] = body
                    outer.types[path] = self.headers["Content-Type"]
                    self.answer(201)

            def do_DELETE(self) -> None:
                path = self.path_of()
                if path is not None:
                    self.answer(204 if outer.objects.pop(path, None) is not None else 404)

            def do_GET(self) -> None:
                path = self.path_of()
                if path is None:
                    return
                if path not in outer.objects:
                    self.answer(404)
                    return
                body, start = outer.objects[path], 0
                wanted = self.headers.get("Range", "")
                if wanted.startswith("bytes=") and self.headers.get("If-Match") == '"tag"':
                    start = int(wanted[6:].rstrip("-"))
                self.send_response(206 if start else 200)
                self.send_header("ETag", '"tag"')
                self.send_header("Content-Length", str(len(body) - start))
                self.end_headers()
                if outer.cut_after and len(body) - start > outer.cut_after:
                    self.wfile.write(body[start : start + outer.cut_after])
                    self.close_connection = True
                    return
                self.wfile.write(body[start:])

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
