"""Pages as they were made before, for as long as every row that they were made from is the same.

Both databases are asked each time: the app database for what is shown of it, and the meta database for the versions of
its rows, by one call. The session and the user are among them, so nobody is shown what they may not see any more. Only
making the page again is saved, which is nearly all that a page costs.
"""

import hashlib
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any

from cachetools import TTLCache
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.contrib.messages.storage.cookie import CookieStorage
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.cache import patch_vary_headers

from checkpoints.changes import threads
from contacts.errors import AppDatabaseError

if TYPE_CHECKING:
    from checkpoints.http import Request

Question = tuple[Any, ...]  # to an app database: a function and its arguments
VERSIONS = "SELECT page_versions(%s, %s, %s)"
KEEP_SECONDS = 300
KEEP_BYTES = 16 * 2**20
# They stand in a kept page for what is new each time. Nobody knows them, so nothing that people write contains them.
STAND_INS = {"csrf_token": secrets.token_hex(32), "seen": secrets.token_hex(32)}


@dataclass(frozen=True, slots=True)
class Kept:
    """A page, who asked for it, and what it was made from."""

    html: bytes = field(repr=False)
    user: User
    versions: str
    question: Question | None = field(repr=False)  # which has the password
    answer: Any = field(repr=False)


_pages: TTLCache[bytes, Kept] = TTLCache(KEEP_BYTES, KEEP_SECONDS, getsizeof=lambda kept: len(kept.html))
_mutex = threading.Lock()


class Look:
    """A look at what a page is made from, before it is made; at both databases at once if it was made before."""

    def __init__(self, request: "Request", checkpoint: uuid.UUID) -> None:
        """Ask for the versions of the rows, and anew what was asked for the page as it was; raises django.db.Error."""
        session = request.session.session_key
        self._key = hashlib.sha256(f"{session} {request.get_full_path()}".encode()).digest()
        with _mutex:
            self._kept = _pages.get(self._key)
        again = self._kept.question if self._kept else None
        self._again = threads.submit(*again) if again else None
        self._question: Question | None = None
        self._reading: Future[Any] | None = None
        with connection.cursor() as cursor:
            cursor.execute(VERSIONS, [checkpoint, session, timezone.now()])
            self._versions = cursor.fetchone()[0]
        if self._kept and self._kept.versions != self._versions:
            self._kept = self._again = None

    def unchanged(self) -> Kept | None:
        """Return the page as it was, if both databases answer as they did for it."""
        with suppress(AppDatabaseError):
            if self._kept and _result(self._again) == self._kept.answer:
                return self._kept
        with _mutex:
            _pages.pop(self._key, None)
        return None

    def ask(self, question: Question) -> "Future[Any]":
        """Ask an app database, unless just that has been asked already for the same rows."""
        is_asked = self._kept and self._kept.question == question
        self._question = question
        self._reading = self._again if self._again and is_asked else threads.submit(*question)
        return self._reading

    def keep(self, html: bytes, user: User) -> None:
        """Keep a page that was made after this look."""
        # The lazy user would hold the request.
        page = Kept(html, copy(user), self._versions, self._question, _result(self._reading))
        with _mutex, suppress(ValueError):  # too large
            _pages[self._key] = page


def _result(reading: "Future[Any] | None") -> Any:
    return reading.result() if reading else None


def forget() -> None:
    """Forget all pages."""
    with _mutex:
        _pages.clear()


def seen(request: HttpRequest) -> dict[str, str]:
    """Let every template say when it was rendered."""
    return {"seen": f"{time.time():.6f}"}


def unless_changed(
    view: Callable[["Request", uuid.UUID], HttpResponse],
) -> Callable[["Request", uuid.UUID], HttpResponse]:
    """Answer with a checkpoint's page as it was, if it would be the same now; else let the view make it.

    What htmx asks for comes after a change, and is hardly asked for again; a message is said once; and with DEBUG on
    templates are being worked on.
    """

    @wraps(view)
    def wrapper(request: "Request", pk: uuid.UUID) -> HttpResponse:
        has_message = bool(request.COOKIES.get(CookieStorage.cookie_name))
        if request.method == "GET" and not (request.htmx or has_message or settings.DEBUG):
            request.look = Look(request, pk)
            if page := request.look.unchanged():
                request.user = page.user
                response = HttpResponse(_fill_in(request, page.html))
                patch_vary_headers(response, ["HX-Request"])
                return response
        return view(request, pk)

    return wrapper


def ask(request: "Request", *question: Any) -> "Future[Any]":
    """Let an app database be asked: a function and its arguments."""
    look: Look | None = getattr(request, "look", None)
    return look.ask(question) if look else threads.submit(*question)


def render(template: str, context: Mapping[str, Any], request: "Request") -> bytes:
    """Return a checkpoint's page, and keep it if it was looked for, and tells of nothing that goes on by itself."""
    look: Look | None = getattr(request, "look", None)
    if look is None or context["run"] or "error" in context or len(get_messages(request)):
        return render_to_string(template, context, request).encode()
    html = render_to_string(template, {**context, **STAND_INS}, request).encode()
    look.keep(html, request.user)
    return _fill_in(request, html)


def _fill_in(request: "Request", html: bytes) -> bytes:
    for name, value in {"csrf_token": get_token(request), **seen(request)}.items():
        html = html.replace(STAND_INS[name].encode(), value.encode())
    return html
