"""Serves a page to this machine only, and new versions of it as they appear."""

import sys
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition
from time import time_ns
from typing import Any

from archcalc.errors import UsageError

HOST = "127.0.0.1"
WAIT_SECONDS = 20  # for a newer page, before a request gets the old version


class PageServer(ThreadingHTTPServer):
    """Serves the page that `make` returns for a version. Raises UsageError for a port in use."""

    def __init__(self, port: int, make: Callable[[int], str]) -> None:
        # Differs from the versions of an earlier server, whose pages may still be open.
        self.make, self.version, self.changed = make, time_ns() // 1_000_000, Condition()
        self.page = make(self.version)
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            remedy = "give another with --port, or 0 for one that is free"
            raise UsageError(f"cannot serve on port {port}: {reason}", remedy) from None

    @property
    def address(self) -> str:
        """The URL of the page."""
        return f"http://{HOST}:{self.server_port}/"

    def refresh(self) -> None:
        """Make a new page, and answer the waiting browsers."""
        page = self.make(self.version + 1)
        with self.changed:
            self.page, self.version = page, self.version + 1
            self.changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a browser that disconnected before its answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def newer(self, version: int) -> int:
        """The current version, once it differs from `version` or after WAIT_SECONDS."""
        with self.changed:
            self.changed.wait_for(lambda: self.version != version, WAIT_SECONDS)
            return self.version


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    timeout = 30  # seconds for a request to arrive

    def do_GET(self) -> None:
        # A foreign page could read this one through another host name for this machine (DNS rebinding).
        if not _is_own(self.headers.get_all("Host", [])) or self.headers.get("Sec-Fetch-Site") == "cross-site":
            self.send_error(403)
            return
        path, _, question = self.path.partition("?")
        after = question.removeprefix("after=")
        if path == "/":
            self._answer("text/html", self.server.page)
        elif path == "/version" and after.isdecimal() and len(after) < 19:
            self._answer("text/plain", str(self.server.newer(int(after))))
        elif path == "/favicon.ico":
            self.send_response(204)
            self.end_headers()
        else:
            self.send_error(404)

    def _answer(self, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in the base class
        """Log nothing."""


def _is_own(hosts: Sequence[str]) -> bool:
    """Whether a request has exactly one Host header, and it names this machine."""
    if len(hosts) != 1:
        return False
    name, colon, port = hosts[0].strip().lower().partition(":")
    return name in (HOST, "localhost") and (not colon or (port.isascii() and port.isdecimal()))
