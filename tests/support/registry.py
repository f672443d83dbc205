# SPDX-License-Identifier: Apache-2.0
"""A real registry (Debian's docker-registry) on a free port of loopback, with the access control that a test asks for.

    with Registry() as registry:
        registry.push(images.image("busybox"), "busybox")       # 127.0.0.1:PORT/busybox:latest

Auth is one of none, "basic" (htpasswd) and "token" (the token server below, which signs with a key made for the occasion). Storage is
in memory where there is a tmpfs; nothing survives the `with`.
"""

import base64
import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from tests.support.images import run
from tests.support.places import scratch, tool

USER, PASSWORD = "tester", "p@ss word:1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_certificate(folder: Path, name: str = "localhost") -> tuple[Path, Path]:
    """A key and a self-signed certificate for 127.0.0.1 and a name."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    names = ("-subj", "/CN=scar tests", "-addext", f"subjectAltName=IP:127.0.0.1,DNS:{name}")
    run(tool("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", certificate, *names)
    return key, certificate


class TokenServer:
    """Docker's token protocol: basic credentials (or none), or by POST an identity token, in; a signed JWT for the scopes asked for out."""

    issuer, service, identity = "scar-tests", "test-registry", "identity/token+1="

    def __init__(self, key: Path, certificate: Path, anonymous: bool) -> None:
        self._key, self._anonymous = key, anonymous
        pem = certificate.read_text().split("-----")[2]
        self._chain = ["".join(pem.split())]
        self.requests: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.requests.append(self.path)
                self.reply(*outer.answer(self.path, self.headers.get("Authorization")))

            def do_POST(self) -> None:
                outer.requests.append(self.path)
                self.reply(*outer.exchange(self.rfile.read(int(self.headers["Content-Length"])).decode(), self.headers))

            def reply(self, status: int, document: dict) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/token"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, path: str, authorization: str | None) -> tuple[int, dict]:
        good = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if authorization not in ((None, good) if self._anonymous else (good,)):
            return 401, {"details": "incorrect username or password"}
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)
        return 200, {"token": self._token(" ".join(query.get("scope", [])), bool(authorization)), "expires_in": 300}

    def exchange(self, text: str, headers: Message) -> tuple[int, dict]:
        """The refresh_token grant of "OAuth2 Token Authentication"."""
        form = dict(urllib.parse.parse_qsl(text, strict_parsing=True))
        if headers.get_content_type() != "application/x-www-form-urlencoded" or headers.get("Authorization"):
            return 400, {"error": "invalid_request"}
        if form.get("grant_type") != "refresh_token" or form.get("service") != self.service or not form.get("client_id"):
            return 400, {"error": "invalid_request"}
        if form.get("refresh_token") != self.identity:
            return 401, {"error": "invalid_grant"}
        return 200, {"access_token": self._token(form.get("scope", ""), True), "scope": form.get("scope", ""), "expires_in": 300}

    def _token(self, scopes: str, is_known: bool) -> str:
        access = []
        for scope in scopes.split():
            kind, name, actions = scope.rsplit(":", 2) if scope.count(":") > 1 else (*scope.split(":"), "")
            allowed = [action for action in actions.split(",") if is_known or action == "pull"]
            access.append({"type": kind, "name": name, "actions": allowed})
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": USER,
            "aud": self.service,
            "exp": now + 300,
            "nbf": now - 10,
            "iat": now,
            "jti": str(now),
            "access": access,
        }
        return self._sign(claims)

    def _sign(self, claims: dict) -> str:
        def part(document: object) -> str:
            return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()

        text = f"{part({'typ': 'JWT', 'alg': 'RS256', 'x5c': self._chain})}.{part(claims)}"
        signed = subprocess.run(
            [tool("openssl"), "dgst", "-sha256", "-sign", self._key], input=text.encode(), capture_output=True, check=True
        )
        return f"{text}.{base64.urlsafe_b64encode(signed.stdout).rstrip(b'=').decode()}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Registry:
    def __init__(self, auth: str = "", anonymous: bool = False, tls: bool = False) -> None:
        """`anonymous` lets the token server give pull tokens to everybody, as Docker Hub does."""
        self.auth, self.tls, self._anonymous = auth, tls, anonymous
        self.host = f"127.0.0.1:{free_port()}"
        self.tokens: TokenServer | None = None
        self.certificate: Path | None = None

    def __enter__(self) -> "Registry":
        self._folder = Path(tempfile.mkdtemp(prefix="scar-registry-", dir=scratch()))
        config = self._folder / "config.yml"
        # JSON is YAML.
        config.write_text(json.dumps(self._settings()))
        with open(self._folder / "log", "wb") as log:
            self._process = subprocess.Popen(
                [*self.prefix(), tool("docker-registry"), "serve", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            self._await()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def prefix(self) -> list[str]:
        """Words before the command that starts the registry."""
        return []

    def _settings(self) -> dict:
        storage = {"filesystem": {"rootdirectory": str(self._folder / "storage")}, "delete": {"enabled": True}}
        settings: dict = {"version": 0.1, "log": {"level": "warn"}, "storage": storage, "http": {"addr": self.host}}
        if self.tls or self.auth == "token":
            key, self.certificate = make_certificate(self._folder)
        if self.tls:
            settings["http"]["tls"] = {"certificate": str(self.certificate), "key": str(key)}
        if self.auth == "basic":
            line = run(tool("htpasswd", "apache2-utils"), "-Bbn", USER, PASSWORD).stdout
            (self._folder / "htpasswd").write_text(line)
            settings["auth"] = {"htpasswd": {"realm": "scar", "path": str(self._folder / "htpasswd")}}
        elif self.auth == "token":
            self.tokens = TokenServer(key, self.certificate, self._anonymous)
            token = {
                "realm": self.tokens.url,
                "service": TokenServer.service,
                "issuer": TokenServer.issuer,
                "rootcertbundle": str(self.certificate),
            }
            settings["auth"] = {"token": token}
        return settings

    def _await(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex((self.host.rpartition(":")[0], int(self.host.rpartition(":")[2]))) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError(f"docker-registry did not start: {self.log()[-2000:]}")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(10)
        if self.tokens:
            self.tokens.stop()
        shutil.rmtree(self._folder)

    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    def push(self, layout: Path, repository: str, *options: str, tag: str = "latest") -> str:
        """Push with skopeo, all platforms of an index. Returns the reference."""
        reference = f"{self.host}/{repository}:{tag}"
        access = ["--dest-creds", f"{USER}:{PASSWORD}"] if self.auth else []
        source = f"oci:{layout}:latest"
        # Else skopeo may put a blob that the registry has already, of the same content under another compression, in a layer's place.
        exact = [] if "--format" in options else ["--preserve-digests"]
        run(tool("skopeo"), "copy", "--quiet", "--all", *exact, "--dest-tls-verify=false", *access, *options, source, f"docker://{reference}")
        return reference

    def inspect(self, reference: str) -> dict:
        """The raw manifest, by skopeo."""
        access = ["--creds", f"{USER}:{PASSWORD}"] if self.auth else []
        return json.loads(run(tool("skopeo"), "inspect", "--raw", "--tls-verify=false", *access, f"docker://{reference}").stdout)
