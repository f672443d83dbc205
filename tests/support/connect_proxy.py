# SPDX-License-Identifier: Apache-2.0
"""An HTTP proxy that knows CONNECT alone and brings every connection to one address, whatever host was asked for: so a real TLS server
on loopback can stand for a registry of any name.

    with ConnectProxy("127.0.0.1:5000") as proxy:
        ...  # https_proxy=proxy.url
        proxy.asked                                              # ["registry.example:443"]
"""

import contextlib
import socket
import socketserver
import threading
from types import TracebackType


def pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


class ConnectProxy:
    def __init__(self, target: str) -> None:
        self.asked: list[str] = []
        outer, (host, _, port) = self, target.rpartition(":")

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                method, where, _ = self.rfile.readline().decode().split()
                while self.rfile.readline().strip():
                    pass
                if method != "CONNECT":
                    self.wfile.write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
                    return
                outer.asked.append(where)
                with socket.create_connection((host, int(port))) as onward:
                    self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    back = threading.Thread(target=pump, args=(onward, self.connection), daemon=True)
                    back.start()
                    pump(self.connection, onward)
                    back.join()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "ConnectProxy":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
