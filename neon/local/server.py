"""The plane over HTTP: its API on one port, and its endpoints on theirs."""

import contextlib
import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import psycopg
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

from neon.local import background, resources, router, store
from neon.local.engine import upkeep
from neon.local.wsgi import application

logger = logging.getLogger(__name__)

UPKEEP_SECONDS = 10.0
STOP_LOOK_SECONDS = 0.1
IDLE_SECONDS = 120.0


@dataclass(frozen=True)
class Served:
    """Where the plane is served."""

    url: str
    router: router.Router


class Handler(WSGIRequestHandler):
    """One connection; says nothing to the log, as the plane's views say what is worth it."""

    timeout = IDLE_SECONDS

    def parse_request(self) -> bool:
        """Refuse a body of unknown length, which would pass for an empty one."""
        parsed = super().parse_request()
        if parsed and "Transfer-Encoding" in self.headers:
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
            return False
        return parsed

    def handle_one_request(self) -> None:
        """Answer a request, or close the connection when there is no answer to be given."""
        self._answered = False
        super().handle_one_request()
        self.close_connection = self.close_connection or not self._answered

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Note that the request has its answer."""
        self._answered = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Server(ThreadedWSGIServer):
    """Serves each connection in a thread."""

    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let clients come and go as they like."""
        if not isinstance(sys.exception(), OSError):
            logger.exception("A connection failed")


@contextlib.contextmanager
def serving(host: str, port: int) -> Iterator[Served]:
    """Serve the plane, in threads; port 0 stands for any. Raises psycopg.Error and OSError."""
    with store.connection():
        pass  # starts Postgres, and makes the plane's tables
    with (
        Server((host, port), Handler, ipv6=":" in host) as server,
        router.routing(host) as routes,
        background.working(),
    ):
        server.set_app(application)
        stopping = threading.Event()
        threads = [
            threading.Thread(target=server.serve_forever, args=[STOP_LOOK_SECONDS], name="http", daemon=True),
            threading.Thread(target=_keep_up, args=[stopping], name="upkeep", daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            yield Served(f"http://{resources.bracketed(host)}:{server.server_port}/api/v2", routes)
        finally:
            stopping.set()
            server.shutdown()


def _keep_up(stopping: threading.Event) -> None:
    while not stopping.wait(UPKEEP_SECONDS):
        try:
            upkeep.run()
        except psycopg.Error as error:  # the server may be away for a while
            logger.warning("Upkeep failed and is tried again: %s", type(error).__name__)
        except Exception:
            logger.exception("Upkeep failed and is tried again")
