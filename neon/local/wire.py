"""What all of the plane's views share: the key, the request's id, reading a request, and Neon's errors."""

import json
import logging
import secrets
import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import psycopg
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.views.decorators.csrf import csrf_exempt

from neon.local import faults
from neon.local.address import PostgresError
from neon.local.errors import (
    BadRequest,
    DiskFull,
    InternalError,
    Locked,
    NotFound,
    NotImplementedHere,
    PlaneError,
    Unauthorized,
    Unavailable,
)

logger = logging.getLogger(__name__)

Answer = tuple[HTTPStatus, dict[str, Any]]
Wanted = Mapping[str, Any]

NAME_LENGTH = 256
# Postgres' own bound for the name of a database or a role; it would cut a longer one without a word.
IDENTIFIER_BYTES = 63
# As Go's ParseBool, which reads Neon's queries.
TRUE = frozenset({"1", "t", "T", "true", "True", "TRUE"})
FALSE = frozenset({"", "0", "f", "F", "false", "False", "FALSE"})


def endpoint(**methods: Callable[..., Answer]) -> Callable[..., HttpResponse]:
    """Return the view of one path: a function for each method, behind the key, its refusals as Neon's errors."""

    @csrf_exempt
    def view(request: HttpRequest, **ids: str) -> HttpResponse:
        request_id = str(uuid.uuid4())
        try:
            _check_key(request)
            return faults.around(request, lambda: _serve(methods, request, ids, request_id))
        except PlaneError as error:
            return _refusal(error, request_id)

    view.methods = methods  # type: ignore[attr-defined]  # the documentation is tested against them
    return view


def _serve(
    methods: Mapping[str, Callable[..., Answer]], request: HttpRequest, ids: dict[str, str], request_id: str
) -> HttpResponse:
    try:
        if any("\0" in text for text in ids.values()):
            raise NotFound("not found")
        if (method := request.method or "") not in methods:
            raise NotImplementedHere(f"{method} {request.path} is not part of the local control plane")
        status, body = methods[method](request, **ids)
    except PlaneError as error:
        return _refusal(error, request_id)
    except SuspiciousOperation:  # Django's bounds for a body and for the number of parameters
        return _refusal(BadRequest("invalid request: too large"), request_id)
    except psycopg.Error as error:
        return _refusal(_told_by_postgres(request, error, request_id), request_id)
    except Exception:  # the last resort of a server; what went wrong may quote what is nobody's business
        logger.exception("%s %s failed (%s)", request.method, request.path, request_id)
        return _refusal(InternalError("internal error"), request_id)
    return _response(body, status, request_id)


def _told_by_postgres(request: HttpRequest, error: psycopg.Error, request_id: str) -> PlaneError:
    """Return what a failure of the server is to the client; nothing of the server's own words, which may quote data."""
    match error:
        case PostgresError():
            logger.warning("%s %s failed (%s): %s", request.method, request.path, request_id, error)
            return Unavailable("the Postgres server does not answer")
        case psycopg.errors.DiskFull():
            logger.warning("%s %s failed (%s): the disk is full", request.method, request.path, request_id)
            return DiskFull("no space left on the disk of the Postgres server")
        # A session of the project's holds what the call needs, or has changed it in between; all is as it was.
        case (
            psycopg.errors.LockNotAvailable() | psycopg.errors.DeadlockDetected() | psycopg.errors.InvalidCatalogName()
        ):
            return Locked()
        case psycopg.errors.InternalError_() if "tuple concurrently" in str(error):
            return Locked()
    logger.error("%s %s failed (%s)", request.method, request.path, request_id, exc_info=error)
    return InternalError("internal error")


def _refusal(error: PlaneError, request_id: str) -> HttpResponse:
    body = {"request_id": request_id, "code": error.code, "message": error.message}
    return _response(body, error.status, request_id)


def _response(body: dict[str, Any], status: HTTPStatus, request_id: str) -> HttpResponse:
    response = HttpResponse(status=status) if status == HTTPStatus.NO_CONTENT else JsonResponse(body, status=status)
    response["x-neon-ret-request-id"] = request_id
    return response


def _check_key(request: HttpRequest) -> None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not key or not secrets.compare_digest(key.encode(), settings.NEON_LOCAL_API_KEY.encode()):
        raise Unauthorized("supplied credentials do not pass authentication")


