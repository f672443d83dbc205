# SPDX-License-Identifier: Apache-2.0
"""A place where programs wait for each other, to tell whether they run at once without looking at a clock.

    with Rendezvous(3) as place:
        # three programs that each do `wget -qO- URL` all get an answer; fewer than three at once get none, and fail

Each answer is 200 once as many as were named are there, and 503 if they do not come in time.
"""

import http.server
import threading
from types import TracebackType

# A machine that is busy may take long to start a program; one that runs them one after another never gets there.
PATIENCE_S = 60


class Rendezvous:
    def __init__(self, parties: int) -> None:
        barrier = threading.Barrier(parties, timeout=PATIENCE_S)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                try:
                    barrier.wait()
                    self.send_response(200)
                except threading.BrokenBarrierError:
                    self.send_response(503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def __enter__(self) -> "Rendezvous":
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
