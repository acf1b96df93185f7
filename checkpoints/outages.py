"""What keeps the site from answering at all, said in plain words to whoever asks and whoever runs it."""

import logging
import sys
from collections.abc import Callable, Iterator
from http import HTTPStatus

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.cache import add_never_cache_headers
from django.views import defaults
from psycopg.errors import DiskFull

from checkpoints import http
from checkpoints.fields import WrongKey
from checkpoints.http import Request

logger = logging.getLogger(__name__)

WRONG_KEY = (
    "What the site has stored was encrypted under a key that it does not have any more. Whoever runs it has to put"
    " that key back into FIELD_ENCRYPTION_KEYS."
)
AWAY = "The site cannot reach its database right now."
FULL = "The disk of the database server is full, so nothing can be saved right now."
RETRY_SECONDS = 5


class Outages:
    """Answers 503 instead of a view that could not."""

    def __init__(self, get_response: Callable[[Request], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: Request) -> HttpResponse:
        """Let the request through."""
        return self._get_response(request)

    def process_exception(self, request: Request, exception: Exception) -> HttpResponse | None:
        """Return the page for what is known, None for what is a fault of ours."""
        if not isinstance(exception, WrongKey):
            return None
        logger.error("%s", exception)
        return http.page(request, "503.html", {"message": WRONG_KEY}, status=503)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer what nobody has caught: with 503 while the meta database is away or its disk full, else with 500.

    Django asks for it whatever failed, a view or a middleware, before or after it: sessions, messages and rate limits
    are in the meta database as well. All recovers by itself: a request begins with a look at its connection.
    """
    causes = list(_causes(sys.exception()))
    if not any(isinstance(cause, OperationalError | InterfaceError) for cause in causes):
        return defaults.server_error(request)
    is_full = any(isinstance(cause, DiskFull) for cause in causes)
    # One line and no traceback: there may be one for each request of an hour. The driver's text names hosts and users.
    logger.error("%s %s: %s", request.method, request.path, "disk full" if is_full else "meta database away")
    context = {
        "message": FULL if is_full else AWAY,
        "retry_seconds": RETRY_SECONDS if request.method in {"GET", "HEAD"} else None,
    }
    # Without the request: to find out who is signed in would fail again.
    response = HttpResponse(render_to_string("away.html", context), status=HTTPStatus.SERVICE_UNAVAILABLE)
    response["Retry-After"] = str(RETRY_SECONDS)
    add_never_cache_headers(response)
    response._has_been_logged = True  # type: ignore[attr-defined]  # as Django notes it; it would add the traceback
    return response


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__
