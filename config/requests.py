"""What every request goes through first and last: one log line, and the headers that no page is without."""

import logging
import time
from collections.abc import Callable
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

logger = logging.getLogger(__name__)
Answer = Callable[[HttpRequest], HttpResponse]

HEADERS = {
    # What somebody may see only while signed in is not kept by proxies, nor shown again without asking.
    "Cache-Control": "private, no-cache",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def log(get_response: Answer) -> Answer:
    """Write one line per request: the route instead of the address, in which there may be a one-time token."""

    def middleware(request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = get_response(request)
        match = request.resolver_match
        fields = {
            "method": request.method,
            "route": f"/{match.route}" if match else "none",
            "outcome": response.status_code,
            "milliseconds": round((time.perf_counter() - began) * 1000),
            "user_id": _user_id(request),
            "run_id": getattr(request, "run_id", None),
        }
        logger.info(
            "%(method)s %(route)s: %(outcome)s in %(milliseconds)s ms, user %(user_id)s, run %(run_id)s",
            fields,
            extra=fields,
        )
        return response

    return middleware


def add_headers(get_response: Answer) -> Answer:
    """Add the headers that Django has no setting for, where the answer does not say otherwise."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return middleware


def refuse_nul(get_response: Answer) -> Answer:
    """Refuse queries with a NUL, which no text in Postgres can hold: the admin's filters would break at it."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if "%00" in request.META.get("QUERY_STRING", ""):
            raise BadRequest("There is a NUL in the query.")
        return get_response(request)

    return middleware


def _user_id(request: HttpRequest) -> Any:
    """Return who asked, if the answer had to know it: to find out now would cost a query, and might fail."""
    user = vars(request).get("user")
    if isinstance(user, SimpleLazyObject):
        user = getattr(request, "_cached_user", None)
    return getattr(user, "pk", None)
