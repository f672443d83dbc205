# SPDX-License-Identifier: Apache-2.0
"""Storage on loopback: moto's S3, Debian's nginx as WebDAV, the part of CDMI (ISO/IEC 17826, as Oneprovider serves it) that moves plain objects, and of Rucio's
REST API what its own client calls to download and upload, with a storage element that sends readers to another server, as dCache does."""

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

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


class Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def log_message(self, *_: object) -> None:
        pass


class Cdmi:
    """Oneprovider's /cdmi/SPACE/PATH: X-Auth-Token, plain objects, containers made as needed, Range. `broken` names a path whose PUT is cut off."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        self.requests: list[str] = []
        self.cut_after = 0

    def __enter__(self) -> "Cdmi":
        outer = self

        class Handler(Quiet):
            def path_of(self) -> str | None:
                outer.requests.append(f"{self.command} {self.path} {self.headers.get('Range', '')}".strip())
                if self.headers.get("X-Auth-Token") != TOKEN:
                    self.answer(401)
                    return None
                return unquote(self.path).removeprefix("/cdmi/")

            def do_PUT(self) -> None:
                body = self.body()
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

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Rucio:
    """`replicas` is the catalogue, `stored` what its storage element holds, `spoilt` what that gives back wrongly; `datasets` lists names of files. Tokens come from /oidc/token and change each time."""

    ACCOUNT, RSE, REFRESH = "alice", "LAB_DISK", "first-refresh"

    def __init__(self) -> None:
        self.datasets: dict[str, list[str]] = {}
        self.replicas: dict[str, dict] = {}
        self.rules: list[dict] = []
        self.stored: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.refresh, self.issued = self.REFRESH, 0
        self.spoilt: set[str] = set()

    def add(self, did: str, content: bytes) -> None:
        scope, name = did.split(":", 1)
        self.stored[f"/{scope}/{name}"] = content
        self.replicas[did] = {"bytes": len(content), "adler32": f"{zlib.adler32(content):08x}"}

    def listing(self, dids: list[dict]) -> bytes:
        lines = []
        for did in dids:
            whole = f"{did['scope']}:{did['name']}"
            for found in self.datasets.get(whole, [whole] if whole in self.replicas else []):
                scope, name = found.split(":", 1)
                places = {f"root://xroot.example//{scope}/{name}": {}, f"{self.storage}/{scope}/{name}": {"rse": self.RSE}}
                lines.append(json.dumps({"scope": scope, "name": name, "md5": None, "pfns": places, **self.replicas[found]}))
        return "".join(f"{line}\n" for line in lines).encode()

    def token(self, handler: Quiet) -> None:
        form = {key: values[0] for key, values in parse_qs(handler.body().decode()).items()}
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != self.refresh:
            handler.answer(400, b'{"error": "invalid_grant"}')
            return
        self.issued += 1
        self.refresh = f"refresh-{self.issued}"
        handler.answer(200, json.dumps({"access_token": f"access-{self.issued}", "refresh_token": self.refresh, "expires_in": 3600}).encode())

    def api(self, handler: Quiet) -> None:
        url = urlsplit(handler.path)
        query = parse_qs(url.query)
        document = json.loads(handler.body() or b"null")
        if handler.headers["X-Rucio-Auth-Token"] != f"access-{self.issued}" or handler.headers["X-Rucio-Account"] != self.ACCOUNT:
            handler.answer(401)
        elif url.path == "/replicas/list":
            handler.answer(200, self.listing(document["dids"]), Content_Type="application/x-json-stream")
        elif url.path == f"/rses/{self.RSE}/lfns2pfns" and "https" in query["scheme"][0].split(","):
            handler.answer(200, json.dumps({lfn: f"{self.storage}/{lfn.replace(':', '/', 1)}" for lfn in query["lfn"]}).encode())
        elif url.path == "/replicas" and document["rse"] == self.RSE:
            for file in document["files"]:
                self.replicas[f"{file['scope']}:{file['name']}"] = {"bytes": file["bytes"], "adler32": file["adler32"]}
            handler.answer(201)
        elif url.path == "/rules/":
            self.rules.append(document)
            handler.answer(201, b'["id"]')
        else:
            handler.answer(404)

    def store(self, handler: Quiet) -> None:
        path = unquote(handler.path).removeprefix("/dav")
        content = handler.body()
        if handler.headers["Authorization"] != f"Bearer access-{self.issued}":
            handler.answer(403)
        elif handler.command == "PUT":
            self.stored[path] = content
            handler.answer(201)
        elif handler.command == "DELETE":
            handler.answer(204 if self.stored.pop(path, None) is not None else 404)
        elif path in self.stored:
            handler.answer(307, Location=f"{self.pool}{path}?door=1")
        else:
            handler.answer(404)

    def give(self, handler: Quiet) -> None:
        path = unquote(urlsplit(handler.path).path)
        content = self.stored[path]
        if handler.headers["Authorization"]:
            handler.answer(400, b"two ways to say who you are")
        else:
            handler.answer(200, content[::-1] if path in self.spoilt else content)

    def __enter__(self) -> "Rucio":
        outer = self

        class Door(Quiet):
            def do(self) -> None:
                outer.requests.append(f"{self.command} {urlsplit(self.path).path}")
                if self.path == "/oidc/token":
                    outer.token(self)
                elif self.path.startswith("/dav/"):
                    outer.store(self)
                else:
                    outer.api(self)

            do_GET = do_POST = do_PUT = do_DELETE = do

        class Pool(Quiet):
            def do_GET(self) -> None:
                outer.give(self)

        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for handler in (Door, Pool)]
        self.url, self.pool = (f"http://127.0.0.1:{server.server_address[1]}" for server in self._servers)
        self.storage = f"{self.url}/dav"
        self._threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in self._servers]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()
