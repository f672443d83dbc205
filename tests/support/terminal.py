# SPDX-License-Identifier: Apache-2.0
"""A terminal that somebody types into: tmux, with a shell in it. What appears is read from its log, colours included.

with Terminal(environ, folder) as terminal:
    terminal.run("scar ls")
"""

import re
import subprocess
import time
import uuid
from pathlib import Path

from tests.support.places import tool

COLOUR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>]|\x0f")


class Terminal:
    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        self.environ = environ
        self.folder = folder
        self.server = f"scar-{uuid.uuid4().hex[:8]}"
        self.count = 0

    def _tmux(self, *words: str) -> str:
        done = subprocess.run([tool("tmux"), "-L", self.server, *words], capture_output=True, text=True, timeout=20, check=True, env=self.environ)
        return done.stdout

    def __enter__(self) -> "Terminal":
        self.log = self.folder / "terminal.log"
        self.log.write_text("")
        settings = [word for name, value in self.environ.items() for word in ("-e", f"{name}={value}")]
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", "200", "-y", "50", "-s", "story", *settings, "-c", str(self.folder), "env PS1='$ ' /bin/sh")
        self._tmux("pipe-pane", "-t", "story", f"cat >> {self.log}")
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server")

    def type(self, line: str) -> None:
        self._tmux("send-keys", "-t", "story", "-l", line)
        self._tmux("send-keys", "-t", "story", "Enter")

    def interrupt(self) -> None:
        self._tmux("send-keys", "-t", "story", "C-c")

    def raw(self) -> str:
        return self.log.read_text(errors="replace")

    def text(self) -> str:
        return COLOUR.sub("", self.raw()).replace("\r", "")

    def await_text(self, pattern: str, begin: int = 0, seconds: float = 60) -> re.Match:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = re.search(pattern, self.text()[begin:])
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{pattern} did not appear:\n{self.text()[begin:][-3000:]}")

    def run(self, line: str, status: int = 0) -> str:
        """Types a command and waits for its end; what it printed, which has to end with that status."""
        self.count += 1
        begin = len(self.text())
        self.type(f'{line}; echo "[{self.count}:"$?"]"')
        ended = self.await_text(rf"\n\[{self.count}:(\d+)\]", begin)
        printed = self.text()[begin : begin + ended.start()]
        assert int(ended[1]) == status, f"{line}: {ended[1]}\n{printed}"
        return printed.split("\n", 1)[1] if "\n" in printed else ""
