#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts its visitors: one process that stays while the function is warm."""

import http.server
import os


class Handler(http.server.BaseHTTPRequestHandler):
    visitors = 0

    def do_GET(self) -> None:
        if self.path != "/health":
            Handler.visitors += 1
        text = f"visitor {Handler.visitors} of {self.path}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
