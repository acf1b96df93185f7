"""What one attempt at a request came to: a value, an error, and whether and when to try again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx

from neon import errors
from neon.types import FieldError

T = TypeVar("T")

# These say that nothing was done, so every method may be repeated. The others may come after the effect, and then
# only what changes nothing the second time is repeated: to read, and to delete by an id that is never given again.
REPEAT_ALWAYS = frozenset({423, 429, 503})
REPEAT_HARMLESS = frozenset({500, 502, 504, 524})
HARMLESS = frozenset({"GET", "DELETE"})
NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
# A key shorter than this is a stand-in; taking it out of a message would only shred the words.
SHORTEST_KEY = 8


def value(request: str, response: httpx.Response, parse: Callable[[Any], T]) -> T:
    """Parse a successful answer; an empty one (204) counts as an object without fields."""
    try:
        return parse(response.json() if response.content else {})
    except ValueError as error:
        reason = f"no usable field {error}" if isinstance(error, FieldError) else "not JSON"
        raise errors.UnexpectedResponse(
            f"{request}: {response.status_code} {reason}",
            status=response.status_code,
            request_id=request_id(response),
        ) from error


def refusal(request: str, response: httpx.Response) -> errors.NeonError:
    """Turn a refusal into an error; a body that is not Neon's JSON (HTML from a proxy) is left out."""
    key = response.request.headers["Authorization"].removeprefix("Bearer ")
    text = response.text.replace(key, "***") if len(key) >= SHORTEST_KEY else response.text
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        body = {}
    status, code, message = response.status_code, str(body.get("code") or ""), str(body.get("message") or "")
    return errors.kind_of(status, code, message)(
        f"{request}: {' '.join(filter(None, (str(status), code, message)))}",
        status=status,
        code=code,
        request_id=str(body.get("request_id") or "") or request_id(response),
    )


def breakdown(request: str, cause: httpx.RequestError) -> errors.NeonError:
    """Turn the lack of an answer into an error."""
    if isinstance(cause, NOTHING_SENT):
        return errors.Unreachable(f"{request}: no connection")
    if isinstance(cause, httpx.TimeoutException):
        return errors.Timeout(f"{request}: no answer in time")
    if isinstance(cause, httpx.TransportError):
        return errors.Unreachable(f"{request}: the connection dropped", sent=True)
    return errors.UnexpectedResponse(f"{request}: unreadable answer")


def repeatable(method: str, came: httpx.Response | httpx.RequestError) -> bool:
    """Say whether the request may be sent again without doing anything twice."""
    harmless = method in HARMLESS
    if isinstance(came, httpx.Response):
        return came.status_code in REPEAT_ALWAYS or (harmless and came.status_code in REPEAT_HARMLESS)
    return isinstance(came, NOTHING_SENT) or (harmless and isinstance(came, httpx.TransportError))


def retry_after(response: httpx.Response) -> float | None:
    """Return for how many seconds Neon asks us to wait, if it does; it may give seconds or a date."""
    header = response.headers.get("Retry-After", "")
    try:
        if header.isdecimal():
            return float(header)
        return max(parsedate_to_datetime(header).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def request_id(response: httpx.Response) -> str | None:
    """Return the id under which Neon's support finds the request."""
    header: str | None = response.headers.get("x-neon-ret-request-id")
    return header