def body(request: HttpRequest) -> Wanted:
    """Return the JSON object of the request's body, which may be empty."""
    try:
        wanted = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        raise BadRequest("invalid request: decode application/json") from None
    if not isinstance(wanted, dict):
        raise BadRequest("invalid request: decode application/json: an object is required")
    return wanted


def inside(request: HttpRequest, name: str) -> Wanted:
    """Return the object that the body must have under a name."""
    wanted = body(request).get(name)
    if not isinstance(wanted, dict):
        raise BadRequest(f"invalid request: decode application/json: invalid: {name} (field required)")
    return wanted


def part(wanted: Wanted, name: str) -> Wanted:
    """Return the object that may be there under a name, else an empty one."""
    value = wanted.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequest(f"invalid request: {name} must be an object")
    return value


def text(wanted: Wanted, name: str, *, longest: int = NAME_LENGTH) -> str:
    """Return a text of the query or the body, empty when it is not given."""
    value = wanted.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value or len(value) > longest or not _is_unicode(value):
        raise BadRequest(f"invalid request: {name} must be a text of at most {longest} characters")
    return value


def needed(wanted: Wanted, name: str) -> str:
    """Return a text that must be there."""
    if not (value := text(wanted, name)):
        raise BadRequest(f"invalid request: {name} is required")
    return value


def title(wanted: Wanted, name: str, *, longest: int = NAME_LENGTH) -> str:
    """Return what something is to be called, empty when that is not given; given, it cannot be empty."""
    value = text(wanted, name, longest=longest)
    if not value and wanted.get(name) is not None:
        raise BadRequest(f"invalid request: {name} must not be empty")
    return value


def identifier(wanted: Wanted, name: str, *, required: bool = False) -> str:
    """Return what a database or a role is to be called, empty when that is not given and need not be."""
    value = needed(wanted, name) if required else title(wanted, name)
    if len(value.encode()) > IDENTIFIER_BYTES:
        raise BadRequest(f"invalid request: {name} must be at most {IDENTIFIER_BYTES} bytes long")
    if "/" in value:  # nothing below its path could be reached
        raise BadRequest(f"invalid request: {name} must not contain a slash")
    return value


def choice(wanted: Wanted, name: str, choices: Collection[str], default: str = "") -> str:
    """Return one of a few texts, the default when none is given; without a default one has to be."""
    value = text(wanted, name) or default
    if value not in choices:
        raise BadRequest(f"invalid request: {name} must be one of {', '.join(choices)}")
    return value


def flag(wanted: Wanted, name: str, *, default: bool = False) -> bool:
    """Return a yes or no of the query or the body."""
    value = wanted.get(name)
    if value is None:
        return default
    if isinstance(value, bool):
        return value
    if isinstance(wanted, QueryDict) and value in TRUE | FALSE:
        return value in TRUE
    raise BadRequest(f"invalid request: {name} must be true or false")


def moment(wanted: Wanted, name: str) -> datetime | None:
    """Return a point in time, as RFC 3339 writes it, or None."""
    if not (value := text(wanted, name)):
        return None
    try:
        when = datetime.fromisoformat(value)
        return when.replace(tzinfo=when.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRequest(f"invalid request: {name} must be a time in RFC 3339") from None


def end(wanted: Wanted, name: str) -> datetime | None:
    """Return a point in time that has yet to come, or None."""
    when = moment(wanted, name)
    if when and when <= datetime.now(UTC):
        raise BadRequest(f"invalid request: {name} must be in the future")
    return when


def limit(request: HttpRequest, default: int, most: int) -> int:
    """Return the page's length."""
    try:
        wanted = int(request.GET.get("limit", default))
    except ValueError:
        wanted = 0
    if not 1 <= wanted <= most:
        raise BadRequest(f"invalid request: limit must be a number from 1 to {most}")
    return wanted


def refuse(wanted: Wanted, *names: str, reason: str) -> None:
    """Raise NotImplementedHere for what the plane cannot do, rather than seem to have done it."""
    given = [name for name in names if wanted.get(name) not in (None, "", {}, 0)]  # False is 0 as well
    if given:
        raise NotImplementedHere(f"the local control plane {reason}: no {', '.join(given)}")


def _is_unicode(value: str) -> bool:
    """Tell whether a text can be written down: JSON may hold half a character."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
