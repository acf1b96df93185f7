"""A proxy between clients and the plane that holds every answer against Neon's description of its API."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.neon.local import openapi

# What belongs to one connection and not to the message.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
SECONDS = 30


class Recorder:
    """How much has passed by, and what was wrong with it since somebody last looked."""

    def __init__(self, url: str) -> None:
        self.upstream = urlsplit(url)
        self.url = ""
        self._mutex = threading.Lock()
        self.passed = 0
        self._faults: list[str] = []

    def note(self, method: str, path: str, sent: bytes, status: int, headers: dict[str, str], content: bytes) -> None:
        """Remember an exchange; without the description there is nothing to hold it against."""
        faults = openapi.faults(method, path, status, headers, content, sent=sent) if openapi.PATH.exists() else []
        with self._mutex:
            self.passed += 1
            self._faults += faults

    def take(self) -> list[str]:
        """Return the faults, and forget them."""
        with self._mutex:
            taken, self._faults = self._faults, []
            return taken

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Pass on what is sent to ``url`` for a while."""
        handler = type("Handler", (Handler,), {"recorder": self})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
            self.url = f"http://127.0.0.1:{server.server_port}{self.upstream.path}"
            yield
            server.shutdown()


class Handler(BaseHTTPRequestHandler):
    """One client's connection."""

    recorder: Recorder
    protocol_version = "HTTP/1.1"  # clients keep connections

    def pass_on(self) -> None:
        """Send the request to the plane as it is, and its answer back as it is."""
        recorder, body = self.recorder, self.rfile.read(int(self.headers.get("content-length", 0)))
        plane = HTTPConnection(recorder.upstream.hostname or "", recorder.upstream.port, timeout=SECONDS)
        try:
            plane.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    plane.putheader(name, value)
            plane.putheader("Content-Length", str(len(body)))
            plane.endheaders(body)
            answer = plane.getresponse()
            content = answer.read()
        finally:
            plane.close()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        recorder.note(self.command, self.path, body, answer.status, headers, content)
        self.send_response_only(answer.status)
        for name, value in headers.items():
            if name not in HOP_BY_HOP:
                self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = pass_on

    def log_message(self, format: str, *arguments: object) -> None:
        """Write nothing: requests carry the key."""
