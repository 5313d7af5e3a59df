"""A server of files for pages, on this machine alone."""

from __future__ import annotations

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def end_headers(self) -> None:
        """Have the browser keep files while it runs: it loads them again for every episode."""
        self.send_header("Cache-Control", "max-age=86400")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class FileServer:
    """Serves the files of a folder on a free port of 127.0.0.1 until it is closed."""

    def __init__(self, folder: Path) -> None:
        """Serve ``folder``."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder)))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True, name="rlx-pages").start()

    def url(self, path: str) -> str:
        """Return the address of a file in the folder."""
        return f"http://127.0.0.1:{self._server.server_port}/{path}"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
